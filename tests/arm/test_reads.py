"""Reads over the genuine clients against scripted https answers: values as ARM gave them, or the reason why not."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.identity import CredentialUnavailableError

from rdp_remediate import __version__
from rdp_remediate.arm.clients import ArmClients
from rdp_remediate.arm.operations import OPERATIONS
from rdp_remediate.arm.reads import AzureReads
from rdp_remediate.arm.resource_types import GENUINE
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from rdp_remediate.ports import Operation
from tests.arm.conftest import FAST
from tests.arm.fake_arm import GROUP, NIC, NSG, SUBSCRIPTION, VM, FakeArm, Reply, StaticCredential, clients_for


def observed(fact: Any) -> Any:
    assert isinstance(fact, Observed), fact
    return fact.value


def unavailable(fact: Any) -> Unavailable:
    assert isinstance(fact, Unavailable), fact
    return fact


def vm_body(**properties: Any) -> dict[str, Any]:
    return {
        "name": "vm1",
        "id": VM.upper(),
        "properties": {"vmId": "x", "instanceView": {"statuses": []}, **properties},
    }


class TestResource:
    async def test_vm_is_read_with_its_instance_view_and_without_secrets(self, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("GET", VM, Reply(body=vm_body(userData="canary", futureKey={"a": [None, 1]})))
        fact = await reads.resource(VM)
        value = observed(fact)
        assert value["properties"]["futureKey"] == {"a": [None, 1]}, "unknown keys and nulls stay"
        assert value["id"] == VM.upper(), "casing stays"
        assert "canary" not in json.dumps(value)
        assert isinstance(fact, Observed)
        assert fact.source == VM
        request = arm.seen[0]
        assert request.query["$expand"] == "instanceView"
        assert request.headers["user-agent"].startswith(f"rdp-remediate/{__version__} azsdk-python-mgmt-compute/")
        assert request.headers["x-ms-correlation-request-id"] == "00000000-0000-0000-0000-00000000c0de"
        assert request.headers["authorization"] == "Bearer test"

    async def test_recorded_nic_comes_back_word_for_word(
        self, arm: FakeArm, reads: AzureReads, payload: Callable[[str], Any]
    ) -> None:
        body = payload("nic-get-2022-01-01-rec2026.json")["exchanges"][0]["response"]["body"]
        arm.on("GET", NIC, Reply(body=body))
        assert observed(await reads.resource(NIC)) == body

    @pytest.mark.parametrize("kind", sorted(GENUINE))
    async def test_each_type_has_its_genuine_client(self, kind: str, arm: FakeArm, reads: AzureReads) -> None:
        namespace, *types = kind.split("/")
        path = "/".join(f"{word}/n{number}" for number, word in enumerate(types))
        resource_id = f"{GROUP}/providers/{namespace}/{path}"
        arm.on("GET", resource_id, Reply(body={"id": resource_id, "name": "n", "properties": {}}))
        assert observed(await reads.resource(resource_id))["id"] == resource_id
        assert "azsdk-python-mgmt-" in arm.seen[0].headers["user-agent"]

    async def test_other_types_are_read_plainly(self, arm: FakeArm, reads: AzureReads) -> None:
        classic = f"{GROUP}/providers/Microsoft.ClassicCompute/virtualMachines/old"
        arm.on("GET", classic, Reply(body={"id": classic}))
        assert observed(await reads.resource(classic)) == {"id": classic}
        assert arm.seen[0].query == {"api-version": "2017-04-01"}

    @pytest.mark.parametrize(
        ("resource_id", "reason"),
        [
            ("vm1", Reason.MALFORMED),
            (f"{VM}/../x/y", Reason.MALFORMED),
            (f"{GROUP}/providers/Microsoft.Web/sites/s", Reason.NOT_SUPPORTED),
            (f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines/x", Reason.NOT_SUPPORTED),
        ],
    )
    async def test_what_cannot_be_read_is_not_asked(
        self, resource_id: str, reason: Reason, arm: FakeArm, reads: AzureReads
    ) -> None:
        assert unavailable(await reads.resource(resource_id)).reason is reason
        assert arm.seen == []

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            (Reply(403, {"error": {"code": "AuthorizationFailed", "message": "m"}}), Reason.FORBIDDEN),
            (Reply(404, {"error": {"code": "ResourceNotFound", "message": "m"}}), Reason.NOT_FOUND),
            (Reply(500, text="<html>oops</html>", content_type="text/html"), Reason.SERVER_ERROR),
            (Reply(429, {"error": {"code": "SubscriptionRequestsThrottled"}}), Reason.THROTTLED),
            (Reply(200, text="<html>login</html>", content_type="text/html"), Reason.MALFORMED),
            (Reply(200, text='{"name": "vm'), Reason.MALFORMED),
            (Reply(200, text="null"), Reason.MALFORMED),
            (Reply(200, text=""), Reason.MALFORMED),
            (Reply(200, text="[]"), Reason.MALFORMED),
            (Reply(302, headers={"Location": "{base}/elsewhere"}), Reason.SERVER_ERROR),
            (Reply(hang_up=True), Reason.UNREACHABLE),
        ],
        ids=lambda value: value.value if isinstance(value, Reason) else f"{value.status} {value.text or ''}",
    )
    async def test_every_failure_is_a_reason(
        self, reply: Reply, reason: Reason, arm: FakeArm, reads: AzureReads
    ) -> None:
        arm.on("GET", NSG, reply)
        assert unavailable(await reads.resource(NSG)).reason is reason

    async def test_transient_failure_is_tried_again(self, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("GET", NSG, Reply(503), Reply(429, headers={"retry-after-ms": "10"}), Reply(body={"name": "nsg1"}))
        assert observed(await reads.resource(NSG)) == {"name": "nsg1"}
        assert arm.count("GET", NSG) == 3

    async def test_long_wait_is_reported_not_slept(self, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("GET", NSG, Reply(429, {"error": {"code": "X"}}, {"Retry-After": "372"}))
        async with asyncio.timeout(2):
            assert unavailable(await reads.resource(NSG)).reason is Reason.THROTTLED
        assert len(arm.seen) == 1

    async def test_no_resource_provider_is_ever_registered(self, arm: FakeArm, reads: AzureReads) -> None:
        error = {"error": {"code": "MissingSubscriptionRegistration", "message": "namespace 'Microsoft.Network'"}}
        arm.on("GET", NSG, Reply(409, error))
        assert unavailable(await reads.resource(NSG)).reason is Reason.NOT_CONFIGURED
        assert [seen.method for seen in arm.seen] == ["GET"]

    async def test_deadline_of_a_silent_server(self, arm: FakeArm, clients: ArmClients) -> None:
        arm.on("GET", NSG, Reply(delay_s=3))
        reads = AzureReads(clients, deadline_factor=0.004)
        fact = unavailable(await reads.resource(NSG))
        assert fact.reason is Reason.TIMEOUT
        assert fact.source == NSG

    async def test_cancellation_passes(self, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("GET", NSG, Reply(delay_s=3))
        task = asyncio.create_task(reads.resource(NSG))
        while not arm.seen:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_nobody_listens(self, certificate: Path) -> None:
        arm = FakeArm()
        arm.base = "https://localhost:1"
        async with clients_for(arm, certificate) as clients:
            assert unavailable(await AzureReads(clients).resource(NSG)).reason is Reason.UNREACHABLE

    async def test_without_a_sign_in_nothing_is_asked(self, arm: FakeArm, certificate: Path) -> None:
        class SignedOut(StaticCredential):
            async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
                raise CredentialUnavailableError("Please run 'az login' to set up an account")

        async with clients_for(arm, certificate, SignedOut()) as clients:
            fact = unavailable(await AzureReads(clients).resource(NSG))
        assert fact.reason is Reason.FORBIDDEN
        assert "az login" in fact.detail
        assert arm.seen == []

    async def test_at_most_eight_reads_at_once(self, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("GET", NSG, Reply(body={"name": "nsg1"}, delay_s=0.02))
        facts = await asyncio.gather(*(reads.resource(NSG) for _ in range(40)))
        assert all(isinstance(fact, Observed) for fact in facts)
        assert arm.most_at_once == 8


EFFECTIVE = f"{NIC}/effectiveNetworkSecurityGroups"
RESULT = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/locations/westus/operationResults/1"


class TestLongReads:
    async def test_effective_rules_as_recorded(
        self, arm: FakeArm, reads: AzureReads, payload: Callable[[str], Any]
    ) -> None:
        body = payload("net-effective-nsg-lro-2021-08-01.json")["exchanges"][-1]["response"]["body"]
        arm.on("POST", EFFECTIVE, Reply(202, text="null", headers={"Location": "{base}" + RESULT, "Retry-After": "10"}))
        arm.on(
            "GET",
            RESULT,
            Reply(202, text="null", headers={"Location": "{base}" + RESULT + "?s=2"}),
            Reply(500, {"error": {"code": "ServerTimeout"}}),
            Reply(200, body, {"Location": "{base}" + RESULT}),
        )
        assert observed(await reads.operation(Operation.EFFECTIVE_SECURITY_RULES, NIC)) == body
        assert arm.count("POST", EFFECTIVE) == 1
        assert [seen.query.get("s") for seen in arm.seen if seen.path == RESULT] == [None, "2", "2"]
        assert {seen.headers["x-ms-correlation-request-id"] for seen in arm.seen} == {
            "00000000-0000-0000-0000-00000000c0de"
        }

    async def test_no_nsg_at_all_is_an_observed_empty_list(self, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("POST", EFFECTIVE, Reply(200, {"value": []}, {"Location": "{base}" + RESULT}))
        assert observed(await reads.operation(Operation.EFFECTIVE_SECURITY_RULES, NIC)) == {"value": []}
        assert len(arm.seen) == 1

    async def test_stopped_vm(self, arm: FakeArm, reads: AzureReads, payload: Callable[[str], Any]) -> None:
        response = payload("net-effective-routes-nic-not-running-400.json")["exchanges"][-1]["response"]
        arm.on("POST", f"{NIC}/effectiveRouteTable", Reply(response["status"], response["body"]))
        assert unavailable(await reads.operation(Operation.EFFECTIVE_ROUTES, NIC)).reason is Reason.NOT_RUNNING

    async def test_operation_that_fails_later_with_http_200(self, arm: FakeArm, reads: AzureReads) -> None:
        failed = {"status": "Failed", "error": {"code": " InternalError", "message": " boom "}}
        arm.on("POST", EFFECTIVE, Reply(202, headers={"Azure-AsyncOperation": "{base}" + RESULT}))
        arm.on("GET", RESULT, Reply(200, failed))
        fact = unavailable(await reads.operation(Operation.EFFECTIVE_SECURITY_RULES, NIC))
        assert fact.reason is Reason.SERVER_ERROR
        assert "InternalError: boom" in fact.detail

    async def test_status_that_may_not_be_read(self, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("POST", EFFECTIVE, Reply(202, text="null", headers={"Location": "{base}" + RESULT}))
        arm.on("GET", RESULT, Reply(403, {"error": {"code": "AuthorizationFailed", "message": "m"}}))
        fact = unavailable(await reads.operation(Operation.EFFECTIVE_SECURITY_RULES, NIC))
        assert fact.reason is Reason.FORBIDDEN
        assert "status could not be read" in fact.detail

    async def test_token_never_follows_a_poll_url_elsewhere(self, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("POST", EFFECTIVE, Reply(202, text="null", headers={"Location": "https://127.0.0.1:1/steal"}))
        fact = unavailable(await reads.operation(Operation.EFFECTIVE_SECURITY_RULES, NIC))
        assert fact.reason is Reason.MALFORMED

    async def test_operation_that_never_ends(self, arm: FakeArm, clients: ArmClients) -> None:
        arm.on("POST", EFFECTIVE, Reply(202, text="null", headers={"Location": "{base}" + RESULT}))
        arm.on("GET", RESULT, Reply(202, text="null"))
        reads = AzureReads(clients, poll_times=FAST, deadline_factor=0.004)
        fact = await reads.operation(Operation.EFFECTIVE_SECURITY_RULES, NIC)
        assert unavailable(fact).reason is Reason.TIMEOUT


def test_every_operation_is_read() -> None:
    assert set(OPERATIONS) == set(Operation)
