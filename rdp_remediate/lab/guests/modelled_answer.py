"""What collect.ps1 would answer for a guest state: the lab's own reading of schema rdp-remediate/guest/1.

Written from the guest contract, not from the script; a test compares both under winps for every built-in scenario.
"""

import base64
import copy
import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rdp_remediate.lab.guest_runtime import GuestState
from rdp_remediate.lab.guests import negotiation, registry
from rdp_remediate.lab.guests.firewall import active_profiles
from rdp_remediate.lab.guests.listener import (
    COMPUTER_STORE,
    SELF_SIGNED_STORE,
    configured_port,
    custom_thumbprint,
    find_service,
    rdp_listener,
)
from rdp_remediate.lab.guests.modelled_events import logged_events
from rdp_remediate.lab.guests.modelled_remote_desktop import remote_desktop
from rdp_remediate.lab.guests.modelled_sign_ins import sign_ins
from rdp_remediate.lab.guests.moments import moment, utc_text
from rdp_remediate.lab.guests.surface import BUILT_IN_RULES, RECORDED, REGISTRY_VALUES, SERVICES, full_key

Answer = dict[str, Any]
_VARIABLES = {"systemroot": r"C:\Windows", "systemdrive": "C:", "programfiles": r"C:\Program Files"}
_CHANGES_DAYS = 7
_MOST_CHANGES = 20
_FIREWALL_LOG = "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"
_FIREWALL_EVENTS = {2002, 2003, 2004, 2005, 2006, 2008, 2033, 2052, 2071, 2073, 2097, 2099}
_OFFERED = negotiation.Security.SSL | negotiation.Security.HYBRID | negotiation.Security.HYBRID_EX


def collect(state: GuestState, self_address: str | None, slice_number: int, user: str | None = None) -> Answer:
    """Returns the decoded answer for a settled state, nothing left out for its length."""
    answer: Answer = {
        "schema": "rdp-remediate/guest/1",
        "slice": slice_number,
        "collected_at": utc_text(moment(state["now"])),
        "language_mode": "FullLanguage",
        "script_ms": 0,
        "unavailable": [],
    }
    answer["os"] = _os(state)
    answer["registry"] = _registry(state)
    answer["services"] = {name: _service(find_service(state, name)) for name in SERVICES}
    answer["listener"] = _listener(state)
    answer["firewall"] = _firewall(state)
    answer["sessions"] = sorted(
        ({name: session[name] for name in ("id", "name", "user", "state")} for session in state["sessions"]),
        key=lambda session: session["id"],
    )
    answer["sign_ins"] = sign_ins(state, user)
    answer["addresses"] = _addresses(state)
    answer["certificate"] = _certificate(state)
    if answer["certificate"]["custom"]:
        # Keys of bound certificates are not modelled: the script would not find the file either.
        answer["unavailable"].append(
            {"fact": "certificate.key", "reason": "server_error", "detail": "the file of the key is not there"}
        )
    target = self_address or _own_ipv4(answer["addresses"])
    if target is None:
        answer["unavailable"].append(
            {"fact": "self_probe", "reason": "server_error", "detail": "no private address is known"}
        )
    else:
        answer["self_probe"] = _self_probe(state, target)
    answer["remote_desktop"] = remote_desktop(state)
    answer["changes"] = _changes(state, answer)
    answer["events"] = logged_events(state)
    answer.update(copy.deepcopy({name: state["recorded"][name] for name in RECORDED}))
    if user:
        # The recorded answer is of a request that names nobody.
        answer["unavailable"].append(
            {"fact": "accounts.asked", "reason": "not_supported", "detail": "the modelled guest has no accounts"}
        )
    return answer


def _os(state: GuestState) -> Answer:
    system = state["os"]
    return {
        "computer_name": system["computer_name"],
        "caption": system["caption"],
        "version": system["version"],
        "build": system["build"],
        "product_type": system["product_type"],
        "installation_type": system["installation_type"],
        "domain_role": system["domain_role"],
        "part_of_domain": system["part_of_domain"],
        "domain": system["domain"],
        "last_boot": utc_text(moment(system["last_boot"])),
        "safe_mode": system.get("safe_mode"),
    }


def _registry(state: GuestState) -> Answer:
    values: Answer = {}
    for short_key, names in REGISTRY_VALUES.items():
        for name in names:
            entry = registry.read_value(state, full_key(short_key), name)
            values[f"{short_key}\\{name}"] = None if entry is None else _registry_fact(str(entry[0]), entry[1])
    return values


def _registry_fact(kind: str, data: Any) -> Any:
    if kind == "Binary":
        return {"Binary": base64.b64decode(data).hex().upper()}
    if kind == "ExpandString":
        # The registry provider gives the expanded text.
        return re.sub("%([^%]+)%", lambda match: _VARIABLES.get(match[1].lower(), match[0]), data)
    return [str(item) for item in data] if kind == "MultiString" else data


def _service(service: Answer | None) -> Answer | None:
    if service is None:
        return None
    return {
        "state": service["state"],
        "start_type": service["start_type"],
        "account": service.get("account") or None,
        "pid": service["pid"],
        "exit_code": service.get("exit_code", 0),
        "depends_on": list(service.get("depends_on", [])),
    }


def _listener(state: GuestState) -> Answer:
    port = configured_port(state)
    owner = (find_service(state, "TermService") or {}).get("pid", 0)
    names = {process["pid"]: process["name"] for process in state["processes"]}
    rows = [
        {
            "address": row["local_address"],
            "port": row["local_port"],
            "pid": row["pid"],
            "process": names.get(row["pid"]),
        }
        for row in state["tcp"]
        if row["state"] == "Listen" and (row["local_port"] == port or (owner and row["pid"] == owner))
    ]
    rows.sort(key=lambda row: (row["address"], row["port"]))
    return {"rows": rows, "term_service_pid": owner or None}


def _firewall(state: GuestState) -> Answer:
    profiles = {}
    for name, profile in state["firewall"]["profiles"].items():
        profiles[name] = {
            "enabled": profile.get("enabled", True),
            "default_inbound": profile["default_inbound"],
            "default_outbound": profile["default_outbound"],
            "allow_inbound_rules": profile.get("allow_inbound_rules", True),
            "allow_local_rules": profile.get("allow_local_rules", True),
            "source": _profile_source(state, name),
        }
    rules = [_rule(rule) for rule in state["firewall"]["rules"] if _touches_rdp(rule, configured_port(state))]
    rules.sort(key=lambda rule: (rule["name"], rule["store"]))
    return {"profiles": profiles, "active": sorted(active_profiles(state)), "rules": rules}


def _profile_source(state: GuestState, name: str) -> str:
    keys = {
        "Domain": ("DomainProfile",),
        "Private": ("PrivateProfile", "StandardProfile"),
        "Public": ("PublicProfile",),
    }
    for key in keys[name]:
        for value in ("EnableFirewall", "DoNotAllowExceptions", "DefaultInboundAction", "AllowLocalPolicyMerge"):
            if registry.read_value(state, rf"{registry.FIREWALL_POLICY}\{key}", value) is not None:
                return "GroupPolicy"
    return "Local"


def _touches_rdp(rule: Answer, port: int) -> bool:
    if rule["direction"] != "Inbound":
        return False
    if rule["name"] in BUILT_IN_RULES:
        return True
    if not rule["enabled"] or str(rule["protocol"]) not in {"TCP", "Any", "6", "256"}:
        return False
    if rule["service"].lower() == "termservice" or any(_names_port(entry, port) for entry in rule["local_ports"]):
        return True
    open_program = rule["program"] == "Any" or rule["program"].lower().endswith("\\svchost.exe")
    return "Any" in rule["local_ports"] and open_program and rule["service"] == "Any" and not rule.get("package")


def _names_port(entry: str, port: int) -> bool:
    first, dash, last = entry.partition("-")
    return first.isdigit() and (not dash or last.isdigit()) and int(first) <= port <= int(last or first)


def _rule(rule: Answer) -> Answer:
    fact = {
        "name": rule["name"],
        "display_name": rule.get("display_name", ""),
        "enabled": rule["enabled"],
        "direction": rule["direction"],
        "action": rule["action"],
        "profiles": sorted(rule["profiles"]),
        "protocol": rule["protocol"],
        "local_ports": list(rule["local_ports"]),
        "remote_addresses": [_address_as_shown(entry) for entry in rule["remote_addresses"]],
        "program": rule["program"],
        "service": rule["service"],
        "store": "Local" if rule.get("store", "PersistentStore") == "PersistentStore" else rule["store"],
    }
    usual: dict[str, Any] = {"remote_ports": ["Any"], "local_addresses": ["Any"], "edge": "Block",
                             "interface_types": ["Any"]}  # fmt: skip
    fact.update({name: rule[name] for name, value in usual.items() if rule.get(name, value) != value})
    if "local_addresses" in fact:
        fact["local_addresses"] = [_address_as_shown(entry) for entry in fact["local_addresses"]]
    return fact


def _address_as_shown(entry: str) -> str:
    """Windows shows an IPv4 prefix with its mask and a host prefix as the address."""
    if "/" not in entry:
        return entry
    network = ipaddress.ip_network(entry, strict=False)
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return network.with_netmask if network.version == 4 else str(network)


def _addresses(state: GuestState) -> list[Answer]:
    names = {adapter["if_index"]: adapter["name"] for adapter in state["network"]["adapters"]}
    rows = [
        {
            "address": row["address"],
            "prefix_length": row["prefix_length"],
            "interface": names.get(row["if_index"], ""),
            "origin": row["origin"],
        }
        for row in state["network"]["addresses"]
        if not ipaddress.ip_address(row["address"]).is_loopback and not row["address"].lower().startswith("fe80:")
    ]
    return sorted(rows, key=lambda row: row["address"])


def _own_ipv4(addresses: list[Answer]) -> str | None:
    return next((row["address"] for row in addresses if ":" not in row["address"]), None)


def _certificate(state: GuestState) -> Answer:
    own = state["certificates"].get(SELF_SIGNED_STORE, [])
    wanted = custom_thumbprint(state)
    candidates = [*own, *state["certificates"].get(COMPUTER_STORE, [])]
    found = next((entry for entry in candidates if wanted and entry["thumbprint"].upper() == wanted), None)
    custom = found is not None
    if found is None and own:
        found = max(own, key=lambda entry: moment(entry["not_after"]))
    return {
        "bound_thumbprint": None if found is None else found["thumbprint"].upper(),
        "custom": custom,
        "not_after": None if found is None else utc_text(moment(found["not_after"])),
    }


def _self_probe(state: GuestState, address: str) -> Answer:
    port = configured_port(state)
    probe: Answer = {
        "address": address,
        "port": port,
        "tcp": "timeout",
        "x224": None,
        "selected_protocol": None,
        "negotiation_failure": None,
    }
    if address not in {row["address"] for row in state["network"]["addresses"]}:
        return probe
    # A connect from the computer to itself does not pass the firewall's inbound rules.
    listening = any(
        row["state"] == "Listen" and row["local_port"] == port and row["local_address"] in {"0.0.0.0", address}  # noqa: S104
        for row in state["tcp"]
    )
    if not listening:
        return probe | {"tcp": "refused"}
    listener = rdp_listener(state)
    if listener is None or listener.port != port:
        return probe | {"tcp": "open", "x224": "no_answer"}
    answered = probe | {"tcp": "open", "x224": "answered"}
    if registry.read_int(state, registry.RDP_TCP, "fAllowSecProtocolNegotiation") == 0:
        # A Connection Confirm without RDP_NEG_RSP: standard RDP security.
        return answered | {"selected_protocol": 0}
    outcome = negotiation.choose(_OFFERED, listener)
    if isinstance(outcome, negotiation.Failure):
        return answered | {"negotiation_failure": int(outcome)}
    return answered | {"selected_protocol": int(outcome)}


def _changes(state: GuestState, answer: Answer) -> list[Answer]:
    since = moment(state["now"]) - timedelta(days=_CHANGES_DAYS)
    recent = [event for event in state["events"] if moment(event["time"]) >= since]
    readers: tuple[Callable[[GuestState, Answer, Answer], Answer | None], ...] = (_system_change, _firewall_change)
    told = [change for event in recent for read in readers if (change := read(state, answer, event)) is not None]
    told.sort(key=lambda change: (change["at"], change["event_id"], change["object"]))
    if len(told) > _MOST_CHANGES:
        answer["unavailable"].append(
            {
                "fact": "changes.older",
                "reason": "truncated",
                "detail": f"{len(told)} changes, the newest {_MOST_CHANGES} are told",
            }
        )
    return told[-_MOST_CHANGES:]


def _system_change(state: GuestState, _answer: Answer, event: Answer) -> Answer | None:
    if event["log"] != "System" or event["provider"] not in {"Service Control Manager", "User32"}:
        return None
    data = event["data"] if isinstance(event.get("data"), dict) else {}
    change = {
        "at": utc_text(moment(event["time"])),
        "log": "System",
        "event_id": event["id"],
        "user_sid": event.get("user_sid"),
    }
    if event["id"] == 7040 and data.get("param4") in SERVICES:
        return change | {"what": "service_start_type", "object": data["param4"], "value": data.get("param3")}
    if event["id"] == 1074:
        return change | {"what": "shutdown", "object": "Windows", "value": data.get("param7")}
    if event["id"] == 7036:
        service = find_service(state, "TermService") or {}
        if data.get("param1") == service.get("display_name") and data.get("param2") != "running":
            return change | {
                "what": "service_state",
                "object": "TermService",
                "value": data.get("param2"),
                "user_sid": None,
            }
    return None


def _firewall_change(state: GuestState, answer: Answer, event: Answer) -> Answer | None:
    if event["log"] != _FIREWALL_LOG or event["id"] not in _FIREWALL_EVENTS:
        return None
    data = event["data"] if isinstance(event.get("data"), dict) else {}
    change = {
        "at": utc_text(moment(event["time"])),
        "log": "Firewall",
        "event_id": event["id"],
        "user_sid": data.get("ModifyingUser") or None,
        "value": None,
    }
    rule = data.get("RuleId")
    if rule:
        known = {*BUILT_IN_RULES, *(told["name"] for told in answer["firewall"]["rules"])}
        ports = [port.strip() for port in str(data.get("LocalPorts", "")).split(",")]
        if rule not in known and str(configured_port(state)) not in ports:
            return None
        if data.get("Active") is not None:
            change["value"] = f"Active={data['Active']}"
        return change | {"what": "firewall_rule", "object": rule}
    if data.get("SettingType"):
        change["value"] = f"{data['SettingType']}={data.get('SettingValueString', '')}"
    return change | {"what": "firewall_setting", "object": data.get("Profiles") or "Firewall"}
