"""Free the RDP port for TermService."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

_WINDOWS = ("system", "svchost")


@fix(faults=("rdp-port-conflict",), layer="guest", order=29, permissions=RUN_COMMAND)
def free_rdp_port(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Stop the program that has the RDP port, and restart TermService, which then takes it.

    Changes: stops the services in the process that has the port, or ends it where it hosts none; then one restart of TermService.
    Undo: the program is started again by hand.
    Refuses when: the port belongs to a part of Windows itself or, inside Windows, to the Azure agent.
    """
    del facts
    evidence = findings[0].evidence
    if str(evidence["process"]).lower() in _WINDOWS:
        yield Refused(
            "part_of_windows",
            f"Port {evidence['port']} belongs to {evidence['process']}, a part of Windows that carries what others set up "
            "(a web server's binding, a port proxy); that is taken away where it was set up.",
            "whoever set that up",
        )
        return
    yield Draft(
        kind="port_owner",
        target={"port": evidence["port"], "process": evidence["process"]},
        expected=evidence["pid"],
        desired=None,
        title=f"Stop {evidence['process']} (process {evidence['pid']}), which has port {evidence['port']}",
        postcondition=f"no other program listens on port {evidence['port']}",
        risk=Risk.DISRUPTIVE,
        always_ask="it stops another program, and its owner must agree",
        undoable=False,
        restart=True,
    )
