"""Tests of the checks of guest-firewall."""
