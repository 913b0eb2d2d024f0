"""The way to the domain, policies, Entra and attacks: what is a fault, for whom, and what is not."""

from typing import Any

import pytest

from tests import factories as f
from tests.checks.guest_auth import accounts as a
from tests.checks.judging import diagnosis, faults, finding
from tests.factories import Change

NTLM = r"LSA\MSV1_0\RestrictReceivingNTLMTraffic"
ORACLE = r"SYS\CredSSP\Parameters\AllowEncryptionOracle"
CREDENTIALS = r"LSA\disabledomaincreds"
TOKEN = r"LSA\Kerberos\Parameters\MaxTokenSize"
PKU2U = r"LSA\pku2u\AllowOnlineID"
KERBEROS = a.logged("Microsoft-Windows-Security-Kerberos", 6, "18240", "12000")
SAM = a.logged("Microsoft-Windows-Directory-Services-SAM", 16965)
FAILED = a.entra_extension("ProvisioningState/failed/-2145648574")
JOINED = a.of_domain(entra_joined=True)
ACL = "O:BAG:SYD:PAI(A;CI;KA;;;SY)(A;CI;KA;;;BA)"


def stopped(start_type: str) -> Change:
    return f.service("Stopped", start_type, "Netlogon")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ((stopped("Disabled"), f.hide("guest.accounts.channel", reason="not_running")), "netlogon-not-running"),
        ((stopped("Auto"),), "netlogon-not-running"),
        ((a.of_domain(channel_error=1311, controller_error=1355), f.hide("guest.accounts.clock")), "nla-dc-unreachable"),
        ((a.of_domain(channel_error=1722), f.hide("guest.accounts.clock")), "nla-dc-unreachable"),
        ((a.of_domain(controller_error=1355), f.hide("guest.accounts.channel"), f.hide("guest.accounts.clock")),
         "nla-dc-unreachable"),
        ((a.of_domain(channel_error=5),), "secure-channel-broken"),
        ((a.of_domain(channel_error=1789),), "secure-channel-broken"),
        ((a.of_domain(offset_s=900),), "clock-skew"),
        ((a.of_domain(offset_s=-300),), "clock-skew"),
        ((f.registry(CREDENTIALS, 1),), "domain-creds-disabled"),
        ((f.registry(TOKEN, 12000), KERBEROS), "kerberos-token-too-large"),
    ],
)  # fmt: skip
def test_a_fault_of_the_domain_stops_its_users_only(changes: tuple[Change, ...], fault: str) -> None:
    theirs = diagnosis(a.asked(a.DOMAIN), a.member, *changes)
    assert (theirs.verdict.status, theirs.verdict.causes) == ("broken", [fault])
    for user in (a.asked("RDPVM01\\opsuser"), None):
        others = diagnosis(*([user] if user else []), a.member, *changes)
        assert others.verdict.status == "reachable"
        assert [one.effect for one in others.findings if one.fault == fault] == ["degrades"]


@pytest.mark.parametrize(
    "changes",
    [
        (),
        (f.service("Running", "Disabled", "Netlogon"),),
        (a.of_domain(controller_error=1355),),
        (a.of_domain(offset_s=299),),
        (a.of_domain(offset_s=-299),),
        (f.registry(CREDENTIALS, 0),),
        (f.registry(TOKEN, 65535), KERBEROS),
        (f.registry(TOKEN, None), KERBEROS),
        (f.registry(TOKEN, 12000),),
        (SAM,),
    ],
)
def test_a_member_of_a_domain_that_is_well(changes: tuple[Change, ...]) -> None:
    assert faults(a.asked(a.DOMAIN), a.member, *changes) == set()


def test_outside_a_domain_none_of_it_matters() -> None:
    changes = (
        f.service("Stopped", "Disabled", "Netlogon"),
        f.registry(CREDENTIALS, 1),
        a.of_domain(offset_s=900),
        KERBEROS,
    )
    assert faults(*changes, f.registry(TOKEN, 12000)) == set()


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("netlogon_is_running", (f.hide("guest.services.Netlogon"),)),
        ("netlogon_is_running", (f.service("StartPending", "Auto", "Netlogon"),)),
        ("domain_controller_answers", (f.hide("guest.accounts"),)),
        ("domain_controller_answers", (f.hide("guest.accounts.channel"),)),
        ("secure_channel_stands", (f.hide("guest.accounts.channel"),)),
        ("secure_channel_stands", (a.of_domain(channel_error=87),)),
        ("clock_agrees_with_the_domain", (f.hide("guest.accounts.clock"),)),
        ("domain_credentials_are_accepted", (f.hide(f"guest.registry.{CREDENTIALS}"),)),
        ("kerberos_token_fits", (f.hide("guest.events"),)),
        ("kerberos_token_fits", (f.hide("guest.events.Microsoft-Windows-Security-Kerberos"),)),
        ("certificate_store_is_readable", (f.hide("guest.accounts.certificate_store_acl"),)),
        ("ntlm_is_accepted", (f.hide(f"guest.registry.{NTLM}"),)),
        ("credssp_admits_the_client", (f.hide(f"guest.registry.{ORACLE}"),)),
        ("no_password_guessing", (f.hide("guest.sign_ins"),)),
        ("sam_answers_remote_calls", (a.controller, f.hide("guest.events"))),
    ],
)
def test_what_cannot_be_read_is_unknown(check: str, changes: tuple[Change, ...]) -> None:
    assert finding(check, a.asked(a.DOMAIN), a.member, *changes).status == "unknown"


@pytest.mark.parametrize(
    ("value", "user", "changes", "expected"),
    [
        (2, a.LOCAL, (a.refused("C0000418"),), ("fail", "blocks", "confirmed")),
        (2, a.LOCAL, (), ("fail", "blocks", "likely")),
        (1, a.LOCAL, (), ("pass", None, None)),
        (1, a.DOMAIN, (a.member,), ("fail", "degrades", "likely")),
        (1, a.DOMAIN, (a.member, a.refused("C0000418")), ("fail", "blocks", "confirmed")),
        (2, a.ENTRA, (), ("skipped", None, None)),
        (0, a.LOCAL, (a.refused("C0000418"),), ("pass", None, None)),
        (None, a.LOCAL, (), ("pass", None, None)),
    ],
)
def test_ntlm(value: int | None, user: str, changes: tuple[Change, ...], expected: tuple[Any, ...]) -> None:
    found = finding("ntlm_is_accepted", a.asked(user), *changes, f.registry(NTLM, value))
    assert (found.status, found.effect, found.confidence) == expected


@pytest.mark.parametrize(("value", "status"), [(0, "fail"), (1, "pass"), (2, "pass"), (None, "pass")])
def test_forced_credssp_updates_never_break_the_verdict(value: int | None, status: str) -> None:
    found = diagnosis(f.registry(ORACLE, value))
    assert finding("credssp_admits_the_client", f.registry(ORACLE, value)).status == status
    assert found.verdict.status == "reachable"


def test_a_refused_call_is_a_controllers_finding() -> None:
    assert finding("sam_answers_remote_calls", a.controller, SAM).fault == "sam-remote-call-denied"
    assert finding("sam_answers_remote_calls", a.controller).status == "pass"


def test_a_closed_certificate_key_stops_those_who_are_no_administrators() -> None:
    closed = a.of_domain(certificate_store_acl=ACL)
    assert diagnosis(a.asked(a.LOCAL), closed).verdict.causes == ["rdp-cert-registry-acl"]
    for changes in ((a.asked(a.LOCAL, groups=[a.ADMINISTRATORS]), closed), (closed,),
                    (a.asked(a.LOCAL), closed, a.ended("signed_in", "09:58"))):  # fmt: skip
        assert finding("certificate_store_is_readable", *changes).effect == "degrades"


@pytest.mark.parametrize(
    ("changes", "status", "causes"),
    [
        ((FAILED,), "broken", ["entra-join-failed"]),
        ((FAILED, JOINED), "reachable", []),
        ((JOINED, f.registry(PKU2U, 0)), "broken", ["entra-client-or-pku2u"]),
        ((JOINED, f.registry(PKU2U, 1)), "reachable", []),
        ((f.registry(PKU2U, 0),), "reachable", []),
        ((JOINED, f.registry(PKU2U, 0), a.ended("signed_in", "09:58")), "reachable", []),
        ((JOINED, a.entra_answered("53003")), "by_design", ["entra-mfa-or-ca"]),
        ((JOINED, a.entra_answered("50076")), "by_design", ["entra-mfa-or-ca"]),
        ((JOINED, a.entra_answered("50126")), "reachable", []),
        ((JOINED, a.entra_answered("53003"), a.ended("signed_in", "09:58")), "reachable", []),
    ],
)
def test_entra(changes: tuple[Change, ...], status: str, causes: list[str]) -> None:
    found = diagnosis(a.asked(a.ENTRA), *changes)
    assert (found.verdict.status, found.verdict.causes) == (status, causes)


def test_a_failed_join_is_known_without_a_user_and_unknown_without_dsregcmd() -> None:
    assert finding("entra_join_is_complete", FAILED).effect == "degrades"
    assert finding("entra_join_is_complete", FAILED, f.hide("guest.accounts.entra_joined")).status == "unknown"
    assert finding("entra_join_is_complete", FAILED, a.member).status == "unknown"
    assert finding("pku2u_is_allowed", a.asked(a.ENTRA), f.hide(f"guest.registry.{PKU2U}")).status == "unknown"
    assert finding("entra_admits_the_user", a.asked(a.ENTRA), f.hide("guest.sign_ins.asked")).status == "unknown"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (a.attack(sources=5, failed=30), "fail"),
        (a.attack(sources=5, failed=29), "pass"),
        (a.attack(sources=4, failed=500), "pass"),
        (a.attack(sources=40, failed=100, not_guessed=80), "pass"),
    ],
)
def test_an_attack_is_many_guesses_from_many_addresses(change: Change, status: str) -> None:
    found = finding("no_password_guessing", change)
    assert (found.status, found.effect) == (status, "risk" if status == "fail" else None)
    assert diagnosis(change).verdict.status == "reachable"
