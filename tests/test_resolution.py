"""From a clue to VMs: names, NICs, NSGs and subnets, and what is said when nothing or too much stands behind one."""

import pytest

from rdp_remediate.models.fact import Reason
from rdp_remediate.models.incident import Clue, ClueKind
from rdp_remediate.resolution import MOST_VMS, Resolved, resolve
from tests import factories as f
from tests.fakes import FakeReads, ManualClock, World

SUBSCRIPTION = f.SUBSCRIPTION.rsplit("/", 1)[-1]


async def _resolve(world: World, kind: ClueKind, value: str, **fields: str) -> Resolved:
    clue = Clue.model_validate({"kind": kind, "value": value, **fields})
    return await resolve(clue, FakeReads(world, ManualClock()), (SUBSCRIPTION,))


def _machines(*names: tuple[str, str]) -> World:
    rows = [
        {
            "id": f"{f.SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}",
            "name": name,
            "properties": {"osProfile": {"computerName": name.upper()[:15]}},
        }
        for group, name in names
    ]
    world = World()
    world.data["machines"] = {f.SUBSCRIPTION.lower(): rows}
    return world


@pytest.mark.parametrize("value", ["web1", "WEB1", "web1.contoso.com"])
async def test_a_name_leads_to_the_one_vm_that_has_it(value: str) -> None:
    found = await _resolve(_machines(("rg-a", "web1"), ("rg-a", "web2")), ClueKind.COMPUTER_NAME, value)
    assert [vm_id.rsplit("/", 1)[-1] for vm_id in found.vm_ids] == ["web1"]
    assert found.problem is None


async def test_two_vms_of_one_name_start_nothing() -> None:
    found = await _resolve(_machines(("rg-a", "web1"), ("rg-b", "web1")), ClueKind.VM_NAME, "web1")
    assert found.vm_ids == ()
    assert "names 2 VMs" in (found.problem or "")


async def test_the_resource_group_tells_two_vms_of_one_name_apart() -> None:
    world = _machines(("rg-a", "web1"), ("rg-b", "web1"))
    found = await _resolve(world, ClueKind.VM_NAME, "web1", resource_group="RG-B")
    assert len(found.vm_ids) == 1
    assert "/rg-b/" in found.vm_ids[0]


async def test_an_unknown_name_and_an_unread_subscription_are_told_apart() -> None:
    nobody = await _resolve(_machines(("rg-a", "web1")), ClueKind.VM_NAME, "db9")
    assert nobody == Resolved(())
    world = _machines()
    world.refused["find_vm"] = Reason.FORBIDDEN
    unread = await _resolve(world, ClueKind.VM_NAME, "web1")
    assert unread.vm_ids == ()
    assert "forbidden" in (unread.problem or "")


async def test_a_name_without_any_subscription_says_so() -> None:
    clue = Clue(kind=ClueKind.VM_NAME, value="web1")
    found = await resolve(clue, FakeReads(World(), ManualClock()), ())
    assert "in which subscription" in (found.problem or "")


async def test_a_nic_leads_to_its_vm() -> None:
    assert (await _resolve(World(), ClueKind.NETWORK_INTERFACE, f.NIC)).vm_ids == (f.VM,)


async def test_a_public_address_and_a_vnet_lead_to_the_vms_behind_them() -> None:
    assert (await _resolve(World(), ClueKind.PUBLIC_IP_ADDRESS, f.PUBLIC_IP)).vm_ids == (f.VM,)
    assert (await _resolve(World(), ClueKind.VIRTUAL_NETWORK, f.VNET)).vm_ids == (f.VM,)


async def test_an_nsg_leads_through_its_nics_and_says_which_could_not_be_read() -> None:
    world = World()
    nics = [{"id": f.NIC}, {"id": f"{f.NIC}-gone"}]
    world.change(f.resource(f.NIC_NSG, "properties", "networkInterfaces", value=nics))
    found = await _resolve(world, ClueKind.NETWORK_SECURITY_GROUP, f.NIC_NSG)
    assert found.vm_ids == (f.VM,)
    assert "vm1-nic-gone" in (found.problem or "")


async def test_a_nic_that_no_vm_uses_leads_nowhere() -> None:
    world = World().change(f.drop("resources", f.NIC.lower(), "properties", "virtualMachine"))
    assert await _resolve(world, ClueKind.NETWORK_INTERFACE, f.NIC) == Resolved(())


async def test_a_clue_that_cannot_be_read_says_why() -> None:
    found = await _resolve(World(), ClueKind.NETWORK_SECURITY_GROUP, f"{f.NIC_NSG}-gone")
    assert "could not be read" in (found.problem or "")


async def test_a_clue_to_very_many_vms_starts_nothing() -> None:
    world = World()
    nics = []
    for number in range(MOST_VMS + 5):
        nic_id = f"{f.NIC}-{number}"
        nics.append({"id": nic_id})
        owner = {"virtualMachine": {"id": f"{f.VM}-{number}"}}
        world.data["resources"][nic_id.lower()] = {
            "id": nic_id,
            "type": "Microsoft.Network/networkInterfaces",
            "properties": owner,
        }
    world.change(f.resource(f.NIC_NSG, "properties", "networkInterfaces", value=nics))
    found = await _resolve(world, ClueKind.NETWORK_SECURITY_GROUP, f.NIC_NSG)
    assert found.vm_ids == ()
    assert f"more than {MOST_VMS}" in (found.problem or "")
