"""User rights: the one that was refused, who holds it now, and what only the domain knows."""

from typing import Any

import pytest

from tests.checks.guest_auth import accounts as a
from tests.checks.judging import diagnosis, finding
from tests.factories import Change, hide

CHECK = "sign_in_rights_are_granted"
DESKTOP, NLA = a.refused("C000015B", type_=10), a.refused("C000015B", type_=3)


def rights(**holders: list[str]) -> dict[str, Any]:
    return {"rights": {**a.RIGHTS, **holders}}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ((a.asked(a.LOCAL, groups=[], **rights()), DESKTOP), "auth-not-in-rdp-users"),
        ((a.asked(a.LOCAL, groups=[], **rights()),), "auth-not-in-rdp-users"),
        ((a.asked(a.DOMAIN, **rights()), a.member, DESKTOP), "auth-not-in-rdp-users"),
        ((a.asked(a.DOMAIN, **rights()), a.member, a.ended("denied", "09:50")), "auth-not-in-rdp-users"),
        ((a.asked(a.LOCAL, **rights(SeRemoteInteractiveLogonRight=[])), a.ended("denied", "09:50")),
         "auth-rdp-logon-right-missing"),
        ((a.asked(a.LOCAL, **rights(SeRemoteInteractiveLogonRight=[a.ADMINISTRATORS])), DESKTOP), "auth-rdp-logon-right-missing"),
        ((a.asked(a.LOCAL, **rights(SeRemoteInteractiveLogonRight=[])), DESKTOP), "auth-rdp-logon-right-missing"),
        ((a.asked(a.LOCAL, **rights(SeDenyRemoteInteractiveLogonRight=[a.RDU])), DESKTOP), "auth-rdp-logon-right-missing"),
        ((a.asked(a.LOCAL, **rights(SeDenyRemoteInteractiveLogonRight=["S-1-5-113"])), DESKTOP), "auth-rdp-logon-right-missing"),
        ((a.asked(a.LOCAL, **rights(SeDenyRemoteInteractiveLogonRight=[a.SID])), DESKTOP), "auth-rdp-logon-right-missing"),
        ((a.asked(a.DOMAIN, groups=[a.RDU], **rights(SeRemoteInteractiveLogonRight=[a.ADMINISTRATORS])), a.member, DESKTOP),
         "auth-rdp-logon-right-missing"),
        ((a.asked(a.LOCAL, groups=[a.ADMINISTRATORS], **rights(SeDenyNetworkLogonRight=["S-1-5-114"])), NLA),
         "auth-network-logon-denied-nla"),
        ((a.asked(a.LOCAL, **rights(SeDenyNetworkLogonRight=["S-1-5-113"])), NLA), "auth-network-logon-denied-nla"),
        ((a.asked(a.LOCAL, **rights(SeNetworkLogonRight=[a.ADMINISTRATORS])), NLA), "auth-network-logon-denied-nla"),
    ],
)  # fmt: skip
def test_a_right_that_is_missing_is_named(changes: tuple[Change, ...], fault: str) -> None:
    found = diagnosis(*changes)
    assert (found.verdict.status, found.verdict.causes) == ("broken", [fault])


@pytest.mark.parametrize(
    "changes",
    [
        (a.asked(a.LOCAL, **rights()), DESKTOP),
        (a.asked(a.LOCAL, **rights(SeDenyNetworkLogonRight=["S-1-5-114"])), NLA),
        (a.asked(a.LOCAL, groups=[a.ADMINISTRATORS], **rights(SeRemoteInteractiveLogonRight=[a.ADMINISTRATORS])), DESKTOP),
        (a.asked(a.LOCAL, **rights(SeDenyRemoteInteractiveLogonRight=["S-1-5-114"])), DESKTOP),
        (a.asked(a.LOCAL, groups=[], **rights(SeRemoteInteractiveLogonRight=[a.SID])), DESKTOP),
        (a.asked(a.DOMAIN, groups=[a.RDU], **rights()), a.member, DESKTOP),
        (a.asked(a.LOCAL, groups=[]), a.ended("signed_in", "09:58")),
        (a.asked(a.LOCAL), a.ended("denied", "09:50"), a.ended("signed_in", "09:58")),
    ],
)  # fmt: skip
def test_a_right_that_is_granted_now_is_no_fault(changes: tuple[Change, ...]) -> None:
    assert finding(CHECK, *changes).status == "pass"


@pytest.mark.parametrize(
    "changes",
    [
        (a.asked(a.LOCAL), DESKTOP),
        (a.asked(a.LOCAL, groups=[]), DESKTOP),
        (a.asked(a.LOCAL, **rights()), DESKTOP, hide("guest.accounts.asked.rights")),
        (a.asked(a.DOMAIN, **rights(SeDenyRemoteInteractiveLogonRight=["S-1-5-21-9-9-9-1200"])), a.member, DESKTOP),
        (a.asked(a.DOMAIN, **rights(SeRemoteInteractiveLogonRight=[a.ADMINISTRATORS])), a.member, DESKTOP),
        (a.asked(a.DOMAIN, **rights(SeNetworkLogonRight=[a.ADMINISTRATORS])), a.member, NLA),
    ],
)
def test_what_only_the_domain_knows_is_unknown(changes: tuple[Change, ...]) -> None:
    assert finding(CHECK, *changes).status == "unknown"


def test_a_domain_controller_admits_administrators_only_by_default() -> None:
    only = rights(SeRemoteInteractiveLogonRight=[a.ADMINISTRATORS])
    found = diagnosis(a.asked(a.DOMAIN, **only), a.controller, DESKTOP)
    assert found.verdict.status == "by_design"
    assert found.verdict.causes == ["auth-rdp-logon-right-missing"]
