"""The sections sign_ins and accounts on simulated Windows: only the asked account is told of, in every language."""

import json
from typing import Any

import pytest

from tests.guest.on_winps import RIGHTS, Ran, collect, set_
from tests.winps import Winps

pytestmark = pytest.mark.slow

SID = "S-1-5-21-2034867219-1857334512-3960218847-1004"
MACHINE = "RDPVM01"
CLIENT = "203.0.113.7"
RDU, ADMINISTRATORS = "S-1-5-32-555", "S-1-5-32-544"


def user(name: str = "opsuser", **fields: Any) -> dict[str, Any]:
    usual = {
        "name": name, "sid": SID, "enabled": True, "locked": False, "password_expires": None, "password_expired": False,
        "must_change": False, "last_set": "2025-12-01T09:00:00Z", "last_logon": None, "description": "", "full_name": "",
    }  # fmt: skip
    return {"path": ["accounts", "users"], "append": {**usual, **fields}}


def into(group: str) -> dict[str, Any]:
    member = {"name": f"{MACHINE}\\opsuser", "sid": SID, "class": "User", "source": "Local"}
    return {"path": ["accounts", "groups", {"sid": group}, "members"], "append": member}


def event(number: int, at: str, log: str = "Security", **data: str) -> dict[str, Any]:
    record = {
        "log": log, "provider": "Microsoft-Windows-Security-Auditing", "id": number, "level": 0,
        "time": f"2026-01-15T{at}Z", "record_id": 60000 + number, "message": "", "data": data, "user_sid": None,
    }  # fmt: skip
    return {"path": ["events"], "append": record}


def failure(
    name: str, status: str, sub: str = "0x0", *, at: str = "09:50:00", kind: str = "3", ip: str = CLIENT
) -> dict[str, Any]:
    return event(
        4625, at, SubjectUserSid="S-1-0-0", SubjectUserName="-", SubjectDomainName="-", SubjectLogonId="0x0",
        TargetUserSid="S-1-0-0", TargetUserName=name, TargetDomainName=MACHINE, Status=status, FailureReason="%%2313",
        SubStatus=sub, LogonType=kind, LogonProcessName="NtLmSsp ", AuthenticationPackageName="NTLM",
        WorkstationName="CLIENT01", TransmittedServices="-", LmPackageName="-", KeyLength="0", ProcessId="0x0",
        ProcessName="-", IpAddress=ip, IpPort="0",
    )  # fmt: skip


def success(name: str, at: str, kind: str = "10") -> dict[str, Any]:
    return event(
        4624, at, SubjectUserSid="S-1-5-18", SubjectUserName="RDPVM01$", SubjectDomainName="WORKGROUP",
        SubjectLogonId="0x3e7", TargetUserSid=SID, TargetUserName=name, TargetDomainName=MACHINE, TargetLogonId="0x1",
        LogonType=kind, LogonProcessName="User32 ", AuthenticationPackageName="Negotiate", IpAddress=CLIENT,
    )  # fmt: skip


def seen(
    winps: Winps, base: str, *ops: dict[str, Any], asked: str | None = "opsuser", constrained: bool = False
) -> Ran:
    return collect(winps, {"base": base, "ops": list(ops)}, user=asked, constrained=constrained)


@pytest.mark.parametrize("base", ["server2022", "server2022-domain"])
def test_a_healthy_computer_pays_little(winps: Winps, base: str) -> None:
    whole = seen(winps, base, asked=None)
    assert whole.answer["sign_ins"] == {"window_s": 900, "failed": 0, "sources": 0, "not_guessed": 0, "asked": None}
    assert {name: value for name, value in whole.answer["accounts"].items() if value} == {}
    assert len(whole.stdout.strip()) < 2561 + 300


@pytest.mark.parametrize("base", ["server2022", "server2022-de", pytest.param("server2016", marks=pytest.mark.slow)])
@pytest.mark.parametrize("constrained", [False, True])
def test_the_asked_account(winps: Winps, base: str, constrained: bool) -> None:
    bad = user(enabled=False, locked=True, must_change=True, last_set=None, account_expires="2026-01-01T00:00:00Z")
    ran = seen(winps, base, bad, into(RDU), asked="OPSUSER", constrained=constrained)
    account = ran.answer["accounts"]["asked"]
    assert account["local"] is True
    assert (account["disabled"], account["locked"], account["must_change"]) == (True, True, True)
    assert account["groups"] == [RDU]
    assert account["rights"] is None
    if base != "server2022-de":  # its time zone is not UTC, and winps takes local times for UTC
        assert account["expired"] == "2026-01-01T00:00:00Z"
    assert "azureadmin" not in json.dumps(ran.answer)


def test_a_healthy_account_is_told_as_usual(winps: Winps) -> None:
    account = seen(winps, "server2022", user(password_expires="2026-03-01T09:00:00Z"), into(RDU)).answer["accounts"][
        "asked"
    ]
    told = {name: value for name, value in account.items() if value}
    assert told == {"local": True, "sid": SID, "groups": [RDU]}
    gone = seen(winps, "server2022", asked="opsusr").answer["accounts"]["asked"]
    assert gone["local"] is False
    assert seen(winps, "server2022", user(), asked="ops*").answer["accounts"]["asked"]["local"] is False


def test_the_asked_users_sign_ins_and_nobody_elses(winps: Winps) -> None:
    ran = seen(
        winps, "server2022", user(), into(RDU),
        failure("opsuser", "0xc000006d", "0xc000006a", at="09:46:00"),
        failure("OpsUser", "0xc000006d", "0xc000006a", at="09:47:00"),
        failure("opsuser", "0xc0000234", at="09:54:00"),
        failure("somebody", "0xc000006d", "0xc0000064", at="09:55:00", ip="198.51.100.3"),
        failure("somebody", "0xc0000193", at="09:56:00", ip="198.51.100.4"),
        success("opsuser", "09:57:00"), success("opsuser", "09:58:00", "3"), success("somebody", "09:59:00"),
    )  # fmt: skip
    section = ran.answer["sign_ins"]
    assert (section["failed"], section["sources"], section["not_guessed"]) == (5, 3, 1)
    told = [
        (row["status"], row["sub_status"], row["count"], row["last"][11:16]) for row in section["asked"]["failures"]
    ]
    assert told == [("C000006D", "C000006A", 2, "09:47"), ("C0000234", "0", 1, "09:54")]
    assert section["asked"]["signed_in"].startswith("2026-01-15T09:57")
    assert section["asked"]["authenticated"].startswith("2026-01-15T09:58")
    assert "somebody" not in json.dumps(ran.answer)


def test_the_kinds_of_failures_survive_an_attack_on_the_name(winps: Winps) -> None:
    storm = [failure("opsuser", "0xc000006d", "0xc000006a", at=f"09:5{n}:30", ip=f"198.51.100.{n}") for n in range(9)]
    ran = seen(winps, "server2022", user(), failure("opsuser", "0xc0000234", at="09:40:00"), *storm)
    rows = ran.answer["sign_ins"]["asked"]["failures"]
    assert len(rows) == 6
    assert {"C0000234", "C000006D"} == {row["status"] for row in rows}
    assert {"fact": "sign_ins.asked.older", "reason": "truncated"}.items() <= ran.answer["unavailable"][0].items()


def test_rights_are_read_only_where_one_was_refused(winps: Winps) -> None:
    refused = failure("opsuser", "0xc000015b", kind="10")
    denied = set_(["*S-1-5-32-546", "*S-1-5-114"], "accounts", "user_rights", "SeDenyNetworkLogonRight")
    ran = seen(winps, "server2022", user(), into(ADMINISTRATORS), denied, refused)
    account = ran.answer["accounts"]["asked"]
    assert account["rights"]["SeDenyNetworkLogonRight"] == ["S-1-5-32-546", "S-1-5-114"]
    assert "SeDenyRemoteInteractiveLogonRight" not in account["rights"]
    assert account["rights"]["SeRemoteInteractiveLogonRight"] == [ADMINISTRATORS, RDU]
    assert ADMINISTRATORS in account["groups"]
    assert [one["op"] for one in ran.mutations] == ["file.write", "file.remove"]
    assert all(one["target"].startswith(RIGHTS) for one in ran.mutations)
    assert seen(winps, "server2022", user(), into(ADMINISTRATORS), denied).mutations == []


@pytest.mark.parametrize(("hours", "limited"), [("M-F 18:00-22:00", True), (None, False)])
@pytest.mark.parametrize("base", ["server2022", "server2022-de"])
def test_hours_are_read_where_they_were_the_reason(winps: Winps, base: str, hours: str | None, limited: bool) -> None:
    refused = failure("opsuser", "0xc000006e", "0xc000006f")
    account = seen(winps, base, user(logon_hours=hours), refused).answer["accounts"]["asked"]
    assert (account["limited_hours"], account["limited_workstations"]) == (limited, False)


def test_the_way_to_the_domain(winps: Winps) -> None:
    base = "server2022-domain"
    broken = seen(winps, base, set_(False, "accounts", "secure_channel"), asked=None).answer["accounts"]
    assert (broken["channel_error"], broken["controller_error"]) == (5, 0)
    late = seen(winps, base, set_(-900.0, "time", "offset_s"), asked=None).answer["accounts"]
    assert late["offset_s"] == 900
    off = [{"name": "dc1.contoso.com", "address": "10.0.0.10", "site": "Default-First-Site-Name", "reachable": False}]
    ran = seen(winps, base, set_(off, "accounts", "domain_controllers"), asked=None).answer
    assert (ran["accounts"]["channel_error"], ran["accounts"]["controller_error"]) == (1311, 1355)
    assert [one["fact"] for one in ran["unavailable"]] == ["accounts.clock"]
    stopped = seen(winps, base, set_("Stopped", "services", "Netlogon", "state"), asked=None).answer
    assert [(one["fact"], one["reason"]) for one in stopped["unavailable"]] == [("accounts.channel", "not_running")]


def test_entra_tells_its_codes_for_its_own_user_only(winps: Winps) -> None:
    text = "AADSTS53003: Access has been blocked by Conditional Access policies. mia@contoso.com"
    refused = event(
        1081, "09:51:00", "Microsoft-Windows-AAD/Operational", Error="interaction_required", ErrorDescription=text
    )
    joined = set_(True, "os", "aad_joined")
    ran = seen(winps, "server2022", joined, refused, asked="AzureAD\\mia@contoso.com").answer
    assert ran["accounts"]["entra_joined"] is True
    assert [one["code"] for one in ran["sign_ins"]["asked"]["entra"]] == ["53003"]
    assert "mia" not in json.dumps(ran)
    assert seen(winps, "server2022", joined, refused, user()).answer["sign_ins"]["asked"]["entra"] == []


def test_a_closed_certificate_key_is_told(winps: Winps) -> None:
    key = "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\Remote Desktop\\Certificates"
    closed = set_("O:BAG:SYD:PAI(A;CI;KA;;;SY)(A;CI;KA;;;BA)", "registry_acl", key)
    assert "KA;;;BA" in seen(winps, "server2022", closed, asked=None).answer["accounts"]["certificate_store_acl"]
    only_below = set_("O:BAG:SYD:PAI(A;CI;KA;;;SY)(A;OICIIO;KR;;;BU)", "registry_acl", key)
    assert seen(winps, "server2022", only_below, asked=None).answer["accounts"]["certificate_store_acl"] is not None
    opened = set_("O:BAG:SYD:PAI(A;CI;KA;;;SY)(A;CI;KR;;;RD)", "registry_acl", key)
    assert seen(winps, "server2022", opened, asked=None).answer["accounts"]["certificate_store_acl"] is None


PROFILES = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList"
JDOE = "S-1-5-21-1004336348-1177238915-682003330-1131"


def temporary(sid: str) -> dict[str, Any]:
    record = event(1511, "09:48:00", "Application")
    record["append"].update(provider="Microsoft-Windows-User Profiles Service", user_sid=sid)
    return record


def put_aside(sid: str, folder: str) -> dict[str, Any]:
    return set_(["ExpandString", f"C:\\Users\\{folder}"], "registry", f"{PROFILES}\\{sid}.bak", "ProfileImagePath")


@pytest.mark.parametrize(
    ("base", "ops", "asked", "found"),
    [
        ("server2022", (user(), put_aside(SID, "opsuser"), temporary(SID)), "opsuser", True),
        ("server2022", (user(), put_aside(SID, "opsuser")), "opsuser", False),
        ("server2022", (user(), temporary(SID)), "opsuser", False),
        ("server2022", (user(), put_aside(JDOE, "opsuser"), temporary(JDOE)), "opsuser", False),
        ("server2022-domain", (put_aside(JDOE, "jdoe.CONTOSO"), temporary(JDOE)), "CONTOSO\\jdoe", True),
        ("server2022-domain", (put_aside(JDOE, "jsmith"), temporary(JDOE)), "CONTOSO\\jdoe", False),
    ],
)
def test_a_temporary_profile_is_told_for_its_owner_only(
    winps: Winps, base: str, ops: tuple[dict[str, Any], ...], asked: str, found: bool
) -> None:
    account = seen(winps, base, *ops, asked=asked).answer["accounts"]["asked"]
    assert (account["temporary_profile"] is not None) is found


@pytest.mark.parametrize(("error", "told"), [(1787, 1787), (1789, 1789)])
def test_the_status_of_a_broken_channel_is_told(winps: Winps, error: int, told: int) -> None:
    ops = (set_(False, "accounts", "secure_channel"), set_(error, "accounts", "secure_channel_error"))
    assert seen(winps, "server2022-domain", *ops, asked=None).answer["accounts"]["channel_error"] == told


def test_workstations_are_read_where_they_were_the_reason(winps: Winps) -> None:
    refused = failure("opsuser", "0xc000006e", "0xc0000070")
    account = seen(winps, "server2022", user(workstations="PC1"), refused).answer["accounts"]["asked"]
    assert (account["limited_hours"], account["limited_workstations"]) == (False, True)
