"""NSG rules, effective rules and security admin rules from ARM JSON."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from rdp_remediate.facts.network_addresses import (
    ANY_IPV4,
    ANY_IPV6,
    EVERY_ADDRESS,
    EVERY_PORT,
    AddressSpec,
    PortSpec,
    Problems,
    Range,
    Ranges,
    is_tag,
    merge,
    parse_addresses,
    parse_ports,
    prefix_range,
    shown,
    tag_key,
    texts,
)
from rdp_remediate.facts.network_json import (
    Json,
    arm_id,
    arm_id_of,
    key,
    keys,
    last_segment,
    mapping,
    objects,
    properties,
    text,
)
from rdp_remediate.facts.network_json import whole_number as number
from rdp_remediate.facts.network_model import DataNote, EffectiveNsg, Nsg, Rule
from rdp_remediate.facts.network_words import Access, Direction, Transport

_ACCESS = {"allow": Access.ALLOW, "deny": Access.DENY}
_ADMIN_ACCESS = {**_ACCESS, "alwaysallow": Access.ALWAYS_ALLOW}
_DIRECTION = {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}
_ANY_PROTOCOL = frozenset({"*", "any", "all"})
_OTHER_PROTOCOL = frozenset({"udp", "icmp", "icmpv4", "icmpv6", "esp", "ah", "gre"})
_LONGEST_RULE_LIST = 5_000
_PREFIXES = ("securityrules/", "defaultsecurityrules/", "userrule_", "defaultrule_")

_ANYWHERE = AddressSpec(EVERY_ADDRESS)
_VNET = AddressSpec(tags=("virtualnetwork",))
_PROBES = AddressSpec(tags=("azureloadbalancer",))
_PORTS = PortSpec(EVERY_PORT)


def transport(value: object) -> Transport:
    """What a protocol word means for TCP, without regard to case; IANA numbers count too."""
    word = (text(value) or (str(value) if isinstance(value, int) else "")).casefold()
    if word in ("tcp", "6"):
        return Transport.TCP
    if word in _ANY_PROTOCOL:
        return Transport.ANY
    if word in _OTHER_PROTOCOL or word.isdecimal():
        return Transport.OTHER
    return Transport.UNKNOWN


def rule_name(value: object) -> tuple[str, bool | None]:
    """A rule's own name and whether the surface calls it a default rule (None: it does not say).

    Source: azure-facts §6, the dialects of rule names.
    """
    name = text(value)
    for prefix in _PREFIXES:
        if name.casefold().startswith(prefix):
            return name[len(prefix) :], prefix.startswith("default")
    return name, None


def _word(table: dict[str, Any], value: object, what: str, unknown: Any, problems: Problems) -> Any:
    found = table.get(text(value).casefold())
    if found is None:
        problems.add(f"{what} {shown(value)} is not known")
        return unknown
    return found


def _priority(value: object, default: bool, problems: Problems) -> int | None:
    found = number(value)
    if found is None or not (100 <= found <= 4096 or (default and 4096 < found <= 65_500)):
        problems.add(f"priority {shown(value)} is not valid")
        return None
    return found


def _one_family(source: AddressSpec, destination: AddressSpec, problems: Problems) -> tuple[AddressSpec, AddressSpec]:
    """Both sides; when they are of different families, which Azure rejects, neither is trusted."""
    families = [{span[0] > ANY_IPV4[1] for span in side.ranges} for side in (source, destination)]
    if any(side.tags or side.groups for side in (source, destination)) or not all(len(f) == 1 for f in families):
        return source, destination
    if families[0] == families[1]:
        return source, destination
    problems.add("source and destination are of different address families, which Azure rejects")
    return replace(source, unreadable=True), replace(destination, unreadable=True)


def nsg_rule(raw: Json, nsg_id: str, default: bool, note: list[DataNote]) -> Rule:
    """A rule of an NSG resource; whatever is malformed makes that part uncertain and is noted."""
    p, problems = properties(raw), Problems()
    name, called_default = rule_name(raw.get("name"))
    if not name:
        name = last_segment(arm_id(raw.get("id")))
    if not name:
        problems.add("the rule has no name")
    default = default if called_default is None else called_default
    source = parse_addresses(
        texts(p.get("sourceAddressPrefix"), p.get("sourceAddressPrefixes")),
        keys(p.get("sourceApplicationSecurityGroups")),
        "source",
        problems,
    )
    destination = parse_addresses(
        texts(p.get("destinationAddressPrefix"), p.get("destinationAddressPrefixes")),
        keys(p.get("destinationApplicationSecurityGroups")),
        "destination",
        problems,
    )
    source, destination = _one_family(source, destination, problems)
    made = f"{nsg_id}/{'defaultSecurityRules' if default else 'securityRules'}/{name}"
    rule_id = arm_id_of(raw, made.lower())
    rule_id = made if rule_id == made.lower() else rule_id
    rule = Rule(
        name=name,
        arm_id=rule_id,
        priority=_priority(p.get("priority"), default, problems),
        access=_word(_ACCESS, p.get("access"), "access", Access.UNKNOWN, problems),
        direction=_word(_DIRECTION, p.get("direction"), "direction", Direction.UNKNOWN, problems),
        transport=_transport(p.get("protocol"), problems),
        source=source,
        source_ports=parse_ports(texts(p.get("sourcePortRange"), p.get("sourcePortRanges")), "source", problems),
        destination=destination,
        destination_ports=parse_ports(
            texts(p.get("destinationPortRange"), p.get("destinationPortRanges")), "destination", problems
        ),
        is_default=default,
        description=text(p.get("description")),
        problems=tuple(problems.found),
    )
    note.extend(DataNote(rule_id, problem) for problem in problems.found)
    return rule


def _transport(value: object, problems: Problems) -> Transport:
    found = transport(value)
    if found is Transport.UNKNOWN:
        problems.add(f"protocol {shown(value)} is not known")
    return found


def default_inbound_rules(nsg_id: str) -> tuple[Rule, ...]:
    """The three inbound rules that every NSG has, as Microsoft documents them (network-semantics §1.2)."""

    def rule(name: str, priority: int, access: Access, source: AddressSpec, destination: AddressSpec) -> Rule:
        return Rule(
            name, f"{nsg_id}/defaultSecurityRules/{name}", priority, access, Direction.INBOUND, Transport.ANY,
            source, _PORTS, destination, _PORTS, is_default=True,
        )  # fmt: skip

    return (
        rule("AllowVnetInBound", 65_000, Access.ALLOW, _VNET, _VNET),
        rule("AllowAzureLoadBalancerInBound", 65_001, Access.ALLOW, _PROBES, _ANYWHERE),
        rule("DenyAllInBound", 65_500, Access.DENY, _ANYWHERE, _ANYWHERE),
    )


def with_defaults(rules: Iterable[Rule], nsg_id: str) -> tuple[Rule, ...]:
    """The rules, completed by those default inbound rules that the evidence leaves out."""
    given = tuple(rules)
    names = {rule.name.casefold() for rule in given if rule.is_default}
    return given + tuple(rule for rule in default_inbound_rules(nsg_id) if rule.name.casefold() not in names)


def parse_nsg(resource_key: str, raw: Json, note: list[DataNote]) -> Nsg:
    """An NSG resource; default rules that the answer leaves out are completed."""
    p = properties(raw)
    nsg_id = arm_id_of(raw, resource_key)
    rules: list[Rule] = []
    for field, default in (("securityRules", False), ("defaultSecurityRules", True)):
        listed = p.get(field)
        if listed is not None and not isinstance(listed, list):
            note.append(DataNote(nsg_id, f"{field} is no list"))
            rules.append(_unreadable_rule(nsg_id, field))
            continue
        for position, item in enumerate(listed or ()):
            if position >= _LONGEST_RULE_LIST:
                note.append(DataNote(nsg_id, f"more than {_LONGEST_RULE_LIST} rules; the rest is not read"))
                rules.append(_unreadable_rule(nsg_id, "the rest"))
                break
            if isinstance(item, dict):
                rules.append(nsg_rule(item, nsg_id, default, note))
            else:
                note.append(DataNote(nsg_id, f"entry {position} of {field} is no rule"))
                rules.append(_unreadable_rule(nsg_id, f"{field}[{position}]"))
    return Nsg(
        resource_key,
        nsg_id,
        with_defaults(rules, nsg_id),
        text(p.get("provisioningState")),
        keys(p.get("subnets")),
        keys(p.get("networkInterfaces")),
        tuple(sorted((str(k), str(v)) for k, v in mapping(raw.get("tags")).items())),
    )


def _unreadable_rule(nsg_id: str, name: str) -> Rule:
    """Stands for something that may be any rule at any priority."""
    anything, port = AddressSpec(unreadable=True), PortSpec(unreadable=True)
    return Rule(
        name, nsg_id, None, Access.UNKNOWN, Direction.UNKNOWN, Transport.UNKNOWN, anything, port, anything, port,
        problems=("the rule could not be read",),
    )  # fmt: skip


def _effective_side(p: Json, side: str, problems: Problems, tags: dict[str, Ranges]) -> AddressSpec:
    """One side of an effective rule: the printed expansion stands for its tag; 0.0.0.0/0 was written for `*`.

    Whether such a 0.0.0.0/0 came from `*` or from 0.0.0.0/0 is not shown, so IPv6 is doubtful. Source: azure-facts §2.
    """
    values = texts(p.get(f"{side}AddressPrefix"), p.get(f"{side}AddressPrefixes"))
    expansion = texts(p.get(f"expanded{side.capitalize()}AddressPrefix"))
    named = [value for value in values if isinstance(value, str) and is_tag(value.replace(" ", ""))]
    found: list[Range] = []
    if expansion and named:
        found = [span for value in expansion if isinstance(value, str) and (span := prefix_range(value))]
        if len(found) < len(expansion):
            problems.add(f"expanded {side} address holds what is no prefix")
        elif len({tag_key(value) for value in named}) == 1:
            tags.setdefault(tag_key(named[0]), merge(found))
    elif expansion:
        problems.add(f"{side} addresses are expanded although no tag is named")
    spec = parse_addresses(values, (), side, problems)
    complete = len(found) == len(expansion)
    every_ipv4 = any(value == "0.0.0.0/0" for value in values)
    return AddressSpec(
        merge([*spec.ranges, *found]),
        () if found and complete else spec.tags,
        (),
        spec.unreadable or not complete,
        spec.doubtful,
        (ANY_IPV6,) if every_ipv4 else (),
        spec.empty,
    )


def parse_effective(
    raw: object, nic_key: str, note: list[DataNote]
) -> tuple[tuple[EffectiveNsg, ...], dict[str, Ranges]] | None:
    """The effective rules of a NIC and the tag expansions they print, or None when the answer has another shape."""
    value = mapping(raw).get("value")
    if not isinstance(value, list):
        note.append(DataNote(nic_key, "effective security rules have no list `value`"))
        return None
    out: list[EffectiveNsg] = []
    tags: dict[str, Ranges] = {}
    for element in objects(value):
        for tag, prefixes in mapping(element.get("tagMap")).items():
            spans = [prefix_range(p) for p in texts(prefixes) if isinstance(p, str)]
            if spans and None not in spans:
                tags.setdefault(tag_key(str(tag)), merge(span for span in spans if span))
        nsg_id = arm_id(element.get("networkSecurityGroup"))
        association = mapping(element.get("association"))
        rules: list[Rule] = []
        for item in objects(element.get("effectiveSecurityRules")):
            p, problems = properties(item), Problems()
            name, default = rule_name(item.get("name"))
            if default and name.casefold() in _DEFAULT_NAMES:
                _effective_side(p, "source", problems, tags)
                continue
            source, destination = (_effective_side(p, side, problems, tags) for side in ("source", "destination"))
            rule_id = f"{nsg_id}/{'defaultSecurityRules' if default else 'securityRules'}/{name}"
            rules.append(
                Rule(
                    name=name,
                    arm_id=rule_id,
                    priority=_priority(p.get("priority"), bool(default), problems),
                    access=_word(_ADMIN_ACCESS, p.get("access"), "access", Access.UNKNOWN, problems),
                    direction=_word(_DIRECTION, p.get("direction"), "direction", Direction.UNKNOWN, problems),
                    transport=_transport(p.get("protocol"), problems),
                    source=source,
                    source_ports=parse_ports(
                        texts(p.get("sourcePortRange"), p.get("sourcePortRanges")), "source", problems
                    ),
                    destination=destination,
                    destination_ports=parse_ports(
                        texts(p.get("destinationPortRange"), p.get("destinationPortRanges")), "destination", problems
                    ),
                    is_default=bool(default),
                    problems=tuple(problems.found),
                )
            )
            note.extend(DataNote(rule_id, f"effective rule: {problem}") for problem in problems.found)
        subnet, nic, manager = (key(association.get(name)) for name in ("subnet", "networkInterface", "networkManager"))
        found = EffectiveNsg(nsg_id, tuple(rules), subnet, nic, manager)
        out.append(found if found.is_admin else replace(found, rules=with_defaults(rules, nsg_id)))
    return tuple(out), tags


_DEFAULT_NAMES = frozenset(rule.name.casefold() for rule in default_inbound_rules(""))


def parse_admin_rules(
    raw: object, vnet_key: str, ranks: dict[str, int], note: list[DataNote]
) -> tuple[Rule, ...] | None:
    """The effective security admin rules of a VNet, or None when the answer has another shape.

    Sources, destinations and ports that a rule leaves out mean any (network-semantics §2.1). A manager at a management
    group stands above the others; `ranks` says so for managers whose own resource was read.
    """
    value = raw if isinstance(raw, list) else mapping(raw).get("value")
    if not isinstance(value, list):
        note.append(DataNote(vnet_key, "effective security admin rules have no list `value`"))
        return None
    rules = []
    for item in objects(value):
        p, problems = properties(item), Problems()
        rule_id = text(item.get("id"))
        manager, _, _ = rule_id.lower().partition("/securityadminconfigurations/")
        at_group = manager.startswith("/providers/microsoft.management/managementgroups/")
        access = p.get("access")
        rules.append(
            Rule(
                name=last_segment(rule_id) or text(item.get("name")),
                arm_id=rule_id,
                priority=_admin_priority(p.get("priority"), problems),
                access=_word(_ADMIN_ACCESS, access, "access", Access.UNKNOWN, problems),
                direction=_word(_DIRECTION, p.get("direction"), "direction", Direction.UNKNOWN, problems),
                transport=_transport(p.get("protocol", "Any"), problems),
                source=_admin_side(p.get("sources"), "source", problems),
                source_ports=_admin_ports(p.get("sourcePortRanges"), "source", problems),
                destination=_admin_side(p.get("destinations"), "destination", problems),
                destination_ports=_admin_ports(p.get("destinationPortRanges"), "destination", problems),
                problems=tuple(problems.found),
                scope_rank=ranks.get(manager, 0 if at_group else 1),
                manager=manager,
            )
        )
        note.extend(DataNote(rule_id or vnet_key, f"admin rule: {problem}") for problem in problems.found)
    if len(rules) < len(value):
        note.append(DataNote(vnet_key, "an entry of the admin rules is no rule"))
        rules.append(_unreadable_rule(vnet_key, "unreadable admin rule"))
    return tuple(rules)


def _admin_priority(value: object, problems: Problems) -> int | None:
    found = number(value)
    if found is None or not 0 <= found <= 4096:
        problems.add(f"priority {shown(value)} is not valid")
        return None
    return found


def _admin_ports(value: object, side: str, problems: Problems) -> PortSpec:
    given = texts(value)
    return parse_ports(given, side, problems) if given else _PORTS


def _admin_side(value: object, side: str, problems: Problems) -> AddressSpec:
    if value is None or value == []:
        return _ANYWHERE
    if not isinstance(value, list):
        problems.add(f"{side} {shown(value)} is no list")
        return AddressSpec(unreadable=True)
    given: list[object] = []
    for item in value:
        kind = text(mapping(item).get("addressPrefixType")).casefold()
        prefix = mapping(item).get("addressPrefix")
        if kind in ("ipprefix", "servicetag", ""):
            given.append(prefix if prefix not in (None, "") else "an empty prefix")
        else:
            given.append(f"<{kind}> {shown(prefix)}")
    return parse_addresses(given, (), side, problems)
