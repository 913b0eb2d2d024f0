"""Network security groups: reads, and the writes of single rules with the recorded validation (azure-facts.md 5)."""

import re
from collections.abc import Iterator
from copy import deepcopy
from ipaddress import ip_network
from typing import Any

from rdp_remediate.lab.arm_http import GROUP, NOTHING, ArmError, Call, Reply, Route, network_child_not_found, not_found
from rdp_remediate.lab.build import complete_rule
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.operations import Operation, Work

NSG = f"{GROUP}/providers/Microsoft.Network/networkSecurityGroups/{{nsg}}"
RULE = f"{NSG}/securityRules/{{rule}}"
_RULE_FIELDS = (
    "description", "protocol", "access", "priority", "direction",
    "sourcePortRange", "destinationPortRange", "sourceAddressPrefix", "destinationAddressPrefix",
    "sourcePortRanges", "destinationPortRanges", "sourceAddressPrefixes", "destinationAddressPrefixes",
    "sourceApplicationSecurityGroups", "destinationApplicationSecurityGroups",
)  # fmt: skip
_ALLOWED = {
    "protocol": ("*", "Tcp", "Udp", "Icmp", "Esp", "Ah"),
    "access": ("Allow", "Deny"),
    "direction": ("Inbound", "Outbound"),
}
_NAME = re.compile(r"^\w([\w.\-]{0,78}\w)?$")
_TAG = re.compile(r"^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)*$")


def group_of(call: Call, nsg_id: str) -> Resource:
    """Returns an NSG.

    Raises:
        ArmError: it does not exist.
    """
    group = call.world.resources.get(nsg_id.lower())
    if group is None:
        raise not_found(nsg_id)
    return group


async def get_rule(call: Call) -> Reply:
    """GET of one security rule, custom or default; missing ones get the network provider's NotFound."""
    group_of(call, call.parent(2))
    rule = call.world.find(call.path)
    if rule is None:
        raise network_child_not_found(call.path)
    return Reply(200, rule, {"ETag": rule["etag"]})


def _ports(properties: dict[str, Any]) -> Iterator[str]:
    for side in ("source", "destination"):
        plural = properties.get(f"{side}PortRanges") or []
        single = properties.get(f"{side}PortRange")
        yield from (str(p) for p in ([single] if single else []))
        for port in plural:
            if port == "*":
                raise _unsupported(f"{side}PortRanges", port, "port numbers and ranges")
            yield str(port)


def _unsupported(field: str, value: Any, allowed: str) -> ArmError:
    return ArmError(
        400,
        "SecurityRuleParameterContainsUnsupportedValue",
        f"Security rule parameter {field} contains unsupported value {value!r}. Supported values: {allowed}.",
        details=[],
    )


def _valid_port(text: str) -> bool:
    first, dash, last = text.partition("-")
    if text == "*":
        return True
    if not first.isdigit() or (dash and not last.isdigit()):
        return False
    return int(first) <= 65535 and (not dash or int(first) <= int(last) <= 65535)


def _valid_prefix(text: str, *, plural: bool) -> bool:
    if text == "*" or (_TAG.match(text) and not plural):
        return not plural and text.lower() != "any"
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _check_prefixes(rule_id: str, properties: dict[str, Any]) -> None:
    for side in ("source", "destination"):
        single = properties.get(f"{side}AddressPrefix")
        plural = [str(p) for p in properties.get(f"{side}AddressPrefixes") or []]
        groups = properties.get(f"{side}ApplicationSecurityGroups") or []
        if not single and not plural and not groups:
            raise ArmError(
                400,
                "SecurityRuleAddressPrefixNotSpecified",
                f"Required security rule parameters are missing for security rule with Id: {rule_id}. Security rule "
                f"must specify either {side}AddressPrefix, {side}AddressPrefixes or {side}ApplicationSecurityGroups.",
                details=[],
            )
        for value, is_plural in [(single, False)] * bool(single) + [(p, True) for p in plural]:
            if is_plural and (value == "*" or _TAG.match(str(value))):
                raise _unsupported(f"{side}AddressPrefixes", value, "CIDR prefixes")
            if not _valid_prefix(str(value), plural=is_plural):
                raise ArmError(
                    400,
                    "SecurityRuleInvalidAddressPrefix",
                    f"Security rule {rule_id} has invalid Address prefix. Value provided: {value}",
                    details=[],
                )


def check_rule(group: Resource, rule_id: str, name: str, properties: dict[str, Any]) -> None:
    """Refuses a rule as the network provider does.

    Raises:
        ArmError: 400 with the recorded code.
    """
    if not _NAME.match(name):
        raise ArmError(400, "InvalidResourceName", f"Resource name {name} is invalid.", details=[])
    for field, allowed in _ALLOWED.items():
        if str(properties.get(field, "")).lower() not in {a.lower() for a in allowed}:
            raise _unsupported(field, properties.get(field), ",".join(allowed))
    priority = properties.get("priority")
    if not isinstance(priority, int) or not 100 <= priority <= 4096:
        raise ArmError(
            400,
            "SecurityRuleInvalidPriority",
            f"Security rule has invalid Priority. Value provided: {priority} Allowed range 100-4096.",
            details=[],
        )
    if len(str(properties.get("description") or "")) > 140:
        raise ArmError(
            400, "SecurityRuleDescriptionTooLong", "Security rule description cannot exceed 140 chars.", details=[]
        )
    for port in _ports(properties):
        if not _valid_port(port):
            raise ArmError(
                400,
                "SecurityRuleInvalidPortRange",
                f"Security rule has invalid Port range. Value provided: {port}. Value should be an integer OR integer "
                "range with '-' delimiter. Valid range 0-65535.",
                details=[],
            )
    _check_prefixes(rule_id, properties)
    for other in group["properties"]["securityRules"]:
        same = other["properties"]
        if (
            other["name"].lower() != name.lower()
            and int(same["priority"]) == priority
            and str(same["direction"]).lower() == str(properties["direction"]).lower()
        ):
            raise ArmError(
                400,
                "SecurityRuleConflict",
                f"Security rule {other['name']} conflicts with rule {name}. Rules cannot have the same Priority and "
                "Direction. To learn more, see https://aka.ms/nsgrules",
                details=[],
            )


def stored_rule(name: str, properties: dict[str, Any], state: str) -> Resource:
    """Returns a rule as the provider keeps it: no nulls, plural lists empty where the singular field is used."""
    kept = {k: deepcopy(properties[k]) for k in _RULE_FIELDS if properties.get(k) not in (None, "", [])}
    return {"name": name, "properties": {"provisioningState": state, **kept}}


def precondition(call: Call, current: Resource | None) -> None:
    """Honours If-Match and If-None-Match.

    Raises:
        ArmError: 412, the resource is not what the caller saw.
    """
    wanted, unwanted = call.headers.get("If-Match"), call.headers.get("If-None-Match")
    failed = (
        (unwanted == "*" and current is not None)
        or (wanted == "*" and current is None)
        or (wanted not in (None, "*") and (current is None or current.get("etag") != wanted))
    )
    if failed:
        raise ArmError(
            412, "PreconditionFailed", f"Precondition failed. Etag provided in header does not match for {call.path}."
        )


def _start_write(call: Call, group: Resource, work: Work) -> Operation:
    """Starts a write of an NSG and remembers it as the newest one."""
    context = call.context
    operation = context.operations.start(call, "network", "nsg_write", work)
    context.writing[group["id"].lower()] = operation.id
    return operation


def _refuse_parallel(call: Call, group: Resource) -> None:
    running = call.context.writing.get(group["id"].lower())
    if call.context.refuse_parallel_writes and running and not call.context.operations.find(running).done:
        raise ArmError(
            409,
            "AnotherOperationInProgress",
            "Another operation on this or dependent resource is in progress. To retrieve status of the operation use "
            f"uri: {running}.",
            details=[],
        )


def _set_state(group: Resource, state: str) -> None:
    group["properties"]["provisioningState"] = state
    for key in ("securityRules", "defaultSecurityRules"):
        for rule in group["properties"][key]:
            rule["properties"]["provisioningState"] = state


async def put_rule(call: Call) -> Reply:
    """PUT of one rule: 201 or 200, provisioningState Updating, Azure-AsyncOperation and Retry-After, no Location."""
    group = group_of(call, call.parent(2))
    _refuse_parallel(call, group)
    current = call.world.find(call.path)
    precondition(call, current)
    name = current["name"] if current else call.params["rule"]
    properties = call.json().get("properties") or {}
    check_rule(group, call.path, name, properties)
    rule = stored_rule(name, properties, "Updating")
    rules = group["properties"]["securityRules"]
    call.world.renew_etag(group)
    complete_rule(group, rule)
    if current is not None:
        rules[rules.index(current)] = rule
    else:
        rules.append(rule)
    action = "Microsoft.Network/networkSecurityGroups/securityRules/write"
    call.world.record(action, rule["id"], call.principal, "Started", call.correlation)

    async def work() -> None:
        _set_state(group, "Succeeded")
        call.world.renew_etag(group)
        call.world.record(action, rule["id"], call.principal, "Succeeded", call.correlation)
        await call.world.changed()

    shown = deepcopy(rule)
    operations = call.context.operations
    operation = _start_write(call, group, work)
    return Reply(200 if current else 201, shown, operations.put_headers(call, operation))


async def delete_rule(call: Call) -> Reply:
    """DELETE of one rule: 202 with Location, Azure-AsyncOperation and Retry-After; 204 when there is none."""
    group = group_of(call, call.parent(2))
    rule = call.world.find(call.path)
    if rule is None:
        return Reply(204, NOTHING)
    _refuse_parallel(call, group)
    precondition(call, rule)
    rule["properties"]["provisioningState"] = "Deleting"
    action = "Microsoft.Network/networkSecurityGroups/securityRules/delete"
    call.world.record(action, rule["id"], call.principal, "Started", call.correlation)

    async def work() -> None:
        rules = group["properties"]["securityRules"]
        group["properties"]["securityRules"] = [r for r in rules if r is not rule]
        call.world.renew_etag(group)
        call.world.record(action, rule["id"], call.principal, "Succeeded", call.correlation)
        await call.world.changed()

    operations = call.context.operations
    return operations.accepted(call, _start_write(call, group, work))


async def put_group(call: Call) -> Reply:
    """PUT of a whole NSG: replaces the rule list, drops what is not sent again (Retry-After 3 in recordings)."""
    current = call.world.resources.get(call.path.lower())
    precondition(call, current)
    if current is None:
        raise ArmError(400, "BadRequest", "The simulated network provider changes NSGs but makes none.")
    body = call.json()
    sent = (body.get("properties") or {}).get("securityRules") or []
    fresh: Resource = {"properties": {"securityRules": []}}
    for entry in sent:
        check_rule(fresh, f"{call.path}/securityRules/{entry.get('name')}", str(entry.get("name")), entry["properties"])
        fresh["properties"]["securityRules"].append(stored_rule(entry["name"], entry["properties"], "Updating"))
    current["properties"]["securityRules"] = fresh["properties"]["securityRules"]
    if "tags" in body:
        current["tags"] = body["tags"]
    call.world.renew_etag(current)
    for rule in current["properties"]["securityRules"]:
        complete_rule(current, rule)
    _set_state(current, "Updating")
    action = "Microsoft.Network/networkSecurityGroups/write"
    call.world.record(action, current["id"], call.principal, "Started", call.correlation)

    async def work() -> None:
        _set_state(current, "Succeeded")
        call.world.renew_etag(current)
        call.world.record(action, current["id"], call.principal, "Succeeded", call.correlation)
        await call.world.changed()

    shown = deepcopy(current)
    operations = call.context.operations
    operation = _start_write(call, current, work)
    return Reply(200, shown, operations.put_headers(call, operation))


async def list_rules(call: Call) -> Reply:
    """GET of the custom or the default rules of an NSG."""
    group = group_of(call, call.parent())
    wanted = call.path.rstrip("/").rsplit("/", 1)[1].lower()
    key = "securityRules" if wanted == "securityrules" else "defaultSecurityRules"
    return Reply(200, {"value": group["properties"][key]})


def routes() -> list[Route]:
    """The routes of this area."""
    base = "Microsoft.Network/networkSecurityGroups"
    return [
        Route("GET", RULE, f"{base}/securityRules/read", get_rule),
        Route("PUT", RULE, f"{base}/securityRules/write", put_rule),
        Route("DELETE", RULE, f"{base}/securityRules/delete", delete_rule),
        Route("GET", f"{NSG}/securityRules", f"{base}/securityRules/read", list_rules, drop=1),
        Route("GET", f"{NSG}/defaultSecurityRules", f"{base}/defaultSecurityRules/read", list_rules, drop=1),
        Route("GET", f"{NSG}/defaultSecurityRules/{{rule}}", f"{base}/defaultSecurityRules/read", get_rule),
        Route("PUT", NSG, f"{base}/write", put_group),
    ]
