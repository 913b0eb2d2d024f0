"""Let the host take new sessions again."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.session_host import is_session_host
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

_DRAIN = r"TS\TSServerDrainMode"
_USER = r"TS\TSUserEnabled"
_STATIONS = r"CV\Winlogon\WinStationsDisabled"
_WHY = "somebody closed the host for new sessions, as a rule for maintenance; whoever did must agree"


@fix(faults=("drain-mode", "ts-user-logon-disabled"), layer="guest", order=31, permissions=RUN_COMMAND)
def take_new_sessions(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""End drain mode, or switch new logons on.

    Changes: TS\TSServerDrainMode or TS\TSUserEnabled to 0, Winlogon\WinStationsDisabled to "0", whichever is set.
    Undo: writes the recorded value back.
    Refuses when: the host is a session host of a farm, where this is how maintenance is done.
    """
    faults = {finding.fault for finding in findings}
    if is_session_host(facts.guest):
        yield Refused(
            "deliberate",
            "This is a session host: closing it for new sessions is how it is maintained. `mstsc /admin` works meanwhile.",
            "whoever maintains the session host farm",
        )
        return
    if "drain-mode" in faults:
        yield _draft(_DRAIN, need(facts.guest.registry_number(_DRAIN)), 0)
    if "ts-user-logon-disabled" in faults:
        user = need(facts.guest.registry_number(_USER))
        if user == 1:
            yield _draft(_USER, user, 0)
        stations = need(facts.guest.registry_value(_STATIONS))
        if stations is not None and str(stations).strip() == "1":
            yield _draft(_STATIONS, stations, "0")


def _draft(path: str, expected: object, desired: object) -> Draft:
    name = path.rsplit("\\", 1)[-1]
    return Draft(
        kind="registry",
        target={"path": path},
        expected=expected,
        desired=desired,
        title=f"Set {name} to {desired}",
        postcondition=f"{name} is {desired}",
        risk=Risk.SENSITIVE,
        always_ask=_WHY,
    )
