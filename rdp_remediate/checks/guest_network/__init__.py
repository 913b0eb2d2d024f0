"""Checks of the hop guest-network."""
