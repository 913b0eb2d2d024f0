"""A worker that is lost at any point of a run: another one finishes the run later, and nothing is done twice.

The gate before the store holds one request of the worker and the host is killed there, so each loss is one between two
writes. What differs from Azure is the waiting: claims and messages are let go at once instead of after minutes.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from rdp_remediate.cli.demo import alert_of
from tests.azurite import Azurite
from tests.deployment import Deployment, deploy, event_texts
from tests.function_host.queue_pump import Crash, Outcome

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def deployed(azurite: Azurite) -> Iterator[Deployment]:
    with deploy(azurite) as deployment:
        yield deployment


@pytest.fixture
def app(deployed: Deployment) -> Deployment:
    deployed.begin()
    return deployed


class Loss(NamedTuple):
    """Which write to the store is the worker's last one."""

    request: str
    written: bool


def put(table: str, row: str = "", content: str = "") -> str:
    """A row of the store that is replaced."""
    return rf"^PUT \S+\(PartitionKey='{table}',RowKey='[^']*{row}[^']*'\).*{content}"


def new_journal_row(fix: str) -> str:
    return rf"^POST .*\"PartitionKey\": ?\"journal\".*{fix}"


COLLECTOR_STARTED = Loss(put("operations", "-collect-1"), written=False)
COLLECTED = Loss(put("runs", content="phase.{3,5}judge"), written=True)
JUDGED = Loss(put("runs", content="phase.{3,5}act"), written=True)
REPAIR_INTENDED = Loss(new_journal_row("enable_rdp_firewall_rule"), written=True)
REPAIR_SENT = Loss(put("operations", "-repair-"), written=False)
REPAIR_NOTED = Loss(put("operations", "-repair-"), written=True)
RULE_INTENDED = Loss(new_journal_row("allow_rdp_in_nsg"), written=True)
RULE_WRITTEN = Loss(put("journal", content="allow_rdp_in_nsg.*applied"), written=False)
SUMMARY_NOTED = Loss(put("operations", "-delivered-"), written=True)

# By name: the losses of one run, and how often the read-only collector may have been started by the end.
LOSSES = {
    "after each phase": ([COLLECTED, JUDGED, REPAIR_NOTED, RULE_WRITTEN, SUMMARY_NOTED], 1),
    "between a start and its note": ([COLLECTOR_STARTED, REPAIR_SENT, RULE_INTENDED], 5),
    "between an intention and its act": ([REPAIR_INTENDED], 2),
}
SELDOM = [pytest.param(name, marks=pytest.mark.slow) for name in list(LOSSES)[1:]]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["after each phase", *SELDOM])
def test_a_run_that_loses_its_worker_is_finished_and_nothing_is_done_twice(app: Deployment, name: str) -> None:
    losses, most_collectors = LOSSES[name]
    run_id = app.alert()
    for loss in losses:
        app.lose_worker_at(app.gate.hold(loss.request, after=loss.written))
        app.resume()
    report = app.work(run_id)["report"]
    assert (report["verdict"]["status"], report["verdict"]["proof"]) == ("reachable", "end_to_end")
    assert app.lab.run_commands().count("repair") == 1
    assert app.lab.run_commands().count("collect") <= most_collectors
    assert len(app.lab.rule_writes()) == 1
    assert len(app.lab.cards()) == 1
    assert not [outcome for _, outcome in app.journal() if outcome == "intended"]


@pytest.mark.slow
@pytest.mark.parametrize("crash", list(Crash))
def test_a_host_lost_between_save_and_send_loses_and_doubles_no_run(app: Deployment, crash: Crash) -> None:
    app.pump.put("events", event_texts(app.lab.lab)["event_grid"])
    lost = app.pump.deliver("events", crash=crash)
    assert lost is not None
    assert lost.outcome is Outcome.LOST
    app.minute_timer()
    app.pump.let_lost_return()
    taken_in = app.pump.deliver("events")
    assert taken_in is not None
    assert taken_in.outcome is Outcome.DONE
    # The run of the event only has a clue; what it leads to is sent by the function `run`.
    app.lose_host(crash)
    app.resume()
    app.settle()
    runs = app.rows("runs").values()
    assert {run["phase"] for run in runs} == {"done"}
    assert sorted(run["target"]["vm_id"].lower() for run in runs) == ["", app.lab.lab.vm_id.lower()]
    assert len(app.lab.requests(r"/effectiveNetworkSecurityGroups$", "POST")) == 1, "the VM was looked at once"
    assert app.lab.lab.requests.writes() == [], app.lab.writes()
    assert app.pump.texts("runs") == app.pump.texts("events") == ()


def test_an_alert_whose_message_was_lost_is_found_by_the_timer(app: Deployment) -> None:
    answer = app.host.invoke_http("POST", "/api/alerts", body=alert_of(app.lab.lab)).must_succeed()
    (row,) = answer.json()["runs"]
    assert app.pump.texts("runs") == ()
    app.minute_timer()
    app.minute_timer()
    app.settle()
    assert app.report(row["run_id"])["verdict"]["status"] == "reachable"
    assert app.lab.run_commands() == ["collect", "repair"]
    assert len(app.lab.cards()) == 1
