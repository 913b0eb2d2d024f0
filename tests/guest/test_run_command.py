"""The Run Command transport: bodies, outputs as recorded from Azure, pre-flight, and the channel's outcomes."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rdp_remediate.guest.protocol import decode_answer
from rdp_remediate.guest.run_command import RunCommandChannel, interpret_output, preflight, run_command_body
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from rdp_remediate.ports import Completed, GuestRequest, OutcomeUnknown, Rejected, Started, WriteOutcome
from tests.guest.test_protocol import ANSWER, line
from tests.winps import SHARED

NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
VM = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/v"


def status(stream: str, message: str) -> dict[str, str]:
    return {
        "code": f"ComponentStatus/{stream}/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "message": message,
    }


def statuses(stdout: str, stderr: str = "") -> list[dict[str, str]]:
    return [status("StdOut", stdout), status("StdErr", stderr)]


def test_body_carries_the_script_as_lines_and_one_parameter() -> None:
    request = GuestRequest(run_id="r", script="repair", steps=[{"id": "g1"}])
    body = run_command_body(request)
    assert body["commandId"] == "RunPowerShellScript"
    assert body["script"][0] == "# rdp-remediate repair 1"
    assert not any("\n" in one or "\r" in one for one in body["script"])
    [parameter] = body["parameters"]
    assert parameter["name"] == "Request"
    text = parameter["value"]
    assert json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))["steps"] == [{"id": "g1"}]
    assert run_command_body(GuestRequest(run_id="r", script="collect"))["script"][0] == "# rdp-remediate collect 1"


@pytest.mark.parametrize("shape", ["body", "properties", "output", "2017 list", "list", "value"])
def test_output_is_found_in_every_recorded_shape(shape: str) -> None:
    found = statuses(line() + "\n")
    output: Any = {
        "body": {"status": "Succeeded", "properties": {"output": {"value": found}}},
        "properties": {"output": {"value": found}},
        "output": {"value": found},
        "2017 list": {"properties": {"output": found}},
        "list": found,
        "value": {"value": list(reversed(found))},
    }[shape]
    assert interpret_output(output) == decode_answer(line())


@pytest.mark.parametrize("output", [None, {}, "text", [1], {"properties": None}, {"value": {"value": "x"}}])
def test_output_of_another_shape_is_malformed(output: Any) -> None:
    answer = interpret_output(output)
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.MALFORMED


def test_errors_of_the_script_are_told_when_there_is_no_answer() -> None:
    answer = interpret_output(statuses("", "At line:1 char:5 boom"))
    assert isinstance(answer, Unavailable)
    assert "boom" in answer.detail


def recorded(name: str) -> Any:
    path = SHARED / "payloads" / f"{name}.json"
    if not path.is_file():
        pytest.skip("recorded payloads are not there: put them at ../shared/payloads beside the checkout")
    return json.loads(path.read_text(encoding="utf-8"))


def test_recorded_output_of_another_script_is_no_answer() -> None:
    exchanges = recorded("vm-runcommand-action-lro-windows-2018-10-01")["exchanges"]
    bodies = [e["response"]["body"] for e in exchanges if isinstance(e["response"].get("body"), dict)]
    done = [body for body in bodies if body.get("status") == "Succeeded"]
    assert done
    answer = interpret_output(done[0])
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.MALFORMED


def vm(**changes: Any) -> dict[str, Any]:
    view = {
        "vmAgent": {
            "vmAgentVersion": "2.7.41491.1139",
            "statuses": [{"code": "ProvisioningState/succeeded", "displayStatus": "Ready", "message": "running"}],
        },
        "extensions": [{"name": "AMA", "statuses": [{"code": "ProvisioningState/succeeded"}]}],
        "statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}],
        **changes.pop("view", {}),
    }
    return {"properties": {"provisioningState": "Succeeded", "osProfile": {}, "instanceView": view, **changes}}


def test_healthy_vm_passes_preflight() -> None:
    assert preflight(vm()) is None
    assert preflight(vm(provisioningState="Failed")) is None
    assert preflight(vm(osProfile={"allowExtensionOperations": True})) is None


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({"properties": {"provisioningState": "Succeeded"}}, Reason.NOT_COLLECTED),
        (vm(view={"statuses": [{"code": "PowerState/deallocated"}]}), Reason.NOT_RUNNING),
        (vm(view={"statuses": []}), Reason.NOT_RUNNING),
        (vm(provisioningState="Updating"), Reason.BUSY),
        (vm(provisioningState="Creating"), Reason.BUSY),
        (vm(osProfile={"allowExtensionOperations": False}), Reason.NOT_CONFIGURED),
        (vm(view={"vmAgent": None}), Reason.UNREACHABLE),
        (vm(view={"vmAgent": {"statuses": [{"code": "ProvisioningState/Unavailable"}]}}), Reason.UNREACHABLE),
        (
            vm(view={"extensions": [{"name": "X", "statuses": [{"code": "ProvisioningState/transitioning"}]}]}),
            Reason.BUSY,
        ),
    ],
)
def test_preflight_names_what_stands_in_the_way(machine: dict[str, Any], reason: Reason) -> None:
    found = preflight(machine)
    assert found is not None
    assert found.reason is reason


def test_failed_extension_does_not_stand_in_the_way() -> None:
    failed = {"name": "X", "statuses": [{"code": "ProvisioningState/failed/1"}], "substatuses": [{"code": "a b/'c'"}]}
    assert preflight(vm(view={"extensions": [failed, {"name": "Y"}]})) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vm-instanceview-windows-ready-2020-12-01", None),
        ("vm-instanceview-agent-notready-blob-2020-12-01", Reason.UNREACHABLE),
        ("vm-instanceview-deallocated-noagent-2020-12-01", Reason.NOT_RUNNING),
        ("vm-instanceview-deallocated-stale-ready-agent-2017-12-01", Reason.NOT_RUNNING),
    ],
)
def test_preflight_on_recorded_instance_views(name: str, reason: Reason | None) -> None:
    body = next(
        exchange["response"]["body"]
        for exchange in recorded(name)["exchanges"]
        if "statuses" in json.dumps(exchange["response"].get("body"))
    )
    machine = body if "properties" in body else {"properties": {"provisioningState": "Succeeded", "instanceView": body}}
    found = preflight(machine)
    assert (found.reason if found else None) == reason


class FakeWrites:
    """Answers run_command and poll with what a test lays down; the channel calls nothing else."""

    def __init__(self, *answers: WriteOutcome) -> None:
        self.answers = list(answers)
        self.sent: list[dict[str, Any]] = []
        self.polled: list[dict[str, Any]] = []

    async def run_command(self, vm_id: str, body: dict[str, Any]) -> WriteOutcome:
        assert vm_id == VM
        self.sent.append(body)
        return self.answers.pop(0)

    async def poll(self, operation: dict[str, Any]) -> WriteOutcome:
        self.polled.append(operation)
        return self.answers.pop(0)

    async def put_security_rule(self, nsg_id: str, name: str, body: Any, *, etag: str | None) -> WriteOutcome:
        raise AssertionError(nsg_id)

    async def delete_security_rule(self, nsg_id: str, name: str, *, etag: str | None) -> WriteOutcome:
        raise AssertionError(nsg_id)

    async def start_virtual_machine(self, vm_id: str) -> WriteOutcome:
        raise AssertionError(vm_id)

    async def put_run_command(self, vm_id: str, name: str, body: Any) -> WriteOutcome:
        raise AssertionError(name)

    async def delete_run_command(self, vm_id: str, name: str) -> WriteOutcome:
        raise AssertionError(name)

    async def delete_extension(self, vm_id: str, name: str) -> WriteOutcome:
        raise AssertionError(name)

    async def put_extension(self, vm_id: str, name: str, body: Any) -> WriteOutcome:
        raise AssertionError(name)

    async def put_route(self, route_table_id: str, name: str, body: Any, *, etag: str | None) -> WriteOutcome:
        raise AssertionError(route_table_id)

    async def delete_route(self, route_table_id: str, name: str, *, etag: str | None) -> WriteOutcome:
        raise AssertionError(route_table_id)

    async def restart_virtual_machine(self, vm_id: str) -> WriteOutcome:
        raise AssertionError(vm_id)

    async def redeploy_virtual_machine(self, vm_id: str) -> WriteOutcome:
        raise AssertionError(vm_id)

    async def reapply_virtual_machine(self, vm_id: str) -> WriteOutcome:
        raise AssertionError(vm_id)

    async def deallocate_virtual_machine(self, vm_id: str) -> WriteOutcome:
        raise AssertionError(vm_id)

    async def initiate_jit(self, policy_id: str, body: Any) -> WriteOutcome:
        raise AssertionError(policy_id)


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def channel(*answers: WriteOutcome) -> tuple[RunCommandChannel, FakeWrites]:
    writes = FakeWrites(*answers)
    return RunCommandChannel(writes, FixedClock()), writes


ASKED = GuestRequest(run_id="r1", script="collect")
OUTPUT = {"value": statuses(line())}


async def test_operation_is_polled_to_its_answer() -> None:
    guest, writes = channel(Started({"url": "1"}), Started({"url": "2"}), Completed(OUTPUT))
    started = await guest.start(VM, ASKED)
    assert isinstance(started, Started)
    json.dumps(started.operation)  # it is stored between two polls
    running = await guest.poll(started.operation)
    assert isinstance(running, Started)
    answer = await guest.poll(running.operation)
    assert writes.polled == [{"url": "1"}, {"url": "2"}]
    assert isinstance(answer, Observed)
    assert answer.value == decode_answer(line())
    assert answer.at == NOW


async def test_answer_that_came_at_once_needs_no_poll_of_azure() -> None:
    guest, writes = channel(Completed(OUTPUT))
    started = await guest.start(VM, ASKED)
    assert isinstance(started, Started)
    assert isinstance(await guest.poll(started.operation), Observed)
    assert writes.polled == []


@pytest.mark.parametrize(
    ("rejected", "reason"),
    [
        (
            Rejected(
                Reason.SERVER_ERROR,
                409,
                "Conflict",
                "Run command extension execution is in progress. Please wait for completion before invoking a run command.",
            ),
            Reason.BUSY,
        ),
        (
            Rejected(
                Reason.SERVER_ERROR,
                409,
                "OperationNotAllowed",
                "The operation requires the VM to be running (or set to run).",
            ),
            Reason.NOT_RUNNING,
        ),
        (Rejected(Reason.FORBIDDEN, 403, "AuthorizationFailed", "no right"), Reason.FORBIDDEN),
        (Rejected(Reason.SERVER_ERROR, 200, "VMAgentStatusCommunicationError", "agent"), Reason.UNREACHABLE),
        (Rejected(Reason.SERVER_ERROR, 200, "VMExtensionProvisioningError", "failed"), Reason.SERVER_ERROR),
    ],
)
async def test_refusals_keep_their_meaning(rejected: Rejected, reason: Reason) -> None:
    guest, _ = channel(rejected, Started({}), rejected)
    refused = await guest.start(VM, ASKED)
    assert isinstance(refused, Rejected)
    assert refused.reason is reason
    started = await guest.start(VM, ASKED)
    assert isinstance(started, Started)
    ended = await guest.poll(started.operation)
    assert isinstance(ended, Unavailable)
    assert ended.reason is reason


async def test_lost_answers_stay_unknown() -> None:
    guest, writes = channel(OutcomeUnknown("lost"), Started({}), OutcomeUnknown("lost"))
    assert isinstance(await guest.start(VM, ASKED), OutcomeUnknown)
    assert len(writes.sent) == 1
    started = await guest.start(VM, ASKED)
    assert isinstance(started, Started)
    assert isinstance(await guest.poll(started.operation), Unavailable)


async def test_repair_of_another_run_is_not_ours() -> None:
    other = {"value": statuses(line({**ANSWER, "repair": {"run_id": "r2", "steps": []}}))}
    guest, _ = channel(Started({}), Completed(other))
    started = await guest.start(VM, GuestRequest(run_id="r1", script="repair"))
    assert isinstance(started, Started)
    ended = await guest.poll(started.operation)
    assert isinstance(ended, Unavailable)
    assert ended.reason is Reason.MALFORMED


async def test_second_slice_is_decoded_as_such() -> None:
    second = {"value": statuses(line({**ANSWER, "slice": 2}, slice_=2))}
    guest, _ = channel(Started({}), Completed(second))
    started = await guest.start(VM, GuestRequest(run_id="r1", script="collect", slice=2))
    assert isinstance(started, Started)
    answer = await guest.poll(started.operation)
    assert isinstance(answer, Observed)
    assert answer.value["slice"] == 2
