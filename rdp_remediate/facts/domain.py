"""What Windows' errors say about the way to the domain."""

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need

_NO_CONTROLLER = (53, 64, 121, 1231, 1311, 1355, 1722, 1727, 1788)
"""No path, no answer, no logon server, no such domain, RPC not available."""
_DISTRUSTED = (5, 86, 1326, 1386, 1396, 1397, 1786, 1787, 1789, 1790)
"""Access denied, wrong password, no or another trust account, trust relationship failed."""

DEFAULT_TOKEN_SIZE = 48000
"""MaxTokenSize of Windows Server 2012 and later where the value is absent."""


def no_controller(error: int) -> bool:
    """The error of a secure channel without any domain controller."""
    return error in _NO_CONTROLLER


def distrusted(error: int) -> bool:
    """The error of a secure channel that the domain controller refuses."""
    return error in _DISTRUSTED


def netlogon_runs(facts: Facts) -> bool:
    """Netlogon runs, so that there is a channel to judge."""
    service = need(facts.guest.service("Netlogon"))
    return service is not None and service.state == "Running"
