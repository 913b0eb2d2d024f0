"""Is the RDP listener there?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop

ESSENTIAL = ("WdName", "PdName", "LoadableProtocol_Object")


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("listener-key-missing-or-corrupt",), requires=("vm_is_running",))
def listener_is_defined(facts: Facts) -> Outcome:
    r"""The definition of the RDP listener (WinStations\RDP-Tcp) is whole.

    Why: TermService makes its listener from this key; without the key, or without its protocol and transport, there is none.
    What the values have to be differs between builds of Windows, so a golden copy of the same build is needed.
    Evidence: guest registry: WdName, PdName and LoadableProtocol_Object of RDP-Tcp.
    By hand:
        * listener-key-missing-or-corrupt: export `HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations` as a
          backup, import RDP-Tcp from a healthy computer of the same build (`reg export` there, `reg import` here), set
          PortNumber as it was, then `Restart-Service TermService -Force`.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/remote-desktop-cannot-connect-remote-computer
    """
    values = {name: need(facts.guest.registry_value(rf"RT\{name}")) for name in ESSENTIAL}
    absent = [name for name, value in values.items() if not isinstance(value, str) or not value.strip()]
    if not absent:
        return passed("protocol and transport of the listener are set")
    what = "is missing or empty" if len(absent) == len(ESSENTIAL) else f"is incomplete: {', '.join(absent)} absent"
    return failed(
        "listener-key-missing-or-corrupt",
        f"The registry key of the RDP listener (WinStations\\RDP-Tcp) {what}, so no listener can be made.",
        absent=", ".join(absent),
    )
