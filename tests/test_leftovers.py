"""Managed Run Commands that a lost process left: deleted by their noted names, when their time is over and not before."""

from datetime import timedelta

from rdp_remediate.guest.managed_run_command import GIVEN_UP, ManagedRunCommandChannel
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason
from rdp_remediate.parked import delete_left_run_commands
from rdp_remediate.ports import GuestRequest, Rejected, WriteOutcome
from rdp_remediate.worker import expire
from tests import factories as f
from tests.fakes import FakeWrites
from tests.stage import Stage, stage
from tests.store.memory import CrashError

NAME = "rdp-remediate-r1-1-repair-0-0"


class DyingWrites(FakeWrites):
    """The process dies once Azure has the request."""

    async def put_run_command(self, vm_id: str, name: str, body: JsonObject) -> WriteOutcome:
        raise CrashError


async def crashed(on: Stage) -> None:
    channel = ManagedRunCommandChannel(DyingWrites(on.world), on.clock, on.services().ledger)
    request = GuestRequest(run_id="r1", script="repair", attempt="1-repair-0-0", location="westeurope")
    try:
        await channel.start(f.VM, request)
    except CrashError:
        return
    raise AssertionError("the process lived on")


async def test_what_a_lost_process_left_is_deleted_when_its_time_is_over() -> None:
    on = stage()
    await crashed(on)
    assert await expire(on.services()) == []
    assert on.world.called("delete_run_command") == []
    on.clock.time += GIVEN_UP + timedelta(seconds=1)
    assert await expire(on.services()) == [f"Run Command {NAME}: gone"]
    assert on.world.called("delete_run_command") == [NAME]
    assert await expire(on.services()) == []


async def test_one_that_cannot_be_deleted_yet_is_tried_again() -> None:
    on = stage()
    await crashed(on)
    on.clock.time += GIVEN_UP
    on.world.script("delete_run_command", Rejected(Reason.LOCKED, 409, "ScopeLocked", "the group is locked"))
    assert "the group is locked" in (await delete_left_run_commands(on.services()))[0]
    assert (await delete_left_run_commands(on.services()))[0].endswith("gone")


async def test_the_kill_switch_leaves_it_in_place() -> None:
    on = stage(kill_switch=True)
    await crashed(on)
    on.clock.time += GIVEN_UP
    assert "kill switch" in (await delete_left_run_commands(on.services()))[0]
    assert on.world.called("delete_run_command") == []
