"""Every command as a person types it: help, exit codes, streams, approving, undoing, and files that are no bundles."""

import argparse
import importlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.cli.lab_services import environment_of, open_lab
from rdp_remediate.cli.main import parser
from rdp_remediate.lab.scenario import built_in
from rdp_remediate.lab.server import Lab
from tests.acceptance.command_line import Answer, beside, command
from tests.acceptance.playing import options

# The package has no type information; as a module of unknown type it needs no exemption.
jsonschema: Any = importlib.import_module("jsonschema")
CLIENT = "203.0.113.7"
SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def every_command(top: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command and inner command."""
    found = [words]
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                found += every_command(inner, (*words, name))
    return found


@asynccontextmanager
async def exported(scenario: str, folder: Path) -> AsyncIterator[Lab]:
    """A lab whose exports are set, as after `lab start`."""
    async with open_lab(options(scenario, "modelled")) as lab, environment_of(lab, str(folder / "runs.sqlite3")):
        yield lab


async def diagnosed(lab: Lab, *words: str) -> Answer:
    """Diagnoses the lab's VM."""
    return await beside("diagnose", lab.vm_id, "--client", CLIENT, "--output", "json", *words)


@pytest.mark.parametrize("words", every_command(parser()), ids=lambda words: " ".join(words) or "(none)")
def test_help_says_what_the_command_is_for(words: tuple[str, ...]) -> None:
    answer = command(*words, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(" ".join(("usage: rdp-remediate", *words)))
    assert len(answer.out.splitlines()) > 3


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("diagnos",),
        ("diagnose", "--mode", "brave"),
        ("diagnose", "vm1", "--clien", CLIENT),
        ("demo", "--output", "yaml"),
        ("approve", "run"),
        ("lab",),
    ],
    ids=" ".join,
)
def test_wrong_words_are_usage_and_print_no_result(words: tuple[str, ...]) -> None:
    answer = command(*words)
    assert (answer.code, answer.out) == (2, "")
    assert "usage: rdp-remediate" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("diagnose",), "Name a VM"),
        (("demo", "no-such-scenario"), "no built-in scenario 'no-such-scenario'"),
        (("demo", "rdp-disabled-policy+fw-rdp-rule-disabled"), "cannot be combined"),
        (("demo", "--scenario", "/nowhere/scenario.json"), "cannot be read"),
        (("demo", "--speed", "0"), "--speed is a number above 0"),
        (("probe", "host", "--concurrency", "0"), "--concurrency is a number from 1"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_what_cannot_be_done_is_one_sentence(words: tuple[str, ...], said: str) -> None:
    assert_one_sentence(command(*words), said)


def assert_one_sentence(answer: Answer, said: str) -> None:
    """Exit code 2, nothing on standard output, one line on standard error."""
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.startswith("rdp-remediate: ")
    assert len(answer.err.splitlines()) == 1


BAD_BUNDLES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is no JSON"),
    "half": ('{"schema": "rdp-remediate/bundle/1", ', "is no JSON"),
    "binary": (b"\xff\xfe\x00bundle", "is no JSON"),
    "deep": ("[" * 200_000, "is no JSON"),
    "a list": ("[]", "is no bundle"),
    "a report": ('{"schema": "rdp-remediate/report/1"}', "is no bundle"),
    "a later bundle": ('{"schema": "rdp-remediate/bundle/2"}', "is no bundle"),
    "no target": ('{"schema": "rdp-remediate/bundle/1", "collected_at": "2026-01-15T10:00:00Z"}', "target"),
    "a wrong port": (
        '{"schema": "rdp-remediate/bundle/1", "collected_at": "2026-01-15T10:00:00Z", '
        '"target": {"vm_id": "/x", "dialled_port": 70000}}',
        "dialled_port",
    ),
    "local time": (
        '{"schema": "rdp-remediate/bundle/1", "collected_at": "2026-01-15T10:00:00", "target": {"vm_id": "/x"}}',
        "collected_at",
    ),
}


@pytest.mark.parametrize("name", BAD_BUNDLES)
def test_a_file_that_is_no_bundle_is_refused(name: str, tmp_path: Path) -> None:
    content, said = BAD_BUNDLES[name]
    file = tmp_path / "b.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert_one_sentence(command("diagnose", "--bundle", str(file)), said)


def test_a_bundle_that_is_not_there_a_folder_or_huge_is_refused(tmp_path: Path) -> None:
    assert_one_sentence(command("diagnose", "--bundle", str(tmp_path / "none.json")), "could not be read")
    assert_one_sentence(command("diagnose", "--bundle", str(tmp_path)), "could not be read")
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    assert_one_sentence(command("diagnose", "--bundle", str(huge)), "larger than 64 MiB")


def test_lab_list_names_every_scenario_with_its_verdict() -> None:
    answer = command("lab", "list", "--output", "json")
    assert (answer.code, answer.err) == (0, "")
    rows = {row["name"]: row for row in answer.document["scenarios"]}
    assert set(rows) == set(built_in())
    assert rows["jit-closed"]["expect"]["status"] == ["by_design"]
    shown = command("lab", "list").out
    assert len(shown.splitlines()) == len(rows)


def test_the_demo_prints_one_report_of_the_published_schema() -> None:
    answer = command("demo", "--output", "json")
    assert (answer.code, answer.err) == (0, "")
    schema = json.loads((SCHEMAS / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(answer.document)
    assert answer.document["verdict"]["status"] == "reachable"
    assert answer.document["verdict_before"]["status"] == "broken"


def test_the_demo_for_people_keeps_progress_off_the_result() -> None:
    answer = command("demo")
    assert answer.code == 0
    assert "Mode auto; configured sources 203.0.113.0/24; the client is 203.0.113.7." in answer.err
    assert "walking the hops" in answer.err
    assert "walking the hops" not in answer.out
    assert "RDP to vm1: REACHABLE" in answer.out


@pytest.mark.parametrize(
    ("name", "code"),
    [("healthy", 0), ("rdp-disabled-policy", 1), ("jit-closed", 4), ("vm-deallocated-by-person", 4)],
)
def test_the_exit_code_says_the_verdict(name: str, code: int) -> None:
    assert command("demo", name, "--output", "json").code == code


async def test_a_verdict_that_is_not_proven_ends_with_3(tmp_path: Path) -> None:
    async with exported("fw-rdp-rule-disabled", tmp_path) as lab:
        lab.world.denied_actions.append("Microsoft.Compute/virtualMachines/runCommand*")
        answer = await diagnosed(lab)
    assert (answer.code, answer.document["verdict"]["status"]) == (3, "not_proven")


async def test_a_vm_that_does_not_exist_or_runs_linux_is_not_applicable(tmp_path: Path) -> None:
    async with exported("healthy", tmp_path) as lab:
        none = await beside("diagnose", f"{lab.vm_id}x", "--output", "json")
        named = await beside("diagnose", "no-such-vm", "--output", "json")
        lab.world.resources[lab.vm_id.lower()]["properties"]["storageProfile"]["osDisk"]["osType"] = "Linux"
        linux = await diagnosed(lab)
    assert_one_sentence(none, "There is no VM")
    assert_one_sentence(named, "no-such-vm was not found")
    assert_one_sentence(linux, "runs Linux")


async def test_a_vm_is_found_by_its_name(tmp_path: Path) -> None:
    async with exported("healthy", tmp_path) as lab:
        by_name = await beside("diagnose", "VM1", "--client", CLIENT, "--output", "json")
        in_group = await beside("diagnose", "vm1", "-g", "rg-app", "--client", CLIENT, "--output", "json")
        assert by_name.document["target"]["vm_id"].lower() == lab.vm_id.lower()
    assert (by_name.code, in_group.code) == (0, 0)


async def test_observe_is_the_default_and_changes_nothing(tmp_path: Path) -> None:
    async with exported("fw-rdp-rule-disabled+nsg-no-allow-rule", tmp_path) as lab:
        answer = await diagnosed(lab, "--save-bundle", str(tmp_path / "b.json"))
        assert [one.method for one in lab.requests.writes()] == ["POST"]  # the collector, read only
    assert answer.code == 1
    assert len(answer.document["plan"]["steps"]) == 2
    assert answer.document["actions"] == []


async def history_of(run_id: str) -> dict[str, Any]:
    """The row of one run."""
    rows: list[dict[str, Any]] = (await beside("history", "--output", "json")).document["runs"]
    return next(row for row in rows if row["run_id"] == run_id)


@pytest.mark.slow
async def test_later_passes_are_saved_beside_the_first(tmp_path: Path) -> None:
    async with exported("rdp-disabled-local", tmp_path) as lab:
        answer = await diagnosed(lab, "--mode", "auto", "--save-bundle", str(tmp_path / "b.json"))
        shown = await beside("history", answer.document["run_id"], "--output", "json")
        row = await history_of(answer.document["run_id"])
    assert (answer.code, shown.code) == (0, 0)
    assert sorted(file.name for file in tmp_path.glob("b.json*")) == ["b.json", "b.json.2"]
    assert shown.document["verdict"] == answer.document["verdict"]
    assert (row["vm"], row["phase"], row["mode"]) == ("vm1", "done", "auto")


async def test_history_of_nothing_and_of_no_such_run(tmp_path: Path) -> None:
    async with exported("healthy", tmp_path):
        empty = await beside("history")
        none = await beside("history", "no-such-run")
        undone = await beside("undo", "no-such-run")
        approved = await beside("approve", "no-such-run", "step")
    assert (empty.code, empty.out) == (0, "no runs yet\n")
    assert_one_sentence(none, "no-such-run")
    for refused in (undone, approved):
        assert (refused.code, refused.out) == (2, "")
        assert "no-such-run" in refused.err


async def test_the_boot_picture_that_a_run_kept_is_saved(tmp_path: Path) -> None:
    file = tmp_path / "screen.bmp"
    async with exported("agent-not-ready", tmp_path) as lab:
        answer = await diagnosed(lab)
        saved = await beside("history", answer.document["run_id"], "--picture", str(file))
        none = await beside("history", "no-such-run", "--picture", str(file))
        nowhere = await beside("history", answer.document["run_id"], "--picture", str(tmp_path / "none" / "x.bmp"))
    assert saved.code == 0, saved.err
    assert file.read_bytes()[:2] == b"BM"
    assert_one_sentence(none, "no boot picture")
    assert_one_sentence(nowhere, "could not be written")


@pytest.mark.slow
async def test_a_vm_that_a_person_stopped_starts_after_a_persons_yes(tmp_path: Path) -> None:
    async with exported("vm-deallocated-by-person", tmp_path) as lab:
        waiting = await diagnosed(lab, "--mode", "auto")
        (step,) = waiting.document["waiting"]
        row = await history_of(waiting.document["run_id"])
        wrong = await beside("approve", waiting.document["run_id"], "another-step")
        assert [one.path for one in lab.requests.writes()] == []
        approved = await beside("approve", waiting.document["run_id"], step, "--output", "json")
        starts = lab.requests.matching("/start$", "POST")
    assert waiting.code == 4
    assert (row["waits_for"], row["waiting"]) == ("approval", [step])
    assert (wrong.code, wrong.out) == (2, "")
    assert len(starts) == 1
    assert (approved.code, approved.document["verdict"]["status"]) == (0, "reachable")
    assert [action["approved_by"] is not None for action in approved.document["actions"]] == [True]


@pytest.mark.slow
async def test_just_in_time_access_is_asked_for_after_a_persons_yes(tmp_path: Path) -> None:
    async with exported("jit-closed", tmp_path) as lab:
        waiting = await diagnosed(lab, "--mode", "auto")
        (step,) = waiting.document["waiting"]
        assert lab.requests.matching("/initiate$", "POST") == []
        approved = await beside("approve", waiting.document["run_id"], step, "--output", "json")
        (asked,) = lab.requests.matching("/initiate$", "POST")
    assert waiting.code == 4
    assert json.loads(asked.body)["virtualMachines"][0]["ports"][0]["allowedSourceAddressPrefix"] == CLIENT
    assert (approved.code, approved.document["verdict"]["status"]) == (0, "reachable")


@pytest.mark.slow
async def test_mode_approve_waits_at_every_change(tmp_path: Path) -> None:
    async with exported("fw-rdp-rule-disabled+nsg-no-allow-rule", tmp_path) as lab:
        first = await diagnosed(lab, "--mode", "approve")
        run_id, steps = first.document["run_id"], first.document["waiting"]
        assert len(steps) == 2
        assert lab.requests.matching("/securityRules/", "PUT") == []
        done = await beside("approve", run_id, *steps, "--output", "json")
    assert (first.code, done.code) == (1, 0)
    assert [action["outcome"] for action in done.document["actions"]] == ["applied", "applied"]


async def test_undo_takes_back_what_a_run_changed(tmp_path: Path) -> None:
    async with exported("rdp-disabled-local+nsg-no-allow-rule", tmp_path) as lab:
        before = rules_and_value(lab)
        repaired = await diagnosed(lab, "--mode", "auto")
        assert rules_and_value(lab) != before
        undone = await beside("undo", repaired.document["run_id"])
        assert rules_and_value(lab) == before
        again = await beside("undo", repaired.document["run_id"])
        broken = await diagnosed(lab)
    assert (repaired.code, undone.code) == (0, 0)
    assert [line.split()[0] for line in undone.out.splitlines()] == ["undone", "undone"]
    assert (again.code, again.out) == (2, "")
    assert broken.document["verdict"]["causes"] == ["nsg-no-allow-rule", "rdp-disabled-local"]


@pytest.mark.slow
async def test_undo_leaves_alone_what_somebody_changed_since(tmp_path: Path) -> None:
    async with exported("nsg-no-allow-rule", tmp_path) as lab:
        repaired = await diagnosed(lab, "--mode", "auto")
        (ours,) = [rule for rule in nic_rules(lab) if rule["name"].startswith("rdpr-")]
        ours["properties"]["sourceAddressPrefix"] = "198.51.100.0/24"
        undone = await beside("undo", repaired.document["run_id"])
        assert ours in nic_rules(lab)
    assert undone.code == 1
    assert "somebody changed the rule" in undone.out


def nic_rules(lab: Lab) -> list[dict[str, Any]]:
    """The rules of the NIC's NSG as the lab holds them."""
    rules: list[dict[str, Any]] = lab.world.resources[lab.names.role_ids["nic_nsg"].lower()]["properties"][
        "securityRules"
    ]
    return rules


def rules_and_value(lab: Lab) -> tuple[list[str], Any]:
    """What the test's repairs change: the NSG's rules and fDenyTSConnections."""
    registry = lab.world.guests[lab.vm_id.lower()]["registry"]
    found = [
        value
        for key, values in registry.items()
        if key.lower().endswith(r"\control\terminal server")
        for name, value in values.items()
        if name.lower() == "fdenytsconnections"
    ]
    return sorted(rule["name"] for rule in nic_rules(lab)), found
