"""Tests of the hop edge."""
