"""Forget a redirection address that is not this computer's."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

REDIRECTION = r"TS\ClusterSettings\SessionDirectoryRedirectionIP"


@fix(faults=("rds-redirection-ip-stale",), layer="guest", order=30, permissions=RUN_COMMAND)
def forget_redirection_address(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Remove the farm's redirection address, which is none of this computer.

    Changes: removes TS\ClusterSettings\SessionDirectoryRedirectionIP; the farm then uses the present address.
    Undo: writes the recorded address back.
    Refuses when: never by itself; the farm's owner may have meant another address, so a person decides.
    """
    del findings
    yield Draft(
        kind="registry",
        target={"path": REDIRECTION},
        expected=need(facts.guest.registry_value(REDIRECTION)),
        desired=None,
        title="Remove the farm's redirection address, which is none of this computer",
        postcondition="SessionDirectoryRedirectionIP is absent",
        risk=Risk.SENSITIVE,
        always_ask="the farm's owner may have meant another address, such as that of a load balancer",
    )
