"""The part of a guest's state that the two scripts read and that decides RDP: all that `modelled` knows of Windows.

What lies outside is not in a modelled guest's healthy state; a state that holds any of it needs winps.
"""

from typing import Any

from rdp_remediate.lab.guest_runtime import GuestState
from rdp_remediate.lab.guests import registry

_FIREWALL_VALUES = ("EnableFirewall", "DoNotAllowExceptions", "DefaultInboundAction", "AllowLocalPolicyMerge")
_PROFILE_KEYS = ("DomainProfile", "PrivateProfile", "PublicProfile", "StandardProfile")

REGISTRY_VALUES: dict[str, tuple[str, ...]] = {
    "TS": ("fDenyTSConnections", "TSEnabled", "TSUserEnabled", "TSServerDrainMode", "fSingleSessionPerUser"),
    "RT": (
        "fEnableWinStation", "fLogonDisabled", "PortNumber", "LanAdapter", "SecurityLayer", "UserAuthentication",
        "MinEncryptionLevel", "fAllowSecProtocolNegotiation", "SSLCertificateSHA1Hash", "MaxInstanceCount",
        "KeepAliveTimeout", "MaxIdleTime", "MaxConnectionTime", "MaxDisconnectionTime", "fInheritMaxIdleTime",
        "fInheritMaxSessionTime", "fInheritMaxDisconnectionTime", "fQueryUserConfigFromLocalMachine",
        "fQueryUserConfigFromDC", "WdName", "PdName", "LoadableProtocol_Object",
    ),
    "POL": (
        "fDenyTSConnections", "UserAuthentication", "SecurityLayer", "MinEncryptionLevel", "MaxInstanceCount",
        "KeepAliveEnable", "KeepAliveInterval", "fDisableAutoReconnect", "fQueryUserConfigFromDC",
        "fQueryUserConfigFromLocalMachine", "LicensingMode", "LicenseServers", "MaxIdleTime", "MaxConnectionTime",
        "MaxDisconnectionTime", "fSingleSessionPerUser", "CertTemplateName", "fPromptForPassword", "SelectTransport",
    ),
    r"TS\WinStations": ("SelfSignedCertStore",),
    r"TS\RCM\Licensing Core": ("LicensingMode",),
    **{rf"SCH\Protocols\TLS {version}\Server": ("Enabled", "DisabledByDefault") for version in ("1.0", "1.1", "1.2", "1.3")},
    r"SSL\00010002": ("Functions",),
    "LSA": ("disabledomaincreds", "DisableRestrictedAdmin"),
    r"LSA\MSV1_0": ("RestrictReceivingNTLMTraffic",),
    r"LSA\Kerberos\Parameters": ("MaxTokenSize",),
    r"LSA\pku2u": ("AllowOnlineID",),
    r"TS\ClusterSettings": ("SessionDirectoryRedirectionIP",),
    r"SVC\TermService\Parameters": ("ServiceDll",),
    r"SVC\TermService\Parameters\LicenseServers": ("SpecifiedLicenseServers",),
    "CV": ("UBR",),
    r"CV\Winlogon": ("WinStationsDisabled",),
    r"CV\ProfileList": ("ProgramData",),
    r"SYS\CredSSP\Parameters": ("AllowEncryptionOracle",),
    r"LSA\FIPSAlgorithmPolicy": ("Enabled",),
    "SETUP": ("SystemSetupInProgress", "OOBEInProgress"),
    **{rf"FWP\{profile}": _FIREWALL_VALUES for profile in _PROFILE_KEYS},
    **{rf"FWP\{profile}\Services\RemoteDesktop": ("Enabled",) for profile in _PROFILE_KEYS},
}  # fmt: skip
"""Short key to the values that an answer holds, present or not."""

SERVICES = (
    "TermService", "UmRdpService", "SessionEnv", "RpcSs", "RpcEptMapper", "DcomLaunch", "BFE", "mpssvc", "IKEEXT",
    "CertPropSvc", "KeyIso", "CryptSvc", "Dhcp", "Dnscache", "nsi", "NlaSvc", "iphlpsvc", "Netlogon", "LanmanWorkstation",
    "W32Time", "LSM", "ProfSvc", "gpsvc", "SamSs", "EventLog", "TSSDis", "sacsvr", "RdAgent", "WindowsAzureGuestAgent",
)  # fmt: skip

MAY_BE_STOPPED = ("TermService", "UmRdpService", "SessionEnv", "CertPropSvc", "KeyIso", "Netlogon", "sacsvr")
"""Without the others WMI, the network or the firewall's own commands fail in ways that only winps plays."""

BUILT_IN_RULES = ("RemoteDesktop-UserMode-In-TCP", "RemoteDesktop-UserMode-In-UDP")

RECORD_FOLDER = r"C:\ProgramData\rdp-remediate"

_RULE_FIELDS = {"name", "enabled", "direction", "action", "profiles", "protocol", "local_ports", "remote_addresses",
                "program", "service"}  # fmt: skip
RECORDED: tuple[str, ...] = ("accounts", "system", "adapters")
"""Sections of the answer that a modelled guest does not work out: it has what the script answers on the healthy state, and a
state that differs in what they are read from holds something unknown."""

_WHOLE_SECTIONS = ("schema", "now", "os", "tcp", "sessions", "events", "constraints", "dynamics")
_CERTIFICATE_STORES = (r"LocalMachine\Remote Desktop", r"LocalMachine\My")


def full_key(short_key: str) -> str:
    r"""Returns the registry key of a short one, such as `RT` or `TS\WinStations`."""
    name, _, rest = short_key.partition("\\")
    return registry.SHORT_NAMES[name] + (f"\\{rest}" if rest else "")


def project(state: GuestState) -> GuestState:
    """Returns the known part of a whole state; the healthy states of this package are made so from winps' own."""
    projected: GuestState = {name: state[name] for name in _WHOLE_SECTIONS if name in state}
    projected["registry"] = {}
    for key, values in state["registry"].items():
        kept = {name: entry for name, entry in values.items() if is_known_value(key, name)}
        if kept:
            projected["registry"][key] = kept
    wanted = {name.lower() for name in SERVICES}
    projected["services"] = {name: service for name, service in state["services"].items() if name.lower() in wanted}
    pids = {row["pid"] for row in state["tcp"]} | {service["pid"] for service in projected["services"].values()}
    projected["processes"] = [process for process in state["processes"] if process["pid"] in pids]
    projected["firewall"] = {
        "profiles": state["firewall"]["profiles"],
        "rules": [rule for rule in state["firewall"]["rules"] if _is_near_rdp(rule)],
    }
    projected["network"] = {name: state["network"][name] for name in ("adapters", "addresses")}
    projected["certificates"] = {store: state["certificates"][store] for store in _CERTIFICATE_STORES}
    return projected


def unknown_parts(state: GuestState) -> list[str]:
    """Returns what a state holds that is not known here, as paths; empty when `modelled` can answer for it."""
    unknown = [
        name for name, section in state.items()
        if section and name not in {*_WHOLE_SECTIONS, "registry", "services", "processes", "firewall", "network",
                                    "certificates", "files", "recorded"}
    ]  # fmt: skip
    unknown += [
        rf"registry.{key}\{name}"
        for key, values in state.get("registry", {}).items()
        for name in values
        if not is_known_value(key, name)
    ]
    if state.get("os", {}).get("safe_mode"):
        unknown.append("os.safe_mode")
    unknown += _unknown_load(state)
    if state.get("os", {}).get("aad_joined"):
        unknown.append("os.aad_joined")
    unknown += _unknown_services(state)
    unknown += _unknown_parts_of("firewall", state, {"profiles", "rules", "ipsec_rules"})
    # Operations on a rule that only winps' larger state has leave a rule of which this one knows a part.
    unknown += [
        f"firewall.rules.{rule.get('name')}"
        for rule in state.get("firewall", {}).get("rules", [])
        if not rule.keys() >= _RULE_FIELDS
    ]
    if state.get("firewall", {}).get("ipsec_rules"):
        unknown.append("firewall.ipsec_rules")
    unknown += _unknown_parts_of("network", state, {"adapters", "addresses"})
    unknown += _unlike_recorded(state)
    unknown += _unknown_parts_of("certificates", state, set(_CERTIFICATE_STORES))
    unknown += [
        f"files.{path}" for path in state.get("files", {}) if not path.lower().startswith(RECORD_FOLDER.lower())
    ]
    unknown += [
        f"dynamics.{name}"
        for name in state.get("dynamics", {})
        if name not in {"listener", "listener_port", "listener_lan_adapter"}
    ]
    return unknown


def _unlike_recorded(state: GuestState) -> list[str]:
    """What a state changes of that which the recorded sections were read from."""
    recorded = {nic["name"] for nic in state.get("recorded", {}).get("adapters", {}).get("nics", [])}
    if not recorded:
        return []
    network = state.get("network", {})
    unknown = []
    indices: set[Any] = set()
    for adapter in network.get("adapters", []):
        usual = adapter.get("status") == "Up" and adapter.get("dhcp_enabled") is True and not adapter.get("hidden")
        if adapter.get("name") not in recorded or not usual:
            unknown.append(f"network.adapters.{adapter.get('name')}")
        indices.add(adapter.get("if_index"))
    if recorded - {adapter.get("name") for adapter in network.get("adapters", [])}:
        unknown.append("network.adapters")
    ipv4 = [row.get("if_index") for row in network.get("addresses", []) if row.get("family") == "IPv4"]
    if any(ipv4.count(index) != 1 for index in indices):
        unknown.append("network.addresses")
    firewall = state.get("firewall", {})
    outbound = any(rule.get("direction") == "Outbound" and rule.get("enabled") for rule in firewall.get("rules", []))
    restrictive = any(one.get("default_outbound") == "Block" for one in firewall.get("profiles", {}).values())
    if state.get("os", {}).get("part_of_domain") and (outbound or restrictive):
        unknown.append("firewall outbound")
    audited = {("Security", number) for number in (5157, 4652, 4653, 4654)} | {("Application", 1001)}
    if any((event.get("log"), event.get("id")) in audited for event in state.get("events", [])):
        unknown.append("events of blocked connections and crash reports")
    return unknown


def is_known_value(key: str, name: str) -> bool:
    """True if a registry value is read by the scripts or decides the listener or the firewall."""
    spelled = registry.same_key(key)
    for short_key, names in REGISTRY_VALUES.items():
        if registry.same_key(full_key(short_key)) == spelled and name.lower() in {known.lower() for known in names}:
            return True
    if spelled.startswith(registry.same_key(registry.LANA_TABLE) + "\\"):
        return name.lower() == "lanaid"
    if spelled.startswith(registry.same_key(registry.FIREWALL_LOCAL) + "\\"):
        return spelled.count("\\") == registry.FIREWALL_LOCAL.count("\\") + 1 and name in _FIREWALL_VALUES
    service_keys = {registry.same_key(rf"{registry.SERVICES}\{service}") for service in SERVICES}
    return spelled in service_keys and name.lower() == "start"


def _is_near_rdp(rule: dict[str, Any]) -> bool:
    if rule["direction"] != "Inbound":
        return False
    return rule["name"].startswith("RemoteDesktop-") or (rule["enabled"] and rule["protocol"] in {"TCP", "Any"})


def _unknown_load(state: GuestState) -> list[str]:
    """Memory and load that are not what the recorded section says."""
    recorded = state.get("recorded", {}).get("system")
    if recorded is None:
        return []
    total, free, *_ = recorded["memory"]
    said = {"memory_mb": total, "free_memory_mb": free, "cpu_load_percent": recorded["cpu"]}
    return [f"os.{name}" for name, value in said.items() if state.get("os", {}).get(name, value) != value]


def _unknown_services(state: GuestState) -> list[str]:
    wanted = {name.lower() for name in SERVICES}
    unknown = []
    for name, service in state.get("services", {}).items():
        if name.lower() not in wanted:
            unknown.append(f"services.{name}")
            continue
        running = service.get("state") == "Running"
        # A member of a domain without Netlogon has no secure channel, which is recorded only as it is on a healthy one.
        if not running and (name not in MAY_BE_STOPPED or (name == "Netlogon" and state["os"].get("part_of_domain"))):
            unknown.append(f"services.{name} {service.get('state')}")
        if name.lower() == "termservice":
            # Who an account is, and whether a service outside the table is installed, only winps knows.
            if str(service.get("account")).lower() != "nt authority\\networkservice":
                unknown.append(f"services.{name}.account")
            unknown += [
                f"services.{name}.depends_on {other}"
                for other in service.get("depends_on", [])
                if other.lower() not in wanted
            ]
        # These decide how a start or a stop ends; only winps plays them.
        unknown += [
            f"services.{name}.{field}"
            for field in ("start_result", "stop_result", "start_delay_s", "stop_delay_s", "deny", "account_ok",
                          "pending_until")
            if service.get(field) not in (None, 0, [], True)
        ]  # fmt: skip
    return unknown


def _unknown_parts_of(section: str, state: GuestState, known: set[str]) -> list[str]:
    return [f"{section}.{name}" for name, part in state.get(section, {}).items() if name not in known and part]
