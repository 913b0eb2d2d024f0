"""Checks of the hop client."""
