"""Evidence bundles for tests: a healthy VM whose every check passes, and single changes to what was seen of it.

The healthy bundle is a snapshot of what collection reads of the lab's healthy scenario, kept as a file so that these
tests need neither the lab nor a guest. A change is a function over the bundle's JSON; `healthy_bundle` applies any
number of them to a fresh copy.
"""

import copy
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle

Change = Callable[[JsonObject], None]

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-app"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm1"
NIC = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/vm1-nic"
NIC_NSG = f"{GROUP}/providers/Microsoft.Network/networkSecurityGroups/vm1-nsg"
VNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet-app"
SUBNET_NSG = f"{GROUP}/providers/Microsoft.Network/networkSecurityGroups/snet-app-nsg"
PUBLIC_IP = f"{GROUP}/providers/Microsoft.Network/publicIPAddresses/vm1-pip"
CLIENT = "203.0.113.7"
SOURCES = "203.0.113.0/24"
PRIVATE_ADDRESS = "10.0.0.4"
PUBLIC_ADDRESS = "20.50.1.4"
DENY_LOCAL = r"TS\fDenyTSConnections"
DENY_POLICY = r"POL\fDenyTSConnections"
PORT = r"RT\PortNumber"

_FILE = Path(__file__).parent / "fixtures" / "healthy_bundle.json"


@cache
def _snapshot() -> str:
    return _FILE.read_text(encoding="utf-8")


def healthy_json() -> JsonObject:
    """A fresh copy of the healthy bundle as JSON."""
    loaded: JsonObject = json.loads(_snapshot())
    return loaded


def healthy_bundle(*changes: Change, **fields: Any) -> Bundle:
    """The bundle of a healthy VM after some changes; `fields` replace whole top-level fields."""
    return altered(Bundle.model_validate(healthy_json()), *changes, **fields)


def altered(bundle: Bundle, *changes: Change, **fields: Any) -> Bundle:
    """A bundle after some changes; the given one stays as it is."""
    data = bundle.model_dump(mode="json", by_alias=True)
    data = copy.deepcopy(data)
    for change in changes:
        change(data)
    return Bundle.model_validate({**data, **fields})


def at(bundle: JsonObject) -> datetime:
    """When the bundle was collected."""
    return datetime.fromisoformat(str(bundle["collected_at"]))


def put(*path: Any, value: Any) -> Change:
    """Sets the value at a path; `{"name": "x"}` in a path is the list item with these fields."""

    def change(data: JsonObject) -> None:
        holder = _follow(data, path[:-1])
        holder[_index(holder, path[-1])] = value

    return change


def drop(*path: Any) -> Change:
    """Removes what is at a path, which must be there."""

    def change(data: JsonObject) -> None:
        holder = _follow(data, path[:-1])
        del holder[_index(holder, path[-1])]

    return change


def _follow(value: Any, path: Sequence[Any]) -> Any:
    for part in path:
        value = value[_index(value, part)]
    return value


def _index(holder: Any, part: Any) -> Any:
    if isinstance(part, dict):
        return next(i for i, item in enumerate(holder) if all(item.get(k) == v for k, v in part.items()))
    return part


def resource(resource_id: str, *path: Any, value: Any) -> Change:
    """Sets a value in a resource, the path beginning at its root."""
    return put("resources", resource_id.lower(), *path, value=value)


def guest(*path: Any, value: Any) -> Change:
    """Sets a value in the guest's answer."""
    return put("guest", *path, value=value)


def registry(path: str, value: Any) -> Change:
    """Sets a registry value as the collector reads it; None: looked for and absent."""
    return guest("registry", path, value=value)


def service(state: str, start_type: str, name: str = "TermService") -> Change:
    """Sets state and start type of a service."""

    def change(data: JsonObject) -> None:
        data["guest"]["services"][name].update(state=state, start_type=start_type)
        if state == "Stopped":
            data["guest"]["services"][name]["pid"] = 0

    return change


def operation(name: str, key: str, value: Any) -> Change:
    """Sets the answer of an operation."""

    def change(data: JsonObject) -> None:
        data["operations"].setdefault(name, {})[key.lower()] = value

    return change


def hide(fact: str, resource_id: str | None = None, reason: str = "forbidden") -> Change:
    """Moves one fact to `unavailable`, as a collection that was refused would have left it."""

    def change(data: JsonObject) -> None:
        head, _, rest = fact.partition(".")
        detail = f"the answer for {fact} was 403 AuthorizationFailed"
        if head == "guest" and rest:
            section, _, item = rest.partition(".")
            if not item:
                data["guest"].pop(section, None)
            elif section in ("registry", "services"):
                del data["guest"][section][item]
            data["guest"]["unavailable"].append({"fact": rest, "reason": reason, "detail": detail})
            return
        if head == "guest":
            data["guest"] = None
        elif head == "resource":
            del data["resources"][str(resource_id).lower()]
        elif head == "changes":
            data["changes"] = []
        elif head == "probes":
            data["probes"] = []
            return
        else:
            del data["operations"][fact][str(resource_id).lower()]
        data["unavailable"].append({"fact": fact, "resource_id": resource_id, "reason": reason, "detail": detail})

    return change


def every_fact(bundle: Bundle) -> list[tuple[str, str | None]]:
    """Every single fact of a bundle that `hide` can take away."""
    facts: list[tuple[str, str | None]] = [("resource", key) for key in bundle.resources]
    facts += [(name, key) for name, by_id in bundle.operations.items() for key in by_id]
    facts += [("changes", None)]
    facts += [("probes", None)] if bundle.probes else []
    if bundle.guest is not None:
        known = {row["fact"] for row in bundle.guest["unavailable"]}
        sections = [
            key for key, value in bundle.guest.items() if isinstance(value, dict | list) and key != "unavailable"
        ]
        facts += [("guest", None), *((f"guest.{key}", None) for key in sections)]
        facts += [(f"guest.registry.{path}", None) for path in (DENY_LOCAL, DENY_POLICY, PORT)]
        facts += [("guest.services.TermService", None), ("guest.firewall.rules", None)]
        facts = [one for one in facts if one[0].removeprefix("guest.") not in known]
    return facts


def rule(
    name: str,
    priority: int,
    *,
    access: str = "Allow",
    source: str = SOURCES,
    ports: str = "3389",
    protocol: str = "Tcp",
    destination: str = "*",
) -> JsonObject:
    """An inbound NSG rule as ARM returns it."""
    return {
        "name": name,
        "properties": {
            "provisioningState": "Succeeded",
            "protocol": protocol,
            "sourcePortRange": "*",
            "destinationPortRange": ports,
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": destination,
            "access": access,
            "priority": priority,
            "direction": "Inbound",
            "sourcePortRanges": [],
            "destinationPortRanges": [],
            "sourceAddressPrefixes": [],
            "destinationAddressPrefixes": [],
        },
    }


NIC_ALLOW = rule("Allow-RDP", 300)
SUBNET_ALLOW = rule("Allow-Office", 200, ports="*")


def security_rules(nsg_id: str, *rules: JsonObject) -> Change:
    """Sets the written rules of an NSG, and with them what Azure computes from them: the NIC's effective rules."""

    def change(data: JsonObject) -> None:
        full = [
            {**one, "id": f"{nsg_id}/securityRules/{one['name']}", "etag": 'W/"1"', "type": _RULE_TYPE}
            for one in copy.deepcopy(list(rules))
        ]
        data["resources"][nsg_id.lower()]["properties"]["securityRules"] = full
        for by_nic in data["operations"].get("effective_security_rules", {}).values():
            for group in by_nic["value"]:
                if group["networkSecurityGroup"]["id"].lower() == nsg_id.lower():
                    kept = [r for r in group["effectiveSecurityRules"] if r["name"].startswith("default")]
                    group["effectiveSecurityRules"] = [*(_effective(one) for one in rules), *kept]

    return change


_RULE_TYPE = "Microsoft.Network/networkSecurityGroups/securityRules"


def _effective(written: JsonObject) -> JsonObject:
    body = written["properties"]
    ports = body["destinationPortRange"]
    span = "0-65535" if ports == "*" else ports if "-" in ports else f"{ports}-{ports}"
    source = "0.0.0.0/0" if body["sourceAddressPrefix"] == "*" else body["sourceAddressPrefix"]
    target = "0.0.0.0/0" if body["destinationAddressPrefix"] == "*" else body["destinationAddressPrefix"]
    source, target = (f"{one}/32" if one[0].isdigit() and "/" not in one else one for one in (source, target))
    return {
        "name": f"securityRules/{written['name']}",
        "protocol": "All" if body["protocol"] == "*" else body["protocol"],
        "sourcePortRange": "0-65535",
        "destinationPortRange": span,
        "sourcePortRanges": ["0-65535"],
        "destinationPortRanges": [span],
        "sourceAddressPrefix": source,
        "destinationAddressPrefix": target,
        "sourceAddressPrefixes": [source],
        "destinationAddressPrefixes": [target],
        "access": body["access"],
        "priority": body["priority"],
        "direction": "Inbound",
    }


def detached(*nsg_ids: str) -> Change:
    """Takes NSGs off the NIC or the subnet, with what follows from it in the effective rules."""

    def change(data: JsonObject) -> None:
        gone = {one.lower() for one in nsg_ids}
        nic = data["resources"][NIC.lower()]["properties"]
        holders = [nic, *(s["properties"] for s in data["resources"][VNET.lower()]["properties"]["subnets"])]
        for holder in holders:
            if holder.get("networkSecurityGroup", {}).get("id", "").lower() in gone:
                del holder["networkSecurityGroup"]
        for nsg_id in gone:
            del data["resources"][nsg_id]
        for by_nic in data["operations"]["effective_security_rules"].values():
            by_nic["value"] = [g for g in by_nic["value"] if g["networkSecurityGroup"]["id"].lower() not in gone]

    return change


def without_public_address(data: JsonObject) -> None:
    """Takes the public address off the NIC; nothing is left to probe from outside."""
    del data["resources"][NIC.lower()]["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"]
    del data["resources"][PUBLIC_IP.lower()]
    data["probes"] = []


def behind_bastion(data: JsonObject) -> None:
    """Puts a Bastion host into the VNet and lets its subnet in through both NSGs."""
    host = f"{GROUP}/providers/Microsoft.Network/bastionHosts/bas-app"
    data["resources"][VNET.lower()]["properties"]["subnets"].append(
        {
            "name": "AzureBastionSubnet",
            "id": f"{VNET}/subnets/AzureBastionSubnet",
            "properties": {
                "provisioningState": "Succeeded",
                "addressPrefix": "10.0.9.0/26",
                "ipConfigurations": [{"id": f"{host}/bastionHostIpConfigurations/IpConf"}],
            },
        }
    )
    subnet = {"id": f"{VNET}/subnets/AzureBastionSubnet"}
    bastion = {
        "name": "bas-app",
        "id": host,
        "type": "Microsoft.Network/bastionHosts",
        "sku": {"name": "Standard"},
        "properties": {
            "provisioningState": "Succeeded",
            "ipConfigurations": [
                {
                    "name": "IpConf",
                    "id": f"{host}/bastionHostIpConfigurations/IpConf",
                    "properties": {"provisioningState": "Succeeded", "subnet": subnet},
                }
            ],
        },
    }
    operation("bastion_hosts", SUBSCRIPTION, {"value": [bastion]})(data)
    operation("private_dns_links", VNET, {"value": []})(data)


def powered(state: str) -> Change:
    """Sets the power state; a VM that is off shows no agent, answers no Run Command and has no effective rules."""

    def change(data: JsonObject) -> None:
        view = data["resources"][VM.lower()]["properties"]["instanceView"]
        view["statuses"] = [s for s in view["statuses"] if not s["code"].startswith("PowerState/")]
        view["statuses"].append({"code": f"PowerState/{state}", "level": "Info", "displayStatus": f"VM {state}"})
        if state == "running":
            return
        view.pop("vmAgent", None)
        for name in ("effective_security_rules", "effective_routes"):
            hide(name, NIC, "not_running")(data)
        hide("guest", reason="not_running")(data)
        silent(data)

    return change


def agent_not_ready(data: JsonObject) -> None:
    """Makes the agent stop to report: Run Command cannot be used, Remote Desktop itself goes on."""
    view = data["resources"][VM.lower()]["properties"]["instanceView"]
    status = {
        "code": "ProvisioningState/Unavailable",
        "level": "Warning",
        "displayStatus": "Not Ready",
        "message": "VM Agent is unresponsive.",
    }
    view["vmAgent"] = {"vmAgentVersion": "Unknown", "statuses": [status]}
    hide("guest", reason="unreachable")(data)


def silent(data: JsonObject) -> None:
    """Makes every probe end without an answer."""
    for probe in data["probes"]:
        old = probe["result"]
        probe["result"] = {
            **{key: None for key in old},
            "schema": old["schema"],
            "host": old["host"],
            "port": old["port"],
            "at": old["at"],
            "stage": "tcp",
            "outcome": "tcp_timeout",
            "verdict": "filtered",
            "detail": f"{old['host']} did not answer the connection request.",
        }


def listens(tcp: str = "refused") -> Change:
    """Makes the guest's own port answer no more."""

    def change(data: JsonObject) -> None:
        data["guest"]["self_probe"].update(tcp=tcp, x224=None, selected_protocol=None)

    return change


def firewall_rule(name: str, **fields: Any) -> Change:
    """Changes fields of a Windows firewall rule, or adds a rule that copies the built-in one."""

    def change(data: JsonObject) -> None:
        rules = data["guest"]["firewall"]["rules"]
        found = next((one for one in rules if one["name"] == name), None)
        if found is None:
            built_in = next(one for one in rules if one["name"] == "RemoteDesktop-UserMode-In-TCP")
            found = {**copy.deepcopy(built_in), "name": name, "display_name": name, "enabled": True}
            rules.append(found)
        found.update(fields)

    return change


def profile(name: str, **fields: Any) -> Change:
    """Changes fields of a Windows firewall profile."""

    def change(data: JsonObject) -> None:
        data["guest"]["firewall"]["profiles"][name].update(fields)

    return change


def tag(name: str, value: str) -> Change:
    """Tags the VM."""
    return resource(VM, "tags", name, value=value)


def policy(**fields: Any) -> Change:
    """Changes the run's policy."""

    def change(data: JsonObject) -> None:
        data["policy"].update(fields)

    return change


def target(**fields: Any) -> Change:
    """Changes what was asked."""

    def change(data: JsonObject) -> None:
        data["target"].update(fields)

    return change


def activity(operation_name: str, resource_id: str, caller: str, ago: timedelta, **claims: str) -> Change:
    """Adds an activity-log event that succeeded, some time before the collection."""

    def change(data: JsonObject) -> None:
        data["changes"].append(
            {
                "eventTimestamp": (at(data) - ago).strftime("%Y-%m-%dT%H:%M:%S.1234567Z"),
                "operationName": {"value": operation_name},
                "status": {"value": "Succeeded"},
                "caller": caller,
                "resourceId": resource_id,
                "claims": claims,
            }
        )

    return change


def guest_change(what: str, subject: str, ago: timedelta, value: str | None = None, sid: str | None = None) -> Change:
    """Adds an event of Windows' own logs, some time before the collection."""

    def change(data: JsonObject) -> None:
        data["guest"]["changes"].append(
            {
                "at": (at(data) - ago).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "log": "System",
                "event_id": 7040,
                "object": subject,
                "what": what,
                "value": value,
                "user_sid": sid,
            }
        )

    return change


def failed_sign_ins(count: int) -> Change:
    """Sets how many sign-ins failed in the last 15 minutes."""
    return guest("sign_ins", "failed", value=count)


def session(user: str, session_id: int = 2, state: str = "Active") -> Change:
    """Adds a session of a person."""

    def change(data: JsonObject) -> None:
        data["guest"]["sessions"].append({"id": session_id, "name": "rdp-tcp#0", "user": user, "state": state})

    return change


def jit_policy(port: int = 3389, duration: str = "PT3H") -> Change:
    """Guards a port of the VM with just-in-time access."""
    policy_id = f"{GROUP}/providers/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/default"
    guarded = {"number": port, "protocol": "*", "allowedSourceAddressPrefix": "*", "maxRequestAccessDuration": duration}
    body = {
        "id": policy_id,
        "name": "default",
        "properties": {"virtualMachines": [{"id": VM, "ports": [guarded]}], "requests": []},
    }
    return operation("jit_policies", SUBSCRIPTION, {"value": [body]})
