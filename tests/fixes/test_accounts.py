"""What is planned for the faults of accounts: which steps, who is asked, what is refused and to whom it is sent."""

from datetime import timedelta
from typing import Any

import pytest

from tests import factories as f
from tests.checks.guest_auth import accounts as a
from tests.checks.guest_auth.test_domain_and_others import ACL, CREDENTIALS, KERBEROS, NTLM, ORACLE, TOKEN
from tests.checks.guest_auth.test_rights import DESKTOP, NLA, rights
from tests.factories import Change
from tests.planned import only_step, planned

IN_A_WEEK = f.at(f.healthy_json()) + timedelta(days=7)
REMOTE = "SeRemoteInteractiveLogonRight"
DENY_NETWORK = "SeDenyNetworkLogonRight"


@pytest.mark.parametrize(
    ("changes", "planned_step", "asks"),
    [
        ((a.asked(a.LOCAL, disabled=True),), ("account_enabled", {"sid": a.SID}, False, True), "hardening"),
        ((a.asked(a.LOCAL, locked=True),), ("account_locked", {"sid": a.SID}, True, False), "stopped first"),
        ((a.asked(a.LOCAL, expired="2026-01-01T00:00:00Z"),),
         ("account_expires", {"sid": a.SID}, "2026-01-01T00:00:00Z", f"{IN_A_WEEK:%Y-%m-%d}T00:00:00Z"), "owner"),
        ((a.asked(a.LOCAL, groups=[], **rights()), DESKTOP), ("group_member", {"sid": a.SID, "group": a.RDU}, False, True),
         "grants access"),
        ((a.asked(a.LOCAL, **rights(SeRemoteInteractiveLogonRight=[a.ADMINISTRATORS])), DESKTOP),
         ("user_right", {"right": REMOTE}, a.ADMINISTRATORS, f"{a.ADMINISTRATORS},{a.RDU}"), "security team"),
        ((a.asked(a.LOCAL, **rights(SeDenyNetworkLogonRight=["S-1-5-32-546", "S-1-5-113"])), NLA),
         ("user_right", {"right": DENY_NETWORK}, "S-1-5-113,S-1-5-32-546", "S-1-5-32-546"), "security team"),
        ((a.asked(a.DOMAIN), a.member, f.registry(CREDENTIALS, 1)), ("registry", {"path": CREDENTIALS}, 1, 0), "security option"),
        ((a.asked(a.DOMAIN), a.member, f.registry(TOKEN, 12000), KERBEROS), ("registry", {"path": TOKEN}, 12000, 48000), "restart"),
        ((a.asked(a.LOCAL), a.of_domain(certificate_store_acl=ACL)),
         ("certificate_store_acl", {"key": r"SystemCertificates\Remote Desktop\Certificates"}, ACL, f"{ACL}(A;CI;KR;;;RD)"),
         "took this right"),
    ],
)  # fmt: skip
def test_a_change_of_access_waits_for_a_person(
    changes: tuple[Change, ...], planned_step: tuple[Any, ...], asks: str
) -> None:
    step = only_step(planned(*changes))
    assert (step.kind, step.target, step.expected, step.desired) == planned_step
    assert asks in (step.approval or "")
    everything = f.policy(auto_risks=["disruptive", "exposing", "sensitive"])
    assert only_step(planned(*changes, everything)).approval, "whatever risks the policy takes"


def test_services_and_the_clock_are_put_right_by_themselves() -> None:
    stopped = f.service("Stopped", "Disabled", "Netlogon")
    steps = planned(a.asked(a.DOMAIN), a.member, stopped).steps
    assert [(one.kind, one.desired, one.approval) for one in steps] == [
        ("service_start", "Auto", None),
        ("service_state", "Running", None),
    ]
    late = planned(
        a.asked(a.DOMAIN), a.member, a.of_domain(offset_s=900), f.service("Stopped", "Auto", "W32Time")
    ).steps
    assert [(one.kind, one.desired, one.approval) for one in late] == [
        ("service_state", "Running", None),
        ("clock", "right", None),
    ]
    assert late[-1].undoable is False


def test_an_attack_stops_what_would_run_by_itself() -> None:
    stopped = f.service("Stopped", "Auto", "Netlogon")
    step = only_step(planned(a.member, stopped, a.attack()))
    assert "brute force" in (step.approval or "")
    calm = only_step(planned(a.member, stopped, a.attack(failed=100, not_guessed=80)))
    assert calm.approval is None


@pytest.mark.parametrize(
    ("changes", "fault", "code", "owner"),
    [
        ((a.asked(a.DOMAIN), a.member, a.refused("C000006E", "C0000072")), "auth-account-disabled", "not_ours", "the directory team"),
        ((a.asked(a.DOMAIN), a.member, a.refused("C0000234")), "auth-account-locked", "not_ours", "the directory team"),
        ((a.asked(a.DOMAIN), a.member, a.refused("C0000193")), "auth-account-expired", "not_ours", "the directory team"),
        ((a.asked(a.DOMAIN, **rights()), a.member, DESKTOP), "auth-not-in-rdp-users", "not_ours", "the owner of the VM"),
        ((a.asked("RDPVM01\\opsuser", **rights(SeRemoteInteractiveLogonRight=[])), a.member, DESKTOP),
         "auth-rdp-logon-right-missing", "policy_owned", "the owner of that group policy"),
        ((a.asked(a.LOCAL, **rights(SeNetworkLogonRight=[])), NLA), "auth-network-logon-denied-nla", "by_hand", "the security team"),
        ((a.asked(a.DOMAIN), a.member, f.registry(TOKEN, None), a.logged("Microsoft-Windows-Security-Kerberos", 6, "60000", "48000")),
         "kerberos-token-too-large", "by_hand", "the directory team"),
        ((a.member, f.service("Stopped", "Auto", "Netlogon"), f.service("Stopped", "Disabled", "LanmanWorkstation")),
         "netlogon-not-running", "by_hand", "the owner of the VM"),
    ],
)  # fmt: skip
def test_what_is_another_teams_is_sent_there(changes: tuple[Change, ...], fault: str, code: str, owner: str) -> None:
    made = planned(*changes)
    assert made.steps == []
    assert [(one.fault, one.code, one.owner) for one in made.refusals] == [(fault, code, owner)]


@pytest.mark.parametrize(
    ("changes", "fault", "says"),
    [
        ((a.asked(a.LOCAL), a.refused("C000006D", "C000006A")), "auth-bad-password", "Reset password"),
        ((a.asked("opsusr", local=False, sid=None), ), "auth-unknown-user", "Get-LocalUser"),
        ((a.asked(a.LOCAL, password_expired=True),), "auth-password-expired", "Never give a password to a Run Command"),
        ((a.asked(a.DOMAIN), a.member, a.of_domain(channel_error=1789)), "secure-channel-broken", "put the clock right"),
        ((a.asked(a.DOMAIN), a.member, a.of_domain(channel_error=1311), f.hide("guest.accounts.clock")), "nla-dc-unreachable",
         "Leave NLA on"),
        ((a.asked(a.LOCAL), f.registry(NTLM, 2)), "ntlm-restricted", "exception"),
        ((f.registry(ORACLE, 0),), "credssp-oracle-server-side", "never to Vulnerable"),
        ((a.attack(),), "brute-force-in-progress", "NSG"),
    ],
)  # fmt: skip
def test_secrets_security_and_other_machines_stay_with_people(
    changes: tuple[Change, ...], fault: str, says: str
) -> None:
    made = planned(*changes)
    assert made.steps == []
    assert [one.fault for one in made.refusals] == [fault]
    assert says in made.refusals[0].why


def test_a_domain_controller_is_left_alone() -> None:
    made = planned(a.controller, f.service("Stopped", "Auto", "Netlogon"))
    assert made.steps == []
    assert [one.code for one in made.refusals] == ["domain_controller"]
