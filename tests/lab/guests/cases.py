"""Guest states that the parity tests compare: what the first issue's faults do to Windows, and near misses of them."""

from copy import deepcopy
from typing import Any

Op = dict[str, Any]
TS = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server"
RT = TS + r"\WinStations\RDP-Tcp"
POL = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services"
FWP = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
FIREWALL_PROVIDER = "Microsoft-Windows-Windows Firewall With Advanced Security"
FIREWALL_LOG = FIREWALL_PROVIDER + "/Firewall"
AUDITING = "Microsoft-Windows-Security-Auditing"
TCP_RULE = {"name": "RemoteDesktop-UserMode-In-TCP"}


def value(key: str, name: str, data: object, kind: str = "DWord") -> Op:
    return {"path": ["registry", key, name], "value": [kind, data]}


def service(name: str, **fields: object) -> list[Op]:
    return [{"path": ["services", name, field], "value": data} for field, data in fields.items()]


def rule(name: str, **fields: object) -> Op:
    entry = {
        "name": name, "display_name": name, "group": "", "display_group": "", "enabled": True, "direction": "Inbound",
        "action": "Allow", "profiles": ["Any"], "protocol": "TCP", "local_ports": ["3389"], "remote_ports": ["Any"],
        "local_addresses": ["Any"], "remote_addresses": ["Any"], "program": "Any", "service": "Any", "edge": "Block",
        "interface_types": ["Any"], "store": "PersistentStore", "owner": None, "description": "",
    }  # fmt: skip
    return {"path": ["firewall", "rules"], "append": entry | fields}


def event(source: str, number: int, time: str, data: object, user_sid: str | None = None) -> Op:
    log = {FIREWALL_PROVIDER: FIREWALL_LOG, AUDITING: "Security"}.get(source, "System")
    entry = {"log": log, "provider": source, "id": number, "level": 4, "time": time, "record_id": 910000 + number,
             "message": "", "data": data, "user_sid": user_sid}  # fmt: skip
    return {"path": ["events"], "append": entry}


STOPPED = [*service("TermService", state="Stopped"), *service("UmRdpService", state="Stopped")]
PERSON = "S-1-5-21-2034867219-1857334512-3960218847-1001"
START_TYPE_EVENT = event(
    "Service Control Manager", 7040, "2026-01-14T08:30:00Z",
    {"param1": "Remote Desktop Services", "param2": "demand start", "param3": "disabled", "param4": "TermService"},
    PERSON,
)  # fmt: skip

CASES: dict[str, list[Op]] = {
    "healthy": [],
    "connections denied locally": [value(TS, "fDenyTSConnections", 1)],
    "connections denied by policy": [value(POL, "fDenyTSConnections", 1)],
    "denied locally, allowed by policy": [value(TS, "fDenyTSConnections", 1), value(POL, "fDenyTSConnections", 0)],
    "deny value absent": [{"path": ["registry", TS, "fDenyTSConnections"], "remove": True}],
    "service stopped": STOPPED,
    "service disabled and stopped": [*service("TermService", start_type="Disabled"), *STOPPED, START_TYPE_EVENT],
    "only the service stopped": service("TermService", state="Stopped"),
    "service start pending": service("TermService", state="StartPending"),
    "another port": [value(RT, "PortNumber", 3390)],
    "another port with a rule": [value(RT, "PortNumber", 3390), rule("RDP-3390", local_ports=["3390"])],
    "a port that WinRM has": [value(RT, "PortNumber", 5985)],
    "port absent": [{"path": ["registry", RT, "PortNumber"], "remove": True}],
    "rule off": [{"path": ["firewall", "rules", TCP_RULE, "enabled"], "value": False}],
    "rule off, another one on": [
        {"path": ["firewall", "rules", TCP_RULE, "enabled"], "value": False},
        rule("CORP-RDP-IN", program=r"%SystemRoot%\system32\svchost.exe", service="termservice"),
    ],
    "rule missing": [{"path": ["firewall", "rules", TCP_RULE], "remove": True}],
    "rule for one profile and subnet": [
        {"path": ["firewall", "rules", TCP_RULE, "profiles"], "value": ["Private", "Domain"]},
        {
            "path": ["firewall", "rules", TCP_RULE, "remote_addresses"],
            "value": ["LocalSubnet", "10.20.1.5/16", "192.0.2.9/32", "2001:db8::/64"],
        },
    ],
    "block rule": [rule("{0D9A51B2-7C1E-4F80-B0A4-5E3C9D7F1A22}", action="Block", local_ports=["3300-3400"])],
    "rule for any port": [rule("ANY-PORT", local_ports=["Any"], edge="Allow", interface_types=["Wireless"])],
    "all inbound blocked": [{"path": ["firewall", "profiles", "Public", "allow_inbound_rules"], "value": False}],
    "all inbound blocked elsewhere": [
        {"path": ["firewall", "profiles", "Domain", "allow_inbound_rules"], "value": False}
    ],
    "firewall off": [
        {"path": ["firewall", "profiles", name, "enabled"], "value": False} for name in ("Domain", "Private", "Public")
    ],
    "policy blocks all": [
        value(rf"{FWP}\PublicProfile", "DoNotAllowExceptions", 1),
        value(rf"{FWP}\PublicProfile", "EnableFirewall", 1),
    ],
    "policy ignores local rules": [
        value(rf"{FWP}\DomainProfile", "AllowLocalPolicyMerge", 0),
        value(rf"{FWP}\StandardProfile", "DefaultInboundAction", 1),
    ],
    "policy switches RDP off": [value(rf"{FWP}\PublicProfile\Services\RemoteDesktop", "Enabled", 0)],
    "security from policy": [value(POL, "SecurityLayer", 0), value(POL, "UserAuthentication", 0)],
    "no NLA": [value(RT, "SecurityLayer", 1), value(RT, "UserAuthentication", 0)],
    "no negotiation": [value(RT, "fAllowSecProtocolNegotiation", 0)],
    "listener off": [value(RT, "fEnableWinStation", 0)],
    "one adapter": [value(RT, "LanAdapter", 1)],
    "an adapter that is gone": [value(RT, "LanAdapter", 7)],
    "people signed in": [
        {"path": ["sessions"], "append": {"id": 3, "name": "rdp-tcp#5", "user": "azureadmin", "state": "Active"}},
        {"path": ["sessions"], "append": {"id": 2, "name": "", "user": "olga", "state": "Disc"}},
    ],
    "failed sign-ins": [
        event(
            AUDITING, 4625, f"2026-01-15T09:{minute}:10Z",
            {"SubjectUserSid": "S-1-0-0", "SubjectUserName": "-", "SubjectDomainName": "-", "SubjectLogonId": "0x0",
             "TargetUserSid": "S-1-0-0", "TargetUserName": "ADMIN", "TargetDomainName": "", "Status": "0xc000006d",
             "FailureReason": "%%2313", "SubStatus": "0xc0000064", "LogonType": "3", "LogonProcessName": "NtLmSsp ",
             "AuthenticationPackageName": "NTLM", "WorkstationName": "-", "TransmittedServices": "-",
             "LmPackageName": "-", "KeyLength": "0", "ProcessId": "0x0", "ProcessName": "-", "IpAddress": address,
             "IpPort": "0"},
        )
        for minute, address in ((30, "192.0.2.1"), (50, "192.0.2.1"), (52, "192.0.2.77"), (58, "-"))
    ],
    "changes": [
        START_TYPE_EVENT,
        event("Service Control Manager", 7040, "2025-12-25T10:00:00Z",
              {"param1": "Remote Desktop Services", "param2": "auto start", "param3": "demand start",
               "param4": "TermService"}),
        event("Service Control Manager", 7036, "2026-01-15T07:00:00Z",
              {"param1": "Remote Desktop Services", "param2": "stopped"}),
        event("Service Control Manager", 7036, "2026-01-15T07:10:00Z",
              {"param1": "Print Spooler", "param2": "stopped"}),
        event("User32", 1074, "2026-01-12T03:00:00Z",
              {"param1": "C:\\Windows\\explorer.exe", "param2": "RDPVM01", "param3": "Other (Planned)",
               "param4": "0x85000000", "param5": "restart", "param6": "", "param7": "RDPVM01\\azureadmin"}, PERSON),
        event(FIREWALL_PROVIDER, 2005, "2026-01-14T08:31:00Z",
              {"RuleId": "RemoteDesktop-UserMode-In-TCP", "RuleName": "RDP", "Active": "0", "LocalPorts": "3389",
               "ModifyingUser": PERSON}),
        event(FIREWALL_PROVIDER, 2004, "2026-01-14T08:32:00Z",
              {"RuleId": "WINRM-HTTP-In-TCP", "RuleName": "WinRM", "LocalPorts": "5985", "ModifyingUser": PERSON}),
        event(FIREWALL_PROVIDER, 2003, "2026-01-14T08:33:00Z",
              {"Profiles": "Public", "SettingType": "1", "SettingValueString": "Yes", "ModifyingUser": PERSON}),
    ],
    "custom certificate that is there": [
        value(RT, "SSLCertificateSHA1Hash", "qUt+AdNcjyKQ5rRBfQyaM1bx4og=", "Binary"),
        {"path": ["certificates", "LocalMachine\\My"], "value": [
            {"thumbprint": "A94B7E01D35C8F2290E6B4417D0C9A3356F1E288", "subject": "CN=RDPVM01.contoso.com",
             "issuer": "CN=Contoso Issuing CA 2, DC=contoso, DC=com", "not_before": "2025-12-16T10:00:00Z",
             "not_after": "2026-12-16T10:00:00Z", "has_private_key": True, "eku": ["1.3.6.1.5.5.7.3.1"],
             "dns_names": ["RDPVM01.contoso.com"], "signature_algorithm": "sha256RSA", "key_length": 2048,
             "serial": "3400000012D1F0"}]},
    ],
    "custom certificate that is gone": [value(RT, "SSLCertificateSHA1Hash", "qUt+AdNcjyKQ5rRBfQyaM1bx4og=", "Binary")],
}  # fmt: skip


BEYOND_MODELLED: dict[str, list[Op]] = {
    "RPC stopped": service("RpcSs", state="Stopped"),
    "firewall service stopped": service("mpssvc", state="Stopped"),
    "safe mode": [{"path": ["os", "safe_mode"], "value": "Minimal"}],
    "an antivirus": [{"path": ["third_party", "antivirus"], "append": {"name": "Contoso Shield"}}],
    "another service": [{"path": ["services", "Spooler", "state"], "value": "Stopped"}],
    "a service that fails to start": [
        *STOPPED, {"path": ["services", "TermService", "start_result"], "value": {"error": 1053}}
    ],
    "a registry value that nobody reads": [value(RT, "WinStationStyle", 1)],
    "policy firewall rules": [value(rf"{FWP}\FirewallRules", "R1", "v2.30|Action=Block|Dir=In|", "String")],
    "IPsec": [{"path": ["firewall", "ipsec_rules"], "append": {"name": "isolation"}}],
    "no certificate": [{"path": ["certificates", "LocalMachine\\Remote Desktop"], "value": []}],
}  # fmt: skip
"""States that need winps."""


def ops(name: str) -> list[Op]:
    """Returns the operations of a case, not shared."""
    return deepcopy(CASES[name])
