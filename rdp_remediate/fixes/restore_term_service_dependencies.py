"""Let TermService depend on nothing but RPC again."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import DEFAULT_DEPENDENCY
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

_WHY = "somebody changed what TermService depends on; whoever did must agree"


@fix(
    faults=("termservice-dependency-failed",), layer="guest", order=18, permissions=RUN_COMMAND, closed_by=("service",)
)
def restore_term_service_dependencies(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Set DependOnService of TermService back to RPCSS and start it.

    Changes: what TermService depends on; its state to Running where it is stopped and not disabled.
    Undo: stops it and puts the recorded dependencies back.
    Refuses when: what is missing is a service of Windows itself, whose repair needs a restart of the computer.
    """
    service = need(facts.guest.service(TERM_SERVICE))
    if service is None:
        yield Refused("not_installed", "TermService is not installed on this Windows.", "the owner of the image")
        return
    for name in str(findings[0].evidence.get("missing") or "").split(", "):
        if not isinstance(facts.guest.service(name), Unavailable):
            yield Refused("needs_restart", f"{name} is a service of Windows; its start type is put right by hand.")
            return
    yield Draft(
        kind="service_dependencies",
        target={"service": TERM_SERVICE},
        expected="/".join(service.depends_on),
        desired=DEFAULT_DEPENDENCY,
        title=f"Let TermService depend on {DEFAULT_DEPENDENCY} alone, its default",
        postcondition=f"DependOnService of TermService is {DEFAULT_DEPENDENCY}",
        risk=Risk.SENSITIVE,
        always_ask=_WHY,
    )
    if service.state == "Stopped" and service.start_type != "Disabled":
        yield Draft(
            kind="service_state",
            target={"service": TERM_SERVICE},
            expected=service.state,
            desired="Running",
            title="Start TermService",
            postcondition="TermService is running",
            always_ask=_WHY,
        )
