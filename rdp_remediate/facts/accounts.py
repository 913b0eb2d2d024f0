"""The account that was asked about and what Windows answered it, read from the guest's sign-ins and accounts."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import GuestFacts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.fact import Fact, Reason, Unavailable
from rdp_remediate.models.guest_accounts import AccountsSection, AskedAccount, AskedSignIns, SignInSection
from rdp_remediate.models.report import Effect

T = TypeVar("T")

DOMAIN_CONTROLLER_ROLES = (4, 5)

WRONG_NAME, WRONG_PASSWORD, REFUSED = "C0000064", "C000006A", "C000006D"
RESTRICTED, WRONG_HOURS, WRONG_WORKSTATION = "C000006E", "C000006F", "C0000070"
PASSWORD_EXPIRED, DISABLED, EXPIRED, MUST_CHANGE = "C0000071", "C0000072", "C0000193", "C0000224"
LOCKED_OUT, RIGHT_MISSING, NTLM_BLOCKED = "C0000234", "C000015B", "C0000418"

ATTACK_FAILURES = 30
"""Failed sign-ins in 15 minutes from which an attack is assumed; background noise of the Internet stays below."""
ATTACK_SOURCES = 5
"""Addresses from which failures are an attack for sure; from fewer it may be one machine with an old password."""


class Kind(StrEnum):
    """Who knows the account."""

    LOCAL = "local"
    DOMAIN = "domain"
    ENTRA = "entra"


@dataclass(frozen=True)
class Refusal:
    """The last time that Windows refused the asked account, with no sign-in since."""

    reason: str
    type: int
    at: datetime


def under_attack(sign_ins: SignInSection) -> bool:
    """So many names and passwords were tried that nothing may be opened without a person."""
    return sign_ins.failed - sign_ins.not_guessed >= ATTACK_FAILURES


def attacked_from_many(sign_ins: SignInSection) -> bool:
    """The tries come from so many addresses that they are an attack, not a machine with an old password."""
    return under_attack(sign_ins) and sign_ins.sources >= ATTACK_SOURCES


def asked_name(facts: Facts) -> tuple[str, str] | None:
    r"""The asked user as place and name: DOMAIN\name, name@domain, name; None: nobody was asked about."""
    user = (facts.target.user or "").strip()
    if not user:
        return None
    place, slash, name = user.partition("\\")
    return (place, name) if slash else ("", user)


def accounts(facts: Facts, item: str) -> Fact[AccountsSection]:
    """The accounts section, unavailable if this item of it could not be read."""
    return _without(facts.guest.accounts, facts.guest, f"accounts.{item}")


def asked_account(facts: Facts, item: str | None = None) -> AskedAccount:
    """The asked account; somebody was asked about.

    Args:
        facts: What was seen.
        item: A part that must have been read as well, such as `groups`.

    Raises:
        UnseenError: The account, or that part of it, could not be read.
    """
    section = need(accounts(facts, "asked"))
    if section.asked is None:
        raise UnseenError(_not_asked("accounts.asked"))
    if item is not None and f"accounts.asked.{item}" in facts.guest.items:
        raise UnseenError(facts.guest.items[f"accounts.asked.{item}"])
    return section.asked


def asked_sign_ins(facts: Facts) -> AskedSignIns:
    """What Windows logged about the asked account; somebody was asked about.

    Raises:
        UnseenError: It could not be read.
    """
    section = need(_without(facts.guest.sign_ins, facts.guest, "sign_ins.asked"))
    if section.asked is None:
        raise UnseenError(_not_asked("sign_ins.asked"))
    return section.asked


def kind_of(facts: Facts) -> Kind | None:
    """Who knows the asked account; None: nobody was asked about.

    Raises:
        UnseenError: Whether the computer belongs to a domain could not be read.
    """
    asked = asked_name(facts)
    if asked is None:
        return None
    place, name = asked
    if place.lower() == "azuread":
        return Kind.ENTRA
    os = need(facts.guest.os)
    if os.domain_role in DOMAIN_CONTROLLER_ROLES:
        return Kind.DOMAIN
    if not os.part_of_domain or place.lower() in (".", os.computer_name.lower()):
        return Kind.LOCAL
    if not place and "@" not in name and asked_account(facts).local:
        return Kind.LOCAL
    return Kind.DOMAIN


def domain_effect(facts: Facts) -> Effect:
    """What a fault of the domain means: it stops the asked domain user; local administrators still get in."""
    return Effect.BLOCKS if kind_of(facts) is Kind.DOMAIN else Effect.DEGRADES


def last_refusal(facts: Facts) -> Refusal | None:
    """The newest failure of the asked account after its last sign-in; None: there is none.

    While many addresses guess, what other addresses than the client's tried under the name is not the user's.

    Raises:
        UnseenError: The asked account's sign-ins could not be read.
    """
    seen = asked_sign_ins(facts)
    noisy = under_attack(need(facts.guest.sign_ins))
    client = facts.target.client_address
    rows = [row for row in seen.failures if not noisy or _is_the_clients(row.address, client)]
    if not rows:
        if "sign_ins.asked.older" in facts.guest.items:
            raise UnseenError(facts.guest.items["sign_ins.asked.older"])
        return None
    newest = max(rows, key=lambda row: row.last)
    reason = newest.sub_status if newest.sub_status != "0" else newest.status
    since = seen.signed_in
    if newest.type == 3 and seen.authenticated and (since is None or seen.authenticated > since):
        since = seen.authenticated
    if since is not None and since > newest.last:
        return None
    return Refusal(reason, newest.type, newest.last)


def _is_the_clients(address: str, client: str | None) -> bool:
    if address in ("", "-"):
        return False
    if client is None:
        return not _is_public(address)
    return address == client


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return True


def _without(fact: Fact[T], guest: GuestFacts, item: str) -> Fact[T]:
    return guest.items[item] if not isinstance(fact, Unavailable) and item in guest.items else fact


def _not_asked(fact: str) -> Unavailable:
    return Unavailable(Reason.NOT_COLLECTED, "the guest was not asked about this user", f"guest.{fact}")
