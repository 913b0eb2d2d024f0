"""What Windows Firewall and the listeners of a guest state make of one TCP SYN, rule by rule.

Order (Microsoft, "Windows Firewall rules"): an explicit block wins over an allow, an allow over the default; a profile
that allows no inbound rules drops everything; with the firewall on, a closed port is silent (stealth mode).
"""

import ipaddress
from dataclasses import dataclass
from typing import Any

from rdp_remediate.lab.guest_runtime import Admission, GuestState
from rdp_remediate.lab.guests import registry
from rdp_remediate.lab.guests.listener import find_service

_CATEGORY = {"domainauthenticated": "Domain", "private": "Private", "public": "Public"}


@dataclass(frozen=True, slots=True)
class _Syn:
    client: str
    port: int
    owner: int | None
    """The process that listens on the port."""


def active_profiles(state: GuestState) -> list[str]:
    """Returns the profiles in use: those of the adapters that are up, in the order Domain, Private, Public."""
    used = {
        _CATEGORY.get(str(adapter.get("profile", "Public")).lower(), "Public")
        for adapter in state.get("network", {}).get("adapters", [])
        if adapter.get("status", "Up") == "Up" and not adapter.get("hidden")
    }
    return [name for name in ("Domain", "Private", "Public") if name in used]


def admits(state: GuestState, client: str, port: int) -> Admission:
    """Returns what a SYN from client to the guest's TCP port meets, in a settled state."""
    listening = [row for row in state.get("tcp", []) if row.get("state") == "Listen" and row.get("local_port") == port]
    owner = next((row.get("pid") for row in listening), None)
    services = {name: find_service(state, name) or {} for name in ("BFE", "mpssvc")}
    if any(service.get("state") != "Running" for service in services.values()):
        return Admission.SILENT
    outcomes = {_through_profile(state, name, _Syn(client, port, owner)) for name in active_profiles(state)}
    if outcomes == {None}:
        return Admission.ACCEPT if listening else Admission.REFUSE
    # The adapter that the packet came through has one profile; with several adapters any that lets it in counts.
    return Admission.ACCEPT if listening and outcomes & {True, None} else Admission.SILENT


def _through_profile(state: GuestState, name: str, syn: _Syn) -> bool | None:
    """Returns True when the profile lets the SYN in, False when it drops it, None when the profile is off."""
    profile = state["firewall"]["profiles"][name]
    if not profile.get("enabled", True):
        return None
    if not profile.get("allow_inbound_rules", True):
        return False
    matching = [
        rule
        for rule in [*state["firewall"].get("rules", []), *policy_rules(state)]
        if _matches(state, rule, name, syn)
        and (profile.get("allow_local_rules", True) or rule.get("store") == "GroupPolicy")
    ]
    if any(rule["action"] == "Block" for rule in matching):
        return False
    return profile.get("default_inbound") == "Allow" or any(rule["action"] == "Allow" for rule in matching)


def policy_rules(state: GuestState) -> list[dict[str, Any]]:
    r"""Returns the rules that group policy wrote under FWP\FirewallRules, as rules of the state.

    Format: MS-GPFAS 2.2.2.19, `v2.30|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=3389|Name=…|`.
    """
    rules = []
    for key, values in registry.keys(state, registry.FIREWALL_POLICY):
        if not key.lower().endswith("\\firewallrules"):
            continue
        for name, entry in values.items():
            fields: dict[str, list[str]] = {}
            for part in str(entry[1]).split("|"):
                field, _, value = part.partition("=")
                fields.setdefault(field.lower(), []).append(value)
            protocol = fields.get("protocol", ["Any"])[0]
            rules.append(
                {
                    "name": name,
                    "enabled": fields.get("active", ["TRUE"])[0].upper() == "TRUE",
                    "direction": "Inbound" if fields.get("dir", ["In"])[0] == "In" else "Outbound",
                    "action": fields.get("action", ["Allow"])[0],
                    "profiles": fields.get("profile", ["Any"]),
                    "protocol": {"6": "TCP", "17": "UDP"}.get(protocol, protocol),
                    "local_ports": fields.get("lport", ["Any"]),
                    "remote_ports": fields.get("rport", ["Any"]),
                    "local_addresses": fields.get("la4", ["Any"]),
                    "remote_addresses": fields.get("ra4", ["Any"]),
                    "program": fields.get("app", ["Any"])[0],
                    "service": fields.get("svc", ["Any"])[0],
                    "store": "GroupPolicy",
                }
            )
    return rules


def _matches(state: GuestState, rule: dict[str, Any], profile: str, syn: _Syn) -> bool:
    return (
        bool(rule.get("enabled"))
        and rule.get("direction") == "Inbound"
        and str(rule.get("protocol", "Any")).upper() in {"TCP", "6", "ANY"}
        and any(entry in {"Any", profile} for entry in rule.get("profiles", ["Any"]))
        and any(_holds_port(entry, syn.port) for entry in rule.get("local_ports", ["Any"]))
        and rule.get("remote_ports", ["Any"]) == ["Any"]
        and any(_holds_address(state, entry, syn.client) for entry in rule.get("remote_addresses", ["Any"]))
        and any(_holds_own_address(state, entry) for entry in rule.get("local_addresses", ["Any"]))
        and _is_for_owner(state, rule, syn.owner)
    )


def _holds_port(entry: str, port: int) -> bool:
    if entry == "Any":
        return True
    first, dash, last = entry.partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        return False  # RPC, RPCEPMap, IPHTTPSIn, Teredo: ports of other services
    return int(first) <= port <= int(last if dash else first)


def _holds_address(state: GuestState, entry: str, client: str) -> bool:
    if entry == "Any":
        return True
    if entry == "LocalSubnet":
        return any(
            ipaddress.ip_address(client)
            in ipaddress.ip_network(f"{row['address']}/{row['prefix_length']}", strict=False)
            for row in state.get("network", {}).get("addresses", [])
            if not ipaddress.ip_address(row["address"]).is_loopback
        )
    return _in_range(entry, client)


def _holds_own_address(state: GuestState, entry: str) -> bool:
    return entry == "Any" or any(
        _in_range(entry, row["address"]) for row in state.get("network", {}).get("addresses", [])
    )


def _in_range(entry: str, address: str) -> bool:
    """True if the address lies in `a`, `a/prefix`, `a/mask` or `a-b`; keywords such as DNS hold no client."""
    try:
        wanted = ipaddress.ip_address(address)
        if "-" in entry:
            first, last = (ipaddress.ip_address(part.strip()) for part in entry.split("-", 1))
            return first.version == wanted.version and int(first) <= int(wanted) <= int(last)
        return wanted in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _is_for_owner(state: GuestState, rule: dict[str, Any], owner: int | None) -> bool:
    hosted = [
        (name, service) for name, service in state.get("services", {}).items() if owner and service.get("pid") == owner
    ]
    wanted_service = str(rule.get("service", "Any"))
    if wanted_service == "*":
        if not hosted:
            return False
    elif wanted_service != "Any" and wanted_service.lower() not in {name.lower() for name, _ in hosted}:
        return False
    program = str(rule.get("program", "Any"))
    if program == "Any":
        return True
    if program == "System":
        return owner == 4
    paths = {str(service.get("path_name", "")).split(" -k ")[0] for _, service in hosted}
    paths |= {
        str(process.get("path") or "")
        for process in state.get("processes", [])
        if owner and process.get("pid") == owner
    }
    return _expand(program) in {_expand(path.strip('"')) for path in paths}


def _expand(path: str) -> str:
    lowered = path.lower()
    for variable in ("%systemroot%", "%windir%"):
        lowered = lowered.replace(variable, "c:\\windows")
    return lowered
