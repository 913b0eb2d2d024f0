"""Which kind of Run Command is taken: the managed one only for a reason that it does not share with the action."""

import json
from dataclasses import replace
from typing import Any

import pytest

from rdp_remediate.guest.channels import GuestChannels
from rdp_remediate.guest.managed_run_command import ManagedRunCommandChannel
from rdp_remediate.guest.run_command import RunCommandChannel
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from rdp_remediate.ports import Completed, GuestRequest, OutcomeUnknown, Rejected, Started, WriteOutcome
from rdp_remediate.store.ledger import Ledger
from tests.guest.test_managed_run_command import ASKED, EXISTS, NAME, ManagedWrites, ended
from tests.guest.test_protocol import line
from tests.guest.test_run_command import OUTPUT, VM, vm
from tests.store.memory import FakeClock, MemoryRecords

NO_RIGHT = Rejected(Reason.FORBIDDEN, 403, "AuthorizationFailed", "no right to runCommand/action")
REPAIR = GuestRequest(run_id="r1", script="repair", attempt="1-repair-0-0", location="westeurope", steps=[{"id": "g1"}])
BROKEN = Rejected(
    Reason.SERVER_ERROR,
    200,
    "VMExtensionProvisioningError",
    "Run Command on VM v: Azure answered VMExtensionProvisioningError: VM has reported a failure when processing extension "
    "'RunCommandWindows'.",
)


class Both:
    """Both channels over laid-down answers, in the order in which Azure would give them."""

    def __init__(self, *answers: WriteOutcome) -> None:
        clock = FakeClock()
        self.writes = ManagedWrites(*answers)
        managed = ManagedRunCommandChannel(self.writes, clock, Ledger(MemoryRecords(), clock))
        self.channels = GuestChannels(RunCommandChannel(self.writes, clock), managed)

    @property
    def actions(self) -> int:
        return len(self.writes.sent) - len(self.writes.names)

    async def poll(self, started: Started) -> Any:
        """Polls from the state as the store gives it back."""
        return await self.channels.poll(json.loads(json.dumps(started.operation)))


async def started(on: Both, request: GuestRequest = ASKED) -> Started:
    outcome = await on.channels.start(VM, request)
    assert isinstance(outcome, Started), outcome
    return outcome


async def test_the_action_is_taken_where_it_works() -> None:
    on = Both(Started({"url": "1"}), Completed(OUTPUT))
    begun = await started(on)
    assert "managed_because" not in begun.operation
    assert isinstance(await on.poll(begun), Observed)
    assert on.writes.names == []


async def test_without_the_actions_right_the_managed_kind_takes_over_and_says_why() -> None:
    on = Both(NO_RIGHT, Started({"url": "1"}), Started({"url": "2"}), ended(line()))
    begun = await started(on)
    assert "no right to runCommand/action" in begun.operation["managed_because"]
    again = await on.poll(begun)
    assert isinstance(again, Started)
    assert again.operation["managed_because"] == begun.operation["managed_because"]
    assert isinstance(await on.poll(again), Observed)
    assert (on.actions, on.writes.names, on.writes.deleted) == (1, [NAME], [NAME])


async def test_where_both_are_refused_both_reasons_are_told() -> None:
    on = Both(NO_RIGHT, Rejected(Reason.FORBIDDEN, 403, "AuthorizationFailed", "no right to runCommands/write"))
    refused = await on.channels.start(VM, ASKED)
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.FORBIDDEN
    assert "runCommand/action" in refused.detail
    assert "runCommands/write" in refused.detail


@pytest.mark.parametrize(
    "refused",
    [
        Rejected(Reason.BUSY, 409, "Conflict", "Run command extension execution is in progress."),
        Rejected(Reason.NOT_RUNNING, 409, "OperationNotAllowed", "requires the VM to be running"),
        Rejected(Reason.FORBIDDEN, 403, "DenyAssignmentAuthorizationFailed", "a deny assignment"),
        Rejected(Reason.FORBIDDEN, 403, "RequestDisallowedByPolicy", "a policy"),
        Rejected(Reason.FORBIDDEN, 401, "AuthenticationFailed", "no sign-in"),
        Rejected(Reason.LOCKED, 409, "ScopeLocked", "a lock"),
        Rejected(Reason.NOT_SUPPORTED, 409, "OperationNotAllowed", "extension operations are disallowed"),
        Rejected(Reason.THROTTLED, 429, "TooManyRequests", "wait"),
        OutcomeUnknown("the answer was lost"),
    ],
)
async def test_what_both_share_or_somebody_decided_switches_nothing(refused: WriteOutcome) -> None:
    on = Both(refused)
    assert await on.channels.start(VM, ASKED) == refused
    assert on.writes.names == []


async def test_an_extension_that_fails_by_itself_lets_the_collector_go_the_other_way() -> None:
    on = Both(Started({"url": "1"}), BROKEN, Started({"url": "2"}), ended(line()))
    switched = await on.poll(await started(on))
    assert isinstance(switched, Started)
    assert "fails by itself" in switched.operation["managed_because"]
    assert isinstance(await on.poll(switched), Observed)
    assert (on.actions, on.writes.names) == (1, [NAME])


async def test_a_repair_is_never_sent_a_second_time() -> None:
    on = Both(Started({"url": "1"}), BROKEN)
    assert isinstance(await on.poll(await started(on, REPAIR)), Unavailable)
    assert on.writes.names == []


@pytest.mark.parametrize(
    "failed",
    [
        Rejected(Reason.UNREACHABLE, 200, "VMAgentStatusCommunicationError", "RunCommandWindows: the agent is silent"),
        Rejected(Reason.TIMEOUT, 200, "VMExtensionProvisioningTimeout", "RunCommandWindows has timed out"),
        Rejected(
            Reason.SERVER_ERROR, 200, "VMExtensionProvisioningError", "VMExtensionProvisioningError: 'AMA' failed"
        ),
        OutcomeUnknown("VMExtensionProvisioningError RunCommandWindows: its status cannot be read any more"),
    ],
)
async def test_a_failure_that_would_stop_both_switches_nothing(failed: WriteOutcome) -> None:
    on = Both(Started({"url": "1"}), failed)
    polled = await on.poll(await started(on))
    assert isinstance(polled, Unavailable)
    assert on.writes.names == []


async def test_a_run_that_had_to_switch_keeps_to_it() -> None:
    on = Both(Started({"url": "1"}), ended(line()))
    begun = await started(on, replace(REPAIR, managed_because="it had to"))
    assert on.actions == 0
    assert begun.operation["managed_because"] == "it had to"


async def test_a_leftover_of_a_lost_process_is_waited_out_after_the_switch() -> None:
    on = Both(Started({"url": "1"}), BROKEN, EXISTS, BROKEN, Started({"url": "2"}))
    waiting = await on.poll(await started(on))
    assert isinstance(waiting, Started)
    assert on.writes.deleted == [NAME]
    switched = await on.poll(waiting)
    assert isinstance(switched, Started)
    assert "managed_because" in switched.operation


@pytest.mark.parametrize(
    "machine",
    [
        vm(view={"statuses": [{"code": "PowerState/deallocated"}]}),
        vm(osProfile={"allowExtensionOperations": False}),
        vm(view={"vmAgent": {"statuses": [{"code": "ProvisioningState/Unavailable"}]}}),
    ],
)
def test_what_stops_the_agent_stops_both(machine: dict[str, Any]) -> None:
    assert isinstance(Both().channels.preflight(machine), Unavailable)
