"""The guest's settings, value by value: what is healthy, what is a fault, and what is no known setting."""

from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.report import Finding
from tests import factories as f
from tests.factories import Change, healthy_bundle


def _finding(check: str, *changes: Change) -> Finding:
    found = diagnose(read_facts(healthy_bundle(*changes)))
    return next(finding for finding in found.findings if finding.check == check)


@pytest.mark.parametrize(
    ("local", "policy", "status", "fault"),
    [
        (0, None, "pass", None),
        (1, None, "fail", "rdp-disabled-local"),
        (0, 1, "fail", "rdp-disabled-policy"),
        (1, 1, "fail", "rdp-disabled-policy"),
        (0, 0, "pass", None),
        (1, 0, "fail", "gpo-refresh-flaps-rdp"),
        (None, None, "unknown", None),
        (2, None, "unknown", None),
        ("1", None, "unknown", None),
        (0, "1", "unknown", None),
    ],
)
def test_deny_connections(local: Any, policy: Any, status: str, fault: str | None) -> None:
    finding = _finding(
        "rdp_connections_are_allowed", f.registry(f.DENY_LOCAL, local), f.registry(f.DENY_POLICY, policy)
    )
    assert (finding.status, finding.fault) == (status, fault)


@pytest.mark.parametrize(
    ("state", "start_type", "status", "fault"),
    [
        ("Running", "Manual", "pass", None),
        ("Running", "Auto", "pass", None),
        ("Stopped", "Manual", "fail", "termservice-stopped"),
        ("Stopped", "Auto", "fail", "termservice-stopped"),
        ("Stopped", "Disabled", "fail", "termservice-disabled"),
        ("StartPending", "Manual", "unknown", None),
        ("StopPending", "Disabled", "unknown", None),
        ("Paused", "Manual", "unknown", None),
    ],
)
def test_term_service(state: str, start_type: str, status: str, fault: str | None) -> None:
    finding = _finding("term_service_is_running", f.service(state, start_type))
    assert (finding.status, finding.fault) == (status, fault)


def test_a_windows_without_term_service_is_unknown() -> None:
    assert _finding("term_service_is_running", f.guest("services", "TermService", value=None)).status == "unknown"


def test_an_agent_that_was_never_there_is_told_from_one_that_is_silent() -> None:
    finding = _finding("vm_agent_is_ready", f.drop("resources", f.VM.lower(), "properties", "instanceView", "vmAgent"))
    assert finding.fault == "agent-not-installed"
    assert finding.effect == "blinds"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ((f.firewall_rule("RemoteDesktop-UserMode-In-TCP", enabled=False),), "fw-rdp-rule-disabled"),
        ((f.guest("firewall", "rules", value=[]),), "fw-rdp-rule-missing"),
        ((f.firewall_rule("RemoteDesktop-UserMode-In-TCP", profiles=["Domain"]),), "fw-rule-wrong-profile"),
        (
            (f.firewall_rule("RemoteDesktop-UserMode-In-TCP", remote_addresses=["198.51.100.9"]),),
            "fw-rule-remoteaddress-scope",
        ),
        ((f.firewall_rule("RemoteDesktop-UserMode-In-TCP", service="W32Time"),), "fw-rule-bound-wrong-service"),
        ((f.firewall_rule("Block-RDP", action="Block"),), "fw-explicit-block-rule"),
        ((f.firewall_rule("Block-RDP", action="Block", store="GroupPolicy"),), "fw-gpo-enforced-block"),
        ((f.profile("Public", allow_inbound_rules=False),), "fw-block-all-inbound"),
        ((f.profile("Public", allow_inbound_rules=False, source="GroupPolicy"),), "fw-gpo-enforced-block"),
    ],
)
def test_the_guest_firewall_names_what_decides(changes: tuple[Change, ...], fault: str) -> None:
    found = diagnose(read_facts(healthy_bundle(f.silent, *changes)))
    assert found.verdict.causes == [fault]


def test_a_firewall_that_is_off_admits() -> None:
    off = f.profile("Public", enabled=False)
    assert _finding("guest_firewall_admits_rdp", off, f.guest("firewall", "rules", value=[])).status == "pass"
