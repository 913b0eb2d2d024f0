"""Checks of the hop network."""
