"""The check of the user's computer as facts: each part stands or fails alone; all of it are claims."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from rdp_remediate.facts.evidence import Evidence
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.client_check import ClientCheck, read_client_check
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable

T = TypeVar("T")

MOST_AGE = timedelta(hours=24)
"""An older check says nothing about now: addresses and networks change within a day."""
MOST_AHEAD = timedelta(minutes=15)
"""How far the user's clock may be ahead."""

BEFORE_OUR_CHANGES = Unavailable(
    Reason.NOT_SUPPORTED, "the client check was made before this run changed something; run it again", "client_check"
)
"""In a later pass: what the user saw was before the repair and says nothing about it."""


@dataclass(frozen=True)
class ClientFacts:
    """One check, valid and of these hours."""

    check: ClientCheck
    at: datetime

    def part(self, name: str, value: T | None) -> Fact[T]:
        """A part of the check, or why it is not there."""
        if value is not None:
            return Observed(value, f"client check, {name}", self.at)
        for item in self.check.unavailable:
            if item.fact == name:
                return Unavailable(Reason(item.reason), item.detail, f"client_check.{name}")
        return Unavailable(Reason.NOT_COLLECTED, f"the client check did not try {name}", f"client_check.{name}")


def read_client(raw: JsonObject | None, evidence: Evidence, at: datetime) -> Fact[ClientFacts]:
    """Reads the check of a bundle; a broken or old one is unavailable with the reason."""
    if raw is None:
        return evidence.missing("client_check")
    try:
        check = read_client_check(raw)
    except ValueError as refused:
        return Unavailable(Reason.MALFORMED, f"the client check cannot be read: {refused}", "client_check")
    age = at - check.made_at
    if age > MOST_AGE or -age > MOST_AHEAD:
        made = check.made_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Unavailable(
            Reason.NOT_SUPPORTED, f"the client check of {made} is not of these hours; run it again", "client_check"
        )
    return Observed(ClientFacts(check, check.made_at), "client check", check.made_at)
