"""What the triggers do: payloads to runs, messages to work, timers, approvals, and the reaper."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate.errors import PayloadError, UsageError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason
from rdp_remediate.models.incident import Clue, ClueKind, Kind
from rdp_remediate.models.plan import Outcome
from rdp_remediate.models.run import Phase, RunMessage
from rdp_remediate.ports import Services
from rdp_remediate.worker import CLAIM_S, Door, Received, advance_one, approve, expire, receive, status, sweep
from tests import factories as f
from tests.fakes import LOST_DONE, LOST_UNDONE
from tests.intake import cases
from tests.stage import Stage, play, played, stage
from tests.store.memory import MemoryRecords

CLOSED = (f.security_rules(f.NIC_NSG),)


async def _receive(on: Stage, door: Door, body: Any, **extra: Any) -> Received:
    text = body if isinstance(body, str) else json.dumps(body)
    return await receive(door, text, on.settings, on.services().ledger, on.clock, **extra)


async def _advance(on: Stage, message: RunMessage) -> list[RunMessage]:
    async def opened() -> Services:
        return on.services()

    return await advance_one(message, opened)


def _alert(custom: JsonObject | None = None, **essentials: Any) -> str:
    return cases.alert({"condition": {"allOf": []}}, custom, alertTargetIDs=[f.VM], **essentials)


FAILED_RDP = {"rdp-remediate": "failed-rdp"}


# Receive


async def test_a_request_becomes_a_run_and_a_message() -> None:
    on = stage()
    got = await _receive(on, "manual", {"vm": f.VM, "client_address": f.CLIENT}, request_id="r1", requested_by="ada")
    run = got.runs[0]
    assert got.messages == [RunMessage(run_id=run.run_id, seq=0)]
    assert (run.tier, run.incident.kind, run.incident.requested_by) == (2, Kind.MANUAL, "ada")
    assert run.policy.sources == [f.SOURCES]
    assert await on.services().ledger.load(run.run_id) == run


async def test_a_failed_rdp_alert_may_look_inside_and_any_other_is_a_hint() -> None:
    on = stage()
    asked = (await _receive(on, "alert", _alert(FAILED_RDP))).runs[0]
    assert (asked.incident.kind, asked.tier) == (Kind.FAILED_RDP, 2)
    other = stage()
    hint = (await _receive(other, "alert", _alert())).runs[0]
    assert (hint.incident.kind, hint.tier) == (Kind.HINT, 1)


async def test_the_same_alert_twice_is_one_run() -> None:
    on = stage()
    first = await _receive(on, "alert", _alert(FAILED_RDP))
    second = await _receive(on, "alert", _alert(FAILED_RDP))
    assert first.messages == second.messages


async def test_another_alert_joins_the_open_run_of_the_vm() -> None:
    on = stage()
    first = await _receive(on, "alert", _alert(FAILED_RDP))
    second = await _receive(on, "alert", _alert(FAILED_RDP, originAlertId="origin-2", alertId="other"))
    assert second.runs[0].run_id == first.runs[0].run_id
    assert len(second.runs[0].joined) == 1
    await play(on, first.runs[0].run_id)
    third = await _receive(on, "alert", _alert(FAILED_RDP, originAlertId="origin-3", alertId="third"))
    assert third.runs[0].run_id != first.runs[0].run_id


async def test_a_hint_does_not_swallow_what_a_person_asks() -> None:
    on = stage()
    hint = await _receive(on, "alert", _alert())
    asked = await _receive(on, "manual", {"vm": f.VM}, request_id="r1")
    assert hint.runs[0].run_id != asked.runs[0].run_id
    assert asked.runs[0].tier == 2


async def test_what_is_ignored_starts_nothing_and_says_why() -> None:
    on = stage()
    got = await _receive(on, "alert", _alert(FAILED_RDP, monitorCondition="Resolved"))
    assert got.runs == []
    assert got.messages == []
    assert len(got.ignored) == 1


@pytest.mark.parametrize("door", ["alert", "event_grid", "manual"])
async def test_a_malformed_payload_stores_nothing(door: Door) -> None:
    on = stage()
    with pytest.raises(PayloadError):
        await _receive(on, door, "{")
    assert [run async for run in on.services().ledger.runs()] == []


# Messages


async def test_messages_lead_a_run_to_its_end() -> None:
    on = stage(*CLOSED)
    message = (await _receive(on, "alert", _alert(FAILED_RDP))).messages[0]
    done = await play(on, message.run_id)
    assert done.phase is Phase.DONE
    assert await _advance(on, message) == []
    assert await _advance(on, RunMessage(run_id="nobody", seq=0)) == []


async def test_an_old_message_only_sends_the_newest_one() -> None:
    on = stage(*CLOSED, max_mode="approve")
    run = await played(on)
    calls = list(on.world.calls)
    assert await _advance(on, RunMessage(run_id=run.run_id, seq=0)) == [RunMessage(run_id=run.run_id, seq=run.seq)]
    assert on.world.calls == calls


async def test_a_claimed_run_is_left_to_who_claimed_it() -> None:
    on = stage()
    run = await on.create()
    claimed = await on.services().ledger.claim(run.run_id, on.clock.now() + timedelta(seconds=CLAIM_S))
    assert claimed is not None
    assert await _advance(on, RunMessage(run_id=run.run_id, seq=0)) == []
    assert on.world.calls == []
    on.clock.pass_by(CLAIM_S + 1)
    assert [one.run_id for one in await sweep(on.services().ledger, on.clock)] == [run.run_id]


async def test_the_timer_sends_what_is_due_and_nothing_else() -> None:
    on = stage(*CLOSED, max_mode="approve")
    ledger = on.services().ledger
    run = await on.create()
    assert await sweep(ledger, on.clock) == [RunMessage(run_id=run.run_id, seq=0)]
    waiting = await play(on, run.run_id)
    assert waiting.wait is not None
    assert await sweep(ledger, on.clock) == []
    message = await approve(ledger, run.run_id, waiting.wait.step_ids[0], "ada@example.com")
    assert await sweep(ledger, on.clock) == [message]
    await play(on, run.run_id)
    on.clock.pass_by(10 * 86400)
    assert await sweep(ledger, on.clock) == []


async def test_an_approval_that_nobody_gave_ends_by_the_timer() -> None:
    on = stage(*CLOSED, max_mode="approve")
    run = await played(on)
    on.clock.pass_by(3 * 86400 + 60)
    due = await sweep(on.services().ledger, on.clock)
    assert [one.run_id for one in due] == [run.run_id]
    await _advance(on, due[0])
    ended = await on.services().ledger.load(run.run_id)
    assert ended is not None
    assert ended.done is not None
    assert "nobody decided" in (ended.done.reason or "")
    assert on.world.acting == []


async def test_only_a_step_that_waits_can_be_approved() -> None:
    on = stage(*CLOSED, max_mode="approve")
    ledger = on.services().ledger
    with pytest.raises(UsageError, match="no run"):
        await approve(ledger, "nobody", "step", "ada")
    run = await on.create()
    with pytest.raises(UsageError, match="does not wait"):
        await approve(ledger, run.run_id, "step", "ada")
    waiting = await play(on, run.run_id)
    assert waiting.wait is not None
    with pytest.raises(UsageError, match="does not wait"):
        await approve(ledger, run.run_id, "another-step", "ada")
    await approve(ledger, run.run_id, waiting.wait.step_ids[0], "ada")
    await play(on, run.run_id)
    with pytest.raises(UsageError, match="is done"):
        await approve(ledger, run.run_id, waiting.wait.step_ids[0], "ada")


async def test_the_status_shows_the_report_once_there_is_one() -> None:
    on = stage(*CLOSED)

    async def opened() -> Services:
        return on.services()

    assert await status(opened, "nobody") is None
    run = await on.create()
    before = await status(opened, run.run_id)
    assert before is not None
    assert (before["phase"], before["report"]) == ("collect", None)
    await play(on, run.run_id)
    after = await status(opened, run.run_id)
    assert after is not None
    assert after["done"]["kind"] == "judged"
    assert after["report"]["verdict"]["status"] == "reachable"


# Clues


async def _clue(on: Stage, kind: ClueKind, value: str, run_kind: Kind) -> tuple[list[RunMessage], str | None]:
    run = await on.create(vm_id=None, kind=run_kind, clue=Clue(kind=kind, value=value))
    messages = await _advance(on, RunMessage(run_id=run.run_id, seq=0))
    ended = await on.services().ledger.load(run.run_id)
    assert ended is not None
    assert ended.done is not None
    return messages, ended.done.reason


async def test_a_clue_becomes_one_run_for_each_vm_behind_it() -> None:
    on = stage(f.resource(f.NIC_NSG, "properties", "networkInterfaces", value=[{"id": f.NIC}]))
    messages, reason = await _clue(on, ClueKind.NETWORK_SECURITY_GROUP, f.NIC_NSG, Kind.HINT)
    assert "led to" in (reason or "")
    assert len(messages) == 1
    done = await play(on, messages[0].run_id)
    assert done.target.vm_id == f.VM
    assert done.policy.sources == [f.SOURCES]
    assert on.world.calls == [], "a hint stays a hint"


async def test_a_name_that_leads_nowhere_ends_with_the_reason() -> None:
    on = stage()
    on.world.refused["find_vm"] = Reason.FORBIDDEN
    messages, reason = await _clue(on, ClueKind.COMPUTER_NAME, "ghost", Kind.FAILED_RDP)
    assert messages == []
    assert "forbidden" in (reason or "")


# The reaper


async def _opened(**settings: Any) -> Stage:
    on = stage(*CLOSED, **settings)
    await played(on)
    assert len(on.world.called("put_rule")) == 1
    return on


async def _expire(on: Stage, hours: float = 9) -> list[str]:
    on.clock.pass_by(hours * 3600)
    return await expire(on.services())


async def test_a_rule_is_removed_when_its_time_is_over_and_not_before() -> None:
    on = await _opened()
    assert await _expire(on, 7) == []
    assert len(on.world.rules(f.NIC_NSG)) == 1
    said = await _expire(on, 2)
    assert len(said) == 1
    assert said[0].endswith("removed")
    assert on.world.rules(f.NIC_NSG) == []
    assert await _expire(on, 1) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("sourceAddressPrefix", "198.51.100.0/24"), ("priority", 150), ("description", "kept by the network team")],
)
async def test_a_rule_that_somebody_changed_is_left_alone_and_named_once(field: str, value: Any) -> None:
    on = await _opened()
    on.world.rules(f.NIC_NSG)[0]["properties"][field] = value
    said = await _expire(on)
    assert "left in place" in said[0]
    assert on.world.called("delete_rule") == []
    assert await _expire(on) == []


async def test_a_rule_that_is_already_gone_is_forgotten() -> None:
    on = await _opened()
    on.world.change(f.security_rules(f.NIC_NSG))
    assert (await _expire(on))[0].endswith("removed")
    assert on.world.called("delete_rule") == []


async def test_rules_of_others_are_never_touched() -> None:
    on = await _opened()
    foreign = f.rule("Allow-RDP-rdp_remediate", 400)
    on.world.change(f.security_rules(f.NIC_NSG, foreign, *on.world.rules(f.NIC_NSG)))
    await _expire(on)
    assert [rule["name"] for rule in on.world.rules(f.NIC_NSG)] == ["Allow-RDP-rdp_remediate"]


@pytest.mark.parametrize("script", [LOST_DONE, LOST_UNDONE])
async def test_a_lost_deletion_is_tried_again(script: Any) -> None:
    on = await _opened()
    on.world.script("delete_rule", script)
    assert "tried again" in (await _expire(on))[0]
    assert (await _expire(on, 0.1))[0].endswith("removed")
    assert on.world.rules(f.NIC_NSG) == []


@pytest.mark.parametrize("thrown", ["setting", "store"])
async def test_the_kill_switch_stops_the_reaper(thrown: str) -> None:
    on = await _opened()
    if thrown == "store":
        await on.records.put_blob("kill-switch", b"on")
    else:
        on.settings = replace(on.settings, kill_switch=True)
    assert "kill switch" in (await _expire(on))[0]
    assert on.world.called("delete_rule") == []


async def test_a_rule_whose_write_was_lost_is_removed_all_the_same() -> None:
    on = stage(*CLOSED)

    def written_and_dead() -> None:
        on.world.change(f.security_rules(f.NIC_NSG, _last_planned(on.records)))
        raise SystemError("the process died after the write was sent")

    on.world.hooks["put_rule"] = written_and_dead
    run = await on.create()
    with pytest.raises(SystemError):
        await play(on, run.run_id)
    assert len(on.world.rules(f.NIC_NSG)) == 1
    await _expire(on)
    assert on.world.rules(f.NIC_NSG) == []


def _last_planned(records: MemoryRecords) -> JsonObject:
    rows = [value for (table, _), (_, value) in sorted(records._rows.items()) if table == "journal"]
    step = rows[-1]["step"]
    assert rows[-1]["outcome"] == Outcome.INTENDED
    return {"name": step["target"]["name"], **step["desired"]}
