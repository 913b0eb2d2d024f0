"""Acting calls: each reaches Azure at most once, and an outcome is refused, known or unknown, never guessed."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from rdp_remediate.arm.clients import ArmClients
from rdp_remediate.arm.writes import AzureWrites
from rdp_remediate.models.fact import Reason
from rdp_remediate.ports import Completed, OutcomeUnknown, Rejected, Started, WriteOutcome
from tests.arm.conftest import FAST
from tests.arm.fake_arm import GROUP, NIC, NSG, SUBSCRIPTION, VM, FakeArm, Reply, StaticCredential, clients_for

RULE = f"{NSG}/securityRules/rdp"
OPERATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/locations/westus/operations/1"
BODY = {
    "properties": {
        "protocol": "Tcp",
        "access": "Allow",
        "direction": "Inbound",
        "priority": 200,
        "sourcePortRange": "*",
        "destinationPortRange": "3389",
        "sourceAddressPrefix": "203.0.113.0/24",
        "destinationAddressPrefix": "10.0.0.4",
        "description": "rdp-remediate",
    }
}
UPDATING = {"name": "rdp", "properties": {"provisioningState": "Updating"}}
DONE = {"name": "rdp", "etag": 'W/"2"', "properties": {"provisioningState": "Succeeded"}}
PUT_ACCEPTED = Reply(201, UPDATING, {"Azure-AsyncOperation": "{base}" + OPERATION, "Retry-After": "10"})


def error(status: int, code: str, message: str = "m") -> Reply:
    return Reply(status, {"error": {"code": code, "message": message}})


def rejected(outcome: WriteOutcome) -> Rejected:
    assert isinstance(outcome, Rejected), outcome
    return outcome


class TestSecurityRule:
    async def test_new_rule_is_written_and_awaited(self, arm: FakeArm, writes: AzureWrites) -> None:
        arm.on("PUT", RULE, PUT_ACCEPTED)
        arm.on(
            "GET",
            OPERATION,
            Reply(200, {"status": "InProgress"}, {"Retry-After": "10"}),
            Reply(500),
            Reply(200, {"status": "Succeeded"}),
        )
        arm.on("GET", RULE, Reply(200, DONE))
        assert await writes.put_security_rule(NSG, "rdp", BODY, etag=None) == Completed(DONE)
        put = arm.seen[0]
        assert put.json() == BODY
        assert put.headers["if-none-match"] == "*"
        assert arm.count("PUT", RULE) == 1

    async def test_replacing_names_the_version_that_was_read(self, arm: FakeArm, writes: AzureWrites) -> None:
        arm.on("PUT", RULE, Reply(412, {"error": {"code": "PreconditionFailed", "message": "m"}}))
        outcome = rejected(await writes.put_security_rule(NSG, "rdp", BODY, etag='W/"1"'))
        assert (outcome.status, outcome.reason, outcome.code) == (412, Reason.BUSY, "PreconditionFailed")
        assert arm.seen[0].headers["if-match"] == 'W/"1"'

    async def test_deleting(self, arm: FakeArm, writes: AzureWrites) -> None:
        headers = {"Azure-AsyncOperation": "{base}" + OPERATION, "Location": "{base}/result", "Retry-After": "10"}
        arm.on("DELETE", RULE, Reply(202, headers=headers))
        arm.on("GET", OPERATION, Reply(200, {"status": "Succeeded"}))
        assert await writes.delete_security_rule(NSG, "rdp", etag='W/"2"') == Completed(None)
        assert arm.seen[0].headers["if-match"] == 'W/"2"'
        assert arm.count("GET", "/result") == 0

    async def test_deleting_what_is_gone(self, arm: FakeArm, writes: AzureWrites) -> None:
        arm.on("DELETE", RULE, Reply(204))
        assert await writes.delete_security_rule(NSG, "rdp", etag=None) == Completed(None)

    async def test_put_that_fails_later_may_have_left_its_goal(self, arm: FakeArm, writes: AzureWrites) -> None:
        arm.on("PUT", RULE, PUT_ACCEPTED)
        arm.on("GET", OPERATION, Reply(200, {"status": "Failed", "error": {"code": " InternalError", "message": " b"}}))
        outcome = await writes.put_security_rule(NSG, "rdp", BODY, etag=None)
        assert isinstance(outcome, OutcomeUnknown)
        assert "InternalError: b" in outcome.detail

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 408, None])
    async def test_lost_answer_is_unknown_and_never_repeated(
        self, status: int | None, arm: FakeArm, writes: AzureWrites
    ) -> None:
        reply = Reply(hang_up=True) if status is None else Reply(status, {"error": {}}, {"retry-after-ms": "1"})
        arm.on("PUT", RULE, reply)
        arm.on("DELETE", RULE, reply)
        assert isinstance(await writes.put_security_rule(NSG, "rdp", BODY, etag=None), OutcomeUnknown)
        assert isinstance(await writes.delete_security_rule(NSG, "rdp", etag=None), OutcomeUnknown)
        assert (arm.count("PUT", RULE), arm.count("DELETE", RULE)) == (1, 1)

    async def test_conflict_with_a_wish_to_retry_is_not_repeated(self, arm: FakeArm, writes: AzureWrites) -> None:
        error = {"error": {"code": "AnotherOperationInProgress", "message": "m"}}
        arm.on("PUT", RULE, Reply(409, error, {"Retry-After": "1"}))
        outcome = rejected(await writes.put_security_rule(NSG, "rdp", BODY, etag=None))
        assert (outcome.reason, outcome.retry_after_s) == (Reason.BUSY, 1)
        assert arm.count("PUT", RULE) == 1

    async def test_deadline_leaves_the_write_running_and_its_outcome_unknown(
        self, arm: FakeArm, clients: ArmClients
    ) -> None:
        arm.on("PUT", RULE, Reply(200, DONE, delay_s=0.2))
        writes = AzureWrites(clients, deadline_s=0.05)
        assert isinstance(await writes.put_security_rule(NSG, "rdp", BODY, etag=None), OutcomeUnknown)
        await writes.close()
        assert arm.count("PUT", RULE) == 1

    async def test_cancelled_caller_does_not_cut_a_write_in_two(self, arm: FakeArm, writes: AzureWrites) -> None:
        arm.on("PUT", RULE, PUT_ACCEPTED)
        arm.on("GET", OPERATION, Reply(200, {"status": "Succeeded"}, delay_s=0.05))
        arm.on("GET", RULE, Reply(200, DONE))
        task = asyncio.create_task(writes.put_security_rule(NSG, "rdp", BODY, etag=None))
        while not arm.count("GET", OPERATION):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await writes.close()
        assert arm.count("GET", RULE) == 1, "the write went on to its last read"

    async def test_one_write_of_an_nsg_at_a_time(self, arm: FakeArm, writes: AzureWrites) -> None:
        other = f"{NSG}2/securityRules/rdp"
        for rule in (RULE, f"{NSG}/securityRules/b", other):
            arm.on("PUT", rule, Reply(200, DONE, delay_s=0.05))
        await asyncio.gather(
            writes.put_security_rule(NSG, "rdp", BODY, etag=None),
            writes.put_security_rule(NSG.upper(), "b", BODY, etag=None),
            writes.put_security_rule(f"{NSG}2", "rdp", BODY, etag=None),
        )
        assert arm.most_at_once == 2

    async def test_waiting_behind_another_write_sends_nothing_late(self, arm: FakeArm, clients: ArmClients) -> None:
        arm.on("PUT", RULE, Reply(200, DONE, delay_s=0.3))
        slow, hasty = AzureWrites(clients), AzureWrites(clients, deadline_s=0.05)
        first = asyncio.create_task(slow.put_security_rule(NSG, "rdp", BODY, etag=None))
        while not arm.seen:
            await asyncio.sleep(0.01)
        assert rejected(await hasty.delete_security_rule(NSG, "rdp", etag=None)).code == "WriteInProgress"
        assert await first == Completed(DONE)
        assert arm.count("DELETE", RULE) == 0

    @pytest.mark.parametrize("name", ["../x", "a/b", "", "a?b", "rdp'"])
    async def test_hostile_name_is_not_sent(self, name: str, arm: FakeArm, writes: AzureWrites) -> None:
        assert rejected(await writes.put_security_rule(NSG, name, BODY, etag=None)).reason is Reason.MALFORMED
        assert rejected(await writes.delete_security_rule(NSG, name, etag=None)).reason is Reason.MALFORMED
        assert arm.seen == []


RUN = f"{VM}/runCommand"
COMPUTE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/operations/1"
SCRIPT = {
    "commandId": "RunPowerShellScript",
    "script": ["Get-Date"],
    "parameters": [{"name": "Request", "value": "e30"}],
}
ACCEPTED = Reply(
    202, headers={"Azure-AsyncOperation": "{base}" + COMPUTE, "Location": "{base}" + COMPUTE + "?monitor=true"}
)


class TestRunCommand:
    async def test_started_then_polled_to_its_output(
        self, arm: FakeArm, writes: AzureWrites, payload: Callable[[str], Any]
    ) -> None:
        recorded = payload("vm-runcommand-action-lro-windows-2018-10-01.json")["exchanges"]
        arm.on("POST", RUN, ACCEPTED)
        arm.on("GET", COMPUTE, *[Reply(200, e["response"]["body"]) for e in recorded[1:]])
        started = await writes.run_command(VM, SCRIPT)
        assert isinstance(started, Started)
        assert arm.seen[0].json() == SCRIPT
        assert json.loads(json.dumps(started.operation)) == started.operation
        again = await writes.poll(started.operation)
        assert isinstance(again, Started)
        assert await writes.poll(again.operation) == Completed(recorded[-1]["response"]["body"])
        assert arm.count("POST", RUN) == 1

    async def test_output_is_read_at_location_where_the_status_has_none(
        self, arm: FakeArm, writes: AzureWrites
    ) -> None:
        output = {"value": [{"code": "ComponentStatus/StdOut/succeeded", "message": "#rdpr1 z 1"}]}
        arm.on("POST", RUN, Reply(202, headers={**ACCEPTED.headers, "Location": "{base}/result"}))
        arm.on("GET", COMPUTE, Reply(200, {"status": "Succeeded"}))
        arm.on("GET", "/result", Reply(200, output))
        started = await writes.run_command(VM, SCRIPT)
        assert isinstance(started, Started)
        assert await writes.poll(started.operation) == Completed(output)

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(500, {"error": {"code": "InternalServerError"}}),
            Reply(503, headers={"retry-after-ms": "1"}),
            Reply(504),
            Reply(hang_up=True),
            Reply(302, headers={"Location": "{base}/x"}),
        ],
        ids=lambda reply: "hang up" if reply.hang_up else str(reply.status),
    )
    async def test_script_is_never_sent_twice(self, reply: Reply, arm: FakeArm, writes: AzureWrites) -> None:
        arm.on("POST", RUN, reply)
        assert isinstance(await writes.run_command(VM, SCRIPT), OutcomeUnknown)
        assert arm.count("POST", RUN) == 1

    async def test_silence_is_unknown(self, arm: FakeArm, certificate: Path) -> None:
        arm.on("POST", RUN, Reply(202, delay_s=1))
        async with clients_for(arm, certificate, read_timeout_s=0.1) as clients:
            assert isinstance(await AzureWrites(clients).run_command(VM, SCRIPT), OutcomeUnknown)
        assert arm.count("POST", RUN) == 1

    async def test_throttled_start_is_sent_again(self, arm: FakeArm, writes: AzureWrites) -> None:
        arm.on("POST", RUN, Reply(429, {"error": {"code": "X"}}, {"retry-after-ms": "10"}), ACCEPTED)
        assert isinstance(await writes.run_command(VM, SCRIPT), Started)
        assert arm.count("POST", RUN) == 2

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            (error(409, "Conflict", "Run command extension execution is in progress. Please wait"), Reason.BUSY),
            (error(409, "OperationNotAllowed", "The operation requires the VM to be running"), Reason.NOT_RUNNING),
            (error(403, "AuthorizationFailed"), Reason.FORBIDDEN),
            (error(409, "ScopeLocked"), Reason.LOCKED),
        ],
    )
    async def test_refusals(self, reply: Reply, reason: Reason, arm: FakeArm, writes: AzureWrites) -> None:
        arm.on("POST", RUN, reply)
        outcome = rejected(await writes.run_command(VM, SCRIPT))
        assert (outcome.status, outcome.code, outcome.reason) == (reply.status, reply.body["error"]["code"], reason)

    async def test_no_sign_in_and_no_connection_mean_nothing_was_sent(self, arm: FakeArm, certificate: Path) -> None:
        class SignedOut(StaticCredential):
            async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
                raise ClientAuthenticationError("signed out")

        async with clients_for(arm, certificate, SignedOut()) as clients:
            assert rejected(await AzureWrites(clients).run_command(VM, SCRIPT)).reason is Reason.FORBIDDEN
        nowhere = FakeArm()
        nowhere.base = "https://localhost:1"
        async with clients_for(nowhere, certificate) as clients:
            assert rejected(await AzureWrites(clients).run_command(VM, SCRIPT)).reason is Reason.UNREACHABLE
        assert arm.seen == []


class TestPoll:
    async def started(self, arm: FakeArm, writes: AzureWrites) -> Started:
        arm.on("POST", RUN, ACCEPTED)
        started = await writes.run_command(VM, SCRIPT)
        assert isinstance(started, Started)
        return started

    async def test_agent_that_never_reports(self, arm: FakeArm, writes: AzureWrites) -> None:
        started = await self.started(arm, writes)
        error = {"code": "VMAgentStatusCommunicationError", "message": "VM has not reported status"}
        arm.on("GET", COMPUTE, Reply(200, {"status": "Failed", "error": error}))
        outcome = rejected(await writes.poll(started.operation))
        assert (outcome.status, outcome.reason) == (200, Reason.UNREACHABLE)

    async def test_poll_goes_to_the_newest_url(self, arm: FakeArm, writes: AzureWrites) -> None:
        started = await self.started(arm, writes)
        arm.on("GET", COMPUTE, Reply(200, {"status": "InProgress"}, {"Azure-AsyncOperation": "{base}/moved?t=2"}))
        again = await writes.poll(started.operation)
        assert isinstance(again, Started)
        arm.on("GET", "/moved", Reply(200, {"status": "Succeeded", "properties": {"output": {"value": []}}}))
        assert await writes.poll(again.operation) == Completed({"value": []})

    @pytest.mark.parametrize("reply", [Reply(500), Reply(429, headers={"Retry-After": "60"}), Reply(hang_up=True)])
    async def test_poll_without_an_answer_leaves_the_operation_running(
        self, reply: Reply, arm: FakeArm, writes: AzureWrites
    ) -> None:
        started = await self.started(arm, writes)
        arm.on("GET", COMPUTE, reply)
        again = await writes.poll(started.operation)
        assert isinstance(again, Started)
        assert again.operation["failed_polls"] == 1

    @pytest.mark.parametrize("status", [403, 404])
    async def test_status_that_cannot_be_read_any_more(self, status: int, arm: FakeArm, writes: AzureWrites) -> None:
        started = await self.started(arm, writes)
        arm.on("GET", COMPUTE, Reply(status, {"error": {"code": "X", "message": "m"}}))
        assert isinstance(await writes.poll(started.operation), OutcomeUnknown)

    @pytest.mark.parametrize(
        "operation",
        [
            {},
            {"schema": "rdp-remediate/arm-operation/1", "kind": "async", "asked": "x", "url": "https://evil.example/x"},
            {"schema": "rdp-remediate/arm-operation/1", "url": "https://x"},
        ],
    )
    async def test_foreign_state_is_never_asked(self, operation: Any, arm: FakeArm, writes: AzureWrites) -> None:
        assert isinstance(await writes.poll(operation), OutcomeUnknown)
        assert arm.seen == []


async def test_vm_is_started(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("POST", f"{VM}/start", ACCEPTED)
    arm.on("GET", COMPUTE, Reply(200, {"status": "InProgress"}), Reply(200, {"status": "Succeeded"}))
    started = await writes.start_virtual_machine(VM)
    assert isinstance(started, Started)
    again = await writes.poll(started.operation)
    assert isinstance(again, Started)
    assert await writes.poll(again.operation) == Completed(None)


@pytest.mark.parametrize("resource_id", [NIC, "vm1", f"{VM}/x"])
async def test_start_of_what_is_no_vm_is_not_sent(resource_id: str, arm: FakeArm, writes: AzureWrites) -> None:
    assert rejected(await writes.start_virtual_machine(resource_id)).reason is Reason.MALFORMED
    assert rejected(await writes.run_command(resource_id, SCRIPT)).reason is Reason.MALFORMED
    assert arm.seen == []


class TestJit:
    POLICY = f"{GROUP}/providers/Microsoft.Security/locations/westus/jitNetworkAccessPolicies/default"

    async def test_request_that_is_accepted(self, arm: FakeArm, writes: AzureWrites) -> None:
        request = {"virtualMachines": [{"id": VM, "ports": [{"number": 3389, "duration": "PT1H"}]}]}
        arm.on("POST", f"{self.POLICY}/initiate", Reply(202, {"virtualMachines": [], "startTimeUtc": "t"}))
        outcome = await writes.initiate_jit(self.POLICY, request)
        assert outcome == Completed({"virtualMachines": [], "startTimeUtc": "t"})
        assert arm.seen[0].json() == request

    async def test_request_that_is_refused(self, arm: FakeArm, writes: AzureWrites) -> None:
        arm.on("POST", f"{self.POLICY}/initiate", Reply(403, {"error": {"code": "AuthorizationFailed"}}))
        assert rejected(await writes.initiate_jit(self.POLICY, {})).reason is Reason.FORBIDDEN

    async def test_request_whose_answer_is_lost_is_not_repeated(self, arm: FakeArm, writes: AzureWrites) -> None:
        arm.on("POST", f"{self.POLICY}/initiate", Reply(503))
        assert isinstance(await writes.initiate_jit(self.POLICY, {}), OutcomeUnknown)
        assert len(arm.seen) == 1


async def test_closing_ends_what_never_ends(arm: FakeArm, clients: ArmClients) -> None:
    arm.on("PUT", RULE, PUT_ACCEPTED)
    arm.on("GET", OPERATION, Reply(200, {"status": "InProgress"}))
    writes = AzureWrites(clients, poll_times=FAST, deadline_s=0.1, close_grace_s=0.05)
    assert isinstance(await writes.put_security_rule(NSG, "rdp", BODY, etag=None), OutcomeUnknown)
    await writes.close()
    asked = len(arm.seen)
    await asyncio.sleep(0.1)
    assert len(arm.seen) == asked
