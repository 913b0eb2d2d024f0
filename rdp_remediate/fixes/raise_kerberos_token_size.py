"""Give Kerberos tokens the room of the default."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.domain import DEFAULT_TOKEN_SIZE
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("kerberos-token-too-large",), layer="guest", order=30, permissions=RUN_COMMAND)
def raise_kerberos_token_size(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Set a MaxTokenSize that is too low to its default; Windows reads it at its next start.

    Changes: MaxTokenSize of Kerberos.
    Undo: writes the recorded value back.
    Refuses when: the token does not fit into the default either; then the user is in too many groups.
    """
    size = need(facts.guest.registry_number(r"LSA\Kerberos\Parameters\MaxTokenSize"))
    if size is None or int(findings[0].evidence["needed"]) > DEFAULT_TOKEN_SIZE:
        yield Refused(
            "by_hand",
            f"The token does not fit into the default of {DEFAULT_TOKEN_SIZE} either: reduce the user's groups.",
            "the directory team",
        )
        return
    yield Draft(
        kind="registry",
        target={"path": r"LSA\Kerberos\Parameters\MaxTokenSize"},
        expected=size,
        desired=DEFAULT_TOKEN_SIZE,
        title=f"Set MaxTokenSize to {DEFAULT_TOKEN_SIZE}, the default",
        postcondition=f"MaxTokenSize is {DEFAULT_TOKEN_SIZE}; the next restart of the VM makes it hold",
        risk=Risk.SENSITIVE,
        always_ask="somebody set this value, and it holds only after a restart of the VM",
    )
