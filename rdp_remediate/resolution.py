"""From a clue to VMs: a computer name, an NSG or a NIC leads to the machines behind it. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass

from rdp_remediate.facts import references
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Unavailable
from rdp_remediate.models.incident import Clue, ClueKind
from rdp_remediate.ports import ArmReads, Operation

MOST_VMS = 50
"""A clue that leads to more machines than this starts nothing: it is no hint about one of them."""


@dataclass(frozen=True)
class Resolved:
    """The VMs behind a clue, and what could not be read on the way."""

    vm_ids: tuple[str, ...]
    problem: str | None = None


async def resolve(clue: Clue, reads: ArmReads, subscriptions: Sequence[str]) -> Resolved:
    """Finds the VMs behind a clue.

    Args:
        clue: What the payload named.
        reads: ARM.
        subscriptions: Ids to look in when the clue names none.

    Returns:
        Every VM found; none with a problem that says why.
    """
    if clue.kind in (ClueKind.COMPUTER_NAME, ClueKind.VM_NAME):
        return await _by_name(clue, reads, subscriptions)
    found = await reads.resource(clue.value)
    if isinstance(found, Unavailable):
        return Resolved((), f"{clue.value} could not be read: {found.detail}")
    nic_ids = references.attached_nics(found.value)
    vm_ids: list[str] = []
    problems: list[str] = []
    for nic_id in nic_ids[: MOST_VMS + 1]:
        nic = await reads.resource(nic_id)
        if isinstance(nic, Unavailable):
            problems.append(f"{nic_id}: {nic.detail}")
        elif vm_id := references.vm_of(nic.value):
            vm_ids.append(vm_id)
    unique = tuple(dict.fromkeys(vm_ids))
    if len(unique) > MOST_VMS:
        return Resolved((), f"{clue.value} leads to more than {MOST_VMS} VMs; no run was started")
    return Resolved(unique, "; ".join(problems) or None)


async def _by_name(clue: Clue, reads: ArmReads, subscriptions: Sequence[str]) -> Resolved:
    wanted = clue.value.split(".", 1)[0].lower()
    first = [clue.subscription_id] if clue.subscription_id else []
    scopes = list(dict.fromkeys([*first, *subscriptions]))
    if not scopes:
        return Resolved((), f"nothing says in which subscription the machine {clue.value} lies")
    vm_ids: list[str] = []
    problems: list[str] = []
    for subscription in scopes:
        listed: Fact[JsonObject] = await reads.operation(
            Operation.FIND_VM, f"/subscriptions/{subscription}", name=clue.value
        )
        if isinstance(listed, Unavailable):
            problems.append(f"subscription {subscription}: {listed.detail}")
            continue
        rows = listed.value.get("value")
        vm_ids += [
            str(vm["id"]) for vm in rows or [] if isinstance(vm, dict) and vm.get("id") and _is(vm, wanted, clue)
        ]
    if len(vm_ids) > 1:
        return Resolved(
            (), f"{clue.value} names {len(vm_ids)} VMs; name one by its ARM id: {', '.join(sorted(vm_ids))}"
        )
    return Resolved(tuple(vm_ids), "; ".join(problems) or None)


def _is(vm: JsonObject, wanted: str, clue: Clue) -> bool:
    names = {str(vm.get("name", "")).lower(), (references.computer_name(vm) or "").split(".", 1)[0].lower()}
    group = str(vm["id"]).split("/")[4].lower() if str(vm["id"]).count("/") > 4 else ""
    return wanted in names and (clue.resource_group is None or clue.resource_group.lower() == group)
