"""Let TermService run under its own account again."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import DEFAULT_ACCOUNT, is_own_dll, service_dll
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.report import Finding


@fix(faults=("termservice-wrong-account",), layer="guest", order=18, permissions=RUN_COMMAND, closed_by=("service",))
def restore_term_service_account(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Set the account of TermService back to NT AUTHORITY\NetworkService and start it.

    Changes: the account of TermService; its state to Running where it is stopped and not disabled. A running one is restarted.
    Undo: stops it and puts the recorded account's name back; its password is not known to anybody here.
    Refuses when: the service is not installed or loads foreign code.
    """
    del findings
    service = need(facts.guest.service(TERM_SERVICE))
    if service is None:
        yield Refused("not_installed", "TermService is not installed on this Windows.", "the owner of the image")
        return
    if not is_own_dll(need(service_dll(facts.guest))):
        yield Refused("foreign_code", "TermService loads code that is not Microsoft's; it is not started unattended.")
        return
    yield Draft(
        kind="service_account",
        target={"service": TERM_SERVICE},
        expected=service.account,
        desired=DEFAULT_ACCOUNT,
        title=f"Set the account of TermService to {DEFAULT_ACCOUNT}, its default",
        postcondition=f"TermService runs as {DEFAULT_ACCOUNT}",
        restart=service.state == "Running",
    )
    if service.state == "Stopped" and service.start_type != "Disabled":
        yield Draft(
            kind="service_state",
            target={"service": TERM_SERVICE},
            expected=service.state,
            desired="Running",
            title="Start TermService",
            postcondition="TermService is running",
        )
