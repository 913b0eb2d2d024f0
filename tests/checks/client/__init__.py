"""Tests of the hop client."""
