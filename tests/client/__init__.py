"""Tests of what runs on the user's own computer."""
