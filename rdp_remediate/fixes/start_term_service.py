"""Start Remote Desktop Services."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import is_own_dll, obstacle, service_dll
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
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
    if service.start_type == "Disabled":
        yield Draft(
            kind="service_start",
            target={"service": TERM_SERVICE},
            expected=service.start_type,
            desired="Manual",
            title="Set the start type of TermService to Manual, its default",
            postcondition="TermService has start type Manual",
            always_ask=ask,
        )
    yield Draft(
        kind="service_state",
        target={"service": TERM_SERVICE},
        expected=service.state,
        desired="Running",
        title="Start TermService",
        postcondition="TermService is running",
        always_ask=ask,
    )
