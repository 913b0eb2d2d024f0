"""The table of vantages: which hops remain, what is said, and what is never concluded."""

from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import HOPS, Hop, ProbeView
from rdp_remediate.network.isolation import isolate, outcome_of
from tests import factories as f
from tests.checks.client_documents import attempt, checked
from tests.checks.endpoint.test_client_dials_the_public_address import DYNAMIC, OLD
from tests.factories import healthy_bundle

REACHES = {"outcome": "nla_ok", "verdict": "ok", "proves": "answered", "path_verdict": "ALLOW"}
NOT = {"outcome": "tcp_timeout", "verdict": "filtered", "proves": "nothing", "path_verdict": "ALLOW"}
DENIED = {"outcome": "tcp_timeout", "verdict": "filtered", "proves": "expected_filtered", "path_verdict": "DENY"}
PUBLIC, PRIVATE = "20.50.1.4", "10.0.0.4"


def _probe(vantage: str, said: dict[str, str], **fields: Any) -> ProbeView:
    inside = vantage == "neighbour"
    given: dict[str, Any] = {
        "vantage": vantage,
        "source_address": "10.0.0.9" if inside else "203.0.113.7",
        "address": PRIVATE if inside else PUBLIC,
        "port": 3389,
        "detail": "what was seen",
        **said,
        **fields,
    }
    return ProbeView.model_validate(given)


GUEST = {Hop.PLATFORM, Hop.GUEST_NETWORK, Hop.GUEST_FIREWALL, Hop.GUEST_RDP_SERVICE, Hop.GUEST_OS}


@pytest.mark.parametrize(
    ("probes", "client", "hops"),
    [
        ([("app", REACHES)], NOT, {Hop.CLIENT, Hop.EDGE}),
        ([("app", NOT), ("neighbour", REACHES)], None, {Hop.ENDPOINT, Hop.NETWORK}),
        ([("app", DENIED), ("neighbour", REACHES)], NOT, {Hop.ENDPOINT, Hop.NETWORK}),
        ([("app", NOT), ("neighbour", NOT)], None, GUEST),
        ([("app", DENIED), ("neighbour", NOT)], None, GUEST),
        # what separates nothing
        ([("app", REACHES)], None, set()),
        ([("app", REACHES)], DENIED, set()),
        ([("app", NOT)], None, set()),
        ([("app", DENIED), ("neighbour", REACHES)], None, set()),
        ([("app", DENIED), ("neighbour", DENIED)], None, set()),
        ([("app", NOT), ("neighbour", DENIED)], None, set()),
        ([("app", NOT), ("neighbour", REACHES)], REACHES, set()),
    ],
)
def test_the_table(probes: list[tuple[str, dict[str, str]]], client: dict[str, str] | None, hops: set[Hop]) -> None:
    seen = isolate([_probe(v, said) for v, said in probes], _probe("client", client) if client else None)
    assert set(seen.hops) == hops
    assert list(seen.hops) == sorted(seen.hops, key=HOPS.index)


def test_silence_where_the_engine_denies_or_an_error_says_nothing() -> None:
    assert outcome_of(_probe("app", DENIED)) == "says_nothing"
    assert outcome_of(_probe("app", {**NOT, "verdict": "error"})) == "says_nothing"


def test_two_outcomes_that_one_fault_cannot_explain_are_said() -> None:
    apart = isolate([_probe("app", REACHES), _probe("neighbour", NOT)])
    assert apart.contradiction is not None
    assert "neighbour" in apart.contradiction
    same = isolate([_probe("app", REACHES), _probe("cli", NOT)])
    assert same.contradiction is not None
    assert PUBLIC in same.contradiction
    assert isolate([_probe("app", NOT), _probe("neighbour", REACHES)]).contradiction is None
    assert isolate([_probe("app", REACHES), _probe("neighbour", DENIED)]).contradiction is None


def _neighbour_answers(data: JsonObject) -> None:
    at = data["probes"][0]["at"]
    result = {"outcome": "rdp_answered", "verdict": "ok", "detail": "answered"}
    data["probes"].append(
        {
            "vantage": "neighbour",
            "source_address": "10.0.0.9",
            "address": PRIVATE,
            "port": 3389,
            "at": at,
            "result": result,
        }
    )


def test_a_neighbours_answer_never_makes_rdp_reachable() -> None:
    seen = diagnose_bundle(healthy_bundle(f.silent, _neighbour_answers))
    assert seen.verdict.status == "not_proven"
    assert "a neighbour reaches RDP" in seen.verdict.headline


def test_an_answer_at_the_right_address_does_not_speak_against_a_client_that_dials_an_old_one() -> None:
    seen = diagnose_bundle(healthy_bundle(DYNAMIC, OLD))
    assert seen.verdict.causes == ["public-ip-changed"]
    assert "contradicts" not in seen.verdict.headline
    assert seen.contradictions == []


def test_a_probe_against_a_confirmed_cause_is_said_in_the_headline_and_the_cause_stands() -> None:
    seen = diagnose_bundle(healthy_bundle(f.registry(f.DENY_LOCAL, 1)))
    assert seen.verdict.causes == ["rdp-disabled-local"]
    assert "contradicts" in seen.verdict.headline
    assert any("contradicts" in one for one in seen.contradictions)


def test_without_an_answer_there_is_no_contradiction_to_speak_of() -> None:
    seen = diagnose_bundle(healthy_bundle(f.registry(f.DENY_LOCAL, 1), f.silent))
    assert seen.verdict.causes == ["rdp-disabled-local"]
    assert "contradicts" not in seen.verdict.headline
    assert seen.contradictions == []


def test_the_users_computer_stands_in_the_table_and_is_set_against_our_own_probe() -> None:
    seen = diagnose_bundle(healthy_bundle(checked(target=attempt("timeout"))))
    (row,) = [one for one in seen.vantages if one.vantage == "client"]
    assert (row.outcome, row.path_verdict) == ("does_not", "ALLOW")
    assert seen.contradictions == []
    assert seen.verdict.hop == "edge"


@pytest.mark.parametrize(
    ("check", "outcome"),
    [
        (checked(target=attempt("answered")), "reaches"),
        (checked(target=attempt("timeout", address="20.50.9.9")), "says_nothing"),
        (checked(target=attempt("answered", address="20.50.9.9")), "says_nothing"),
        (checked(target=attempt("local_denied")), "says_nothing"),
    ],
)
def test_what_the_users_computer_saw_counts_for_the_entry_that_is_judged_only(check: f.Change, outcome: str) -> None:
    seen = diagnose_bundle(healthy_bundle(check))
    (row,) = [one for one in seen.vantages if one.vantage == "client"]
    assert row.outcome == outcome


def test_without_a_check_the_users_computer_is_no_vantage() -> None:
    assert "client" not in {one.vantage for one in diagnose_bundle(healthy_bundle()).vantages}
