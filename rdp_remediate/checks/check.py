"""How a check is declared, and how all checks are found: by listing the modules, never by side effects."""

import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from rdp_remediate import checks
from rdp_remediate.checks.outcome import Outcome
from rdp_remediate.docstring import section_of
from rdp_remediate.errors import InternalError
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import HOPS, Hop

Judge = Callable[[Facts], Outcome]


@dataclass(frozen=True)
class Check:
    """One check: its name is its file, its function and its id.

    Attributes:
        not_provable: Faults of the catalogue that belong here but cannot be proven from what is read; never reported as found.
    """

    name: str
    hop: Hop
    faults: tuple[str, ...]
    requires: tuple[str, ...]
    judge: Judge
    not_provable: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The healthy statement."""
        return (inspect.getdoc(self.judge) or "").splitlines()[0]

    def section(self, heading: str) -> str:
        """A section of the docstring (Why, Evidence, By hand) as one text, or an empty string."""
        return section_of(self.judge, heading)

    def by_hand(self, fault: str, known: Mapping[str, Any] = MappingProxyType({})) -> str:
        """The steps a person would take for one fault, or the whole text when it does not tell faults apart.

        Args:
            fault: The fault that was found.
            known: What the finding knows: `<name>` in the text becomes the text or number of that name.
        """
        text = self._by_hand(fault)
        return _PLACE.sub(lambda place: _filled(place, known), text)

    def _by_hand(self, fault: str) -> str:
        text = self.section("By hand")
        marked = [part for part in text.split("* ") if part.strip()]
        for part in marked:
            name, colon, steps = part.partition(":")
            if colon and name.strip().strip("`") == fault:
                return " ".join(steps.split())
        return " ".join(text.split())


_PLACE = re.compile(r"<([a-z_]+)>")


def _filled(place: re.Match[str], known: Mapping[str, Any]) -> str:
    value = known.get(place[1])
    return str(value) if isinstance(value, str | int) and value != "" else place[0]


def check(
    *, hop: Hop, faults: Sequence[str], requires: Sequence[str] = (), not_provable: Sequence[str] = ()
) -> Callable[[Judge], Check]:
    """Declares a check; faults are ids of the catalogue, at most four; requires names checks whose failure explains this one."""

    def declare(judge: Judge) -> Check:
        if len(faults) > 4:
            raise InternalError(f"check {judge.__name__} names {len(faults)} faults; at most four are allowed")
        return Check(judge.__name__, hop, tuple(faults), tuple(requires), judge, tuple(not_provable))

    return declare


@cache
def all_checks() -> tuple[Check, ...]:
    """Every check, in path order and by name.

    Raises:
        InternalError: A file holds no check of its own name, a name of `requires` does not exist, or they form a circle.
    """
    found: list[Check] = []
    for hop in HOPS:
        package = f"{checks.__name__}.{hop.replace('-', '_')}"
        if importlib.util.find_spec(package) is None:
            continue
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            loaded = importlib.import_module(f"{package}.{module.name}")
            declared = getattr(loaded, module.name, None)
            if not isinstance(declared, Check) or declared.hop is not hop:
                raise InternalError(f"{package}.{module.name} declares no check {module.name} of hop {hop}")
            found.append(declared)
    in_order(found)
    return tuple(found)


def in_order(found: Sequence[Check]) -> list[Check]:
    """The checks so that every required one comes before those that require it.

    Raises:
        InternalError: A required name does not exist, or requirements form a circle.
    """
    by_name = {one.name: one for one in found}
    ordered: dict[str, Check] = {}

    def visit(one: Check, chain: tuple[str, ...]) -> None:
        if one.name in chain:
            raise InternalError(f"checks require each other in a circle: {' > '.join((*chain, one.name))}")
        for name in one.requires:
            if name not in by_name:
                raise InternalError(f"check {one.name} requires {name}, which does not exist")
            visit(by_name[name], (*chain, one.name))
        ordered.setdefault(one.name, one)

    for one in found:
        visit(one, ())
    return list(ordered.values())
