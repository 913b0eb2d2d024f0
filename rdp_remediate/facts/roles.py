"""What a person's Azure roles allow at a scope.

Source: learn.microsoft.com/azure/role-based-access-control/role-definitions (wildcards, not-actions are subtracted from the
same role only, roles add up).
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rdp_remediate.models.base import JsonObject


@dataclass(frozen=True)
class Role:
    """One role that is assigned to the person or to a group of theirs.

    Attributes:
        name: As Azure shows it.
        conditional: The assignment holds under a condition, which is not judged here.
        permissions: For each part of the definition: actions, not-actions, data actions, not-data-actions.
    """

    name: str
    conditional: bool
    permissions: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...]

    def allows(self, action: str) -> bool:
        """Whether the role allows an action of the control plane."""
        return any(_names(action, own) and not _names(action, less) for own, less, _, _ in self.permissions)

    def allows_data(self, action: str) -> bool:
        """Whether the role allows a data action."""
        return any(_names(action, own) and not _names(action, less) for _, _, own, less in self.permissions)


def _names(action: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower().replace("[", "[[]")) for pattern in patterns)


def read_roles(raw: Any) -> tuple[Role, ...]:
    """The roles of an answer to the operation role_assignments.

    Raises:
        TypeError: The answer is none, or names a role without its definition.
        KeyError: A definition has no permissions.
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("value"), list):
        raise TypeError("expected a list of role assignments")
    definitions = raw.get("definitions")
    if not isinstance(definitions, dict):
        raise TypeError("expected the definitions of the roles")
    found = []
    for assignment in raw["value"]:
        properties = assignment["properties"]
        definition = definitions.get(str(properties["roleDefinitionId"]).lower())
        if not isinstance(definition, dict):
            raise TypeError("a role has no definition")
        found.append(_role(definition["properties"], bool(properties.get("condition"))))
    return tuple(found)


def _role(properties: JsonObject, conditional: bool) -> Role:
    parts = []
    for part in properties["permissions"]:
        texts = [part.get(key) or [] for key in ("actions", "notActions", "dataActions", "notDataActions")]
        if not all(isinstance(one, str) for text in texts for one in text):
            raise TypeError("an action is no text")
        own, less, data, less_data = (tuple(text) for text in texts)
        parts.append((own, less, data, less_data))
    return Role(str(properties.get("roleName") or "a role without a name"), conditional, tuple(parts))
