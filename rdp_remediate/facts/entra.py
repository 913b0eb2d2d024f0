"""Whether Windows is joined to Microsoft Entra ID."""

from rdp_remediate.facts.accounts import accounts, asked_name
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable


def entra_joined(facts: Facts) -> Fact[bool]:
    """Dsregcmd's answer; on members of a domain the collector asks it only about a user of Entra."""
    section = accounts(facts, "entra_joined")
    if isinstance(section, Unavailable):
        return section
    os = facts.guest.os
    if isinstance(os, Unavailable):
        return os
    asked = asked_name(facts)
    if os.value.part_of_domain and (asked is None or asked[0].lower() != "azuread"):
        return Unavailable(Reason.NOT_COLLECTED, "dsregcmd was not asked on a member of a domain", "guest.accounts")
    return Observed(section.value.entra_joined, "guest dsregcmd", section.at)
