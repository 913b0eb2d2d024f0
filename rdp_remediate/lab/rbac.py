"""Role assignments and locks, enforced as Azure Resource Manager does."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: an app or managed identity (caller = object id) or a person (caller = UPN)."""

    object_id: str
    app_id: str
    name: str | None = None
    """UPN of a person; None for an app."""

    @property
    def caller(self) -> str:
        """How the activity log names the caller."""
        return self.name or self.object_id

    @property
    def claims(self) -> dict[str, str]:
        """The claims that an activity log event holds."""
        claims = {
            "appid": self.app_id,
            "http://schemas.microsoft.com/identity/claims/objectidentifier": self.object_id,
            "idtyp": "user" if self.name else "app",
        }
        return {**claims, "name": self.name} if self.name else claims


LAB_IDENTITY = Principal("3d0f6c52-0000-4000-8000-0000000000c1", "3d0f6c52-0000-4000-8000-0000000000c2")
"""The managed identity that the lab's token endpoint hands out."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role at a scope, as the actions that it grants."""

    object_id: str
    scope: str
    actions: tuple[str, ...] = ("*",)
    not_actions: tuple[str, ...] = field(default=())


def grants(action: str, patterns: Iterable[str]) -> bool:
    """True when one of the patterns, * as wildcard, names the action."""
    return any(fnmatchcase(action.lower(), p.lower()) for p in patterns)


def allowed(assignments: Iterable[Assignment], object_id: str, action: str, scope: str) -> bool:
    """True when an assignment at or above the scope grants the action."""
    for assignment in assignments:
        if assignment.object_id.lower() != object_id.lower():
            continue
        above = assignment.scope.lower().rstrip("/")
        if not f"{scope.lower()}/".startswith(f"{above}/"):
            continue
        if grants(action, assignment.actions) and not grants(action, assignment.not_actions):
            return True
    return False


def lock_scope(lock: dict[str, Any]) -> str:
    """Returns the scope that a lock protects."""
    return str(lock["id"]).rsplit("/providers/Microsoft.Authorization/locks/", 1)[0]


def locking_scopes(locks: Iterable[dict[str, Any]], scope: str, method: str) -> list[str]:
    """Returns the locked scopes that forbid a request: ReadOnly every write and action, CanNotDelete only DELETE.

    POST counts as a write: a read-only lock on a VM's group refuses start, restart and Run Command
    (Microsoft: "Lock your resources", considerations before applying your locks).
    """
    found = []
    for lock in locks:
        level = str(lock.get("properties", {}).get("level", "")).lower()
        forbids = method != "GET" if level == "readonly" else level == "cannotdelete" and method == "DELETE"
        if forbids and f"{scope.lower()}/".startswith(f"{lock_scope(lock).lower()}/"):
            found.append(lock_scope(lock))
    return found
