"""Load balancers and Azure Firewall DNAT from ARM JSON."""

from collections.abc import Iterator

from rdp_remediate.facts.network_addresses import (
    EVERY_PORT,
    Problems,
    address_number,
    parse_addresses,
    parse_ports,
    texts,
)
from rdp_remediate.facts.network_json import Json, arm_id_of, key, keys, last_segment, objects, properties, text
from rdp_remediate.facts.network_json import mapping as obj
from rdp_remediate.facts.network_json import whole_number as number
from rdp_remediate.facts.network_model import (
    BalancingRule,
    DataNote,
    DnatRule,
    Firewall,
    Frontend,
    LoadBalancer,
    NatRule,
    Pool,
    PoolMember,
    PortMapping,
)
from rdp_remediate.facts.network_resources import address, sku
from rdp_remediate.facts.network_rules import transport
from rdp_remediate.facts.network_words import Transport


def _own_key(item: Json, parent_key: str, kind: str) -> str:
    return key(item) or f"{parent_key}/{kind}/{text(item.get('name')).lower()}"


def parse_load_balancer(resource_key: str, raw: Json, note: list[DataNote]) -> LoadBalancer:
    """A load balancer with frontends, NAT rules of both versions, balancing rules, pools and probes."""
    p = properties(raw)
    own_id = arm_id_of(raw, resource_key)
    frontends = []
    for item in objects(p.get("frontendIPConfigurations")):
        f = properties(item)
        frontends.append(
            Frontend(
                _own_key(item, resource_key, "frontendipconfigurations"),
                address(f.get("privateIPAddress"), own_id, note),
                key(f.get("publicIPAddress")),
                key(f.get("subnet")),
            )
        )
    return LoadBalancer(
        key=resource_key,
        arm_id=own_id,
        sku=sku(raw),
        frontends=tuple(frontends),
        nat_rules=tuple(_nat_rule(item, resource_key) for item in objects(p.get("inboundNatRules"))),
        rules=tuple(_balancing_rule(item, resource_key) for item in objects(p.get("loadBalancingRules"))),
        pools=tuple(_pool(item, resource_key, own_id, note) for item in objects(p.get("backendAddressPools"))),
        probes={
            _own_key(item, resource_key, "probes"): number(properties(item).get("port"))
            for item in objects(p.get("probes"))
        },
    )


def _nat_rule(item: Json, parent_key: str) -> NatRule:
    p = properties(item)
    own_key = _own_key(item, parent_key, "inboundnatrules")
    return NatRule(
        key=own_key,
        arm_id=text(item.get("id")) or own_key,
        name=text(item.get("name")) or last_segment(own_key),
        frontend=key(p.get("frontendIPConfiguration")),
        transport=transport(p.get("protocol")),
        frontend_port=number(p.get("frontendPort")),
        backend_port=number(p.get("backendPort")),
        floating=p.get("enableFloatingIP") is True,
        ip_configuration=key(p.get("backendIPConfiguration")),
        pool=key(p.get("backendAddressPool")),
        first_port=number(p.get("frontendPortRangeStart")),
        last_port=number(p.get("frontendPortRangeEnd")),
    )


def _balancing_rule(item: Json, parent_key: str) -> BalancingRule:
    p = properties(item)
    own_key = _own_key(item, parent_key, "loadbalancingrules")
    pools = dict.fromkeys((*keys(p.get("backendAddressPools")), key(p.get("backendAddressPool"))))
    return BalancingRule(
        key=own_key,
        arm_id=text(item.get("id")) or own_key,
        name=text(item.get("name")) or last_segment(own_key),
        frontend=key(p.get("frontendIPConfiguration")),
        transport=transport(p.get("protocol")),
        frontend_port=number(p.get("frontendPort")),
        backend_port=number(p.get("backendPort")),
        floating=p.get("enableFloatingIP") is True,
        pools=tuple(pool for pool in pools if pool),
        probe=key(p.get("probe")),
    )


def _pool(item: Json, parent_key: str, own_id: str, note: list[DataNote]) -> Pool:
    p = properties(item)
    members = [PoolMember(found, None) for found in keys(p.get("backendIPConfigurations"))]
    for listed in objects(p.get("loadBalancerBackendAddresses")):
        b = properties(listed)
        mappings = []
        for m in objects(b.get("inboundNatRulesPortMapping")):
            front, back = number(m.get("frontendPort")), number(m.get("backendPort"))
            if front is not None and back is not None:
                mappings.append(PortMapping(text(m.get("inboundNatRuleName")).lower(), front, back))
        members.append(
            PoolMember(
                key(b.get("networkInterfaceIPConfiguration")),
                address(b.get("ipAddress"), own_id, note),
                tuple(mappings),
            )
        )
    return Pool(_own_key(item, parent_key, "backendaddresspools"), tuple(members))


def _dnat_rules(collections: object, owner: str, base: int, note: list[DataNote]) -> Iterator[DnatRule]:
    for collection in objects(collections):
        c = properties(collection)
        kind = text(obj(c.get("action")).get("type")).casefold()
        if kind not in ("dnat", ""):
            continue
        order = base + (number(c.get("priority")) or 0)
        for item in objects(c.get("rules")):
            rule = properties(item)
            if text(rule.get("ruleType")).casefold() not in ("", "natrule"):
                continue
            yield _dnat_rule(rule, text(item.get("name")) or text(rule.get("name")), owner, order, note)


def _dnat_rule(p: Json, name: str, owner: str, order: int, note: list[DataNote]) -> DnatRule:
    where = f"{owner}/{name}"
    problems = Problems()
    words = {transport(word) for word in (*texts(p.get("protocols")), *texts(p.get("ipProtocols")))}
    kind = next((t for t in (Transport.TCP, Transport.ANY, Transport.UNKNOWN) if t in words), Transport.OTHER)
    source = parse_addresses(texts(p.get("sourceAddresses")), (), "source", problems)
    closed = bool(texts(p.get("sourceIpGroups"))) or source.unreadable or bool(source.tags)
    destination = parse_addresses(texts(p.get("destinationAddresses")), (), "destination", problems)
    ports = parse_ports(texts(p.get("destinationPorts")), "destination", problems)
    note.extend(DataNote(where, f"DNAT rule: {problem}") for problem in problems.found)
    translated = text(p.get("translatedAddress"))
    if text(p.get("translatedFqdn")):
        note.append(DataNote(where, "the DNAT rule names a host, not an address; where it leads is not known"))
    return DnatRule(
        name,
        where,
        kind,
        None if closed else source.ranges,
        destination.ranges,
        ports.ranges if ports.ranges else EVERY_PORT if ports.unreadable else (),
        address_number(translated) if translated else None,
        number(p.get("translatedPort")),
        order,
    )


def parse_policy_group(raw: Json, resource_key: str, note: list[DataNote]) -> list[DnatRule]:
    """The DNAT rules of a rule collection group of a firewall policy."""
    p = properties(raw)
    base = (number(p.get("priority")) or 0) * 100_000
    nat = [
        item
        for item in objects(p.get("ruleCollections"))
        if text(item.get("ruleCollectionType")).casefold() in ("firewallpolicynatrulecollection", "")
    ]
    return list(_dnat_rules(nat, arm_id_of(raw, resource_key), base, note))


def parse_firewall(
    resource_key: str, raw: Json, policy_rules: dict[str, list[DnatRule]], note: list[DataNote]
) -> Firewall:
    """An Azure Firewall; its policy's DNAT rules are joined when they were read."""
    p = properties(raw)
    own_id = arm_id_of(raw, resource_key)
    public, private, subnets = [], [], []
    for item in objects(p.get("ipConfigurations")):
        c = properties(item)
        public.append(key(c.get("publicIPAddress")))
        subnets.append(key(c.get("subnet")))
        if (number_ := address(c.get("privateIPAddress"), own_id, note)) is not None:
            private.append(number_)
    policy = key(p.get("firewallPolicy"))
    rules = [*_dnat_rules(p.get("natRuleCollections"), own_id, 0, note), *policy_rules.get(policy, [])]
    return Firewall(
        resource_key,
        own_id,
        tuple(item for item in public if item),
        tuple(private),
        tuple(item for item in subnets if item),
        tuple(sorted(rules, key=lambda rule: rule.priority)),
        policy,
        not policy or policy in policy_rules,
    )
