"""Whatever comes in, a reader answers or raises PayloadError, and what it answers can be stored."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdp_remediate.errors import PayloadError
from rdp_remediate.intake.alert import read_alert
from rdp_remediate.intake.event_grid import read_event_grid, validation_response
from rdp_remediate.intake.ignored import Ignored
from rdp_remediate.intake.manual import read_manual
from rdp_remediate.models.incident import Incident, Kind, run_id
from tests.intake.cases import FIXTURES, RULE_ID, SUBSCRIPTION, vm_id

OWN = frozenset({"0f9e8d7c-6b5a-4948-8736-251403f2e1d0"})
NOW = datetime(2026, 5, 4, tzinfo=UTC)

READERS: list[Callable[[str], list[Incident | Ignored]]] = [
    lambda body: read_event_grid(body, own_principal_ids=OWN),
    lambda body: read_alert(body, rdp_alert_rules=frozenset({RULE_ID}), own_principal_ids=OWN),
    lambda body: read_manual(body, request_id="r1", received_at=NOW),
]
ODD: list[Any] = [
    None, True, 0, -1, 1e308, "", " ", "x" * 3000, "\x00", "\u202e",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "/", "/subscriptions", f"/subscriptions/{SUBSCRIPTION}/resourceGroups//providers///", vm_id("a/b"), vm_id("\n"),
    [], [[]], {}, {"": {}}, [None], ["x"], [{}], "::ffff:1.2.3.4", "fe80::1%eth0", "{}", "[" * 2000, "{" * 2000,
]  # fmt: skip
SAMPLES = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FIXTURES.glob("*.json"))]


def _refusal(read: Callable[[str], Any], body: str) -> tuple[str | None, Any]:
    """The text of the refusal, or the answer."""
    try:
        return None, read(body)
    except PayloadError as error:
        return str(error), None


def _judge(body: str) -> None:
    for read in [*READERS, validation_response]:
        refusal, answer = _refusal(read, body)
        if refusal is not None:
            assert refusal.endswith("Nothing was started.")
            assert len(refusal) < 1000
        elif read is not validation_response:
            assert answer
            for outcome in answer:
                _judge_outcome(outcome, body)


def _judge_outcome(outcome: Incident | Ignored, body: str) -> None:
    if isinstance(outcome, Ignored):
        assert outcome.detail
        return
    assert Incident.model_validate_json(outcome.model_dump_json(by_alias=True)) == outcome
    assert len(run_id(outcome.vm_id or "clue", outcome.event_id)) == 20
    assert outcome.summary.isprintable()
    assert outcome.kind is not Kind.FAILED_RDP or RULE_ID.lower() in body.lower() or "failed-rdp" in body.lower()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)


@given(st.text(max_size=200) | json_values.map(json.dumps))
def test_arbitrary_text_and_json(body: str) -> None:
    _judge(body)


@given(st.binary(max_size=200))
def test_arbitrary_bytes(body: bytes) -> None:
    with pytest.raises(PayloadError):
        # No document of ours is valid by chance: even "1" is refused as no event.
        read_event_grid(body)


@given(
    st.sampled_from(SAMPLES),
    st.randoms(use_true_random=False),
    st.lists(json_values | st.sampled_from(ODD), min_size=1, max_size=3),
)
def test_true_payloads_with_some_values_replaced(sample: Any, chance: Random, values: list[Any]) -> None:
    document = copy.deepcopy(sample)
    for value in values:
        _damage(document, chance, copy.deepcopy(value))
    _judge(json.dumps(document))


def _damage(document: Any, chance: Random, value: Any) -> None:
    """Replaces or removes one value anywhere in the document."""
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = chance.choice(keys)
        child = node[key]
        if isinstance(child, (dict, list)) and child and chance.random() < 0.8:
            node = child
        elif chance.random() < 0.2:
            del node[key]
            return
        else:
            node[key] = value
            return
