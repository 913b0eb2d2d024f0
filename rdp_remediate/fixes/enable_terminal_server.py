"""Enable Remote Desktop Services as a whole."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

_PATH = r"TS\TSEnabled"


@fix(faults=("ts-disabled",), layer="guest", order=30, permissions=RUN_COMMAND)
def enable_terminal_server(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Set TSEnabled to 1; it takes effect when the VM is restarted.

    Changes: TS\TSEnabled to 1. The VM is not restarted here.
    Undo: writes the recorded value back.
    Refuses when: never by itself; a person decides and restarts the VM.
    """
    del findings
    yield Draft(
        kind="registry",
        target={"path": _PATH},
        expected=need(facts.guest.registry_number(_PATH)),
        desired=1,
        title="Set TSEnabled to 1 (the VM has to be restarted afterwards)",
        postcondition="TSEnabled is 1",
        risk=Risk.DISRUPTIVE,
        always_ask="it takes effect only when the VM is restarted, and that is a person's to decide",
    )
