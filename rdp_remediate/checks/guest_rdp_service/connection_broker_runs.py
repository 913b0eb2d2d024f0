"""Does the RD Connection Broker of this host run?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import BROKER_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("rdcb-broken",), requires=("vm_is_running",))
def connection_broker_runs(facts: Facts) -> Outcome:
    r"""Where the RD Connection Broker is installed, its service runs.

    Why: without it no connection to the farm is placed. On a server without that role the service does not exist.
    Evidence: the service TSSDis.
    By hand:
        * rdcb-broken: `Start-Service TSSDis`; if it does not stay up, look at the events 2056 of SessionBroker. A host that was
          renamed needs the role and its database again; the group RDS Endpoint Servers is empty on a healthy host without it.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/remote-desktop-cannot-connect-remote-computer
    """
    service = need(facts.guest.service(BROKER_SERVICE))
    if service is None:
        return passed("this host is no connection broker")
    if service.state == "Running":
        return passed("the connection broker runs")
    if service.state != "Stopped":
        return unknown(f"TSSDis is {service.state}: neither running nor stopped.", because="service state")
    return failed(
        "rdcb-broken",
        f"The RD Connection Broker (TSSDis) is stopped, start type {service.start_type}.",
        start_type=service.start_type,
    )
