"""Let Windows keep domain credentials again."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("domain-creds-disabled",), layer="guest", order=30, permissions=RUN_COMMAND)
def accept_domain_credentials(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Set disabledomaincreds to 0; Windows reads it at its next start.

    Changes: Lsa\\disabledomaincreds.
    Undo: writes the recorded value back.
    Refuses when: never by itself; it is a security option, so a person decides.
    """
    del findings
    yield Draft(
        kind="registry",
        target={"path": r"LSA\disabledomaincreds"},
        expected=need(facts.guest.registry_number(r"LSA\disabledomaincreds")),
        desired=0,
        title="Set disabledomaincreds to 0",
        postcondition="disabledomaincreds is 0; the next restart of the VM makes it hold",
        risk=Risk.SENSITIVE,
        always_ask="it is a security option that a policy may own, likely but not surely the cause; restart the VM afterwards",
    )
