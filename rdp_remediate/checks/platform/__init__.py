"""Checks of the hop platform."""
