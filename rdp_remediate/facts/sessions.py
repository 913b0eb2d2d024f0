"""People's sessions and the limits that end them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rdp_remediate.facts.guest import GuestFacts
from rdp_remediate.facts.need import need
from rdp_remediate.models.guest import Session

LimitName = Literal["MaxIdleTime", "MaxConnectionTime"]

_INHERIT: dict[LimitName, str] = {"MaxIdleTime": "fInheritMaxIdleTime", "MaxConnectionTime": "fInheritMaxSessionTime"}
_WHAT: dict[LimitName, str] = {"MaxIdleTime": "idle", "MaxConnectionTime": "connection"}


@dataclass(frozen=True)
class Limit:
    """A time limit on sessions that is in effect."""

    name: LimitName
    milliseconds: int
    by_policy: bool

    @property
    def minutes(self) -> int:
        """The limit in whole minutes, at least one."""
        return max(1, self.milliseconds // 60_000)

    @property
    def set_by(self) -> str:
        """Who sets it."""
        return "policy" if self.by_policy else "the listener's registry key"

    @property
    def text(self) -> str:
        """One phrase."""
        return f"The {_WHAT[self.name]} limit of {self.minutes} minutes ({self.name}, set by {self.set_by})"


def session_limits(guest: GuestFacts) -> list[Limit]:
    """The idle and connection limits in effect; the policy's copy wins, the listener's own counts where fInherit is 0.

    Raises:
        UnseenError: A value could not be read.
    """
    found = []
    for name, inherit in _INHERIT.items():
        policy = need(guest.registry_number(rf"POL\{name}"))
        local = need(guest.registry_number(rf"RT\{name}"))
        inherited = need(guest.registry_number(rf"RT\{inherit}"))
        if policy is not None:
            if policy > 0:
                found.append(Limit(name, policy, by_policy=True))
        elif local and inherited == 0:
            found.append(Limit(name, local, by_policy=False))
    return found


def holds_session(user: str, people: Sequence[Session]) -> bool:
    """Whether a user has one of the sessions; qwinsta shows the name without its domain."""
    plain = user.rsplit("\\", 1)[-1].partition("@")[0].strip().lower()
    return any(one.user.lower() in (plain, user.lower()) for one in people)


def comparable(user: str | None) -> str | None:
    """A user whose name can be looked for among sessions: an Entra user's session bears another name than was asked for."""
    return None if user is None or not user.strip() or user.lower().startswith("azuread\\") else user


def told(people: Sequence[Session]) -> str:
    """The sessions as text."""
    return ", ".join(f"{one.id}: {one.user} ({one.state})" for one in people)
