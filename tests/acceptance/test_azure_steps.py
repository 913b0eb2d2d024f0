"""Approval steps that act in Azure, from the alert over a person's yes to the end, and taken back again."""

from pathlib import Path
from typing import Any

import pytest

from rdp_remediate import worker
from rdp_remediate.child_steps import CHILDREN, undo_child
from rdp_remediate.cli.demo import play
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.models.run import Phase, Run, RunMessage
from rdp_remediate.ports import Services
from rdp_remediate.settings import Settings
from tests.acceptance.playing import wired

pytestmark = pytest.mark.slow

PERSON = "operator@example.com"


async def approved(services: Services, run: Run, *kinds: str) -> Run:
    """Says yes to the waiting steps of these kinds and works on the run until it ends or waits again."""
    assert run.plan is not None
    assert run.wait is not None
    steps = [step for step in run.plan.steps if step.kind in kinds and step.step_id in run.wait.step_ids]
    assert {step.kind for step in steps} == set(kinds), run.plan
    messages = [await worker.approve(services.ledger, run.run_id, step.step_id, PERSON) for step in steps][-1:]

    async def ready() -> Services:
        return services

    while True:
        for message in messages:
            await worker.advance_one(message, ready)
        current = await services.ledger.load(run.run_id)
        assert current is not None
        if current.phase is Phase.DONE or (current.wait is not None and current.wait.kind == "approval"):
            return current
        messages = [RunMessage(run_id=run.run_id, seq=current.seq)]


async def first(lab: Lab, services: Services, settings: Settings) -> Run:
    """The run of the alert, up to its question; nothing was written yet."""
    run, _ = await play(lab, services, settings)
    assert await services.ledger.journal(run.run_id) == []
    assert [one for one in lab.requests.writes() if "/runcommand" not in one.path.lower()] == []
    return run


async def undone(services: Services, journal: list[JournalEntry]) -> list[Outcome]:
    """Takes back what was written in Azure."""
    return [await undo_child(services, entry) for entry in reversed(journal) if entry.step.kind in CHILDREN]


def child(lab: Lab, entry: JournalEntry) -> dict[str, Any] | None:
    """The rule or route of a step as Azure shows it now."""
    return lab.world.find(CHILDREN[entry.step.kind].resource_id(entry.step))


def rule(lab: Lab, role: str, name: str) -> dict[str, Any]:
    found = lab.world.find(f"{lab.names.role_ids[role]}/securityRules/{name}")
    assert found is not None
    return {key: value for key, value in found["properties"].items() if key != "provisioningState"}


async def test_an_open_rule_is_narrowed_in_place_and_put_back(tmp_path: Path) -> None:
    async with wired("nsg-open-to-internet", "modelled", tmp_path) as (lab, services, settings):
        run = await first(lab, services, settings)
        step = next(one for one in (run.plan.steps if run.plan else []) if one.kind == "narrow_nsg_rule")
        role = "nic_nsg" if step.target["nsg_id"].lower() == lab.names.role_ids["nic_nsg"].lower() else "subnet_nsg"
        before = rule(lab, role, step.target["name"])
        done = await approved(services, run, "narrow_nsg_rule")
        (entry,) = await services.ledger.journal(run.run_id)
        after = rule(lab, role, step.target["name"])
        changed = {key for key in before | after if before.get(key) != after.get(key)}
        assert (entry.outcome, entry.approved_by) == (Outcome.APPLIED, PERSON)
        assert changed <= {"sourceAddressPrefix", "sourceAddressPrefixes"}
        assert after["sourceAddressPrefix"] == "203.0.113.0/24"
        assert len(lab.requests.matching("/securityRules/", "PUT")) == 1
        report = await worker.status(lambda: _itself(services), run.run_id)
        assert report is not None
        assert "nsg-open-to-internet" not in {f["fault"] for f in report["report"]["findings"]}
        assert report["report"]["verdict"]["status"] == "reachable"
        assert done.phase is Phase.DONE
        assert await undone(services, [entry]) == [Outcome.UNDONE]
        assert rule(lab, role, step.target["name"]) == before


async def _itself(services: Services) -> Services:
    return services


async def test_a_host_route_lets_the_replies_back_and_goes_again(tmp_path: Path) -> None:
    async with wired("udr-default-route-asymmetric", "modelled", tmp_path) as (lab, services, settings):
        run = await first(lab, services, settings)
        done = await approved(services, run, "host_route")
        (entry,) = await services.ledger.journal(run.run_id)
        assert entry.outcome is Outcome.APPLIED
        shown = child(lab, entry)
        assert shown is not None
        assert shown["properties"]["addressPrefix"] == f"{lab.scenario.ask.client}/32"
        assert shown["properties"]["nextHopType"] == "Internet"
        report = await worker.status(lambda: _itself(services), run.run_id)
        assert report is not None
        assert report["report"]["verdict"]["status"] == "reachable"
        assert done.phase is Phase.DONE
        assert await undone(services, [entry]) == [Outcome.UNDONE]
        assert child(lab, entry) is None


async def test_the_agent_is_let_out_above_the_deny_and_the_rule_goes_again(tmp_path: Path) -> None:
    async with wired("egress-blocked-for-agent", "modelled", tmp_path) as (lab, services, settings):
        run = await first(lab, services, settings)
        await approved(services, run, "outbound_rule")
        entries = await services.ledger.journal(run.run_id)
        assert [entry.outcome for entry in entries] == [Outcome.APPLIED] * len(entries)
        report = await worker.status(lambda: _itself(services), run.run_id)
        assert report is not None
        assert "egress-blocked-for-agent" not in {f["fault"] for f in report["report"]["findings"]}
        async for _ in services.ledger.expired(services.clock.now()):
            raise AssertionError("a rule of the agent does not end by itself")
        assert await undone(services, entries) == [Outcome.UNDONE] * len(entries)
        assert [child(lab, entry) for entry in entries] == [None] * len(entries)


async def test_a_restart_is_sent_once_and_what_windows_shows_then_is_judged(tmp_path: Path) -> None:
    async with wired("agent-not-ready+fw-rdp-rule-disabled", "modelled", tmp_path) as (lab, services, settings):
        run = await first(lab, services, settings)
        done = await approved(services, run, "restart_vm")
        (entry,) = [one for one in await services.ledger.journal(run.run_id) if one.step.kind == "restart_vm"]
        assert (entry.outcome, entry.approved_by) == (Outcome.APPLIED, PERSON)
        assert len(lab.requests.matching("/restart$", "POST")) == 1
        report = await worker.status(lambda: _itself(services), run.run_id)
        assert report is not None
        assert "agent-not-ready" not in {f["fault"] for f in report["report"]["findings"]}
        assert "fw-rdp-rule-disabled" in {
            fault for row in report["report"]["actions"] for fault in row["step"]["faults"]
        }
        assert done.phase is Phase.DONE


@pytest.mark.parametrize(
    ("name", "kind", "call"),
    [
        ("nsg-open-to-internet", "narrow_nsg_rule", ("/securityRules/", "PUT")),
        ("udr-default-route-asymmetric", "host_route", ("/routes/", "PUT")),
        ("agent-not-ready+fw-rdp-rule-disabled", "restart_vm", ("/restart", "POST")),
    ],
)
@pytest.mark.parametrize("after", [False, True], ids=["lost on the way there", "lost on the way back"])
async def test_a_lost_answer_never_sends_a_second_one_blindly(
    name: str, kind: str, call: tuple[str, str], after: bool, tmp_path: Path
) -> None:
    url, method = call
    async with wired(name, "modelled", tmp_path) as (lab, services, settings):
        run = await first(lab, services, settings)
        lab.failures.add(url, method=method, drop=True, after=after)
        await approved(services, run, kind)
        entries = [one for one in await services.ledger.journal(run.run_id) if one.step.kind == kind]
        sent = len(lab.requests.matching(url, method))
        if kind == "restart_vm":
            assert (sent, [one.outcome for one in entries]) == (1, [Outcome.OUTCOME_UNKNOWN])
        elif after:
            assert (sent, [one.outcome for one in entries]) == (1, [Outcome.APPLIED]), "it was read back"
        else:
            # A fresh read showed that nothing had happened; only then it is written.
            assert [one.outcome for one in entries] == [Outcome.OUTCOME_UNKNOWN, Outcome.APPLIED]
            assert sent == 2
