"""Licensing of a session host, a TermService that leaks, an update that breaks sessions: faults and what is near them."""

from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.planning import plan
from tests import factories as f
from tests.checks.judging import diagnosis, finding
from tests.factories import Change, healthy_bundle

LICENSED, LEAK, UPDATE = "session_host_is_licensed", "term_service_does_not_leak", "no_update_breaks_rdp"
CUT = "licensing_certificates_are_whole"
USER = f.target(user="CONTOSO\\alice")


def host(mode: int, grace: int, **servers: str) -> Change:
    def change(data: JsonObject) -> None:
        licensing = {"mode": mode, "grace_days": grace, "servers": servers}
        data["guest"]["remote_desktop"].update(session_host=True, licensing=licensing)

    return change


def system(**fields: Any) -> Change:
    def change(data: JsonObject) -> None:
        data["guest"]["os"].update(fields)

    return change


def cut(count: int, minutes: int) -> Change:
    def change(data: JsonObject) -> None:
        at = (f.at(data) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {"at": at, "log": "System", "provider": "TermDD", "id": 50, "count": count, "data": ["DATA ENCRYPTION"]}
        data["guest"]["events"].append(row)

    return change


def grown(size: int, free: int) -> Change:
    def change(data: JsonObject) -> None:
        data["guest"]["remote_desktop"]["memory"] = size
        data["guest"]["system"]["memory"] = [8192, free, 9536, 6000]
        # On this Windows TermService has a process of its own.
        data["guest"]["services"]["TermService"]["pid"] = 7788

    return change


IN_DOMAIN = system(part_of_domain=True, domain="contoso.com", domain_role=3)


@pytest.mark.parametrize(
    ("changes", "fault", "effect", "confidence"),
    [
        ((host(5, 0),), "rds-license-grace-expired", "blocks", "confirmed"),
        ((host(2, 0),), "rds-license-grace-expired", "blocks", "confirmed"),
        ((host(5, 3),), "rds-license-misconfigured", "risk", "confirmed"),
        ((host(5, 0, ls1="open"),), "rds-license-misconfigured", "blocks", "confirmed"),
        ((host(4, 0, ls1="open"),), "rds-license-misconfigured", "blocks", "confirmed"),
        ((host(4, 30, ls1="open"),), "rds-license-misconfigured", "risk", "confirmed"),
        ((host(2, 0, ls1="timeout", ls2="refused"),), "rds-license-misconfigured", "blocks", "likely"),
        ((host(2, 9, ls1="timeout"),), "rds-license-misconfigured", "risk", "likely"),
    ],
)
def test_a_session_host_without_licenses(changes: tuple[Change, ...], fault: str, effect: str, confidence: str) -> None:
    one = finding(LICENSED, *changes)
    assert (one.status, one.fault, one.effect, one.confidence) == ("fail", fault, effect, confidence)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ((), "pass"),
        ((host(2, 0, ls1="open"),), "pass"),
        ((host(2, 0, ls1="open", ls2="timeout"),), "pass"),
        ((host(4, 0, ls1="open"), IN_DOMAIN), "pass"),
        ((host(2, 0, ls1="not_tried"),), "unknown"),
        ((host(2, 0, ls1="timeout", ls2="not_tried"),), "unknown"),
        ((host(5, 0), f.tag("cm", "microsoft.desktopvirtualization/hostpools/p1")), "pass"),
        ((host(5, 0), f.hide("guest.remote_desktop.licensing")), "unknown"),
        ((host(5, 0), f.hide("guest.remote_desktop.session_host")), "unknown"),
        ((host(5, 0), f.hide("guest.remote_desktop")), "unknown"),
        ((host(4, 0, ls1="open"), f.hide("guest.os")), "unknown"),
    ],
)
def test_what_is_near_it(changes: tuple[Change, ...], status: str) -> None:
    assert finding(LICENSED, *changes).status == status


def test_nothing_is_written_for_licenses_and_the_text_names_the_way_in() -> None:
    facts = read_facts(healthy_bundle(host(5, 0), USER))
    found = diagnose(facts)
    assert found.verdict.status == "broken"
    assert "mstsc /admin" in str(next(one for one in found.findings if one.check == LICENSED).by_hand)
    made = plan(facts, found.findings)
    assert made.steps == []
    assert [one.code for one in made.refusals if one.fault == "rds-license-grace-expired"] == ["by_hand"]


@pytest.mark.parametrize(
    ("changes", "status", "verdict"),
    [
        ((host(2, 9, ls="open"), cut(3, 2), USER), "unknown", "not_proven"),
        ((host(2, 9, ls="open"), cut(3, 2)), "unknown", "reachable"),
        ((host(2, 9, ls="open"), cut(2, 2)), "pass", "reachable"),
        ((host(2, 9, ls="open"), cut(9, 90)), "pass", "reachable"),
        ((cut(9, 2),), "pass", "reachable"),
        ((host(2, 9, ls="open"), f.hide("guest.events")), "unknown", "reachable"),
    ],
)
def test_connections_that_are_cut_are_never_called_licensing(
    changes: tuple[Change, ...], status: str, verdict: str
) -> None:
    found = diagnosis(*changes)
    assert next(one for one in found.findings if one.check == CUT).status == status
    assert not {one.fault for one in found.findings} & {"rds-license-cert-corrupt"}
    assert found.verdict.status == verdict


def test_a_leak_blocks_only_where_memory_is_short() -> None:
    full, roomy = finding(LEAK, grown(6210, 310)), finding(LEAK, grown(6210, 1500))
    assert (full.fault, full.effect, full.confidence) == ("rds-service-busy-or-leak", "blocks", "likely")
    assert (roomy.effect, roomy.confidence) == ("risk", "likely")
    assert finding(LEAK, grown(1500, 310)).status == "pass"
    for hidden in ("guest.remote_desktop", "guest.remote_desktop.memory", "guest.system.memory", "guest.services"):
        assert finding(LEAK, grown(6210, 310), f.hide(hidden)).status == "unknown", hidden


def test_a_process_that_hosts_other_services_is_not_taken_for_a_leak_of_ours() -> None:
    shared = finding(LEAK, grown(6210, 310), f.guest("services", "CryptSvc", "pid", value=7788))
    assert (shared.confidence, shared.evidence["others"]) == ("possible", "CryptSvc")
    facts = read_facts(healthy_bundle(grown(6210, 310), f.guest("services", "CryptSvc", "pid", value=7788)))
    assert plan(facts, diagnose(facts).findings).steps == []


def test_a_leaking_service_is_restarted_with_approval_and_sessions_in_view() -> None:
    facts = read_facts(healthy_bundle(grown(6210, 310), f.session("alice", 3)))
    made = plan(facts, diagnose(facts).findings)
    assert [(one.kind, one.expected, one.sessions) for one in made.steps] == [("service_restart", 7788, [3])]
    assert "people are signed in" in str(made.steps[0].approval)
    facts = read_facts(healthy_bundle(grown(6210, 1500)))
    made = plan(facts, diagnose(facts).findings)
    assert (made.steps, [one.code for one in made.refusals]) == ([], ["can_wait"])


@pytest.mark.parametrize(
    ("build", "revision", "status"),
    [
        (26100, 3194, "fail"),
        (26100, 3774, "fail"),
        (26100, 3775, "pass"),
        (26100, 3193, "pass"),
        (20348, 3200, "pass"),
        (26100, None, "unknown"),
        (26100, "3194", "unknown"),
    ],
)
def test_builds_that_freeze_sessions(build: int, revision: Any, status: str) -> None:
    one = finding(UPDATE, system(build=build), f.registry(r"CV\UBR", revision))
    assert one.status == status
    if status == "fail":
        assert (one.fault, one.effect, one.confidence) == ("known-bad-update-rdp", "degrades", "likely")
        assert "KB5055523" in str(one.by_hand)


def test_without_build_or_revision_nothing_is_said_of_updates() -> None:
    bad = system(build=26100), f.registry(r"CV\UBR", 3194)
    for hidden in ("guest.os", r"guest.registry.CV\UBR", "guest.registry"):
        assert finding(UPDATE, *bad, f.hide(hidden)).status == "unknown", hidden
