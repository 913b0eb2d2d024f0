"""The asked account: what Windows' state and its last answer say, and what they do not."""

import pytest

from tests import factories as f
from tests.checks.guest_auth import accounts as a
from tests.checks.judging import diagnosis, faults, finding
from tests.factories import Change

WRONG = a.refused("C000006D", "C000006A")


@pytest.mark.parametrize(
    ("changes", "fault", "confidence"),
    [
        ((a.asked(a.LOCAL), WRONG), "auth-bad-password", "confirmed"),
        ((a.asked(a.DOMAIN), a.member, WRONG), "auth-bad-password", "confirmed"),
        ((a.asked("opsusr", local=False, sid=None, groups=[]), a.refused("C000006D", "C0000064")), "auth-unknown-user", "confirmed"),
        ((a.asked("opsusr", local=False, sid=None, groups=[]),), "auth-unknown-user", "likely"),
        ((a.asked(a.DOMAIN), a.member, a.refused("C000006D", "C0000064")), "auth-unknown-user", "confirmed"),
        ((a.asked("RDPVM01\\opsuser", local=None, sid=None), a.controller, a.refused("C000006D", "C0000064")),
         "account-gone-after-dc-promotion", "confirmed"),
        ((a.asked(a.LOCAL, disabled=True),), "auth-account-disabled", "confirmed"),
        ((a.asked(a.DOMAIN), a.member, a.refused("C000006E", "C0000072")), "auth-account-disabled", "likely"),
        ((a.asked(a.LOCAL, locked=True),), "auth-account-locked", "confirmed"),
        ((a.asked(a.DOMAIN), a.member, a.refused("C0000234")), "auth-account-locked", "likely"),
        ((a.asked(a.LOCAL, expired="2026-01-01T00:00:00Z"),), "auth-account-expired", "confirmed"),
        ((a.asked(a.DOMAIN), a.member, a.refused("C0000193")), "auth-account-expired", "likely"),
        ((a.asked(a.LOCAL, password_expired=True),), "auth-password-expired", "confirmed"),
        ((a.asked(a.DOMAIN), a.member, a.refused("C000006E", "C0000071")), "auth-password-expired", "likely"),
        ((a.asked(a.LOCAL, must_change=True), a.refused("C0000224")), "auth-must-change-password", "confirmed"),
        ((a.asked(a.LOCAL, must_change=True),), "auth-must-change-password", "likely"),
        ((a.asked(a.DOMAIN), a.member, a.refused("C0000224")), "auth-must-change-password", "likely"),
        ((a.asked(a.LOCAL, limited_hours=True), a.refused("C000006E", "C000006F")), "auth-logon-hours-or-workstation", "likely"),
        ((a.asked(a.LOCAL, limited_workstations=True), a.refused("C000006E", "C0000070")),
         "auth-logon-hours-or-workstation", "confirmed"),
        ((a.asked(a.LOCAL, temporary_profile="2026-01-15T09:48:00Z"),), "profile-corrupt-temp", "likely"),
        ((a.asked(a.DOMAIN, temporary_profile="2026-01-15T09:48:00Z"), a.member), "profile-corrupt-temp", "likely"),
    ],
)  # fmt: skip
def test_a_fault_of_the_account_breaks_it_for_the_user(
    changes: tuple[Change, ...], fault: str, confidence: str
) -> None:
    found = diagnosis(*changes)
    assert found.verdict.causes == [fault]
    assert (found.verdict.status, found.verdict.hop) == ("broken", "guest-auth")
    assert next(one for one in found.findings if one.fault == fault).confidence == confidence


@pytest.mark.parametrize(
    "changes",
    [
        (a.asked(a.LOCAL),),
        (a.asked(a.LOCAL), WRONG, a.ended("signed_in", "09:58")),
        (a.asked(a.LOCAL), WRONG, a.ended("authenticated", "09:58")),
        (a.asked(a.LOCAL), a.refused("C0000234")),
        (a.asked(a.LOCAL), a.refused("C0000193")),
        (a.asked(a.LOCAL), a.refused("C000006E", "C0000072")),
        (a.asked(a.LOCAL), a.refused("C0000224")),
        (a.asked(a.LOCAL), a.refused("C000006E", "C000006F")),
        (a.asked(a.LOCAL, limited_workstations=True), a.refused("C000006E", "C000006F")),
        (a.asked(a.LOCAL), a.refused("C0000225")),
        (a.asked(a.LOCAL), a.refused("C000006D", "C0000064")),
        (a.asked(a.DOMAIN), a.member, a.refused("C000006E", "C0000072"), a.ended("signed_in", "09:58")),
        (a.asked(a.LOCAL), a.attack(), f.guest("sign_ins", "asked", value={"failures": []}),
         a.refused("C000006D", "C000006A", address="198.51.100.3")),
        (a.asked(a.LOCAL, client=None), a.attack(), f.guest("sign_ins", "asked", value={"failures": []}),
         a.refused("C000006D", "C000006A", address="20.1.2.3")),
    ],
)  # fmt: skip
def test_what_is_over_or_another_ones_is_no_fault(changes: tuple[Change, ...]) -> None:
    assert faults(*changes) - {"brute-force-in-progress"} == set()
    assert diagnosis(*changes).verdict.status == "reachable"


@pytest.mark.parametrize("reason", [("C000006D", "0"), ("C000006E", "0"), ("C00002EE", "0")])
def test_a_refusal_without_a_reason_is_no_proof_of_anything(reason: tuple[str, str]) -> None:
    found = diagnosis(a.asked(a.LOCAL), a.refused(*reason))
    assert found.verdict.status == "not_proven"
    assert reason[0] in found.verdict.headline
    assert found.verdict.causes == []
    later = diagnosis(a.asked(a.LOCAL), a.refused(*reason), a.ended("signed_in", "09:58"))
    assert later.verdict.status == "reachable"


@pytest.mark.parametrize(
    ("check", "fact"),
    [
        ("account_exists", "guest.accounts.asked"),
        ("account_exists", "guest.sign_ins.asked"),
        ("account_is_enabled", "guest.accounts"),
        ("account_is_not_locked_out", "guest.accounts.asked"),
        ("account_has_not_expired", "guest.os"),
        ("password_may_be_used", "guest.accounts.asked"),
        ("password_is_right", "guest.sign_ins"),
        ("user_profile_is_whole", "guest.accounts.asked.profile"),
        ("account_may_sign_in_here_and_now", "guest.accounts.asked.limits"),
        ("sign_in_rights_are_granted", "guest.accounts.asked.groups"),
        ("last_refusal_is_explained", "guest.sign_ins.asked"),
    ],
)
def test_what_cannot_be_read_is_unknown(check: str, fact: str) -> None:
    hours = a.refused("C000006E", "C000006F") if check == "account_may_sign_in_here_and_now" else WRONG
    assert finding(check, a.asked(a.LOCAL), hours, f.hide(fact)).status == "unknown"
    assert (
        finding(check, a.asked(a.LOCAL), f.guest("accounts", value={}), f.guest("sign_ins", "asked", value=None)).status
        == "unknown"
    )


def test_nobody_asked_about_is_no_question() -> None:
    for check in ("account_exists", "password_is_right", "last_refusal_is_explained", "user_profile_is_whole"):
        assert finding(check).status == "skipped"


def test_a_long_history_that_was_cut_is_unknown_not_empty() -> None:
    cut = f.hide("guest.sign_ins.asked.older", reason="truncated")
    assert finding("password_is_right", a.asked(a.LOCAL), cut).status == "unknown"
    assert finding("password_is_right", a.asked(a.LOCAL), WRONG, cut).fault == "auth-bad-password"


@pytest.mark.parametrize(
    ("layer", "nla", "effect"), [(0, 0, "degrades"), (0, 1, "blocks"), (2, 0, "blocks"), (2, 1, "blocks")]
)
def test_an_old_password_can_be_changed_only_where_no_client_signs_in_before_the_screen(
    layer: int, nla: int, effect: str
) -> None:
    settings = (f.registry(r"RT\SecurityLayer", layer), f.registry(r"RT\UserAuthentication", nla))
    assert finding("password_may_be_used", a.asked(a.LOCAL, password_expired=True), *settings).effect == effect
    assert finding("password_may_be_used", a.asked(a.LOCAL, must_change=True), *settings).effect == effect


@pytest.mark.parametrize(
    ("changes", "skipped"),
    [
        ((a.asked(a.LOCAL),), {"netlogon_is_running", "domain_controller_answers", "secure_channel_stands",
                               "clock_agrees_with_the_domain", "domain_credentials_are_accepted", "kerberos_token_fits"}),
        ((a.asked(a.DOMAIN), a.member), set()),
        ((a.asked("RDPVM01\\opsuser"), a.member), set()),
    ],
)  # fmt: skip
def test_a_healthy_user_passes_every_check_that_is_about_him(changes: tuple[Change, ...], skipped: set[str]) -> None:
    found = [one for one in diagnosis(*changes).findings if one.hop == "guest-auth"]
    always = {
        "sam_answers_remote_calls",
        "entra_join_is_complete",
        "entra_admits_the_user",
        "pku2u_is_allowed",
        "entra_user_has_a_login_role",
    }
    assert {one.check for one in found if one.status == "skipped"} == skipped | always
    assert {one.status for one in found} == {"pass", "skipped"}
