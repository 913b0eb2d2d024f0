"""Who has the RDP port?"""

import ipaddress

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import remote_desktop_item
from rdp_remediate.models.report import Hop

_SHARED_HOST = "svchost"


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("rdp-port-conflict",), requires=("vm_is_running",))
def rdp_port_belongs_to_term_service(facts: Facts) -> Outcome:
    r"""No other program listens on the RDP port in place of TermService.

    Why: TermService runs and says nothing when another program took its port first (event 1036 with 0x2740, address in use);
    what answers then is no RDP.
    Evidence: the owners of the listening rows of the RDP port, and TermService's process.
    By hand:
        * rdp-port-conflict: <process> (process id <pid>) has port <port>. Move it to another port or stop its service, then
          `Restart-Service TermService -Force`; or move RDP, and open the new port in Windows Firewall and the NSG.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-internal-error
    """
    port = need(facts.guest.rdp_port())
    listener = need(facts.guest.listener)
    rows = [row for row in listener.rows if row.port == port]
    if any(row.pid == listener.term_service_pid for row in rows):
        return passed("TermService has the port", port=port)
    foreign = [row for row in rows if not ipaddress.ip_address(row.address.partition("%")[0]).is_loopback]
    if not foreign:
        return passed("nobody else has the port", port=port)
    first = foreign[0]
    process = first.process or "an unnamed process"
    services: list[str] = []
    if process.lower() == _SHARED_HOST:
        # Perhaps a TermService that has just started again: only the services inside tell.
        services = remote_desktop_item(facts.guest, "port_services").port_services
        if not services or TERM_SERVICE in services:
            return unknown(
                f"Port {port} belongs to a service host (process {first.pid}), and which service it is was not seen.",
                because="guest.remote_desktop.port_services",
            )
    who = f"{process} ({', '.join(services)})" if services else process
    return failed(
        "rdp-port-conflict",
        f"{who}, process {first.pid}, listens on port {port} in place of TermService.",
        port=port,
        pid=first.pid,
        process=process,
    )
