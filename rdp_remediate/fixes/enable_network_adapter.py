"""Enable the network adapter that is disabled in Windows."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.report import Finding


@fix(faults=("nic-disabled",), layer="guest", order=17, permissions=RUN_COMMAND)
def enable_network_adapter(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Enable the adapters of Azure's that somebody disabled in Windows.

    Changes: the administrative state of these adapters.
    Undo: not by this program, which never disables an adapter.
    Refuses when: never by itself; with a single adapter Run Command does not get there, and a person uses the serial console.
    """
    del facts
    for name in dict.fromkeys(str(name) for finding in findings for name in finding.evidence.get("adapters", ())):
        yield Draft(
            kind="adapter_enabled",
            target={"adapter": name},
            expected=False,
            desired=True,
            title=f"Enable the network adapter {name}",
            postcondition=f"{name} is enabled",
            undoable=False,
        )
