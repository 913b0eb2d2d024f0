"""Checks of the hop edge."""
