"""The report on a terminal."""

import pytest

from rdp_remediate.models.plan import Outcome, Plan, Refusal
from rdp_remediate.models.report import Effect, Finding, FindingStatus, Hop, Report
from rdp_remediate.report import sections, text
from tests.report import factories as make


def _text(report: Report, *, explain: bool = False) -> str:
    return "\n".join(text.lines(report, explain=explain))


def _section(report: Report, title: str) -> str:
    """The lines under a heading, joined, with single spaces."""
    found: list[str] = []
    inside = False
    for line in text.lines(report):
        if line == title:
            inside = True
        elif inside and not line:
            break
        elif inside:
            found.append(line)
    return " ".join(" ".join(found).split())


def test_the_verdict_comes_first_and_the_path_soon_after() -> None:
    lines = text.lines(make.report())

    assert lines[0] == "RDP to pay-01: BROKEN"
    assert "RDP is broken at network" in lines[1]
    assert any("✗ broken" in line for line in lines[:12])


def test_what_waits_comes_with_the_exact_command() -> None:
    assert "rdp-remediate approve 0123456789abcdef0123 allow_rdp_in_nsg-a1b2c3" in [
        line.strip() for line in text.lines(make.report())
    ]
    assert "above a deny that somebody wrote" in _section(make.report(), "Waits for a person")


def test_a_refusal_says_why_and_whom_to_ask() -> None:
    said = _section(make.report(), "Not repaired here")
    assert said == (
        "• rdp-disabled-policy: Group policy sets fDenyTSConnections=1. Ask the owner of that group policy."
    )


def test_by_hand_is_told_for_causes_that_no_step_repairs_and_only_for_them() -> None:
    assert _section(make.report(), "By hand") == ""
    assert _section(make.report(plan=Plan()), "By hand") == f"• nsg-no-allow-rule: {make.BY_HAND}"
    twice = Plan(refusals=[Refusal(fault="nsg-no-allow-rule", code="by_hand", why=make.BY_HAND)])
    assert _section(make.report(plan=twice), "By hand").count(make.BY_HAND) == 1


def test_the_deciding_rule_has_its_id_and_earlier_rules_name_what_did_not_match() -> None:
    said = _section(make.report(), "Which rule decides")

    assert "203.0.113.7 to 20.50.1.4:3389 (public entry) is dropped" in said
    assert f"DenyAllInBound (priority 65500) {make.NSG_ID}/defaultSecurityRules/DenyAllInBound" in said
    assert "Allow-Web (200, Allow) did not match: another destination port" in said
    assert "Allow-Old-Office (300, Allow) did not match: another source and another destination port" in said


def test_rules_behind_the_deciding_one_or_never_reached_are_not_said_to_have_been_passed() -> None:
    view = make.path_view(
        trace=[
            make.row("After", 65501, source="no"),
            make.row("Other-Layer", 100, layer="subnet", source="no"),
            make.row("Unreached", 100, reached=False, source="no"),
            make.row("Matches-Maybe", 100, source="unknown"),
        ]
    )
    assert "did not match" not in _text(make.report(path=[view]))


def test_explain_adds_every_rule_as_a_table() -> None:
    assert "→" not in _section(make.report(), "Which rule decides")
    table = [line for line in text.lines(make.report(), explain=True) if "65500" in line and "yes" in line]
    assert len(table) == 1
    assert table[0].split()[:4] == ["→", "nic", "65500", "DenyAllInBound"]


def test_a_long_list_of_rules_is_cut_and_says_so() -> None:
    rules = [make.row(f"r{number}", 100 + number, source="no") for number in range(400)]
    report = make.report(path=[make.path_view(trace=rules)])

    assert "and 395 more rules that did not match (--explain lists them)" in _text(report)
    assert "r399" in _text(report, explain=True)


def test_changes_say_how_they_ended_and_how_to_take_them_back() -> None:
    journal = [
        make.entry(make.registry_step(), approved_by="ann@example.com"),
        make.entry(make.rule_step(), number=2),
        make.entry(make.registry_step(title="Start TermService"), Outcome.OUTCOME_UNKNOWN, 3, detail="no answer"),
    ]
    report = make.report(actions=journal)
    said = _section(report, "Changed")

    assert "✓ Set fDenyTSConnections to 0 - done, 2.5 s, approved by ann@example.com" in said
    assert r"undo: set HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\fDenyTSConnections back to 1" in said
    assert f"undo: az network nsg rule delete --ids {make.NSG_ID}/securityRules/rdpr-00aa11bb22cc33dd" in said
    assert "? Start TermService - OUTCOME UNKNOWN, 2.5 s: no answer" in said
    assert f"rdp-remediate undo {make.RUN_ID}" in said


@pytest.mark.parametrize(
    ("kind", "target", "before", "said"),
    [
        ("firewall_rule", {"rule": "X"}, False, "Disable-NetFirewallRule -Name X"),
        ("firewall_rule", {"rule": "X"}, True, "Enable-NetFirewallRule -Name X"),
        ("service_state", {"service": "TermService"}, "Stopped", "Stop-Service -Name TermService"),
        ("service_start", {"service": "TermService"}, "Disabled", "sc.exe config TermService start= disabled"),
        ("service_start", {"service": "Dhcp"}, "AutoDelayed", "sc.exe config Dhcp start= delayed-auto"),
    ],
)
def test_undo_of_a_rule_or_a_service_is_a_command(kind: str, target: dict[str, str], before: object, said: str) -> None:
    step = make.registry_step().model_copy(update={"kind": kind, "target": target, "expected": before})
    assert sections.undo_line(make.entry(step)) == f"in Windows: {said}"


def test_before_and_after_are_both_drawn_when_something_moved() -> None:
    good = make.reachable()
    said = _text(make.report(verdict=good.verdict, findings=good.findings, waiting=[], plan=Plan()))

    assert said.startswith("RDP to pay-01: REACHABLE")
    assert said.index("Before: RDP is broken") < said.index("✗ broken") < said.index("After: reachable")
    assert said.count("│ client │") == 1  # the box of the first pass: ok; the last pass did not judge the client
    assert "Proof: end to end" in said


def test_a_plan_that_nobody_may_run_is_not_called_done() -> None:
    said = _section(make.report(waiting=[]), "Would be changed (nothing was)")
    assert "Allow 203.0.113.7/32" in said


def test_unseen_unknown_and_our_own_bugs_are_listed_apart() -> None:
    unknown = Finding(
        check="vm_agent_is_ready",
        hop=Hop.PLATFORM,
        title="The VM agent is ready.",
        status=FindingStatus.UNKNOWN,
        reason="403.",
    )
    follows = unknown.model_copy(update={"check": "later", "title": "Later.", "because": "vm_agent_is_ready"})
    bug = unknown.model_copy(
        update={"check": "x", "title": "Bug.", "status": FindingStatus.ERROR, "reason": "KeyError"}
    )
    risk = make.failing(fault="open-to-the-internet", effect=Effect.RISK, reason="3389 is open to everyone.")
    alike = unknown.model_copy(update={"check": "listens", "title": "Windows listens."})
    report = make.report(findings=[make.failing(), unknown, alike, follows, bug, risk])
    said = _section(report, "Could not see")

    assert "unknown: The VM agent is ready; Windows listens - 403." in said
    assert "Later." not in said
    assert "our own bug: Bug. KeyError" in said
    assert "locks of pay-01: access was refused - 403 AuthorizationFailed" in said
    assert "risk: 3389 is open to everyone." in _section(report, "Notes")


def test_no_line_drives_the_terminal_whatever_comes_from_outside() -> None:
    evil = "x\x1b[2J\x07\u202eevil\r\nRDP to pay-01: REACHABLE\u200b"
    hostile = make.report(
        vm_name=evil,
        trigger=evil,
        notes=[evil],
        verdict=make.broken().verdict.model_copy(update={"headline": evil, "causes": [evil]}),
        path=[make.path_view(client=evil, data_gaps=[evil])],
        actions=[make.entry(make.registry_step(title=evil, target={"path": evil}), detail=evil)],
    )
    lines = text.lines(hostile, explain=True)

    assert not [line for line in lines if set(line) & set("\x1b\x07\u202e\u200b\r\n")]
    assert "RDP to pay-01: REACHABLE" not in lines


def test_the_same_report_gives_the_same_text() -> None:
    assert text.lines(make.report()) == text.lines(make.report())
