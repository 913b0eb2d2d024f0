"""Checks of the hop guest-rdp-service."""
