"""Finds a raw answer in a bundle, or the reason why it is not there."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable

T = TypeVar("T")


class Evidence:
    """A bundle's raw answers by resource id and by operation; ids compare without case.

    What is neither present nor listed as unavailable was not collected.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._resources = {key.lower(): value for key, value in bundle.resources.items()}
        self._operations = {
            name: {key.lower(): value for key, value in by_id.items()} for name, by_id in bundle.operations.items()
        }
        self._missing = {
            (item.fact, (item.resource_id or "").lower()): Unavailable(_reason(item.reason), item.detail, item.fact)
            for item in bundle.unavailable
        }

    def resource(self, resource_id: str) -> Fact[JsonObject]:
        """The resource as ARM returned it."""
        found = self._resources.get(resource_id.lower())
        if found is not None:
            return Observed(found, resource_id, self.bundle.collected_at)
        return self.missing("resource", resource_id)

    def operation(self, name: str, resource_id: str) -> Fact[Any]:
        """The answer of one of the reads that are no plain resource."""
        by_id = self._operations.get(name, {})
        if resource_id.lower() in by_id:
            return Observed(by_id[resource_id.lower()], f"{name} of {resource_id}", self.bundle.collected_at)
        return self.missing(name, resource_id)

    def missing(self, fact: str, resource_id: str = "") -> Unavailable:
        """Why a read is not there."""
        for key in ((fact, resource_id.lower()), (fact, "")):
            if key in self._missing:
                return self._missing[key]
        return Unavailable(Reason.NOT_COLLECTED, f"{fact} was not collected", fact)


def _reason(word: str) -> Reason:
    """Unknown words are unknown, not an error: a newer writer may know more reasons."""
    return Reason(word) if word in Reason.__members__.values() else Reason.NOT_COLLECTED


def parsed(fact: Fact[Any], parse: Callable[[Any], T]) -> Fact[T]:
    """Applies a parser that may refuse the shape: its ValueError, TypeError or KeyError becomes `malformed`."""
    if isinstance(fact, Unavailable):
        return fact
    try:
        return Observed(parse(fact.value), fact.source, fact.at)
    except (ValueError, TypeError, KeyError, AttributeError) as refused:
        return Unavailable(
            Reason.MALFORMED, f"the answer has a shape that no source sends: {refused}"[:300], fact.source
        )


def objects(value: Any) -> list[JsonObject]:
    """The JSON objects of a list answer, `{"value": [...]}` or a bare list."""
    rows = value.get("value") if isinstance(value, dict) else value
    if not isinstance(rows, Iterable) or isinstance(rows, str | dict):
        raise TypeError("expected a list")
    return [row for row in rows if isinstance(row, dict)]
