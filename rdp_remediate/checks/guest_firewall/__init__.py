"""Checks of the hop guest-firewall."""
