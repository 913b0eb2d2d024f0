"""Switch the RDP listener on."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.report import Finding

_VALUES = {"listener-disabled": ("fEnableWinStation", 1), "listener-logon-disabled": ("fLogonDisabled", 0)}


@fix(faults=("listener-disabled", "listener-logon-disabled"), layer="guest", order=30, permissions=RUN_COMMAND)
def enable_listener(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Let the RDP listener run and take logons.

    Changes: RT\fEnableWinStation to 1 or RT\fLogonDisabled to 0, then one restart of TermService, which is when Windows reads it.
    Undo: writes the recorded value back; it takes effect at TermService's next start.
    Refuses when: never by itself; the restart drops sessions, so a person decides.
    """
    for finding in findings:
        name, wanted = _VALUES[str(finding.fault)]
        path = rf"RT\{name}"
        yield Draft(
            kind="registry",
            target={"path": path},
            expected=need(facts.guest.registry_number(path)),
            desired=wanted,
            title=f"Set {name} of the RDP listener to {wanted}",
            postcondition=f"{path} is {wanted}",
            restart=True,
        )
