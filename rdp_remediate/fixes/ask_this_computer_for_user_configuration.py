"""Stop asking a domain controller for the configuration of RDP users."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.rdp_security import listener_setting
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

NAME = "fQueryUserConfigFromDC"


@fix(faults=("user-config-load-timeout",), layer="guest", order=30, permissions=RUN_COMMAND)
def ask_this_computer_for_user_configuration(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Stop asking a domain controller for the configuration of RDP users.

    Changes: RT\fQueryUserConfigFromDC, then one restart of TermService, which is when Windows reads it.
    Undo: writes the recorded value back.
    Refuses when: a group policy sets it.
    """
    del findings
    asks = listener_setting(facts, NAME)
    if asks.policy is not None:
        yield Refused("policy_owned", f"Group policy sets {NAME}; a local write would be undone.", "group policy")
        return
    yield Draft(
        kind="registry",
        target={"path": rf"RT\{NAME}"},
        expected=asks.local,
        desired=0,
        title="Stop asking a domain controller for the configuration of RDP users",
        postcondition=f"RT\\{NAME} is 0",
        risk=Risk.DISRUPTIVE,
        always_ask="settings of RDP users in Active Directory would no longer apply",
        restart=True,
    )
