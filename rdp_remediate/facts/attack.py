"""Is a brute force possible, or in progress? From the guest's own count and, where there is one, from the workspace."""

from datetime import timedelta

from rdp_remediate.facts.accounts import ATTACK_FAILURES, ATTACK_SOURCES, attacked_from_many, under_attack
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.fact import Unavailable

STILL = timedelta(minutes=15)
"""A guess in the workspace that is older says that there was an attack, not that it goes on."""


def attack_in_progress(facts: Facts) -> str | None:
    """What shows that somebody is guessing passwords now; None: nothing does, which is no proof that nobody is."""
    sign_ins = facts.guest.sign_ins
    if not isinstance(sign_ins, Unavailable) and attacked_from_many(sign_ins.value):
        seen = sign_ins.value
        return f"{seen.failed} sign-ins failed in {seen.window_s // 60} minutes from {seen.sources} addresses"
    return workspace_attack(facts)


def workspace_attack(facts: Facts) -> str | None:
    """The same from the workspace's logs alone."""
    logged = facts.logs.guessing
    if isinstance(logged, Unavailable):
        return None
    seen = logged.value
    many = seen.guesses >= ATTACK_FAILURES and seen.sources >= ATTACK_SOURCES
    if not many or seen.last is None or facts.at - seen.last > STILL:
        return None
    return f"the workspace shows {seen.guesses} guesses in 30 minutes from {seen.sources} addresses"


def attack_possible(facts: Facts) -> str | None:
    """Why nothing may be opened without a person; None: the guest itself shows that nobody is guessing.

    The guest's own count decides: the workspace lags, and may not get this VM's events at all. So a quiet workspace never
    stands in for a guest that could not be read.
    """
    sign_ins = facts.guest.sign_ins
    if isinstance(sign_ins, Unavailable):
        return f"failed sign-ins could not be counted ({sign_ins.detail}), so an attack cannot be ruled out"
    if under_attack(sign_ins.value):
        count, minutes = sign_ins.value.failed, sign_ins.value.window_s // 60
        return f"{count} failed sign-ins in {minutes} minutes: a brute force may be going on"
    logged = facts.logs.guessing
    if not isinstance(logged, Unavailable) and logged.value.guesses >= ATTACK_FAILURES:
        return f"the workspace shows {logged.value.guesses} guesses in 30 minutes: a brute force may be going on"
    return None
