"""Compare and set: what may run, network steps with every answer Azure gives, groups and read-back."""

from dataclasses import replace
from typing import Any

import pytest

from rdp_remediate.child_steps import undo_child
from rdp_remediate.execution import finish_repair, intend, ready, run_network, settle
from rdp_remediate.models.bundle import Mode
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from rdp_remediate.models.plan import JournalEntry, Outcome, Plan, Step
from rdp_remediate.models.run import Run
from rdp_remediate.ports import Rejected
from tests import factories as f
from tests.fakes import FORBIDDEN, LOST_DONE, LOST_UNDONE, THROTTLED
from tests.stage import Stage, stage
from tests.store.builders import make_entry, make_run, make_step

CONFLICT = Rejected(Reason.BUSY, 412, "PreconditionFailed", "the etag does not match")
SAME_PRIORITY = Rejected(Reason.SERVER_ERROR, 400, "SecurityRuleConflict", "another rule has this priority")


def _rule_step(name: str = "rdpr-1", nsg_id: str = f.NIC_NSG, **changes: Any) -> Step:
    body = {"properties": {**f.rule(name, 300, source="203.0.113.7/32")["properties"], "description": "ours"}}
    target = {"nsg_id": nsg_id, "name": name}
    given = {
        "step_id": f"step-{name}",
        "layer": "network",
        "target": target,
        "expected": None,
        "desired": body,
        "group": "open",
        **changes,
    }
    return make_step("security_rule", **given)


async def _ran(on: Stage, *steps: Step) -> list[Outcome]:
    services = on.services()
    run = await on.create()
    entries = await intend(run, services, steps)
    await run_network(services, entries)
    return [entry.outcome for entry in await services.ledger.journal(run.run_id)]


async def test_a_rule_is_written_and_read_back() -> None:
    on = stage(f.security_rules(f.NIC_NSG))
    assert await _ran(on, _rule_step()) == [Outcome.APPLIED]
    assert [rule["name"] for rule in on.world.rules(f.NIC_NSG)] == ["rdpr-1"]


async def test_a_rule_that_is_there_is_already_true() -> None:
    on = stage(f.security_rules(f.NIC_NSG, {"name": "rdpr-1", **_rule_step().desired}))
    assert await _ran(on, _rule_step()) == [Outcome.ALREADY_TRUE]
    assert on.world.acting == []


async def test_another_rule_of_that_name_is_stale_and_left_alone() -> None:
    on = stage(f.security_rules(f.NIC_NSG, f.rule("rdpr-1", 300, source="198.51.100.9")))
    assert await _ran(on, _rule_step()) == [Outcome.STALE]
    assert on.world.acting == []


async def test_what_cannot_be_read_is_not_written() -> None:
    on = stage(f.security_rules(f.NIC_NSG))
    on.world.refused[f"{f.NIC_NSG}/securityRules/rdpr-1".lower()] = Reason.FORBIDDEN
    assert await _ran(on, _rule_step()) == [Outcome.FAILED]
    assert on.world.acting == []


@pytest.mark.parametrize(
    ("answers", "outcome", "calls"),
    [
        ([THROTTLED, THROTTLED], Outcome.APPLIED, 3),
        ([THROTTLED] * 9, Outcome.FAILED, 5),
        ([FORBIDDEN], Outcome.FAILED, 1),
        ([CONFLICT], Outcome.STALE, 1),
        ([SAME_PRIORITY], Outcome.STALE, 1),
        ([LOST_DONE], Outcome.APPLIED, 1),
        ([LOST_UNDONE], Outcome.OUTCOME_UNKNOWN, 1),
    ],
    ids=["busy twice", "busy for ever", "forbidden", "412", "same priority", "lost but done", "lost and not done"],
)
async def test_every_answer_to_a_write_has_its_outcome(answers: list[Any], outcome: Outcome, calls: int) -> None:
    on = stage(f.security_rules(f.NIC_NSG))
    on.world.script("put_rule", *answers)
    assert await _ran(on, _rule_step()) == [outcome]
    assert len(on.world.called("put_rule")) == calls


async def test_what_is_read_back_otherwise_has_failed() -> None:
    on = stage(f.security_rules(f.NIC_NSG))
    services = on.services()
    run = await on.create()
    entries = await intend(run, services, [_rule_step()])
    original = services.writes.put_security_rule

    class Elsewhere:
        """Writes that somebody else overtakes."""

        def __getattr__(self, name: str) -> Any:
            return getattr(services.writes, name)

        async def put_security_rule(self, nsg_id: str, name: str, body: Any, *, etag: str | None) -> Any:
            answer = await original(nsg_id, name, body, etag=etag)
            on.world.rules(nsg_id)[0]["properties"]["sourceAddressPrefix"] = "*"
            return answer

    await run_network(replace(services, writes=Elsewhere()), entries)
    row = (await services.ledger.journal(run.run_id))[0]
    assert row.outcome is Outcome.STALE
    assert "left alone" in (row.detail or "")
    assert on.world.called("delete_rule") == []


async def test_a_failed_step_undoes_its_group_in_reverse_and_starts_no_more() -> None:
    on = stage(f.security_rules(f.NIC_NSG), f.security_rules(f.SUBNET_NSG))
    steps = [
        _rule_step("rdpr-1"),
        _rule_step("rdpr-2", f.SUBNET_NSG),
        _rule_step("rdpr-3", f.SUBNET_NSG),
        _rule_step("rdpr-4", f.SUBNET_NSG),
    ]
    on.world.refused[f"{f.SUBNET_NSG}/securityRules/rdpr-3".lower()] = Reason.FORBIDDEN
    assert await _ran(on, *steps) == [Outcome.UNDONE, Outcome.UNDONE, Outcome.FAILED, Outcome.NOT_STARTED]
    assert on.world.called("delete_rule") == ["rdpr-2", "rdpr-1"]
    assert on.world.rules(f.NIC_NSG) == []
    assert on.world.rules(f.SUBNET_NSG) == []


async def test_another_group_goes_on() -> None:
    on = stage(f.security_rules(f.NIC_NSG), f.security_rules(f.SUBNET_NSG))
    on.world.script("put_rule", FORBIDDEN)
    steps = [_rule_step("rdpr-1", group="one"), _rule_step("rdpr-2", f.SUBNET_NSG, group="two")]
    assert await _ran(on, *steps) == [Outcome.FAILED, Outcome.APPLIED]


@pytest.mark.parametrize(
    ("before", "outcome", "deleted"),
    [
        ("ours", Outcome.UNDONE, 1),
        ("gone", Outcome.UNDONE, 0),
        ("changed", Outcome.STALE, 0),
        ("unread", Outcome.OUTCOME_UNKNOWN, 0),
        ("lost", Outcome.OUTCOME_UNKNOWN, 1),
        ("forbidden", Outcome.OUTCOME_UNKNOWN, 1),
    ],
)
async def test_only_what_is_exactly_ours_is_deleted(before: str, outcome: Outcome, deleted: int) -> None:
    on = stage(f.security_rules(f.NIC_NSG))
    services = on.services()
    run = await on.create()
    entries = await intend(run, services, [_rule_step()])
    await run_network(services, entries)
    if before == "gone":
        on.world.change(f.security_rules(f.NIC_NSG))
    elif before == "changed":
        on.world.rules(f.NIC_NSG)[0]["properties"]["access"] = "Deny"
    elif before == "unread":
        on.world.refused[f"{f.NIC_NSG}/securityRules/rdpr-1".lower()] = Reason.TIMEOUT
    elif before in ("lost", "forbidden"):
        on.world.script("delete_rule", LOST_UNDONE if before == "lost" else FORBIDDEN)
    assert await undo_child(services, entries[0]) is outcome
    assert len(on.world.called("delete_rule")) == deleted


async def test_a_repair_answer_completes_each_row_and_an_unknown_word_is_unknown() -> None:
    on = stage()
    services = on.services()
    run = await on.create()
    steps = [make_step(step_id=f"s{number}", group=f"g{number}") for number in range(4)]
    entries = await intend(run, services, steps)
    rows = [
        {"id": "s0", "outcome": "applied", "after": 0},
        {"id": "s1", "outcome": "undone", "detail": "the group failed"},
        {"id": "s2", "outcome": "brand new word"},
    ]
    await finish_repair(services, entries, Observed({"repair": {"steps": rows}}, "guest", on.clock.now()))
    journal = await services.ledger.journal(run.run_id)
    assert [entry.outcome for entry in journal] == [
        Outcome.APPLIED,
        Outcome.UNDONE,
        Outcome.OUTCOME_UNKNOWN,
        Outcome.OUTCOME_UNKNOWN,
    ]
    assert "does not mention" in (journal[3].detail or "")


@pytest.mark.parametrize("repair", [None, {}, {"steps": None}, {"steps": ["x"]}, "nonsense"])
async def test_a_repair_answer_without_rows_leaves_every_step_unknown(repair: Any) -> None:
    on = stage()
    services = on.services()
    run = await on.create()
    entries = await intend(run, services, [make_step()])
    await finish_repair(services, entries, Observed({"repair": repair}, "guest", on.clock.now()))
    assert (await services.ledger.journal(run.run_id))[0].outcome is Outcome.OUTCOME_UNKNOWN


async def test_no_repair_answer_keeps_its_reason() -> None:
    on = stage()
    services = on.services()
    run = await on.create()
    entries = await intend(run, services, [make_step()])
    await finish_repair(services, entries, Unavailable(Reason.TRUNCATED, "the answer was cut", "guest"))
    row = (await services.ledger.journal(run.run_id))[0]
    assert (row.outcome, row.detail) == (Outcome.OUTCOME_UNKNOWN, "the answer was cut")


async def test_settling_waits_until_the_endpoint_answers_and_no_longer() -> None:
    on = stage(f.security_rules(f.NIC_NSG), settle_s=60)
    began = on.clock.time
    await settle(on.services(), [(f.PUBLIC_ADDRESS, 3389)])
    assert 55 <= (on.clock.time - began).total_seconds() <= 66
    on.world.change(f.security_rules(f.NIC_NSG, f.NIC_ALLOW))
    asked = len(on.prober.asked)
    await settle(on.services(), [(f.PUBLIC_ADDRESS, 3389)])
    assert len(on.prober.asked) == asked + 1


# What may run now

GUEST = make_step(step_id="guest", group="guest")
NETWORK = _rule_step("rdpr-9", step_id="network", group="network")
POWER = make_step("start_vm", step_id="power", group="power", layer="platform", approval="costs money")


def _run(*steps: Step, mode: Mode = Mode.AUTO, pass_number: int = 2, **changes: Any) -> Run:
    return make_run(mode=mode, plan=Plan(steps=list(steps)), pass_number=pass_number, **changes)


def _row(step: Step, outcome: Outcome, pass_number: int = 1) -> JournalEntry:
    return make_entry(step, outcome=outcome, pass_number=pass_number)


def _ready(run: Run, *rows: JournalEntry) -> tuple[list[str], list[str], list[str]]:
    able = ready(run, rows)
    return (
        [step.step_id for step in (*able.platform, *able.guest)],
        [step.step_id for step in able.network],
        [step.step_id for step in able.waiting],
    )


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.OFF])
def test_nothing_may_run_in_observe(mode: Mode) -> None:
    assert _ready(_run(GUEST, NETWORK, mode=mode)) == ([], [], [])


def test_guest_steps_run_first_and_the_network_after_they_have_ended() -> None:
    assert _ready(_run(GUEST, NETWORK)) == (["guest"], [], ["network"])
    for settled in (Outcome.APPLIED, Outcome.ALREADY_TRUE):
        assert _ready(_run(GUEST, NETWORK), _row(GUEST, settled)) == ([], ["network"], [])


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome.FAILED,
        Outcome.UNDONE,
        Outcome.REFUSED,
        Outcome.NOT_STARTED,
        Outcome.OUTCOME_UNKNOWN,
        Outcome.STALE,
        Outcome.INTENDED,
    ],
)
def test_the_door_stays_shut_after_anything_but_success(outcome: Outcome) -> None:
    assert _ready(_run(GUEST, NETWORK, pass_number=1), _row(GUEST, outcome))[1] == []


def test_a_guest_step_that_waits_keeps_the_door_shut() -> None:
    waiting = GUEST.model_copy(update={"approval": "people are signed in"})
    assert _ready(_run(waiting, NETWORK)) == ([], [], ["guest", "network"])
    assert _ready(_run(waiting, NETWORK, approved={"guest": "ada"})) == (["guest"], [], ["network"])


def test_a_group_waits_as_a_whole() -> None:
    other = GUEST.model_copy(update={"step_id": "other", "approval": "a person decides"})
    assert _ready(_run(GUEST, other)) == ([], [], ["guest", "other"])


def test_in_mode_approve_only_what_was_approved_runs() -> None:
    assert _ready(_run(GUEST, mode=Mode.APPROVE)) == ([], [], ["guest"])
    assert _ready(_run(GUEST, mode=Mode.APPROVE, approved={"guest": "ada"})) == (["guest"], [], [])


def test_a_vm_is_started_before_anything_else() -> None:
    assert _ready(_run(POWER, GUEST, NETWORK, approved={"power": "ada"})) == (["power"], [], [])
    assert _ready(_run(POWER, NETWORK)) == ([], [], ["power", "network"])


def test_a_step_runs_once_unless_fresh_evidence_shows_that_it_did_not_take_effect() -> None:
    assert _ready(_run(GUEST), _row(GUEST, Outcome.APPLIED))[0] == []
    assert _ready(_run(GUEST), _row(GUEST, Outcome.FAILED))[0] == []
    assert _ready(_run(GUEST), _row(GUEST, Outcome.OUTCOME_UNKNOWN))[0] == ["guest"]
    assert _ready(_run(GUEST, pass_number=1), _row(GUEST, Outcome.OUTCOME_UNKNOWN))[0] == []
    assert _ready(_run(GUEST), _row(GUEST, Outcome.STALE))[0] == ["guest"]
    lost_then_done = (_row(GUEST, Outcome.OUTCOME_UNKNOWN), _row(GUEST, Outcome.APPLIED))
    assert _ready(_run(GUEST), *lost_then_done)[0] == []
