"""The scan over an estate of fifty VMs whose findings are known, through genuine clients and the lab."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.estate import SUBSCRIPTIONS, SyntheticEstate
from benchmarks.pattern import OFFICE, PARTNER
from rdp_remediate.arm.clients import ArmClients, ArmEndpoint, managed_identity
from rdp_remediate.arm.inventory import ResourceGraphInventory
from rdp_remediate.arm.retry import RetryTimes
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.scan import Scan
from rdp_remediate.scanning.scan import ScanProgress, ScanQuestion, scan
from tests.lab.fake_guest import FakeGuest

GRAPH = "Microsoft.ResourceGraph/resources"
QUESTION = ScanQuestion(SUBSCRIPTIONS[:1], lambda _: (OFFICE,))


@pytest.fixture
async def lab(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    async with Lab("healthy", runtime=FakeGuest()) as running:
        for name, value in running.identity().items():
            monkeypatch.setenv(name, value)
        running.world.estate = SyntheticEstate(50)
        yield running


@pytest.fixture
async def inventory(lab: Lab) -> AsyncIterator[ResourceGraphInventory]:
    endpoint = ArmEndpoint(
        base_url=lab.arm_url, credential_scopes=(f"{lab.arm_url}/.default",), connection_verify=str(lab.ca_file)
    )
    async with ArmClients(managed_identity(), endpoint, RetryTimes(attempts=1, backoff_s=0.01)) as clients:
        yield ResourceGraphInventory(clients)


def numbers(vm_ids: list[str]) -> set[int]:
    """The numbers in the VMs' names."""
    return {int(vm_id.rsplit("-", 1)[-1]) for vm_id in vm_ids}


async def test_every_planted_finding_and_no_other(lab: Lab, inventory: ResourceGraphInventory) -> None:
    found = await scan(inventory, QUESTION)
    assert found.unavailable == []
    assert numbers([one.vm_id for one in found.open_to_internet]) == {*range(25, 30), *range(35, 40)}
    denied = [one for one in found.unreachable if one.verdict == "DENY"]
    assert numbers([one.vm_id for one in denied]) == set(range(20, 25))
    assert {(one.layer, one.rule) for lost in denied for one in lost.deciders} == {("subnet", "DenyAllInBound")}
    lost = [one for one in found.unreachable if one.verdict == "ASYMMETRIC"]
    assert numbers([one.vm_id for one in lost]) == set(range(45, 50))
    assert {one.rule for unreachable in lost for one in unreachable.deciders} == {"User 0.0.0.0/0->VirtualAppliance"}
    assert len(found.unreachable) == 10
    assert all(one.sources == [OFFICE] and one.whole and one.addresses == 16 for one in found.unreachable)
    partners = numbers([one.vm_id for one in found.other_sources])
    assert partners == set(range(5, 10))
    assert {source for one in found.other_sources for source in one.sources} == {PARTNER}
    counts = found.counts.model_dump()
    assert {name: counts[name] for name in SyntheticEstate(50).expected} == SyntheticEstate(50).expected


async def test_what_opens_a_door_is_named(lab: Lab, inventory: ResourceGraphInventory) -> None:
    found = await scan(inventory, QUESTION)
    star = next(one for one in found.open_to_internet if numbers([one.vm_id]) == {25})
    assert [(one.layer, one.rule, one.priority) for one in star.deciders] == [("nic", "Allow-RDP", 300)]
    assert star.entry.address == "20.64.0.25"
    assert len(star.sources) == 64, "the list of prefixes is cut, the count is not"
    assert star.addresses > 3_500_000_000
    halves = next(one for one in found.open_to_internet if numbers([one.vm_id]) == {35})
    assert {one.rule for one in halves.deciders} == {"Low", "High"}


async def test_one_request_for_each_thousand_of_a_type(lab: Lab, inventory: ResourceGraphInventory) -> None:
    found = await scan(inventory, QUESTION)
    assert set(found.requests.values()) == {1}
    assert len(lab.requests.matching(GRAPH)) == 8
    lab.requests.clear()
    lab.world.estate = estate = SyntheticEstate(1_200)
    found = await scan(inventory, replace(QUESTION, subscriptions=SUBSCRIPTIONS))
    expected = {kind.rsplit("/", 1)[-1]: -(-estate.size(kind) // 1_000) for kind in estate.types()}
    assert {kind.lower(): count for kind, count in found.requests.items()} == expected
    assert len(lab.requests.matching(GRAPH)) == sum(expected.values())
    counts = found.counts.model_dump()
    assert {name: counts[name] for name in estate.expected} == estate.expected


async def test_progress_comes_to_its_end(lab: Lab, inventory: ResourceGraphInventory) -> None:
    seen: list[ScanProgress] = []
    await scan(inventory, QUESTION, seen.append)
    reading = [one for one in seen if one.stage == "reading"]
    assert reading[-1].done == reading[-1].total
    assert seen[-1] == ScanProgress("judging", 49, 49)


async def test_an_unread_page_of_nsgs_is_no_verdict(lab: Lab, inventory: ResourceGraphInventory) -> None:
    lab.world.denied_actions.append("Microsoft.Network/networkSecurityGroups/read")
    found = await scan(inventory, QUESTION)
    # Resource Graph leaves out without a word what the caller may not read: what refers to it is not told.
    # Whatever an NSG says, the reply of five leaves through the appliance.
    assert {one.verdict for one in found.unreachable} == {"ASYMMETRIC"}
    assert numbers([one.vm_id for one in found.unreachable]) == set(range(45, 50))
    assert found.open_to_internet == []
    assert found.counts.undetermined == 49
    assert not found.complete
    reasons = {reason for one in found.undetermined for reason in one.reasons}
    assert any("/networksecuritygroups/nsg-000004 could not be read (not_collected)" in one for one in reasons)


async def fail(lab: Lab, inventory: ResourceGraphInventory, word: str, **settings: Any) -> Scan:
    """A scan in which the requests for one kind fail."""
    lab.failures.add(GRAPH, body_pattern=word, times=None, **settings)
    return await scan(inventory, QUESTION)


async def test_a_failed_kind_is_shown_and_what_depends_on_it_is_not_told(
    lab: Lab, inventory: ResourceGraphInventory
) -> None:
    refused = {"error": {"code": "AuthorizationFailed", "message": "no"}}
    found = await fail(lab, inventory, "inventory-loadBalancers", status=403, body=refused)
    [unread] = found.unavailable
    assert (unread.fact, unread.reason) == ("inventory.loadBalancers", "forbidden")
    assert found.unreachable == [], "a load balancer that was not seen may lead to them"
    assert numbers([one.vm_id for one in found.open_to_internet]) == {*range(25, 30), *range(35, 40)}
    told = {
        q: numbers([one.vm_id for one in found.undetermined if one.question == q]) for q in ("reachable", "exposed")
    }
    assert told["reachable"] == {*range(20, 25), *range(45, 50)}, "Bastion gets to those that have no address"
    assert told["exposed"] == set(range(1, 50)) - {*range(25, 30), *range(35, 40)}


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("inventory-networkInterfaces", "networkInterfaces"),
        ("inventory-publicIPAddresses", "publicIPAddresses"),
        ("inventory-virtualNetworks", "virtualNetworks"),
        ("inventory-routeTables", "routeTables"),
        ("inventory-networkSecurityGroups", "networkSecurityGroups"),
    ],
)
async def test_no_failed_kind_makes_a_finding(
    lab: Lab, inventory: ResourceGraphInventory, word: str, kind: str
) -> None:
    whole = await scan(inventory, QUESTION)
    found = await fail(lab, inventory, word, status=500)
    assert [one.fact for one in found.unavailable] == [f"inventory.{kind}"]
    assert {one.vm_id for one in found.unreachable} <= {one.vm_id for one in whole.unreachable}
    assert {one.vm_id for one in found.open_to_internet} <= {one.vm_id for one in whole.open_to_internet}
    assert not found.complete


async def test_vms_that_were_not_read_are_not_absent(lab: Lab, inventory: ResourceGraphInventory) -> None:
    found = await fail(lab, inventory, "inventory-virtualMachines", status=500)
    assert found.counts.virtual_machines == 0
    assert [one.fact for one in found.unavailable] == ["inventory.virtualMachines"]
    assert not found.complete


async def test_a_subscription_that_nobody_shows_is_named(lab: Lab, inventory: ResourceGraphInventory) -> None:
    other = "12345678-0000-4000-8000-000000000000"
    found = await scan(inventory, replace(QUESTION, subscriptions=(*QUESTION.subscriptions, other)))
    [unread] = found.unavailable
    assert unread.resource_id == f"/subscriptions/{other}"
    assert unread.reason == "not_found"
    assert found.counts.virtual_machines == 49


async def test_without_sources_only_the_exposure_is_judged(lab: Lab, inventory: ResourceGraphInventory) -> None:
    found = await scan(inventory, replace(QUESTION, sources_of=lambda _: ()))
    assert found.unreachable == []
    assert found.counts.without_sources == 49
    assert found.counts.open_to_internet == 10


async def test_sources_that_get_in_in_part(lab: Lab, inventory: ResourceGraphInventory) -> None:
    found = await scan(inventory, replace(QUESTION, sources_of=lambda _: ("203.0.113.0/27",)))
    one = next(one for one in found.unreachable if numbers([one.vm_id]) == {1})
    assert (one.whole, one.addresses, one.verdict) == (False, 16, "DENY")


async def test_a_private_source_is_followed_to_the_private_address(lab: Lab, inventory: ResourceGraphInventory) -> None:
    inside = await scan(inventory, replace(QUESTION, sources_of=lambda _: ("10.0.0.0/28",)))
    assert inside.unreachable == [], "AllowVnetInBound admits the VNet"
    outside = await scan(inventory, replace(QUESTION, sources_of=lambda _: ("10.200.0.0/28",)))
    assert len(outside.unreachable) == 49 - 10
    assert {one.verdict for one in outside.unreachable} <= {"DENY", "BLACKHOLE"}
