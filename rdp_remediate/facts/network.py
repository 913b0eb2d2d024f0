"""The network part of a bundle as typed facts; the only reader of that raw JSON."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from rdp_remediate.facts.network_addresses import Ranges, merge, shown
from rdp_remediate.facts.network_classic import ClassicVm
from rdp_remediate.facts.network_json import Json, key, objects, properties, resource_type, text
from rdp_remediate.facts.network_json import mapping as obj
from rdp_remediate.facts.network_json import whole_number as number
from rdp_remediate.facts.network_load_balancers import parse_firewall, parse_load_balancer, parse_policy_group
from rdp_remediate.facts.network_model import DataNote, DnatRule, EffectiveNsg, NetworkFacts, Nic, Subnet, Target, Vnet
from rdp_remediate.facts.network_operations import (
    parse_address_owners,
    parse_classic_vm,
    parse_effective_routes,
    parse_group_members,
    parse_jit,
    parse_route_table,
    parse_service_tags,
)
from rdp_remediate.facts.network_resources import (
    gateway_vnet,
    local_gateway_ranges,
    parse_bastion,
    parse_nic,
    parse_public_ip,
    parse_subnet,
    parse_vm,
    parse_vnet,
    point_to_site_ranges,
)
from rdp_remediate.facts.network_rules import parse_admin_rules, parse_effective, parse_nsg
from rdp_remediate.models.fact import Reason, Unavailable

_NET = "microsoft.network/"


class _Bundle:
    """The raw bundle, by type; what is no object where an object belongs is noted."""

    def __init__(self, bundle: Mapping[str, Any]) -> None:
        self.notes: list[DataNote] = []
        self.by_type: dict[str, dict[str, Json]] = {}
        for name, resource in obj(bundle.get("resources")).items():
            own = str(name).rstrip("/").lower()
            if not isinstance(resource, Mapping):
                self.notes.append(DataNote(own, "the resource is no object"))
                continue
            kind = resource_type(own) or text(resource.get("type")).lower()
            self.by_type.setdefault(kind, {})[own] = resource
        self._operations = obj(bundle.get("operations"))
        self.unavailable: dict[tuple[str, str], Unavailable] = {}
        for item in objects(bundle.get("unavailable")):
            fact, word = text(item.get("fact")), text(item.get("reason"))
            reason = Reason(word) if word in set(Reason) else Reason.NOT_COLLECTED
            self.unavailable[fact, key(item.get("resource_id"))] = Unavailable(reason, text(item.get("detail")), fact)

    def each(self, kind: str) -> Mapping[str, Json]:
        return self.by_type.get(kind, {})

    def answers(self, operation: str) -> Mapping[str, Any]:
        return {str(name).rstrip("/").lower(): value for name, value in obj(self._operations.get(operation)).items()}

    def malformed(self, operation: str, resource_key: str) -> None:
        self.unavailable[operation, resource_key] = Unavailable(
            Reason.MALFORMED, f"the answer of {operation} has an unknown shape", operation
        )


def parse_network(bundle: Mapping[str, Any]) -> NetworkFacts:
    """Typed facts of a bundle; total over malformed and hostile input.

    What can't be read becomes a note, an unknown value or `unavailable`, never an exception and never a default that
    would let a packet through.
    """
    raw = _Bundle(bundle)
    note = raw.notes
    vnets, subnets = _vnets(raw)
    rules, tags = _effective(raw)
    ranks = _manager_ranks(raw)
    gateways, gateway_ranges = _gateways(raw)
    return NetworkFacts(
        target=_target(obj(bundle.get("target"))),
        at=_time(bundle.get("collected_at")),
        vms={k: parse_vm(k, r) for k, r in raw.each("microsoft.compute/virtualmachines").items()},
        classic_vms=_classic(raw),
        nics=_nics(raw),
        vnets=vnets,
        subnets=subnets,
        nsgs={k: parse_nsg(k, r, note) for k, r in raw.each(_NET + "networksecuritygroups").items()},
        public_ips={k: parse_public_ip(k, r, note) for k, r in raw.each(_NET + "publicipaddresses").items()},
        load_balancers={k: parse_load_balancer(k, r, note) for k, r in raw.each(_NET + "loadbalancers").items()},
        route_tables={k: parse_route_table(k, r, note) for k, r in raw.each(_NET + "routetables").items()},
        firewalls=_firewalls(raw),
        bastions={k: parse_bastion(k, r) for k, r in _bastions(raw).items()},
        gateway_vnets=gateways,
        gateway_ranges=gateway_ranges,
        effective_rules=rules,
        effective_tags=tags,
        effective_routes=_operation(raw, "effective_routes", parse_effective_routes),
        admin_rules=_operation(raw, "effective_admin_rules", lambda a, k, n: parse_admin_rules(a, k, ranks, n)),
        service_tags=_service_tags(raw),
        group_members=_operation(raw, "application_security_group_members", parse_group_members),
        address_owners=_operation(raw, "address_owners", parse_address_owners),
        jit_vms=_jit(raw),
        unavailable=raw.unavailable,
        notes=tuple(dict.fromkeys(note)),
    )


def _target(raw: Json) -> Target:
    port = number(raw.get("dialled_port"))
    return Target(
        vm=key(raw.get("vm_id")),
        client_address=text(raw.get("client_address")) or None,
        dialled_address=text(raw.get("dialled_address")) or None,
        dialled_port=3389 if port is None else port,
        entry=text(raw.get("entry")) or None,
    )


def _time(value: object) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        found = datetime.fromisoformat(text(value))
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _nics(raw: _Bundle) -> dict[str, Nic]:
    kinds = (_NET + "networkinterfaces", "microsoft.compute/virtualmachinescalesets/virtualmachines/networkinterfaces")
    return {k: parse_nic(k, r, raw.notes) for kind in kinds for k, r in raw.each(kind).items()}


def _vnets(raw: _Bundle) -> tuple[dict[str, Vnet], dict[str, Subnet]]:
    vnets: dict[str, Vnet] = {}
    subnets: dict[str, Subnet] = {}
    for own, resource in raw.each(_NET + "virtualnetworks").items():
        vnet, inner = parse_vnet(own, resource, raw.notes)
        vnets[own] = vnet
        subnets.update((subnet.key, subnet) for subnet in inner)
    for own, resource in raw.each(_NET + "virtualnetworks/subnets").items():
        subnets[own] = parse_subnet(own, resource, own.rsplit("/subnets/", 1)[0], raw.notes)
    return vnets, subnets


def _operation(raw: _Bundle, operation: str, parse: Callable[[object, str, list[DataNote]], Any]) -> dict[str, Any]:
    out = {}
    for own, answer in raw.answers(operation).items():
        found = parse(answer, own, raw.notes)
        if found is None:
            raw.malformed(operation, own)
        else:
            out[own] = found
    return out


def _effective(raw: _Bundle) -> tuple[dict[str, tuple[EffectiveNsg, ...]], dict[str, dict[str, Ranges]]]:
    found = _operation(raw, "effective_security_rules", parse_effective)
    return {nic: rules for nic, (rules, _) in found.items()}, {nic: tags for nic, (_, tags) in found.items()}


def _manager_ranks(raw: _Bundle) -> dict[str, int]:
    """Network managers by how high they stand: one that manages a management group outranks the others."""
    ranks = {}
    for own, resource in raw.each(_NET + "networkmanagers").items():
        scopes = obj(properties(resource).get("networkManagerScopes"))
        ranks[own] = 0 if scopes.get("managementGroups") else 1
    return ranks


def _gateways(raw: _Bundle) -> tuple[frozenset[str], dict[str, Ranges]]:
    """VNets with a gateway, and the on-premises prefixes that plain resources show for them."""
    vnet_of: dict[str, str] = {}
    ranges: dict[str, Ranges] = {}
    for own, resource in raw.each(_NET + "virtualnetworkgateways").items():
        if vnet := gateway_vnet(resource):
            vnet_of[own] = vnet
            ranges[vnet] = merge([*ranges.get(vnet, ()), *point_to_site_ranges(resource, own, raw.notes)])
    local = {
        own: local_gateway_ranges(resource, own, raw.notes)
        for own, resource in raw.each(_NET + "localnetworkgateways").items()
    }
    for resource in raw.each(_NET + "connections").values():
        p = properties(resource)
        found = vnet_of.get(key(p.get("virtualNetworkGateway1")))
        if found:
            ranges[found] = merge([*ranges.get(found, ()), *local.get(key(p.get("localNetworkGateway2")), ())])
    return frozenset(vnet_of.values()), ranges


def _firewalls(raw: _Bundle) -> dict[str, Any]:
    policies: dict[str, list[DnatRule]] = {}
    for own, resource in raw.each(_NET + "firewallpolicies/rulecollectiongroups").items():
        policy = own.rsplit("/rulecollectiongroups/", 1)[0]
        policies.setdefault(policy, []).extend(parse_policy_group(resource, own, raw.notes))
    return {
        own: parse_firewall(own, resource, policies, raw.notes)
        for own, resource in raw.each(_NET + "azurefirewalls").items()
    }


def _bastions(raw: _Bundle) -> dict[str, Json]:
    found = dict(raw.each(_NET + "bastionhosts"))
    for answer in raw.answers("bastion_hosts").values():
        for item in objects(answer if isinstance(answer, list) else obj(answer).get("value")):
            if own := key(item):
                found.setdefault(own, item)
    return found


def _service_tags(raw: _Bundle) -> dict[str, Ranges]:
    out: dict[str, Ranges] = {}
    for location, answer in raw.answers("service_tags").items():
        if not isinstance(obj(answer).get("values"), list):
            raw.notes.append(DataNote(location, f"service tags {shown(answer)} have no list `values`"))
            raw.malformed("service_tags", location)
        out.update(parse_service_tags(answer, location, raw.notes))
    return out


def _jit(raw: _Bundle) -> dict[str, tuple[int, ...]]:
    out: dict[str, tuple[int, ...]] = {}
    for answer in raw.answers("jit_policies").values():
        out.update(parse_jit(answer))
    return out


def _classic(raw: _Bundle) -> dict[str, ClassicVm]:
    acls = raw.answers("classic_endpoint_acls")
    kind = "microsoft.classiccompute/virtualmachines"
    return {k: parse_classic_vm(k, r, acls.get(k), raw.notes) for k, r in raw.each(kind).items()}


__all__ = ["NetworkFacts", "parse_network"]
