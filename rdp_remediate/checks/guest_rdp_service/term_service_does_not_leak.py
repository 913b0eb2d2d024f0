"""Has the process of TermService grown until it is busy with itself?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import remote_desktop_item
from rdp_remediate.models.report import Confidence, Effect, Hop

_LEAK_MB = 2048
_SHORT_PERCENT = 5


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=("rds-service-busy-or-leak",),
    requires=("vm_is_running", "term_service_is_running"),
)
def term_service_does_not_leak(facts: Facts) -> Outcome:
    """The process of TermService has the size of a working one.

    Why: a TermService that leaks answers "Remote Desktop Services is currently busy" once memory is short, and a restart of
        Windows helps for a while. Which component leaks (often a third party's inside the process) only a dump tells.
    Evidence: the working set of its process, usually below a hundred megabytes; memory that is free; what else the process
        hosts.
    By hand:
        * rds-service-busy-or-leak: take a dump of process <process_id> first (`procdump -ma`, or Task Manager) for Microsoft
          support; then `Restart-Service TermService -Force`. People are disconnected, their sessions stay.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/remote-desktop-service-currently-busy
    """
    size = remote_desktop_item(facts.guest, "memory").memory
    if size is None or size < _LEAK_MB:
        return passed("its process is not large" if size is None else f"its process has {size} MB")
    process = need(facts.guest.service(TERM_SERVICE))
    process_id = process.pid if process else 0
    others = [
        name
        for name, one in need(facts.guest.services).items()
        if one is not None and one.pid == process_id and name != TERM_SERVICE
    ]
    memory = need(facts.guest.system_item("memory")).memory
    short = memory is not None and memory[1] * 100 < memory[0] * _SHORT_PERCENT
    evidence = {
        "size": size,
        "process_id": process_id,
        "others": ", ".join(others),
        "free": memory[1] if memory else -1,
    }
    if others:
        return failed(
            "rds-service-busy-or-leak",
            f"The process of TermService has {size} MB, and hosts {evidence['others']} too: which of them holds it is open.",
            Effect.DEGRADES,
            Confidence.POSSIBLE,
            **evidence,
        )
    if not short:
        return failed(
            "rds-service-busy-or-leak",
            f"The process of TermService has grown to {size} MB; there is memory left for the moment.",
            Effect.RISK,
            Confidence.LIKELY,
            **evidence,
        )
    return failed(
        "rds-service-busy-or-leak",
        f"The process of TermService has grown to {size} MB and {evidence['free']} MB of memory are free: it has no room for new "
        "sessions.",
        Effect.BLOCKS,
        Confidence.LIKELY,
        **evidence,
    )
