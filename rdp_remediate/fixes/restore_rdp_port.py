"""Move the RDP listener back to the port that everything else expects."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import REGISTRY_PORT
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.report import Finding


@fix(faults=("rdp-port-unmatched",), layer="guest", order=35, permissions=RUN_COMMAND)
def restore_rdp_port(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Move the RDP listener to the port that the network and the guest firewall are open for.

    Changes: RT\PortNumber, then one restart of TermService, which is when Windows reads it.
    Undo: writes the recorded port back; TermService listens there after its next start.
    Refuses when: never by itself; the restart drops sessions, so a person decides.
    """
    wanted = int(findings[0].evidence["expected_port"])
    yield Draft(
        kind="registry",
        target={"path": REGISTRY_PORT},
        expected=need(facts.guest.rdp_port()),
        desired=wanted,
        title=f"Set the RDP port back to {wanted}",
        postcondition=f"RT\\PortNumber is {wanted}",
        restart=True,
    )
