"""Whether the person who wants in signs in with a domain account, which needs a domain controller."""

from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.fact import Unavailable


def signs_in_with_domain(facts: Facts) -> bool | None:
    """True for an account of a domain, False for one of the computer itself, None where nobody said which."""
    user = (facts.target.user or "").strip()
    if isinstance(facts.guest.os, Unavailable) or not user:
        return None
    os = facts.guest.os.value
    if not os.part_of_domain:
        return False
    prefix, backslash, _ = user.partition("\\")
    if backslash:
        return prefix.lower() not in (".", os.computer_name.lower(), "azuread")
    return True if "@" in user else None
