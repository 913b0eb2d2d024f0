"""The guest's answer: each section stands or fails alone, and absent is not zero."""

from typing import Any

import pytest

from rdp_remediate.facts.facts import read_facts
from rdp_remediate.facts.guest import GuestFacts
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from tests import factories as f
from tests.factories import Change, healthy_bundle, hide

SECTIONS = (
    "os",
    "registry",
    "services",
    "listener",
    "firewall",
    "sessions",
    "sign_ins",
    "certificate",
    "addresses",
    "self_probe",
    "changes",
)


def _guest(*changes: Change) -> GuestFacts:
    return read_facts(healthy_bundle(*changes)).guest


def _reasons(guest: GuestFacts) -> dict[str, Reason]:
    facts = {name: getattr(guest, name) for name in SECTIONS}
    return {name: fact.reason for name, fact in facts.items() if isinstance(fact, Unavailable)}


def test_every_section_of_the_healthy_answer_is_observed() -> None:
    assert _reasons(_guest()) == {}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_fails_alone(section: str) -> None:
    assert _reasons(_guest(hide(f"guest.{section}", reason="timeout"))) == {section: Reason.TIMEOUT}
    assert _reasons(_guest(f.drop("guest", section))) == {section: Reason.NOT_COLLECTED}
    assert _reasons(_guest(f.guest(section, value="nonsense"))) == {section: Reason.MALFORMED}


def test_without_an_answer_every_section_has_its_reason() -> None:
    guest = _guest(hide("guest", reason="busy"))
    assert _reasons(guest) == dict.fromkeys(SECTIONS, Reason.BUSY)


def test_a_reason_that_is_not_known_is_a_failure_all_the_same() -> None:
    assert _reasons(_guest(hide("guest.os", reason="brand new"))) == {"os": Reason.SERVER_ERROR}
    whole = _guest(hide("guest", reason="brand new"))
    assert set(_reasons(whole)) == set(SECTIONS)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (0, 0),
        (None, None),
        ("1", Reason.MALFORMED),
        (["1"], Reason.MALFORMED),
        ({"Binary": "01"}, Reason.MALFORMED),
    ],
)
def test_a_number_in_the_registry_is_a_number_or_absent_and_never_guessed(value: Any, expected: Any) -> None:
    fact = _guest(f.registry(f.DENY_LOCAL, value)).registry_number(f.DENY_LOCAL)
    seen = fact.reason if isinstance(fact, Unavailable) else fact.value
    assert seen == expected


def test_a_value_that_was_not_looked_for_is_not_absent() -> None:
    fact = _guest(f.drop("guest", "registry", f.DENY_LOCAL)).registry_number(f.DENY_LOCAL)
    assert isinstance(fact, Unavailable)
    assert fact.reason is Reason.NOT_COLLECTED


@pytest.mark.parametrize(
    ("value", "valid"), [(3389, True), (1, True), (65535, True), (0, False), (70000, False), (None, False)]
)
def test_the_rdp_port_is_a_port(value: int | None, valid: bool) -> None:
    assert isinstance(_guest(f.registry(f.PORT, value)).rdp_port(), Observed) is valid


def test_services_are_found_in_any_case_and_absence_is_observed() -> None:
    guest = _guest(f.guest("services", "Gone", value=None))
    running = guest.service("TERMSERVICE")
    assert isinstance(running, Observed)
    assert running.value is not None
    gone = guest.service("gone")
    assert isinstance(gone, Observed)
    assert gone.value is None
    assert isinstance(guest.service("never asked"), Unavailable)
    assert isinstance(_guest(hide("guest.services.TermService")).service("TermService"), Unavailable)


def test_people_are_the_sessions_with_a_user() -> None:
    assert _guest().people() != _guest(f.session("CONTOSO\\ada")).people()
    people = _guest(f.session("CONTOSO\\ada", 7)).people()
    assert isinstance(people, Observed)
    assert [one.id for one in people.value] == [7]


def test_rows_that_are_no_rows_are_left_out() -> None:
    guest = _guest(f.guest("unavailable", value=["x", {"fact": 3}, {"fact": "os"}]))
    assert _reasons(guest) == {"os": Reason.SERVER_ERROR}
