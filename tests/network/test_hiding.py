"""Hiding evidence never opens a door: what was DENY or INDETERMINATE never becomes ALLOW."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from rdp_remediate.facts.network import parse_network
from rdp_remediate.network.decision import Verdict
from rdp_remediate.network.path import decide
from tests.network.vectors import flow_of, load, names, names_expecting


def _without(evidence: dict[str, Any], *, listed: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The evidence with each resource and each answer left out, one at a time."""
    for key in evidence["resources"]:
        hidden = copy.deepcopy(evidence)
        del hidden["resources"][key]
        if listed:
            hidden["unavailable"].append({"fact": "resource", "resource_id": key, "reason": "forbidden", "detail": ""})
        yield f"resource {key}", hidden
    for operation, answers in evidence["operations"].items():
        for key in answers:
            hidden = copy.deepcopy(evidence)
            del hidden["operations"][operation][key]
            if listed:
                hidden["unavailable"].append({"fact": operation, "resource_id": key, "reason": "timeout", "detail": ""})
            yield f"{operation} of {key}", hidden


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("name", names_expecting(*(v for v in Verdict if v is not Verdict.ALLOW)))
def test_hiding_one_read_never_allows(name: str, listed: bool) -> None:
    vector = load(name)
    for what, hidden in _without(vector["evidence"], listed=listed):
        decision = decide(parse_network(hidden), flow_of(vector))
        assert decision.verdict is not Verdict.ALLOW, f"{vector['why']}: allowed without {what}"


@pytest.mark.parametrize("name", [name for name in names("path") if not name.startswith("K")])
def test_hiding_the_nsg_or_the_admin_rules_leaves_no_allow(name: str) -> None:
    vector = load(name)
    evidence = vector["evidence"]
    hidden = copy.deepcopy(evidence)
    hidden["operations"].pop("effective_admin_rules", None)
    for key in evidence["resources"]:
        if "/networksecuritygroups/" in key:
            del hidden["resources"][key]
    assert decide(parse_network(hidden), flow_of(vector)).verdict is not Verdict.ALLOW


def test_denial_without_admin_rules_stands_as_likely() -> None:
    vector = load("A06")
    hidden = copy.deepcopy(vector["evidence"])
    hidden["operations"].pop("effective_admin_rules")
    decision = decide(parse_network(hidden), flow_of(vector))
    assert decision.verdict is Verdict.DENY
    assert decision.admin_unread
    assert any("admin rules could not be read" in gap for gap in decision.data_gaps)
