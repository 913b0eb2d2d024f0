"""Would the serial console give a prompt?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop

_CLIENT = 1


@check(hop=Hop.GUEST_OS, faults=("emergency-access-missing",), requires=("vm_is_running",))
def serial_console_has_sac(facts: Facts) -> Outcome:
    """A server's boot entry sends the Special Administration Console to the serial port.

    Why: when RDP and the agent are both gone, the serial console is the way in that is left. The service sacsvr is Manual
        and stopped on every healthy server; only EMS is judged. Client editions come without it.
    Evidence: bcdedit, ems of the current boot entry.
    By hand:
        * emergency-access-missing: `bcdedit /ems {current} on`, `bcdedit /emssettings EMSPORT:1 EMSBAUDRATE:115200` in
          Windows; it takes effect at the next restart, whose time the owner chooses.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/serial-console-windows
    """
    if need(facts.guest.os).product_type == _CLIENT:
        return skipped("client edition")
    ems = need(facts.guest.system_item("boot")).ems
    if ems not in ("Yes", "No", "absent"):
        return unknown("The guest's answer does not hold ems.", because="guest.system.boot")
    if ems == "Yes":
        return passed("ems Yes")
    return failed(
        "emergency-access-missing",
        "EMS is off: without RDP and the agent the serial console would give no prompt.",
        Effect.RISK,
    )
