"""Are Remote Desktop Services enabled as a whole?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("ts-disabled",), requires=("vm_is_running",))
def terminal_server_is_enabled(facts: Facts) -> Outcome:
    r"""Remote Desktop Services are enabled (TSEnabled=1).

    Why: with TSEnabled=0 Windows takes no remote session; the value is read when Windows starts.
    Evidence: guest registry, TS\TSEnabled.
    By hand:
        * ts-disabled: `Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server' TSEnabled 1`, then restart the
          VM.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-general-error
    """
    value = need(facts.guest.registry_number(r"TS\TSEnabled"))
    if value == 0:
        return failed("ts-disabled", "Remote Desktop Services are disabled as a whole (TSEnabled=0).", value=value)
    if value in (None, 1):
        return passed("TSEnabled is 1" if value == 1 else "TSEnabled is absent, which disables nothing")
    return unknown(f"TSEnabled is {value}, which is no known setting.", "guest.registry")
