"""Does the host take new sessions, or is it being emptied?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, by_design, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.session_host import CLIENT_WINDOWS, is_session_host
from rdp_remediate.models.report import Hop

_MODES = {1: "until the next restart", 2: "until somebody changes it"}


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("drain-mode",), requires=("vm_is_running",))
def host_is_not_draining(facts: Facts) -> Outcome:
    r"""The host is not in drain mode (TSServerDrainMode=0).

    Why: a host that drains refuses new sessions and takes back existing ones; `mstsc /admin` still works. Somebody set it, as
    a rule for maintenance, so it is never lifted unattended. The same name under RDP-Tcp means nothing.
    Evidence: guest registry, TS\TSServerDrainMode; the role from Win32_TerminalServiceSetting.
    By hand:
        * drain-mode: ask who drains the host and why; `change logon /query` shows it, `change logon /enable` ends it. Until
          then connect with `mstsc /admin`, or to another host of the farm.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-general-error
    """
    value = need(facts.guest.registry_number(r"TS\TSServerDrainMode"))
    if value in (None, 0):
        return passed("TSServerDrainMode is not set")
    if value not in _MODES:
        return unknown(f"TSServerDrainMode is {value}, which is no known setting.", "guest.registry")
    if need(facts.guest.os).product_type == CLIENT_WINDOWS:
        return unknown(
            f"TSServerDrainMode is {value} on a client Windows, where no page says what it does.", "guest.registry"
        )
    host = is_session_host(facts.guest)
    return by_design(
        "drain-mode",
        f"The host is in drain mode {_MODES[value]}: it refuses new sessions, existing ones and /admin work.",
        mode=value,
        session_host=host,
    )
