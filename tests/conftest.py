"""Fixtures that every folder of tests shares."""

from tests.azurite import azurite

__all__ = ["azurite"]
