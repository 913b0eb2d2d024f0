"""Classic VMs: input endpoints of the cloud service and their ACLs.

Lowest order first, first match wins; no ACL permits everybody; one permit denies everybody else; only denies permit
the rest. Private traffic needs no endpoint and passes no ACL. Source: network-semantics §6 (DOC S14).
"""

from rdp_remediate.facts.network_addresses import IPV6_BASE, address_number, address_text
from rdp_remediate.facts.network_classic import AclEntry, ClassicEndpoint, ClassicVm
from rdp_remediate.facts.network_model import NetworkFacts
from rdp_remediate.facts.network_words import Transport
from rdp_remediate.network.decision import Decider, Decision, Flow, Layer, Verdict
from rdp_remediate.network.prefixes import contains, is_public

_RETIRED = "classic VMs were retired on 2023-09-06; the data path of one that still runs is not documented any more"


def is_classic(facts: NetworkFacts, vm: str) -> bool:
    """Whether the VM belongs to the classic deployment model."""
    return vm in facts.classic_vms or "/microsoft.classiccompute/virtualmachines/" in vm


def decide_acl(acl: tuple[AclEntry, ...], client: int) -> tuple[Verdict, tuple[Decider, ...]]:
    """What an endpoint's ACL does with a client; a row that can't be read may do either."""
    permits = any(row.permit for row in acl)
    unsure: list[Decider] = []
    for row in sorted(acl, key=lambda row: -1 if row.order is None else row.order):
        order = Decider(Layer.ACL, str(row.order) if row.order is not None else "unreadable", row.order)
        if row.ranges is None or row.permit is None or row.order is None:
            if row.ranges is None or contains(row.ranges, client):
                unsure.append(order)
        elif contains(row.ranges, client):
            if unsure:
                return Verdict.INDETERMINATE, (*unsure, order)
            return (Verdict.ALLOW if row.permit else Verdict.DENY), (order,)
    rest = Decider(Layer.ACL, "implicit-deny" if permits else "implicit-permit")
    if unsure or any(row.permit is None for row in acl):
        return Verdict.INDETERMINATE, (*unsure, rest)
    return (Verdict.DENY if permits else Verdict.ALLOW), (rest,)


def decide_classic(facts: NetworkFacts, vm: str, flow: Flow) -> Decision:
    """The verdict on a connection to a classic VM."""
    machine = facts.classic_vms.get(vm)
    if machine is None:
        return Decision(Verdict.INDETERMINATE, (), (), (_RETIRED,), (f"{vm} could not be read",))
    client = address_number(flow.client) if flow.client else None
    dialled = address_number(flow.dialled_address)
    if client is None:
        return Decision(Verdict.INDETERMINATE, (), (), (_RETIRED,), (f"the client {flow.client!r} is no address",))
    endpoint: ClassicEndpoint | None = None
    gaps: tuple[str, ...] = ()
    found: tuple[Verdict, tuple[Decider, ...]]
    if dialled is not None and (dialled == machine.private_address or not is_public(dialled)):
        if is_public(client):
            found = Verdict.NO_PATH, (Decider(Layer.PATH, "no-public-entry"),)
        elif machine.nsg:
            found, gaps = (Verdict.INDETERMINATE, ()), (f"{machine.nsg} of the classic network is not evaluated",)
        else:
            found = Verdict.ALLOW, (Decider(Layer.CLASSIC, "private-network", None, machine.arm_id),)
    else:
        found, endpoint, gaps = _through_endpoint(machine, flow.dialled_port, client, dialled)
    verdict, deciders = found
    named = tuple(
        one if one.resource_id else Decider(one.layer, one.rule, one.priority, _endpoint_id(machine, endpoint))
        for one in deciders
    )
    return Decision(
        verdict,
        named,
        named if verdict is Verdict.INDETERMINATE else (),
        (_RETIRED,),
        gaps,
        address=address_text(machine.private_address) if machine.private_address is not None else "",
        port=(endpoint.private_port or 0) if endpoint else flow.dialled_port,
    )


def _endpoint_id(machine: ClassicVm, endpoint: ClassicEndpoint | None) -> str:
    return machine.arm_id if endpoint is None else f"{machine.arm_id}/inputEndpoints/{endpoint.name}"


def _through_endpoint(
    machine: ClassicVm, port: int, client: int, dialled: int | None
) -> tuple[tuple[Verdict, tuple[Decider, ...]], ClassicEndpoint | None, tuple[str, ...]]:
    if dialled is not None and dialled in machine.instance_addresses:
        return (Verdict.INDETERMINATE, ()), None, ("an instance-level public address needs no endpoint; not evaluated",)
    if not machine.endpoints_read:
        return (Verdict.INDETERMINATE, ()), None, ("the input endpoints could not be read",)
    unclear = [e for e in machine.endpoints if e.public_port is None or e.transport is Transport.UNKNOWN]
    endpoint = next(
        (e for e in machine.endpoints if e.public_port == port and e.transport in (Transport.TCP, Transport.ANY)),
        None,
    )
    if endpoint is None:
        if any(e.public_port in (port, None) for e in unclear):
            return (Verdict.INDETERMINATE, ()), None, ("an input endpoint could not be read",)
        if dialled is not None and machine.public_addresses and dialled not in machine.public_addresses:
            return (Verdict.NO_PATH, (Decider(Layer.PATH, "no-public-entry"),)), None, ()
        return (Verdict.NO_PATH, (Decider(Layer.CLASSIC, "no-endpoint"),)), None, ()
    if endpoint.acl is None:
        seen = Verdict.INDETERMINATE, (Decider(Layer.CLASSIC, "acl-not-visible"),)
        return seen, endpoint, ("the evidence shows no ACL of the endpoint; export it with Get-AzureAclConfig",)
    if machine.nsg:
        return (Verdict.INDETERMINATE, ()), endpoint, (f"{machine.nsg} of the classic network is not evaluated",)
    if client >= IPV6_BASE:
        return (Verdict.INDETERMINATE, ()), endpoint, ("endpoint ACLs know IPv4 only",)
    return decide_acl(endpoint.acl, client), endpoint, ()
