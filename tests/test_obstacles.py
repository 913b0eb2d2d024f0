"""Safe mode and policies stand against steps inside Windows; updates that wait are told before a restart."""

from typing import Any

import pytest

from rdp_remediate.facts.facts import read_facts
from rdp_remediate.fixes.fix import Draft
from rdp_remediate.obstacles import waiting_updates
from tests import factories as f
from tests.checks.judging import finding
from tests.factories import Change, healthy_bundle
from tests.planned import planned

STOPPED = f.service("Stopped", "Manual")
DENIED = f.registry(f.DENY_LOCAL, 1)
RESTART = Draft("restart_vm", {}, "running", None, "Restart the VM", "the agent reports")


def mode(word: str | None) -> Change:
    return f.guest("os", "safe_mode", value=word)


def owned(*names: str) -> Change:
    return f.guest("remote_desktop", "policy_owned", value=list(names))


def code_of(fault: str, *changes: Change) -> tuple[list[str], set[str]]:
    made = planned(*changes)
    return [step.fix for step in made.steps], {one.code for one in made.refusals if one.fault == fault}


@pytest.mark.parametrize("word", ["Minimal", "Network", "DsRepair"])
def test_nothing_is_started_in_safe_mode(word: str) -> None:
    assert code_of("termservice-stopped", STOPPED, f.listens()) == (["start_term_service"], set())
    assert code_of("termservice-stopped", STOPPED, f.listens(), mode(word)) == ([], {"safe_mode"})
    (one,) = [one for one in planned(STOPPED, f.listens(), mode(word)).refusals if one.fault == "termservice-stopped"]
    assert word in one.why
    assert one.owner


def test_the_boot_store_alone_is_no_safe_mode() -> None:
    later = f.guest("system", "safe_boot", value="Minimal")
    assert code_of("termservice-stopped", STOPPED, f.listens(), later)[0] == ["start_term_service"]


def test_a_policy_at_its_usual_place_is_the_fixes_own_business() -> None:
    allowing = DENIED, f.registry(f.DENY_POLICY, 0), owned("AllowTSConnections")
    assert code_of("gpo-refresh-flaps-rdp", *allowing) == (["enable_rdp_connections"], set())


def test_what_windows_says_a_policy_owns_is_not_written_whatever_the_policy_key_says() -> None:
    assert code_of("rdp-disabled-local", DENIED, f.listens()) == (["enable_rdp_connections"], set())
    assert code_of("rdp-disabled-local", DENIED, f.listens(), owned("SecurityLayer"))[0] == ["enable_rdp_connections"]
    assert code_of("rdp-disabled-local", DENIED, f.listens(), owned("AllowTSConnections")) == ([], {"policy_owned"})
    unread = f.hide("guest.remote_desktop")
    assert code_of("rdp-disabled-local", DENIED, f.listens(), unread)[0] == ["enable_rdp_connections"], (
        "the policy key itself was read"
    )


@pytest.mark.parametrize(
    ("waiting", "told"), [([], False), (["renames"], False), (["update"], True), (["servicing", "renames"], True)]
)
def test_updates_that_a_restart_would_install_are_told(waiting: list[Any], told: bool) -> None:
    guest = read_facts(healthy_bundle(f.guest("system", "pending_restart", value=waiting))).guest
    assert (waiting_updates(RESTART, guest) is not None) is told
    other = Draft("service_restart", {}, 1, None, "Restart TermService", "it runs")
    assert waiting_updates(other, guest) is None


def test_unread_updates_are_not_taken_for_none_or_some() -> None:
    guest = read_facts(healthy_bundle(f.hide("guest.system.pending_restart"))).guest
    assert waiting_updates(RESTART, guest) is None


def test_what_waits_for_the_next_start_is_told_and_is_no_fault() -> None:
    def told(*changes: Change) -> tuple[str, str | None]:
        found = finding("windows_finishes_servicing", *changes)
        return found.status.value, found.evidence.get("pending_restart")

    assert told() == ("pass", None)
    waiting = f.guest("system", "pending_restart", value=["update", "renames"])
    assert told(waiting) == ("pass", "update, renames")
    assert told(waiting, f.hide("guest.system.pending_restart")) == ("pass", None)
