"""The function app under the genuine runtime, with Azurite's queues and tables and the lab over https.

Not covered here: the .NET host, the extension bundle, function keys, cron parsing, scaling (tests/function_host).
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from rdp_remediate.cli.demo import alert_of
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.base import JsonObject
from tests.azurite import Azurite
from tests.deployment import Deployment, deploy, event_texts

HTTP_FUNCTIONS = {
    "alerts": ("alerts", ["POST"]),
    "diagnose": ("diagnose", ["POST"]),
    "status": ("runs/{run_id}", ["GET"]),
    "boot_picture": ("runs/{run_id}/boot-picture", ["GET"]),
    "approve": ("runs/{run_id}/steps/{step_id}/approve", ["POST"]),
}


@pytest.fixture(scope="module")
def deployed(azurite: Azurite) -> Iterator[Deployment]:
    with deploy(azurite) as deployment:
        yield deployment


@pytest.fixture
def app(deployed: Deployment) -> Deployment:
    deployed.begin()
    return deployed


# What is there


def test_the_functions_and_their_bindings_are_exactly_these(deployed: Deployment) -> None:
    functions = deployed.host.functions()
    assert set(functions) == {*HTTP_FUNCTIONS, "event_grid", "events", "run", "due", "expire"}
    for name, (route, methods) in HTTP_FUNCTIONS.items():
        trigger = functions[name].trigger
        assert (trigger["type"], trigger["route"], trigger["methods"]) == ("httpTrigger", route, methods)
        assert trigger["authLevel"] == "FUNCTION", "a door without a key"
    assert functions["event_grid"].trigger["type"] == "eventGridTrigger"
    for name, queue in {"events": "events", "run": "runs"}.items():
        trigger = functions[name].trigger
        assert (trigger["type"], trigger["queueName"]) == ("queueTrigger", queue)
        assert trigger["connection"] == "AzureWebJobsStorage"
    for name, schedule in {"due": "0 * * * * *", "expire": "30 */5 * * * *"}.items():
        trigger = functions[name].trigger
        assert (trigger["type"], trigger["schedule"]) == ("timerTrigger", schedule)
    sending = {name for name, function in functions.items() if function.outputs.get("runs", {}).get("type") == "queue"}
    assert sending == {"alerts", "diagnose", "event_grid", "events", "run", "due", "approve"}
    for name in sending:
        output = functions[name].outputs["runs"]
        assert (output["queueName"], output["connection"]) == ("runs", "AzureWebJobsStorage")


@pytest.mark.slow
def test_no_setting_that_a_binding_names_is_missing(deployed: Deployment) -> None:
    assert deployed.host.missing_settings() == ()


# The main job


def test_an_alert_ends_with_rdp_working_and_the_team_told_once(app: Deployment) -> None:
    answer = app.post("alerts", alert_of(app.lab.lab)).must_succeed()
    assert answer.status == 202
    (row,) = answer.json()["runs"]
    run_id = row["run_id"]
    assert row["status_url"] == f"https://functions.invalid/api/runs/{run_id}"
    assert [json.loads(text)["run_id"] for text in app.pump.texts("runs")] == [run_id]
    before = app.status(run_id)
    assert (before["phase"], before["report"]) == ("collect", None)
    assert app.lab.lab.requests.entries == [], "intake asked ARM"

    status = app.work(run_id)
    report = status["report"]
    assert status["done"]["kind"] == "judged"
    assert set(report["verdict_before"]["causes"]) == {"fw-rdp-rule-disabled", "nsg-no-allow-rule"}
    assert (report["verdict"]["status"], report["verdict"]["proof"]) == ("reachable", "end_to_end")
    assert app.lab.run_commands() == ["collect", "repair"]
    assert len(app.lab.rule_writes()) == 1
    assert len(app.lab.lab.requests.writes()) == 3, app.lab.writes()
    assert app.journal() == [("enable_rdp_firewall_rule", "applied"), ("allow_rdp_in_nsg", "applied")]
    (card,) = app.lab.cards()
    assert "vm1" in json.dumps(card.body)
    assert app.pump.texts("runs") == ()


@pytest.mark.slow
def test_the_same_alert_twice_is_one_run(app: Deployment) -> None:
    body = alert_of(app.lab.lab)
    first = app.post("alerts", body).must_succeed().json()
    second = app.post("alerts", body).must_succeed().json()
    assert [run["run_id"] for run in first["runs"]] == [run["run_id"] for run in second["runs"]]
    assert len(app.pump.texts("runs")) == 2
    app.settle()
    assert len(app.rows("runs")) == 1
    assert app.lab.run_commands() == ["collect", "repair"]
    assert len(app.lab.cards()) == 1


# A person asks


@pytest.mark.slow
def test_a_request_that_waits_gets_the_report_inline(app: Deployment) -> None:
    request = {"vm": app.lab.lab.vm_id, "client_address": "203.0.113.7"}
    answer = app.post("diagnose?wait=60", request, **{"x-ms-client-principal-name": "ada@example.com"})
    assert answer.must_succeed().status == 200
    (row,) = answer.json()["runs"]
    assert row["status"]["phase"] == "done"
    assert row["status"]["report"]["verdict"]["status"] == "reachable"
    assert app.pump.texts("runs") == ()
    assert app.rows("runs")[row["run_id"]]["incident"]["requested_by"] == "ada@example.com"


@pytest.mark.slow
def test_a_request_may_lower_the_mode_to_observe(app: Deployment) -> None:
    request = {"vm": app.lab.lab.vm_id, "client_address": "203.0.113.7", "mode": "observe"}
    answer = app.post("diagnose", request).must_succeed()
    assert answer.status == 202
    report = app.work(answer.json()["runs"][0]["run_id"])["report"]
    assert (report["mode"], report["verdict"]["status"]) == ("observe", "broken")
    assert app.lab.run_commands() == ["collect"]
    assert app.lab.rule_writes() == []


@pytest.mark.slow
@pytest.mark.parametrize("wait", ["soon", "", "nan", "-1"])
def test_a_wait_that_is_no_number_of_seconds_is_refused(app: Deployment, wait: str) -> None:
    answer = app.post(f"diagnose?wait={wait}", {"vm": app.lab.lab.vm_id})
    assert answer.must_succeed().status == 400
    assert "wait" in answer.json()["error"]
    assert_nothing_was_started(app)


def assert_nothing_was_started(app: Deployment) -> None:
    assert app.pump.texts("runs") == ()
    assert app.rows("runs") == {}
    assert app.rows("open") == {}


HOSTILE = {
    "nothing": b"",
    "no JSON": b"<alert/>",
    "no object": b"[1, 2]",
    "no text": b"\xff\xfe\x00",
    "2 MiB": b'{"vm": "' + b"x" * (2 * 1024 * 1024) + b'"}',
    "nested 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "not a number": b'{"vm": NaN}',
    "a lone surrogate": b'{"vm": "\\ud800"}',
    "another schema": b'{"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": null}}',
    "a path for a name": b'{"vm": "../../subscriptions"}',
}


@pytest.mark.slow
@pytest.mark.parametrize("door", ["alerts", "diagnose"])
def test_what_cannot_be_read_is_refused_and_starts_nothing(app: Deployment, door: str) -> None:
    for name, body in HOSTILE.items():
        answer = app.post(door, body)
        assert answer.must_succeed().status == 400, (name, answer.body)
        assert len(answer.json()["error"]) < 500, name
    assert_nothing_was_started(app)
    assert app.host.alive


# Events are hints


def hint_runs(app: Deployment) -> list[JsonObject]:
    """The runs of the VM that are done, after the messages have been worked on."""
    app.settle()
    runs = [run for run in app.rows("runs").values() if run["target"]["vm_id"]]
    assert {run["phase"] for run in runs} <= {"done"}
    return runs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("door", "schema"), [("event_grid", "event_grid"), ("event_grid", "cloud_events"), ("events", "cloud_events")]
)
def test_an_event_leads_to_a_run_that_only_looks(app: Deployment, door: str, schema: str) -> None:
    events = event_texts(app.lab.lab)[schema]
    if door == "event_grid":
        for invocation in app.host.invoke_event_grid("event_grid", json.loads(events)):
            app.pump.carry(invocation.must_succeed())
    else:
        app.pump.put("events", events)
    (run,) = hint_runs(app)
    assert run["target"]["vm_id"].lower() == app.lab.lab.vm_id.lower()
    assert (run["incident"]["kind"], run["tier"], run["mode"]) == ("hint", 1, "observe")
    assert app.lab.lab.requests.writes() == [], app.lab.writes()
    assert app.report(run["run_id"])["verdict"]["status"] == "broken"


@pytest.mark.slow
def test_ignored_payloads_start_nothing(app: Deployment) -> None:
    resolved = alert_of(app.lab.lab)
    resolved["data"]["essentials"]["monitorCondition"] = "Resolved"
    answer = app.post("alerts", resolved).must_succeed()
    assert (answer.status, answer.json()["runs"]) == (202, [])
    assert [one["reason"] for one in answer.json()["ignored"]] == ["resolved"]
    started = event_texts(app.lab.lab)["event_grid"].replace("Succeeded", "Started")
    app.pump.put("events", started)
    unrelated = event_texts(app.lab.lab)["event_grid"].replace("Microsoft.Network", "Microsoft.Storage")
    app.pump.put("events", unrelated)
    app.settle()
    assert_nothing_was_started(app)
    assert app.lab.lab.requests.entries == []


@pytest.mark.slow
def test_an_unreadable_event_ends_in_the_poison_queue(app: Deployment) -> None:
    app.pump.put("events", "{")
    app.pump.drain()
    assert app.pump.texts("events-poison") == ("{",)
    assert_nothing_was_started(app)


# A person decides


def make_readable(lab: Lab) -> None:
    """Once it runs, this machine answers Run Command."""
    lab.world.guest_readable = True


@pytest.mark.slow
def test_an_approval_wakes_a_waiting_run(app: Deployment) -> None:
    app.begin("vm-deallocated")
    app.lab.change(make_readable)
    run_id = app.alert()
    app.settle()
    waiting = app.status(run_id)
    assert (waiting["phase"], waiting["waits_for"]) == ("wait", "approval")
    (step,) = waiting["report"]["plan"]["steps"]
    assert app.lab.lab.requests.writes() == [], app.lab.writes()
    assert len(app.lab.cards()) == 1
    assert app.minute_timer() == ()

    refused = app.post(f"runs/{run_id}/steps/another/approve")
    assert refused.must_succeed().status == 409
    assert step["step_id"] in refused.json()["error"], "the answer names what waits"
    assert app.post(f"runs/{'0' * 20}/steps/{step['step_id']}/approve").must_succeed().status == 409
    assert app.pump.texts("runs") == ()

    headers = {"x-ms-client-principal-name": "ada@example.com"}
    answer = app.post(f"runs/{run_id}/steps/{step['step_id']}/approve", **headers)
    assert answer.must_succeed().status == 202
    status = app.work(run_id)
    assert status["report"]["verdict"]["status"] == "reachable"
    assert [write for write in app.lab.writes() if "/runCommand" not in write] == ["POST vm1/start"]
    assert app.journal() == [("start_virtual_machine", "applied")]
    assert [row["approved_by"] for row in app.rows("journal").values()] == ["ada@example.com"]
    assert len(app.lab.cards()) == 2, "one that asks, one that says how it ended"
    done = app.post(f"runs/{run_id}/steps/{step['step_id']}/approve")
    assert done.must_succeed().status == 409


@pytest.mark.slow
def test_an_unknown_run_is_not_found(app: Deployment) -> None:
    for run_id in ("0" * 20, "..", "a' or '1' eq '1"):
        answer = app.host.invoke_http("GET", f"/api/runs/{run_id}")
        assert answer.must_succeed().status == 404, run_id


def test_the_boot_picture_of_a_silent_vm_can_be_looked_at(app: Deployment) -> None:
    app.begin("agent-not-ready")
    run_id = app.alert()
    app.settle()
    answer = app.host.invoke_http("GET", f"/api/runs/{run_id}/boot-picture").must_succeed()
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("image/bmp")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.body[:2] in (b"BM", "BM")
    assert "sig=" not in json.dumps(app.status(run_id)), "the signed address is not kept"
    for other in ("0" * 20, ".."):
        assert app.host.invoke_http("GET", f"/api/runs/{other}/boot-picture").must_succeed().status == 404


# Timers


@pytest.mark.slow
def test_the_minute_timer_sends_what_is_due_and_nobody_works_on(app: Deployment) -> None:
    run_id = app.alert()
    app.pump.clear()
    (sent,) = app.minute_timer()
    assert json.loads(sent)["run_id"] == run_id
    app.pump.clear()
    later = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    app.change_rows("runs", lambda run: run | {"claimed_until": later})
    assert app.minute_timer() == (), "somebody works on it"
    app.change_rows("runs", lambda run: run | {"claimed_until": None, "due_at": later})
    assert app.minute_timer() == (), "it is not due"
    app.change_rows("runs", lambda run: run | {"due_at": None})
    assert len(app.minute_timer()) == 1
    app.work(run_id)
    assert app.minute_timer() == (), "it is done"


def expire_rules(app: Deployment) -> list[str]:
    """Lets every rule of ours run out of time and the timer come; returns what it says."""
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    app.change_rows("rules", lambda rule: rule | {"expires_at": past})
    said = app.host.invoke_timer("expire").must_succeed().logs
    return [line.message for line in said if line.message.startswith("expired rule")]


@pytest.mark.slow
def test_an_expired_rule_is_removed_once(app: Deployment) -> None:
    app.work(app.alert())
    assert app.host.invoke_timer("expire").must_succeed().ok
    assert app.lab.rule_writes("DELETE") == [], "its time is not over"
    (line,) = expire_rules(app)
    assert "removed" in line
    assert app.lab.rule_writes("DELETE") == app.lab.rule_writes("PUT")
    assert expire_rules(app) == []
    assert len(app.lab.rule_writes("DELETE")) == 1


@pytest.mark.slow
def test_an_expired_rule_that_somebody_changed_is_left(app: Deployment) -> None:
    app.work(app.alert())
    (name,) = app.lab.rule_writes()

    def widen(lab: Lab) -> None:
        rule = lab.world.find(f"{lab.names.role_ids['nic_nsg']}/securityRules/{name}")
        assert rule is not None
        rule["properties"]["sourceAddressPrefix"] = "198.51.100.0/24"

    app.lab.change(widen)
    (line,) = expire_rules(app)
    assert "left in place" in line
    assert app.lab.rule_writes("DELETE") == []
    assert app.lab.lab.world.find(f"{app.lab.lab.names.role_ids['nic_nsg']}/securityRules/{name}") is not None
