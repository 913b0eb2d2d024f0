"""Whether the platform's address 168.63.129.16 answers from inside Windows."""

from rdp_remediate.facts.guest import GuestFacts
from rdp_remediate.facts.network_words import WIRESERVER
from rdp_remediate.models.fact import Unavailable


def unanswered(guest: GuestFacts) -> str | None:
    """Which of its ports 80 and 32526 did not accept a connection, as a phrase; None: both did, or it was not seen."""
    seen = guest.adapter_item("wireserver")
    if isinstance(seen, Unavailable) or not seen.value.wireserver:
        return None
    ports = ", ".join(
        f"{port} ({word})" for port, word in sorted(seen.value.wireserver.items(), key=lambda one: int(one[0]))
    )
    return f"from inside Windows {WIRESERVER} does not accept connections on port {ports}"
