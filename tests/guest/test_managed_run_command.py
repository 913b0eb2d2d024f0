"""Managed Run Commands: their body, their end in the instance view, and that none is left behind or sent twice."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from rdp_remediate.guest.managed_run_command import (
    GIVEN_UP,
    ManagedRunCommandChannel,
    interpret_view,
    run_command_body,
    run_command_name,
)
from rdp_remediate.guest.protocol import decode_answer
from rdp_remediate.guest.scripts import collect_script
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from rdp_remediate.ports import Completed, GuestRequest, OutcomeUnknown, Rejected, Started, WriteOutcome
from rdp_remediate.store.ledger import Ledger
from tests.guest.test_protocol import ANSWER, line
from tests.guest.test_run_command import VM, FakeWrites
from tests.store.memory import FakeClock, MemoryRecords

ASKED = GuestRequest(run_id="r1", script="collect", attempt="1-collect-0-0", location="westeurope")
NAME = "rdp-remediate-r1-1-collect-0-0"
EXISTS = Rejected(Reason.BUSY, 409, "RunCommandExists", "one of this name is still there")


def ended(output: str = "", state: str = "Succeeded", **view: Any) -> Completed:
    return Completed(
        {
            "properties": {
                "provisioningState": "Succeeded",
                "instanceView": {
                    "executionState": state,
                    "exitCode": 0,
                    "output": output,
                    "error": "",
                    "endTime": "2026-01-15T10:00:20+00:00",
                    **view,
                },
            }
        }
    )


class ManagedWrites(FakeWrites):
    """Answers the calls of managed Run Commands with what a test lays down; deletions succeed."""

    def __init__(self, *answers: WriteOutcome) -> None:
        super().__init__(*answers)
        self.names: list[str] = []
        self.deleted: list[str] = []
        self.deletion: WriteOutcome = Completed(None)

    async def put_run_command(self, vm_id: str, name: str, body: Any) -> WriteOutcome:
        assert vm_id == VM
        self.names.append(name)
        self.sent.append(body)
        return self.answers.pop(0)

    async def delete_run_command(self, vm_id: str, name: str) -> WriteOutcome:
        assert vm_id == VM
        self.deleted.append(name)
        return self.deletion


class Stand:
    """A channel over laid-down answers and a real ledger."""

    def __init__(self, *answers: WriteOutcome) -> None:
        self.clock = FakeClock()
        self.writes = ManagedWrites(*answers)
        self.ledger = Ledger(MemoryRecords(), self.clock)
        self.channel = ManagedRunCommandChannel(self.writes, self.clock, self.ledger)

    async def left(self, at: datetime | None = None) -> list[tuple[str, str]]:
        return [one async for one in self.ledger.left_run_commands(at or self.clock.time + timedelta(days=1))]

    async def end(self, request: GuestRequest = ASKED) -> Any:
        started = await self.channel.start(VM, request)
        assert isinstance(started, Started), started
        polled: Any = started
        for _ in range(10):
            polled = await self.channel.poll(polled.operation)
            if not isinstance(polled, Started):
                return polled
        raise AssertionError(polled)


def test_the_body_holds_the_whole_script_and_one_parameter() -> None:
    body = run_command_body(ASKED)
    assert body["location"] == "westeurope"
    properties = body["properties"]
    assert properties["source"] == {"script": collect_script()}
    assert [one["name"] for one in properties["parameters"]] == ["Request"]
    assert properties["asyncExecution"] is False
    assert "protectedParameters" not in properties


def test_every_attempt_has_a_name_of_its_own() -> None:
    assert run_command_name(ASKED) == NAME
    assert run_command_name(ASKED) == run_command_name(ASKED)
    assert run_command_name(GuestRequest(run_id="r1", script="repair", attempt="1-repair-0-0")) != NAME


async def test_the_answer_is_in_the_instance_view_and_the_resource_is_deleted() -> None:
    on = Stand(Started({"url": "1"}), Started({"url": "2"}), ended(line() + "\n"))
    answer = await on.end()
    assert isinstance(answer, Observed)
    assert answer.value == decode_answer(line())
    assert on.writes.polled == [{"url": "1"}, {"url": "2"}]
    assert on.writes.names == on.writes.deleted == [NAME]
    assert await on.left() == []


async def test_a_provisioning_that_succeeded_says_nothing_about_the_script() -> None:
    running = ended(line(), "Running", endTime=None)
    bare = Completed({"properties": {"provisioningState": "Succeeded"}})
    on = Stand(Started({"url": "1"}), bare, running, ended(line()))
    assert isinstance(await on.end(), Observed)
    assert len(on.writes.polled) == 3


@pytest.mark.parametrize(
    ("view", "reason", "said"),
    [
        ({"state": "Failed", "exitCode": 1, "error": "boom"}, Reason.MALFORMED, "Failed with exit code 1"),
        ({"state": "TimedOut", "exitCode": None}, Reason.TIMEOUT, "TimedOut"),
        ({"state": "Canceled"}, Reason.MALFORMED, "Canceled"),
        ({"state": "Succeeded", "error": "boom"}, Reason.MALFORMED, "'boom'"),
    ],
)
async def test_an_end_without_an_answer_is_told_and_deleted(view: dict[str, Any], reason: Reason, said: str) -> None:
    on = Stand(Started({}), ended("", **view))
    answer = await on.end()
    assert isinstance(answer, Unavailable)
    assert answer.reason is reason
    assert said in answer.detail
    assert on.writes.deleted == [NAME]


def test_a_whole_answer_counts_and_half_of_one_never_does() -> None:
    assert interpret_view({"executionState": "Failed", "output": line()}) == decode_answer(line())
    half = interpret_view({"executionState": "Succeeded", "output": line()[20:]})
    assert isinstance(half, Unavailable)


async def test_a_repair_of_another_run_is_not_ours() -> None:
    other = line({**ANSWER, "repair": {"run_id": "r2", "steps": []}})
    on = Stand(Started({}), ended(other))
    answer = await on.end(GuestRequest(run_id="r1", script="repair", attempt="1-repair-0-0", location="westeurope"))
    assert isinstance(answer, Unavailable)


async def test_what_never_ends_is_given_up_and_deleted() -> None:
    on = Stand(Started({}), Started({}))
    started = await on.channel.start(VM, ASKED)
    assert isinstance(started, Started)
    on.clock.time += GIVEN_UP + timedelta(seconds=1)
    answer = await on.channel.poll(started.operation)
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.TIMEOUT
    assert on.writes.deleted == [NAME]


async def test_one_that_may_still_come_about_is_deleted_only_when_its_time_is_over() -> None:
    on = Stand(OutcomeUnknown("lost"))
    assert isinstance(await on.channel.start(VM, ASKED), OutcomeUnknown)
    assert on.writes.names == [NAME]
    assert on.writes.deleted == []
    assert await on.left(on.clock.time) == []
    assert await on.left(on.clock.time + GIVEN_UP) == [(VM, NAME)]


async def test_an_end_that_nobody_knows_is_left_to_the_sweep() -> None:
    on = Stand(Started({}), OutcomeUnknown("lost"))
    answer = await on.end()
    assert isinstance(answer, Unavailable)
    assert on.writes.deleted == []
    assert await on.left() == [(VM, NAME)]


async def test_one_of_this_name_that_is_still_there_is_deleted_and_not_run_over() -> None:
    on = Stand(EXISTS)
    refused = await on.channel.start(VM, ASKED)
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.BUSY
    assert refused.retry_after_s
    assert on.writes.deleted == [NAME]


async def test_a_refused_one_leaves_nothing_to_delete() -> None:
    on = Stand(Rejected(Reason.FORBIDDEN, 403, "AuthorizationFailed", "no right"))
    refused = await on.channel.start(VM, ASKED)
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.FORBIDDEN
    assert await on.left() == []


@pytest.mark.parametrize(
    "outcome", [Started({}), OutcomeUnknown("lost"), Rejected(Reason.LOCKED, 409, "ScopeLocked", "x")]
)
async def test_a_deletion_that_is_not_over_stays_noted(outcome: WriteOutcome) -> None:
    on = Stand(Started({}), ended(line()))
    on.writes.deletion = outcome
    assert isinstance(await on.end(), Observed)
    assert await on.left() == [(VM, NAME)]


async def test_without_the_region_nothing_is_sent() -> None:
    on = Stand()
    refused = await on.channel.start(VM, GuestRequest(run_id="r1", script="collect"))
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.NOT_COLLECTED
    assert on.writes.names == []
