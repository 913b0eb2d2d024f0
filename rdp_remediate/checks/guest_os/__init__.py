"""Checks of the hop guest-os."""
