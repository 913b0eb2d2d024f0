"""Does the RDP listener listen on an adapter that is there?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import remote_desktop_item
from rdp_remediate.models.report import Hop


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=("listener-bound-to-wrong-adapter",),
    requires=("vm_is_running", "listener_is_defined"),
)
def listener_is_bound_to_a_present_adapter(facts: Facts) -> Outcome:
    r"""The RDP listener is bound to all adapters, or to one that is present.

    Why: RT\LanAdapter holds a number of the table lanatable; after a migration it may name an adapter that is gone. Event
    1036 with 0x2740 means that the port is taken and says nothing about the adapter.
    Evidence: RT\LanAdapter, lanatable and the present adapters.
    By hand:
        * listener-bound-to-wrong-adapter: `Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal
          Server\WinStations\RDP-Tcp' LanAdapter 0`, then `Restart-Service TermService -Force`, which drops sessions.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/cant-establish-remote-desktop-session
    """
    number = need(facts.guest.registry_number(r"RT\LanAdapter"))
    if number in (None, 0):
        return passed("the listener is bound to all adapters")
    status = remote_desktop_item(facts.guest, "listener_adapter").listener_adapter
    if status == "missing":
        return failed(
            "listener-bound-to-wrong-adapter",
            f"The RDP listener is bound to adapter {number} (LanAdapter), which is not present.",
            lan_adapter=number,
        )
    if status == "Up":
        return passed(f"adapter {number} is present", lan_adapter=number)
    return unknown(
        f"The RDP listener is bound to adapter {number}, whose state is {status or 'not known'}.",
        because="guest.remote_desktop.listener_adapter",
        lan_adapter=number,
    )
