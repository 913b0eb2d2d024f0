"""Checks of the hop endpoint."""
