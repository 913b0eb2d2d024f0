"""Fixtures of the guest tests."""

import pytest

from tests.winps import Winps, shared_winps


@pytest.fixture
def winps() -> Winps:
    return shared_winps()
