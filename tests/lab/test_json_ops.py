"""Operations on JSON documents."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.json_ops import apply_op, apply_ops, conflicts, substitute
from rdp_remediate.lab.time_shift import shift

DOCUMENT = {"Services": {"TermService": {"state": "Running"}}, "rules": [{"name": "A", "on": True}, {"name": "B"}]}


def changed(*ops: dict[str, Any]) -> dict[str, Any]:
    document = deepcopy(DOCUMENT)
    apply_ops(document, ops)
    return document


def test_set_remove_append_without_case() -> None:
    document = changed(
        {"path": ["services", "termservice", "STATE"], "value": "Stopped"},
        {"path": ["rules", {"NAME": "a"}, "on"], "value": False},
        {"path": ["rules", {"name": "b"}], "remove": True},
        {"path": ["rules"], "append": {"name": "C"}},
    )
    assert document == {
        "Services": {"TermService": {"state": "Stopped"}},
        "rules": [{"name": "A", "on": False}, {"name": "C"}],
    }


def test_what_is_missing_on_the_way_is_made() -> None:
    assert changed({"path": ["new", "deep", "key"], "value": 1})["new"] == {"deep": {"key": 1}}
    assert changed({"path": ["list", {"name": "x"}, "on"], "value": 1})["list"] == [{"name": "x", "on": 1}]
    assert changed({"path": ["rules", 1, "on"], "value": 1})["rules"][1] == {"name": "B", "on": 1}


def test_removing_what_is_not_there_changes_nothing() -> None:
    assert changed({"path": ["no", "such"], "remove": True}) == DOCUMENT
    assert changed({"path": ["rules", {"name": "Z"}], "remove": True}) == DOCUMENT


def test_a_value_is_copied() -> None:
    value: dict[str, Any] = {"a": []}
    document = changed({"path": ["x"], "value": value})
    value["a"].append(1)
    assert document["x"] == {"a": []}


@pytest.mark.parametrize(
    "op",
    [
        {"path": [], "value": 1},
        {"value": 1},
        {"path": ["a"]},
        {"path": ["rules", "name"], "value": 1},
        {"path": ["rules", 7, "on"], "value": 1},
        {"path": ["Services", "TermService"], "append": 1},
        {"path": ["Services", "TermService", "state", "deeper"], "value": 1},
    ],
)
def test_operations_that_lead_nowhere(op: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        apply_op(deepcopy(DOCUMENT), op)


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ({"path": ["a"], "value": 1}, {"path": ["A"], "value": 1}, False),
        ({"path": ["a"], "value": 1}, {"path": ["a"], "value": 2}, True),
        ({"path": ["a"], "value": 1}, {"path": ["a"], "remove": True}, True),
        ({"path": ["a"], "value": {}}, {"path": ["a", "b"], "value": 1}, True),
        ({"path": ["l", {"name": "X"}], "remove": True}, {"path": ["l", {"name": "x"}, "on"], "value": 1}, True),
        ({"path": ["l"], "append": 1}, {"path": ["l"], "append": 2}, False),
        ({"path": ["l"], "append": 1}, {"path": ["l"], "value": []}, True),
        ({"path": ["a", "b"], "value": 1}, {"path": ["a", "c"], "value": 2}, False),
    ],
)
def test_conflicts(first: dict[str, Any], second: dict[str, Any], clash: bool) -> None:
    assert bool(list(conflicts([first], [second]))) is clash


def test_substitution_reaches_keys_and_values() -> None:
    assert substitute({"{vnet}": ["{vnet}/subnets", 1, None]}, {"{vnet}": "/v"}) == {"/v": ["/v/subnets", 1, None]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026-01-15T10:00:00Z", "2026-01-16T11:00:00Z"),
        ("2026-01-15T10:00:00.1234567Z", "2026-01-16T11:00:00.1234567Z"),
        ("before 2026-01-15T23:30:00Z.", "before 2026-01-17T00:30:00Z."),
        ("2026-01-15", "2026-01-16"),
        ("2026-13-45T10:00:00Z", "2026-13-45T10:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("v2026-01-15-build", "v2026-01-15-build"),
        (7, 7),
    ],
)
def test_times_move(before: Any, after: Any) -> None:
    assert shift([{"x": before}], timedelta(days=1, hours=1)) == [{"x": after}]
