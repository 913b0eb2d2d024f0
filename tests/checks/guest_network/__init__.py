"""Tests of the checks of guest-network."""
