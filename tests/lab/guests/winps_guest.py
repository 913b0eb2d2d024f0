"""The winps runtime for tests of this folder; a test that needs it is skipped where the tool is not there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.guests.winps import WinpsGuest

BASES = ("server2022", "server2022-domain", "server2022-core", "server2022-de", "server2016", "win11")


def winps_or_skip() -> WinpsGuest:
    """Returns a runtime that has started nothing yet."""
    try:
        return WinpsGuest()
    except UsageError as error:
        pytest.skip(str(error))


@asynccontextmanager
async def winps_guest() -> AsyncIterator[WinpsGuest]:
    """Yields a runtime and ends its process."""
    guest = winps_or_skip()
    try:
        yield guest
    finally:
        await guest.close()
