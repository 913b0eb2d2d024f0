"""Start Remote Desktop Services."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import is_own_dll, obstacle, service_dll
from rdp_remediate.fixes.fix import RUN_COMMAND, Refused, Yielded, fix
from rdp_remediate.fixes.service_steps import service_steps
from rdp_remediate.models.report import Finding

_IN_VAIN = ("termservice-access-denied", "termservice-dependency-failed")


@fix(
    faults=("termservice-disabled", "termservice-stopped"),
    layer="guest",
    order=20,
    permissions=RUN_COMMAND,
    closed_by=("service",),
)
def start_term_service(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Start Remote Desktop Services, with its default start type where it is disabled.

    Changes: the start type of TermService from Disabled to Manual, its default; its state to Running.
    Undo: stops it and puts the recorded start type back.
    Refuses when: the service is not installed, loads foreign code, or could not start for another reason that is repaired first.
    """
    del findings
    service = need(facts.guest.service(TERM_SERVICE))
    if service is None:
        yield Refused("not_installed", "TermService is not installed on this Windows.", "the owner of the image")
        return
    if not is_own_dll(need(service_dll(facts.guest))):
        yield Refused("foreign_code", "TermService loads code that is not Microsoft's; it is not started unattended.")
        return
    found = obstacle(facts)
    if found is not None and found.fault in _IN_VAIN:
        yield Refused("other_cause_first", f"It could not start: {found.why}")
        return
    # A wrong account is put right before; after a crash a person decides.
    ask = found.why if found is not None and found.fault == "termservice-hang-or-crash" else None
    yield from service_steps(TERM_SERVICE, service, "Manual", always_ask=ask)
