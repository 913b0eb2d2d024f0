"""Bind the RDP listener to all adapters."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.report import Finding

_PATH = r"RT\LanAdapter"


@fix(faults=("listener-bound-to-wrong-adapter",), layer="guest", order=32, permissions=RUN_COMMAND)
def bind_listener_to_all_adapters(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Bind the RDP listener to all adapters, its default.

    Changes: RT\LanAdapter to 0, then one restart of TermService, which is when Windows reads it.
    Undo: writes the recorded number back; it takes effect at TermService's next start.
    Refuses when: never by itself; the restart drops sessions, so a person decides.
    """
    del findings
    yield Draft(
        kind="registry",
        target={"path": _PATH},
        expected=need(facts.guest.registry_number(_PATH)),
        desired=0,
        title="Bind the RDP listener to all adapters (LanAdapter 0)",
        postcondition=f"{_PATH} is 0",
        restart=True,
    )
