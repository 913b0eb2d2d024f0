import errno
import os

import pytest

from rdp_remediate.probe.os_errors import classify_connect_error, error_name
from rdp_remediate.probe.outcome import Outcome


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.ECONNREFUSED, Outcome.TCP_REFUSED),
        (errno.EHOSTUNREACH, Outcome.TCP_UNREACHABLE),
        (errno.ENETUNREACH, Outcome.TCP_UNREACHABLE),
        (errno.ECONNRESET, Outcome.TCP_RESET),
        (errno.ETIMEDOUT, Outcome.TCP_TIMEOUT),
        *[
            (number, Outcome.TCP_LOCAL_DENIED)
            for number in (
                errno.EPERM,
                errno.EACCES,
                errno.EMFILE,
                errno.ENFILE,
                errno.EADDRNOTAVAIL,
                errno.ENOBUFS,
                errno.EAFNOSUPPORT,
                errno.EINVAL,
            )
        ],
    ],
)
def test_a_connect_error_is_the_targets_the_networks_or_ours(number: int, outcome: Outcome) -> None:
    error = OSError(number, os.strerror(number))
    assert classify_connect_error(error) is outcome
    assert error_name(error) == errno.errorcode[number]


class ProactorError(OSError):
    """An error as Windows has it: elsewhere OSError has no such attribute."""

    winerror: int


def test_an_error_without_a_number_is_ours() -> None:
    assert classify_connect_error(OSError("Multiple exceptions")) is Outcome.TCP_LOCAL_DENIED
    assert error_name(OSError("Multiple exceptions")) is None


@pytest.mark.parametrize(
    ("winerror", "outcome"),
    [
        (121, Outcome.TCP_TIMEOUT),
        (1225, Outcome.TCP_REFUSED),
        (1231, Outcome.TCP_UNREACHABLE),
        (1232, Outcome.TCP_UNREACHABLE),
    ],
)
def test_windows_own_numbers_are_known(winerror: int, outcome: Outcome) -> None:
    error = ProactorError(errno.EINVAL, "as Windows' event loop reports it")
    error.winerror = winerror
    assert classify_connect_error(error) is outcome
