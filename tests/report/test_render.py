"""JSON and event."""

import json

from rdp_remediate.models.report import Report
from rdp_remediate.report.event import event
from rdp_remediate.report.render import body
from tests.report import factories as make


def test_json_is_the_report_with_its_schema_first_and_reads_back() -> None:
    raw = body(make.report(), "json")

    assert raw.startswith(b'{\n  "schema": "rdp-remediate/report/1"')
    assert Report.model_validate_json(raw) == make.report()
    assert json.loads(raw)["created_at"] == "2026-05-04T03:00:00Z"


def test_a_waiting_run_and_a_finished_one_are_two_kinds_of_event() -> None:
    waits = event(make.report())
    assert waits["event_type"] == "RdpRemediate.RunWaiting"
    assert waits["data"]["waiting"] == ["allow_rdp_in_nsg-a1b2c3"]

    done = event(make.report(waiting=[], actions=[make.entry(make.rule_step())]))
    assert done["event_type"] == "RdpRemediate.RunCompleted"
    assert done["subject"] == make.VM_ID
    assert (done["data"]["verdict"], done["data"]["hop"], done["data"]["actions"]) == ("broken", "network", 1)
    assert done["data"]["causes"] == ["nsg-no-allow-rule"]


def test_an_event_stays_small_whatever_the_report_holds() -> None:
    verdict = make.broken().verdict.model_copy(update={"headline": "x" * 100_000, "causes": ["fault"] * 5000})
    raw = body(make.report(verdict=verdict, notes=["y" * 100_000]), "event")

    assert len(raw) < 4_000
    assert json.loads(raw) == event(make.report(verdict=verdict))
