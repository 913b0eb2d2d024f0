"""Can TermService start, and does it stay up?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import obstacle
from rdp_remediate.models.report import Confidence, Effect, Hop


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=(
        "termservice-hang-or-crash", "termservice-wrong-account", "termservice-access-denied",
        "termservice-dependency-failed",
    ),
    requires=("vm_is_running",),
)  # fmt: skip
def term_service_can_start(facts: Facts) -> Outcome:
    r"""TermService starts under its own account, with what it depends on, and stays up.

    Why: a service that is asked to start and cannot stays stopped; its exit code, its configuration and the events of the
    Service Control Manager tell which of the reasons it is. An exit code of a start long ago proves nothing while what is
    set now is right.
    Evidence: guest services (state, account, dependencies, exit code), events 7009 to 7034 that name the service.
    By hand:
        * termservice-hang-or-crash: `sc.exe queryex TermService` gives its process id; if that process hosts nothing else
          (`tasklist /svc /fi "PID eq <pid>"`) end it with `taskkill /f /pid <pid>`, then `Start-Service TermService`. If it
          comes back, `sc.exe config TermService type= own`, take a dump and ask Microsoft support.
        * termservice-wrong-account: `sc.exe config TermService obj= "NT AUTHORITY\NetworkService" password= ""`, then
          `Start-Service TermService`; it ran as <account>.
        * termservice-access-denied: record `sc.exe start TermService` with Process Monitor, filter for ACCESS DENIED, and give
          that file or key the permissions that it has on a healthy computer of the same build.
        * termservice-dependency-failed: `sc.exe qc TermService` shows what it depends on; its default is RPCSS alone:
          `sc.exe config TermService depend= RPCSS`. If <missing> is a service of Windows that is disabled, give it its default
          start type and restart the computer.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-remote-desktop-services-issues
    """
    service = need(facts.guest.service(TERM_SERVICE))
    if service is None:
        return unknown("TermService is not installed on this Windows.", because="guest.services.TermService")
    found = obstacle(facts)
    if found is None:
        if service.state in ("Running", "Stopped"):
            return passed("nothing keeps TermService from running")
        return unknown(f"TermService is {service.state}; whether it stays so is not known.", because="service state")
    runs = service.state == "Running"
    return failed(
        found.fault,
        found.why + (" It still runs; its next start fails." if runs and found.fault not in _SEEN_RUNNING else ""),
        Effect.DEGRADES if runs else Effect.BLOCKS,
        Confidence.CONFIRMED if found.certain else Confidence.LIKELY,
        **found.evidence,
    )


_SEEN_RUNNING = ("termservice-hang-or-crash", "termservice-wrong-account")
