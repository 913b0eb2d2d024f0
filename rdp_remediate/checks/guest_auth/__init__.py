"""Checks of the hop guest-auth."""
