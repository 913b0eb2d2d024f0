"""Tells a refusal of the target from a failure of the network and from one of this computer."""

import errno

from rdp_remediate.probe.outcome import Outcome

_BY_ERRNO = {
    errno.ECONNREFUSED: Outcome.TCP_REFUSED,
    errno.EHOSTUNREACH: Outcome.TCP_UNREACHABLE,
    errno.ENETUNREACH: Outcome.TCP_UNREACHABLE,
    errno.ECONNRESET: Outcome.TCP_RESET,
    errno.ECONNABORTED: Outcome.TCP_RESET,
    errno.ETIMEDOUT: Outcome.TCP_TIMEOUT,
}
# Windows' own codes, where the proactor event loop reports them instead of the socket's: ERROR_SEM_TIMEOUT,
# ERROR_CONNECTION_REFUSED, ERROR_NETWORK_UNREACHABLE, ERROR_HOST_UNREACHABLE.
_BY_WINERROR = {
    121: Outcome.TCP_TIMEOUT,
    1225: Outcome.TCP_REFUSED,
    1231: Outcome.TCP_UNREACHABLE,
    1232: Outcome.TCP_UNREACHABLE,
}


def classify_connect_error(error: OSError) -> Outcome:
    """Says what a failed connect means; an error that is not known to come from the network counts as ours."""
    winerror = getattr(error, "winerror", None)
    if winerror in _BY_WINERROR:
        return _BY_WINERROR[winerror]
    return _BY_ERRNO.get(error.errno or 0, Outcome.TCP_LOCAL_DENIED)


def error_name(error: OSError) -> str | None:
    """Names an operating system error, such as ECONNREFUSED; None when it carries no number."""
    if error.errno is None:
        return None
    return errno.errorcode.get(error.errno, str(error.errno))
