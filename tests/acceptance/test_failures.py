"""Azure throttles, fails, loses answers and dies: runs end in a report, and an acting call is never sent twice."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.lab.request_log import LoggedRequest
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.plan import Outcome
from tests.acceptance.playing import Played, play_scenario

BOTH = "fw-rdp-rule-disabled+nsg-no-allow-rule"
VM = r"virtualMachines/vm1(\?|$)"
RUN_COMMAND = "runCommand"
PROGRAM = str(Path(sys.executable).with_name("rdp-remediate"))


def failing(pattern: str, **settings: Any) -> Callable[[Lab], None]:
    """Sets one failure switch."""

    def prepare(lab: Lab) -> None:
        lab.failures.add(pattern, **settings)

    return prepare


def throttled(seconds: int = 1) -> dict[str, Any]:
    """Azure's 429 as Compute writes it."""
    body = {"error": {"code": "OperationNotAllowed", "message": "The server rejected the request: too many requests."}}
    return {"status": 429, "headers": {"Retry-After": str(seconds)}, "body": body}


def scripts(one: Played) -> list[str]:
    """Which of the two scripts each Run Command carried, in order."""
    sent: list[LoggedRequest] = [
        r for r in one.requests if r.method == "POST" and r.path.lower().endswith("/runcommand")
    ]
    return ["repair" if "rdp-remediate repair" in r.body else "collect" for r in sent]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "settings"),
    [
        pytest.param(VM, {"method": "GET", **throttled()}, id="read-429", marks=pytest.mark.slow),
        pytest.param(VM, {"method": "GET", "status": 500}, id="read-500"),
        pytest.param(VM, {"method": "GET", "drop": True}, id="read-cut", marks=pytest.mark.slow),
        pytest.param("effectiveNetworkSecurityGroups", {"method": "POST", "drop": True}, id="effective-cut"),
        pytest.param(
            "effectiveNetworkSecurityGroups",
            {"method": "POST", **throttled()},
            id="effective-429",
            marks=pytest.mark.slow,
        ),
        pytest.param("/operations/", {"method": "GET", "status": 500}, id="poll-500", marks=pytest.mark.slow),
        pytest.param("/operations/", {"method": "GET", "drop": True}, id="poll-cut"),
        pytest.param(RUN_COMMAND, {"method": "POST", **throttled()}, id="run-429"),
        pytest.param("securityRules", {"method": "PUT", **throttled()}, id="put-429"),
    ],
)
async def test_a_passing_failure_changes_nothing_in_the_end(
    pattern: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    one = await play_scenario(BOTH, "modelled", tmp_path, prepare=failing(pattern, **settings))
    assert one.diagnoses[0].verdict.causes == ["nsg-no-allow-rule", "fw-rdp-rule-disabled"]
    assert one.diagnoses[-1].verdict.status == "reachable"
    assert len(one.applied) == 2


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"status": 500}, id="500", marks=pytest.mark.slow),
        pytest.param({"drop": True}, id="cut", marks=pytest.mark.slow),
        pytest.param({"status": 403}, id="403"),
    ],
)
@pytest.mark.parametrize("pattern", [r"networkInterfaces/vm1-nic(\?|$)", "networkSecurityGroups/vm1-nsg", "eventtypes"])
async def test_a_read_that_stays_broken_is_named_and_nothing_is_changed_on_its_strength(
    pattern: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    one = await play_scenario(
        "nsg-no-allow-rule", "modelled", tmp_path, prepare=failing(pattern, times=None, method="GET", **settings)
    )
    assert one.report.unavailable
    assert {f.status.value for d in one.diagnoses for f in d.findings} <= {
        "pass",
        "fail",
        "by_design",
        "unknown",
        "skipped",
    }
    if pattern != "eventtypes":
        assert one.writes() == []


@pytest.mark.slow
async def test_a_collector_whose_answer_was_lost_is_not_sent_again(tmp_path: Path) -> None:
    prepare = failing(RUN_COMMAND, method="POST", drop=True, after=True, times=None)
    one = await play_scenario("fw-rdp-rule-disabled", "modelled", tmp_path, prepare=prepare)
    assert scripts(one) == ["collect"]
    assert one.diagnoses[-1].verdict.status == "not_proven"
    assert one.journal == []


@pytest.mark.slow
@pytest.mark.parametrize("after", [True, False], ids=["after the work", "before the work"])
async def test_a_repair_whose_answer_was_lost_is_judged_by_new_evidence(after: bool, tmp_path: Path) -> None:
    prepare = failing(RUN_COMMAND, method="POST", drop=True, after=after, skip=1)
    one = await play_scenario("fw-rdp-rule-disabled", "modelled", tmp_path, prepare=prepare)
    assert one.journal[0].outcome is Outcome.OUTCOME_UNKNOWN
    assert one.diagnoses[-1].verdict.status == "reachable"
    # Lost and done: seen to be done, sent once. Lost and not done: the evidence says so, and a new pass plans it anew.
    assert scripts(one) == (["collect", "repair", "collect"] if after else ["collect", "repair", "collect", "repair"])


@pytest.mark.slow
async def test_a_repair_that_azure_answers_with_500_is_not_sent_again_in_its_pass(tmp_path: Path) -> None:
    prepare = failing(RUN_COMMAND, method="POST", status=500, skip=1)
    one = await play_scenario("fw-rdp-rule-disabled", "modelled", tmp_path, prepare=prepare)
    assert scripts(one)[:3] == ["collect", "repair", "collect"]


async def test_a_rule_whose_answer_was_lost_is_read_back_and_not_written_twice(tmp_path: Path) -> None:
    prepare = failing("securityRules", method="PUT", drop=True, after=True)
    one = await play_scenario("nsg-no-allow-rule", "modelled", tmp_path, prepare=prepare)
    assert len(one.writes()) == 1
    assert [entry.outcome for entry in one.journal] == [Outcome.APPLIED]
    assert one.diagnoses[-1].verdict.status == "reachable"


@pytest.mark.slow
async def test_a_summary_that_teams_refuses_is_named_in_the_report(tmp_path: Path) -> None:
    def prepare(lab: Lab) -> None:
        lab.delivery_failures.add("teams", status=400, times=None, body="no")

    one = await play_scenario("rdp-disabled-local", "modelled", tmp_path, prepare=prepare)
    assert [delivery.outcome for delivery in one.report.deliveries] == ["failed"]
    assert one.diagnoses[-1].verdict.status == "reachable"


@asynccontextmanager
async def lab_process(scenario: str, speed: int) -> AsyncIterator[tuple[subprocess.Popen[str], dict[str, str], str]]:
    """A lab in its own process, as a user starts it; yields the process, its exports and the VM's id."""
    words = [PROGRAM, "lab", "start", scenario, "--speed", str(speed)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            exports, vm_id = await asyncio.to_thread(read_exports, process)
            yield process, exports, vm_id
        finally:
            process.kill()


def read_exports(process: "subprocess.Popen[str]") -> tuple[dict[str, str], str]:
    """What `lab start` prints until it is ready."""
    exports, vm_id = {}, ""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exports[name] = "".join(shlex.split(value))
        elif line.startswith("# VM "):
            vm_id = line.removeprefix("# VM ").strip()
        elif line.startswith("# ready"):
            break
    return exports, vm_id


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sign", "codes"),
    [
        ("reading the VM", {3}),
        ("asking Windows", {1, 3}),
        ("Enable the Windows firewall rule", {1, 3}),
        ("Allow", {1, 3}),
    ],
    ids=["while reading", "while Windows is asked", "while Windows is repaired", "while the NSG is written"],
)
async def test_a_lab_that_dies_in_mid_run_ends_in_a_report(sign: str, codes: set[int], tmp_path: Path) -> None:
    async with lab_process(BOTH, 20) as (lab, exports, vm_id):
        words = ["diagnose", vm_id, "--client", "203.0.113.7", "--mode", "auto"]
        environment = {**os.environ, **exports, "RDP_REMEDIATE_STORE": str(tmp_path / "runs.sqlite3"), "COLUMNS": "300"}
        run = await asyncio.create_subprocess_exec(
            PROGRAM,
            *words,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert run.stderr is not None
        assert run.stdout is not None
        seen = []
        while line := (await run.stderr.readline()).decode():
            seen.append(line)
            if sign in line:
                lab.kill()
                break
        assert lab.wait(10) < 0, f"{sign!r} never came: {seen}"
        rest = (await run.stderr.read()).decode()
        out = (await run.stdout.read()).decode()
        code = await run.wait()
    assert code in codes, rest
    assert "Traceback" not in rest + out
    assert out.startswith("RDP to vm1: ")
    history = subprocess.run([PROGRAM, "history", "--output", "json"], env=environment, capture_output=True, check=True)
    assert [run["phase"] for run in json.loads(history.stdout)["runs"]] == ["done"]
