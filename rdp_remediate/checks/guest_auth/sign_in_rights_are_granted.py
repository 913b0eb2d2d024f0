"""May the asked user sign in from the network and to Remote Desktop?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, by_design, failed, passed, skipped, unknown
from rdp_remediate.facts.accounts import (
    DOMAIN_CONTROLLER_ROLES,
    RIGHT_MISSING,
    Kind,
    asked_account,
    asked_name,
    asked_sign_ins,
    kind_of,
    last_refusal,
)
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.user_rights import ADMINISTRATORS, REMOTE_DESKTOP_USERS, Rights, rights_of
from rdp_remediate.models.report import Confidence, Hop


@check(
    hop=Hop.GUEST_AUTH,
    faults=("auth-not-in-rdp-users", "auth-rdp-logon-right-missing", "auth-network-logon-denied-nla"),
    requires=("account_exists",),
)
def sign_in_rights_are_granted(facts: Facts) -> Outcome:
    """The asked user holds the rights that a Remote Desktop sign-in needs.

    Why: NLA needs the right to reach the computer from the network, the session the right to sign in through Remote Desktop
        Services, which Administrators and Remote Desktop Users have. A right to deny wins over both.
    Evidence: Security 4625 with C000015B and its logon type, or 4825, for the asked user; the rights (secedit), the user's groups.
    By hand:
        * auth-not-in-rdp-users: after the owner agreed, `Add-LocalGroupMember -SID S-1-5-32-555 -Member NAME`; never into
          Administrators for this.
        * auth-rdp-logon-right-missing: `secpol.msc`, User Rights Assignment: give `Allow log on through Remote Desktop Services` to
          Administrators and Remote Desktop Users and take the user's groups out of `Deny log on through Remote Desktop Services`;
          where a group policy sets them, its owner does it there.
        * auth-network-logon-denied-nla: take the user, `Local account` or `Local account and member of Administrators group` out
          of `Deny access to this computer from the network`, or use a domain account, which the baselines mean; a group policy's
          owner does it there. Leave NLA on.
    See: https://learn.microsoft.com/windows/security/threat-protection/security-policy-settings/allow-log-on-through-remote-desktop-services
    """
    kind = kind_of(facts)
    asked = asked_name(facts)
    if kind is None or asked is None:
        return skipped("nobody was asked about")
    if kind is Kind.ENTRA:
        return skipped("Entra roles grant it")
    refusal = last_refusal(facts)
    account = asked_account(facts)
    seen = asked_sign_ins(facts)
    denied = seen.denied is not None and (seen.signed_in is None or seen.denied > seen.signed_in)
    refused = denied or (refusal is not None and refusal.reason == RIGHT_MISSING)
    if not refused:
        if kind is not Kind.LOCAL or seen.signed_in is not None:
            return passed("no sign-in was refused for want of a right")
        groups = asked_account(facts, "groups").groups
        if ADMINISTRATORS in groups or REMOTE_DESKTOP_USERS in groups:
            return passed("a member of a group that may sign in, and no sign-in was refused for want of a right")
    if account.rights is None or "accounts.asked.rights" in facts.guest.items:
        asked_account(facts, "rights")
        return unknown(
            "Windows refused a right, and who holds the rights was not read.", because="guest.accounts.asked.rights"
        )
    rights = rights_of(account, asked, kind)
    if refusal is not None and refusal.reason == RIGHT_MISSING and refusal.type == 3:
        return _network(rights)
    if need(facts.guest.os).domain_role in DOMAIN_CONTROLLER_ROLES:
        return _controller(rights)
    return _remote(rights, Confidence.CONFIRMED if refused else Confidence.LIKELY)


def _network(rights: Rights) -> Outcome:
    denied = rights.denies_network
    if denied:
        return failed(
            "auth-network-logon-denied-nla",
            f"NLA needs a network sign-in, which the right to deny it forbids for {', '.join(denied)}.",
            right="SeDenyNetworkLogonRight",
            holders=denied,
        )
    if rights.allows_network is False:
        return failed(
            "auth-network-logon-denied-nla",
            "NLA needs a network sign-in, and no group of the user has the right to it.",
            right="SeNetworkLogonRight",
        )
    if rights.allows_network is None or rights.may_deny_network:
        return unknown(
            "Whether a group of the domain holds the right cannot be seen from here.", because="domain groups"
        )
    return passed("the right that was refused is granted now")


def _controller(rights: Rights) -> Outcome:
    if REMOTE_DESKTOP_USERS in rights.remote:
        return unknown(
            "Who is in the groups of a domain controller is the domain's knowledge.", because="domain groups"
        )
    return by_design(
        "auth-rdp-logon-right-missing",
        "This is a domain controller: only Administrators may sign in to it through Remote Desktop, as is the default.",
    )


def _remote(rights: Rights, confidence: Confidence) -> Outcome:
    denied = rights.denies_remote
    if denied:
        return failed(
            "auth-rdp-logon-right-missing",
            f"The right to deny Remote Desktop sign-ins holds {', '.join(denied)}, which the user belongs to.",
            confidence=confidence,
            right="SeDenyRemoteInteractiveLogonRight",
            holders=denied,
        )
    if rights.may_deny_remote:
        return unknown(
            "Whether a denied group of the domain holds the user cannot be seen from here.", because="domain groups"
        )
    if rights.allows_remote:
        return passed("the right that was refused is granted now")
    if rights.member or not {ADMINISTRATORS, REMOTE_DESKTOP_USERS} <= set(rights.remote):
        if not rights.member and not rights.all_groups_known:
            return unknown("Whether the user belongs to a group of the right cannot be seen.", because="domain groups")
        return failed(
            "auth-rdp-logon-right-missing",
            "The right to sign in through Remote Desktop Services was taken from the groups that have it by default.",
            confidence=confidence,
            right="SeRemoteInteractiveLogonRight",
            holders=list(rights.remote),
        )
    return failed(
        "auth-not-in-rdp-users",
        "The user is in neither Administrators nor Remote Desktop Users, who alone may sign in through Remote Desktop.",
        confidence=confidence if rights.all_groups_known else Confidence.LIKELY,
        sid=rights.sid,
    )
