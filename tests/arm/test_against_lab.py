"""The adapters against the lab, which genuine clients cannot tell from Azure: credential, https, operations, refusals."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from rdp_remediate.arm.clients import ArmClients, ArmEndpoint, correlation_id, managed_identity
from rdp_remediate.arm.polling import PollTimes
from rdp_remediate.arm.reads import AzureReads
from rdp_remediate.arm.retry import RetryTimes
from rdp_remediate.arm.writes import AzureWrites
from rdp_remediate.facts.roles import read_roles
from rdp_remediate.lab.server import Lab
from rdp_remediate.logs.queries import QUERIES, AzureLogQueries
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from rdp_remediate.ports import Completed, Operation, OutcomeUnknown, Rejected, Started, WriteOutcome
from tests.arm.conftest import FAST
from tests.lab.fake_guest import FakeGuest

SCRIPT = {
    "commandId": "RunPowerShellScript",
    "script": ["Get-Date"],
    "parameters": [{"name": "Request", "value": "e30"}],
}
RULE = {
    "properties": {
        "protocol": "Tcp",
        "access": "Allow",
        "direction": "Inbound",
        "priority": 311,
        "sourcePortRange": "*",
        "destinationPortRange": "3389",
        "sourceAddressPrefix": "203.0.113.0/24",
        "destinationAddressPrefix": "10.0.0.4",
        "description": "rdp-remediate",
    }
}


@pytest.fixture
async def lab(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    async with Lab(runtime=FakeGuest()) as running:
        for name, value in running.identity().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
async def clients(lab: Lab) -> AsyncIterator[ArmClients]:
    endpoint = ArmEndpoint(
        base_url=lab.arm_url, credential_scopes=(f"{lab.arm_url}/.default",), connection_verify=str(lab.ca_file)
    )
    async with ArmClients(managed_identity(), endpoint, RetryTimes(attempts=1, backoff_s=0.01)) as opened:
        yield opened


@pytest.fixture
def reads(clients: ArmClients) -> AzureReads:
    return AzureReads(clients, correlation_id=correlation_id("run-1"), poll_times=FAST)


@pytest.fixture
async def writes(clients: ArmClients) -> AsyncIterator[AzureWrites]:
    adapter = AzureWrites(clients, poll_times=FAST, started_times=PollTimes(default_s=0.02, longest_s=0.05))
    yield adapter
    await adapter.close()


async def end_of(writes: AzureWrites, outcome: WriteOutcome) -> WriteOutcome:
    async with asyncio.timeout(20):
        while isinstance(outcome, Started):
            await asyncio.sleep(outcome.retry_after_s)
            outcome = await writes.poll(json.loads(json.dumps(outcome.operation)))
    return outcome


@pytest.mark.parametrize("role", ["vm", "nic", "pip", "nic_nsg", "subnet_nsg", "vnet", "subnet", "route_table"])
async def test_each_resource_of_the_path_is_read(role: str, lab: Lab, reads: AzureReads) -> None:
    wanted = lab.names.role_ids[role]
    fact = await reads.resource(wanted)
    assert isinstance(fact, Observed), fact
    assert fact.value["id"].lower() == wanted.lower()
    if role == "vm":
        codes = [status["code"] for status in fact.value["properties"]["instanceView"]["statuses"]]
        assert "PowerState/running" in codes


async def test_every_operation_is_answered(lab: Lab, reads: AzureReads) -> None:
    ids, subscription = lab.names.role_ids, lab.names.subscription_id
    targets = {
        Operation.EFFECTIVE_SECURITY_RULES: ids["nic"],
        Operation.EFFECTIVE_ROUTES: ids["nic"],
        Operation.EFFECTIVE_ADMIN_RULES: ids["vnet"],
        Operation.SERVICE_TAGS: f"{subscription}/providers/Microsoft.Network/locations/{lab.names.location}",
        Operation.APPLICATION_SECURITY_GROUP_MEMBERS: lab.names.network("applicationSecurityGroups", "asg"),
        Operation.RESOURCE_HEALTH: ids["vm"],
        Operation.RESOURCE_ANNOTATIONS: ids["vm"],
        Operation.JIT_POLICIES: subscription,
        Operation.LOCKS: ids["vm"],
        Operation.TAGS: lab.names.group_id,
        Operation.BASTION_HOSTS: subscription,
        Operation.BOOT_LOG: ids["vm"],
        Operation.ACTIVITY: ids["nic_nsg"],
        Operation.RESOURCE_CHANGES: lab.names.group_id,
        Operation.FIND_VM: subscription,
        Operation.SUBSCRIPTION: subscription,
        Operation.PERMISSIONS: ids["vm"],
        Operation.ADDRESS_OWNERS: subscription,
        Operation.ROLE_ASSIGNMENTS: ids["vm"],
        Operation.IP_FLOW: ids["nic"],
        Operation.NEXT_HOP: ids["nic"],
        Operation.PRIVATE_DNS_LINKS: ids["vnet"],
        Operation.GATEWAY_CONNECTIONS: f"{lab.names.group_id}/providers/Microsoft.Network/virtualNetworkGateways/vpn",
    }
    gateway = targets[Operation.GATEWAY_CONNECTIONS]
    lab.world.add({"id": gateway, "name": "vpn", "type": "Microsoft.Network/virtualNetworkGateways", "properties": {}})
    connection = f"{lab.names.group_id}/providers/Microsoft.Network/connections/c"
    body = {"virtualNetworkGateway1": {"id": gateway}, "connectionType": "IPsec", "connectionStatus": "Connected"}
    lab.world.add({"id": connection, "name": "c", "type": "Microsoft.Network/connections", "properties": body})
    person = "5c2a0000-0000-4000-8000-0000000000aa"
    reader = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    lab.world.user_roles[lab.names.group_id.lower()] = [
        {"name": "a", "properties": {"roleDefinitionId": reader, "principalId": person, "scope": lab.names.group_id}}
    ]
    assert set(targets) == set(Operation)
    flow = {"vm": ids["vm"], "location": "West Europe", "local": lab.names.private_address, "remote": "203.0.113.7"}
    arguments = {
        Operation.IP_FLOW: {**flow, "port": "3389"},
        Operation.NEXT_HOP: flow,
        Operation.FIND_VM: {"name": lab.names.vm.upper()},
        Operation.ROLE_ASSIGNMENTS: {"principal": person},
        Operation.ADDRESS_OWNERS: {"addresses": lab.names.private_address, "group": lab.names.resource_group},
    }
    operations = list(targets)
    facts = await asyncio.gather(*(reads.operation(o, targets[o], **arguments.get(o, {})) for o in operations))
    answers = dict(zip(operations, facts, strict=True))
    unread = {o.value: fact for o, fact in answers.items() if isinstance(fact, Unavailable)}
    allowed = {Operation.BOOT_LOG.value, Operation.RESOURCE_HEALTH.value}
    assert set(unread) <= allowed, unread
    assert all(fact.reason in (Reason.NOT_CONFIGURED, Reason.NOT_FOUND) for fact in unread.values()), unread
    found = answers[Operation.FIND_VM]
    assert isinstance(found, Observed)
    assert [vm["id"].lower() for vm in found.value["value"]] == [ids["vm"].lower()]
    verified = answers[Operation.IP_FLOW]
    assert isinstance(verified, Observed)
    assert verified.value["answer"]["access"] == "Allow"
    assert verified.value["asked"]["localPort"] == "3389"
    back = answers[Operation.NEXT_HOP]
    assert isinstance(back, Observed)
    assert back.value["answer"]["nextHopType"] == "Internet"
    listed = answers[Operation.GATEWAY_CONNECTIONS]
    assert isinstance(listed, Observed)
    assert listed.value == {"value": [{"id": connection}]}
    stands = await reads.resource(connection)
    assert isinstance(stands, Observed)
    assert stands.value["properties"]["connectionStatus"] == "Connected"
    roles = answers[Operation.ROLE_ASSIGNMENTS]
    assert isinstance(roles, Observed)
    assert [(one.name, one.allows("Microsoft.Compute/virtualMachines/read")) for one in read_roles(roles.value)] == [
        ("Reader", True)
    ]
    rules = answers[Operation.EFFECTIVE_SECURITY_RULES]
    assert isinstance(rules, Observed)
    assert len(rules.value["value"]) == 2, "subnet and NIC each have an NSG"


async def test_refused_read_is_forbidden_and_the_others_go_on(lab: Lab, reads: AzureReads) -> None:
    lab.world.denied_actions.append("Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action")
    denied = await reads.operation(Operation.EFFECTIVE_SECURITY_RULES, lab.names.role_ids["nic"])
    assert isinstance(denied, Unavailable)
    assert denied.reason is Reason.FORBIDDEN
    assert isinstance(await reads.resource(lab.names.role_ids["nic_nsg"]), Observed)


async def test_rule_is_written_once_seen_everywhere_and_deleted(
    lab: Lab, reads: AzureReads, writes: AzureWrites
) -> None:
    nsg = lab.names.role_ids["nic_nsg"]
    written = await writes.put_security_rule(nsg, "rdp-remediate-test", RULE, etag=None)
    assert isinstance(written, Completed)
    assert written.value["properties"]["provisioningState"] == "Succeeded"
    again = await writes.put_security_rule(nsg, "rdp-remediate-test", RULE, etag=None)
    assert isinstance(again, Rejected)
    assert again.status == 412, "a rule that appeared meanwhile is not overwritten"
    effective = await reads.operation(Operation.EFFECTIVE_SECURITY_RULES, lab.names.role_ids["nic"])
    assert isinstance(effective, Observed)
    assert "securityRules/rdp-remediate-test" in json.dumps(effective.value)
    present = await reads.resource(f"{nsg}/securityRules/rdp-remediate-test")
    assert isinstance(present, Observed)
    assert await writes.delete_security_rule(nsg, "rdp-remediate-test", etag=present.value["etag"]) == Completed(None)
    gone = await reads.resource(f"{nsg}/securityRules/rdp-remediate-test")
    assert isinstance(gone, Unavailable)
    assert gone.reason is Reason.NOT_FOUND


async def test_script_runs_once_and_its_output_comes_back(lab: Lab, writes: AzureWrites) -> None:
    ended = await end_of(writes, await writes.run_command(lab.vm_id, SCRIPT))
    assert isinstance(ended, Completed)
    output = next(e["message"] for e in ended.value["value"] if "StdOut" in e["code"])
    assert json.loads(output)["parameters"] == {"Request": "e30"}
    assert len(lab.requests.matching("/runCommand$", "POST")) == 1


@pytest.mark.parametrize("after", [False, True])
async def test_lost_answer_of_a_script_is_never_followed_by_a_second(
    after: bool, lab: Lab, writes: AzureWrites
) -> None:
    lab.failures.add("/runCommand", method="POST", drop=True, after=after, times=None)
    assert isinstance(await writes.run_command(lab.vm_id, SCRIPT), OutcomeUnknown)
    assert len(lab.requests.matching("/runCommand$", "POST")) == 1


async def test_lost_answer_of_a_rule_is_unknown_and_the_rule_is_there(
    lab: Lab, reads: AzureReads, writes: AzureWrites
) -> None:
    nsg = lab.names.role_ids["nic_nsg"]
    lab.failures.add("/securityRules/", method="PUT", drop=True, after=True)
    assert isinstance(await writes.put_security_rule(nsg, "rdp-remediate-test", RULE, etag=None), OutcomeUnknown)
    assert isinstance(await reads.resource(f"{nsg}/securityRules/rdp-remediate-test"), Observed)
    assert len(lab.requests.writes()) == 1


async def test_poll_that_fails_for_a_while_is_asked_again(lab: Lab, writes: AzureWrites) -> None:
    started = await writes.run_command(lab.vm_id, SCRIPT)
    lab.failures.add("/operations/", method="GET", status=500, times=3)
    assert isinstance(await end_of(writes, started), Completed)


async def test_locked_nsg_refuses(lab: Lab, reads: AzureReads, writes: AzureWrites) -> None:
    group = lab.names.group_id
    lab.world.locks.append(
        {
            "id": f"{group}/providers/Microsoft.Authorization/locks/keep",
            "name": "keep",
            "properties": {"level": "ReadOnly"},
        }
    )
    nsg = lab.names.role_ids["nic_nsg"]
    locks = await reads.operation(Operation.LOCKS, nsg)
    assert isinstance(locks, Observed)
    assert [lock["name"] for lock in locks.value["value"]] == ["keep"]
    outcome = await writes.put_security_rule(nsg, "rdp-remediate-test", RULE, etag=None)
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.LOCKED


async def test_own_writes_are_in_the_activity_of_their_nsg(lab: Lab, reads: AzureReads, writes: AzureWrites) -> None:
    nsg = lab.names.role_ids["nic_nsg"]
    await writes.put_security_rule(nsg, "rdp-remediate-test", RULE, etag=None)
    activity = await reads.operation(Operation.ACTIVITY, nsg)
    assert isinstance(activity, Observed)
    written = [
        e for e in activity.value["value"] if e["resourceId"].lower().endswith("/securityrules/rdp-remediate-test")
    ]
    assert written
    assert all(event["caller"] for event in written)


async def test_sign_ins_are_asked_by_name(lab: Lab) -> None:
    credential = managed_identity()
    logs = AzureLogQueries(
        credential, lab.names.workspace, endpoint=f"{lab.arm_url}/v1", connection_verify=str(lab.ca_file)
    )
    fact = await logs.run("sign_ins", {"vm_id": lab.vm_id})
    await logs.close()
    await credential.close()
    assert isinstance(fact, Observed), fact
    assert fact.value == [], "the small guest has no events"


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_every_query_gets_rows_of_its_model(lab: Lab, name: str) -> None:
    credential = managed_identity()
    logs = AzureLogQueries(
        credential, lab.names.workspace, endpoint=f"{lab.arm_url}/v1", connection_verify=str(lab.ca_file)
    )
    given = {"vm_id": lab.vm_id, "rdp_port": "3389"}
    fact = await logs.run(name, {key: given[key] for key in QUERIES[name].parameters})
    await logs.close()
    await credential.close()
    assert isinstance(fact, Observed), fact
    if name == "brute_force":
        assert fact.value == [{"Seen": 0, "Guesses": 0, "Sources": 0, "LastAt": None}]
    if name == "heartbeat":
        assert fact.value[0]["OSType"] == "Windows"


async def test_lab_that_ends_in_mid_run_is_unreachable_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Lab(runtime=FakeGuest()) as lab:
        for name, value in lab.identity().items():
            monkeypatch.setenv(name, value)
        endpoint = ArmEndpoint(lab.arm_url, (f"{lab.arm_url}/.default",), str(lab.ca_file))
        clients = ArmClients(managed_identity(), endpoint, RetryTimes(attempts=1, backoff_s=0.01))
        reads, writes = AzureReads(clients), AzureWrites(clients)
        assert isinstance(await reads.resource(lab.vm_id), Observed)
    fact = await reads.resource(lab.vm_id)
    outcome = await writes.run_command(lab.vm_id, SCRIPT)
    await clients.close()
    assert isinstance(fact, Unavailable)
    assert fact.reason is Reason.UNREACHABLE
    assert isinstance(outcome, Rejected | OutcomeUnknown)
