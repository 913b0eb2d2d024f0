"""The reads that are no plain resource: what is asked and what becomes of the answer."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rdp_remediate.arm.reads import AzureReads
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from rdp_remediate.ports import Operation
from tests.arm.fake_arm import GROUP, NIC, NSG, SUBSCRIPTION, VM, FakeArm, Reply

SCOPE = f"/subscriptions/{SUBSCRIPTION}"
VNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet1"
ASG = f"{GROUP}/providers/Microsoft.Network/applicationSecurityGroups/web"
DENIED = Reply(403, {"error": {"code": "AuthorizationFailed", "message": "m"}})


async def value_of(reads: AzureReads, operation: Operation, resource_id: str, **arguments: str) -> Any:
    fact = await reads.operation(operation, resource_id, **arguments)
    assert isinstance(fact, Observed), fact
    return fact.value


async def failure_of(reads: AzureReads, operation: Operation, resource_id: str, **arguments: str) -> Unavailable:
    fact = await reads.operation(operation, resource_id, **arguments)
    assert isinstance(fact, Unavailable), fact
    return fact


async def test_admin_rules_are_paged_by_a_token_in_the_body(arm: FakeArm, reads: AzureReads) -> None:
    url = f"{VNET}/listNetworkManagerEffectiveSecurityAdminRules"
    arm.on("POST", url, Reply(body={"value": [{"id": "1"}], "skipToken": "next"}), Reply(body={"value": [{"id": "2"}]}))
    assert await value_of(reads, Operation.EFFECTIVE_ADMIN_RULES, VNET) == {"value": [{"id": "1"}, {"id": "2"}]}
    assert arm.seen[1].json() == {"skipToken": "next"}


async def test_admin_rules_without_right(arm: FakeArm, reads: AzureReads) -> None:
    arm.on("POST", f"{VNET}/listNetworkManagerEffectiveSecurityAdminRules", DENIED)
    assert (await failure_of(reads, Operation.EFFECTIVE_ADMIN_RULES, VNET)).reason is Reason.FORBIDDEN


async def test_service_tags_of_a_location(arm: FakeArm, reads: AzureReads) -> None:
    url = f"{SCOPE}/providers/Microsoft.Network/locations/westeurope"
    body = {"name": "Public", "values": [{"name": "Internet", "properties": {"addressPrefixes": ["1.0.0.0/8"]}}]}
    arm.on("GET", f"{url}/serviceTags", Reply(body=body))
    assert await value_of(reads, Operation.SERVICE_TAGS, url) == body


async def test_members_of_an_application_security_group(arm: FakeArm, reads: AzureReads) -> None:
    def nic(name: str, asg: str | None) -> dict[str, Any]:
        groups = {"applicationSecurityGroups": [{"id": asg}]} if asg else {}
        return {"name": name, "properties": {"ipConfigurations": [{"properties": groups}]}}

    nics = f"{GROUP}/providers/Microsoft.Network/networkInterfaces"
    arm.on("GET", nics, Reply(body={"value": [nic("in", ASG.upper()), nic("out", None)], "nextLink": "{base}/page2"}))
    arm.on("GET", "/page2", Reply(body={"value": [nic("in2", ASG)]}))
    members = await value_of(reads, Operation.APPLICATION_SECURITY_GROUP_MEMBERS, ASG)
    assert [member["name"] for member in members["value"]] == ["in", "in2"]


async def test_resource_health(arm: FakeArm, reads: AzureReads, payload: Callable[[str], Any]) -> None:
    body = payload("spec-resourcehealth-availabilitystatus-2025-05-01.json")["responses"]["200"]["body"]
    arm.on("GET", f"{VM}/providers/Microsoft.ResourceHealth/availabilityStatuses/current", Reply(body=body))
    assert await value_of(reads, Operation.RESOURCE_HEALTH, VM) == body


async def test_annotations_come_from_a_named_resource_graph_query(arm: FakeArm, reads: AzureReads) -> None:
    url = "/providers/Microsoft.ResourceGraph/resources"
    arm.on(
        "POST",
        url,
        Reply(503),
        Reply(body={"data": [{"name": "a"}], "$skipToken": "t", "resultTruncated": "false"}),
        Reply(body={"data": [{"name": "b"}], "resultTruncated": "false"}),
    )
    rows = await value_of(reads, Operation.RESOURCE_ANNOTATIONS, VM)
    assert rows == {"value": [{"name": "a"}, {"name": "b"}]}
    asked = arm.seen[0].json()
    assert asked["query"].startswith("// rdp-remediate:resource_annotations/1\n")
    assert f"'{VM}'" in asked["query"]
    assert asked["subscriptions"] == [SUBSCRIPTION]
    assert arm.seen[2].json()["options"]["$skipToken"] == "t"


async def test_truncated_graph_answer_is_not_taken_for_whole(arm: FakeArm, reads: AzureReads) -> None:
    url = "/providers/Microsoft.ResourceGraph/resources"
    arm.on("POST", url, Reply(body={"data": [], "resultTruncated": "true"}))
    assert (await failure_of(reads, Operation.RESOURCE_ANNOTATIONS, VM)).reason is Reason.TRUNCATED


async def test_jit_policies_as_recorded(arm: FakeArm, reads: AzureReads, payload: Callable[[str], Any]) -> None:
    body = payload("jit-policies-list-2020-01-01.json")["exchanges"][0]["response"]["body"]
    arm.on("GET", f"{SCOPE}/providers/Microsoft.Security/jitNetworkAccessPolicies", Reply(body=body))
    assert await value_of(reads, Operation.JIT_POLICIES, SCOPE) == {"value": body["value"]}


def locks_at(scope: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization/locks"


def lock(scope: str, name: str) -> dict[str, Any]:
    return {"id": f"{scope}/providers/Microsoft.Authorization/locks/{name}", "properties": {"level": "CanNotDelete"}}


async def test_locks_of_every_level_above_count_and_of_siblings_do_not(arm: FakeArm, reads: AzureReads) -> None:
    sibling = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm10"
    everything = [lock(SCOPE, "s"), lock(GROUP.upper(), "g"), lock(VM, "v"), lock(sibling, "x"), lock(f"{GROUP}2", "y")]
    arm.on("GET", locks_at(SCOPE), Reply(body={"value": everything}))
    arm.on("GET", locks_at(GROUP), Reply(body={"value": everything[1:4]}))
    arm.on("GET", locks_at(VM), Reply(body={"value": [everything[2]]}))
    found = await value_of(reads, Operation.LOCKS, VM)
    assert [entry["id"].rsplit("/", 1)[1] for entry in found["value"]] == ["s", "g", "v"]


async def test_locks_of_a_level_that_may_not_be_read_are_not_absent(arm: FakeArm, reads: AzureReads) -> None:
    arm.on("GET", locks_at(SCOPE), DENIED)
    arm.on("GET", locks_at(GROUP), Reply(body={"value": []}))
    arm.on("GET", locks_at(VM), Reply(body={"value": []}))
    assert (await failure_of(reads, Operation.LOCKS, VM)).reason is Reason.FORBIDDEN


@pytest.mark.parametrize(
    ("body", "tags"),
    [
        ({"properties": {"tags": {"rdp-remediate": "auto"}}}, {"rdp-remediate": "auto"}),
        ({"properties": {}}, {}),
    ],
)
async def test_tags_of_a_scope(body: Any, tags: Any, arm: FakeArm, reads: AzureReads) -> None:
    arm.on("GET", f"{GROUP}/providers/Microsoft.Resources/tags/default", Reply(body=body))
    assert await value_of(reads, Operation.TAGS, GROUP) == tags


async def test_tags_that_are_no_tags(arm: FakeArm, reads: AzureReads) -> None:
    arm.on("GET", f"{SCOPE}/providers/Microsoft.Resources/tags/default", Reply(body={"tags": {}}))
    assert (await failure_of(reads, Operation.TAGS, SCOPE)).reason is Reason.MALFORMED


async def test_bastion_hosts(arm: FakeArm, reads: AzureReads, payload: Callable[[str], Any]) -> None:
    body = payload("bastion-list-2020-08-01.json")["exchanges"][0]["response"]["body"]
    arm.on("GET", f"{SCOPE}/providers/Microsoft.Network/bastionHosts", Reply(body=body))
    assert await value_of(reads, Operation.BASTION_HOSTS, SCOPE) == {"value": body["value"]}


class TestBootLog:
    URL = f"{VM}/retrieveBootDiagnosticsData"

    async def test_tail_is_read_without_our_token_and_the_signed_url_is_gone(
        self, arm: FakeArm, reads: AzureReads
    ) -> None:
        arm.on("POST", self.URL, Reply(body={"serialConsoleLogBlobUri": "{base}/logs/vm1?sig=canary"}))
        arm.on("GET", "/logs/vm1", Reply(text="x" * 200_000 + " the end", content_type="text/plain"))
        log = await value_of(reads, Operation.BOOT_LOG, VM)
        assert log["text"].endswith(" the end")
        assert len(log["text"]) == 64 * 1024
        assert "canary" not in json.dumps(log)
        assert arm.seen[1].query == {"sig": "canary"}
        assert "authorization" not in arm.seen[1].headers

    @pytest.mark.parametrize(
        ("reply", "blob", "reason"),
        [
            (Reply(body={}), Reply(), Reason.NOT_CONFIGURED),
            (Reply(body={"serialConsoleLogBlobUri": "http://x/y"}), Reply(), Reason.NOT_CONFIGURED),
            (DENIED, Reply(), Reason.FORBIDDEN),
            (Reply(body={"serialConsoleLogBlobUri": "{base}/b"}), Reply(404), Reason.NOT_FOUND),
            (Reply(body={"serialConsoleLogBlobUri": "{base}/b"}), Reply(403), Reason.FORBIDDEN),
            (Reply(body={"serialConsoleLogBlobUri": "{base}/b"}), Reply(500), Reason.SERVER_ERROR),
            (
                Reply(409, {"error": {"code": "Conflict", "message": "Boot diagnostics is not enabled."}}),
                Reply(),
                Reason.NOT_CONFIGURED,
            ),
        ],
    )
    async def test_no_log(self, reply: Reply, blob: Reply, reason: Reason, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("POST", self.URL, reply)
        arm.on("GET", "/b", blob)
        assert (await failure_of(reads, Operation.BOOT_LOG, VM)).reason is reason


class TestRoleAssignments:
    PERSON = "5c2a0000-0000-4000-8000-0000000000aa"
    URL = f"{VM}/providers/Microsoft.Authorization/roleAssignments"
    OWNER = f"{SCOPE}/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"

    async def test_groups_are_followed_and_each_role_is_read_once(self, arm: FakeArm, reads: AzureReads) -> None:
        one = {"properties": {"roleDefinitionId": self.OWNER, "principalId": self.PERSON}}
        two = {"properties": {"roleDefinitionId": self.OWNER.upper(), "principalId": "a group"}}
        arm.on("GET", self.URL, Reply(body={"value": [one, two]}))
        arm.on("GET", self.OWNER, Reply(body={"properties": {"roleName": "Owner"}}))
        found = await value_of(reads, Operation.ROLE_ASSIGNMENTS, VM, principal=self.PERSON)
        assert found["value"] == [one, two]
        assert found["definitions"] == {self.OWNER.lower(): {"properties": {"roleName": "Owner"}}}
        assert arm.seen[0].query["$filter"] == f"atScope() and assignedTo('{self.PERSON}')"

    @pytest.mark.parametrize("principal", ["", "mia@contoso.com", "') or true or ('", "5c2a0000"])
    async def test_only_an_object_id_is_sent(self, principal: str, arm: FakeArm, reads: AzureReads) -> None:
        found = await failure_of(reads, Operation.ROLE_ASSIGNMENTS, VM, principal=principal)
        assert found.reason is Reason.MALFORMED
        assert arm.seen == []

    @pytest.mark.parametrize(
        ("listed", "definition", "reason"),
        [
            (DENIED, Reply(), Reason.FORBIDDEN),
            (Reply(body={"value": [{"properties": {"roleDefinitionId": OWNER}}]}), DENIED, Reason.FORBIDDEN),
            (Reply(body={"value": [{"properties": {"roleDefinitionId": "https://x/y"}}]}), Reply(), Reason.MALFORMED),
        ],
    )
    async def test_no_answer(
        self, listed: Reply, definition: Reply, reason: Reason, arm: FakeArm, reads: AzureReads
    ) -> None:
        arm.on("GET", self.URL, listed)
        arm.on("GET", self.OWNER, definition)
        found = await failure_of(reads, Operation.ROLE_ASSIGNMENTS, VM, principal=self.PERSON)
        assert found.reason is reason


class TestActivity:
    URL = f"{SCOPE}/providers/Microsoft.Insights/eventtypes/management/values"

    async def test_events_of_the_resource_and_its_children_over_pages(self, arm: FakeArm, reads: AzureReads) -> None:
        events = [
            {"resourceId": f"{NSG.upper()}/securityRules/r", "caller": "a", "claims": {"name": "canary", "appid": "x"}},
            {"resourceUri": NSG, "properties": {"requestbody": '{"protectedSettings":"canary"}'}},
            {"resourceId": f"{NSG}2"},
            {"resourceId": NIC},
        ]
        arm.on("GET", self.URL, Reply(body={"value": events, "nextLink": "{base}/more?$skiptoken=1"}))
        arm.on("GET", "/more", Reply(body={"value": [{"resourceId": f"{NSG}/", "caller": "b"}]}))
        found = await value_of(reads, Operation.ACTIVITY, NSG)
        assert [event.get("caller") for event in found["value"]] == ["a", None, "b"]
        assert "canary" not in json.dumps(found)
        asked = arm.seen[0].query["$filter"]
        assert "resourceGroupName eq 'rg-app'" in asked
        start = datetime.fromisoformat(asked.split("'")[1])
        assert abs(datetime.now(UTC) - timedelta(days=7) - start) < timedelta(minutes=1)

    async def test_endless_pages_are_not_taken_for_whole(self, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("GET", self.URL, Reply(body={"value": [], "nextLink": "{base}" + self.URL}))
        assert (await failure_of(reads, Operation.ACTIVITY, NSG)).reason is Reason.TRUNCATED

    async def test_page_elsewhere_is_not_followed(self, arm: FakeArm, reads: AzureReads) -> None:
        arm.on("GET", self.URL, Reply(body={"value": [], "nextLink": "https://127.0.0.1:1/more"}))
        assert (await failure_of(reads, Operation.ACTIVITY, NSG)).reason is Reason.MALFORMED


class TestFindVm:
    URL = f"{SCOPE}/providers/Microsoft.Compute/virtualMachines"

    @pytest.mark.parametrize(
        ("name", "found"),
        [("VM1", ["vm1"]), ("jump", ["vm2"]), ("jump.corp.example", ["vm2"]), ("vm", [])],
    )
    async def test_by_resource_or_computer_name(
        self, name: str, found: list[str], arm: FakeArm, reads: AzureReads
    ) -> None:
        vms = [
            {"name": "vm1", "properties": {}},
            {"name": "vm2", "properties": {"osProfile": {"computerName": "JUMP"}}},
        ]
        arm.on("GET", self.URL, Reply(body={"value": vms}))
        answer = await value_of(reads, Operation.FIND_VM, SCOPE, name=name)
        assert [vm["name"] for vm in answer["value"]] == found

    async def test_without_a_name(self, arm: FakeArm, reads: AzureReads) -> None:
        assert (await failure_of(reads, Operation.FIND_VM, SCOPE)).reason is Reason.MALFORMED
        assert arm.seen == []


async def test_subscription_and_permissions(arm: FakeArm, reads: AzureReads) -> None:
    arm.on("GET", SCOPE, Reply(body={"displayName": "prod"}))
    arm.on("GET", f"{VM}/providers/Microsoft.Authorization/permissions", Reply(body={"value": [{"actions": ["*"]}]}))
    assert await value_of(reads, Operation.SUBSCRIPTION, SCOPE) == {"displayName": "prod"}
    assert await value_of(reads, Operation.PERMISSIONS, VM) == {"value": [{"actions": ["*"]}]}


@pytest.mark.parametrize(
    "operation",
    [
        Operation.EFFECTIVE_SECURITY_RULES,
        Operation.EFFECTIVE_ROUTES,
        Operation.EFFECTIVE_ADMIN_RULES,
        Operation.SERVICE_TAGS,
        Operation.APPLICATION_SECURITY_GROUP_MEMBERS,
        Operation.BOOT_LOG,
    ],
)
async def test_resource_of_the_wrong_type_is_not_asked(operation: Operation, arm: FakeArm, reads: AzureReads) -> None:
    fact = await failure_of(reads, operation, f"{GROUP}/providers/Microsoft.Web/sites/s")
    assert fact.reason is Reason.NOT_SUPPORTED
    assert arm.seen == []


@pytest.mark.parametrize("body", [{"value": None}, {"value": ["x"]}, {"values": []}, []])
async def test_list_that_is_no_list(body: Any, arm: FakeArm, reads: AzureReads) -> None:
    arm.on("GET", f"{SCOPE}/providers/Microsoft.Security/jitNetworkAccessPolicies", Reply(body=body))
    assert (await failure_of(reads, Operation.JIT_POLICIES, SCOPE)).reason is Reason.MALFORMED
