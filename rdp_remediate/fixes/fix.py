"""How a fix is declared, what it may yield, and how all fixes are found."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from rdp_remediate import fixes
from rdp_remediate.docstring import section_of
from rdp_remediate.errors import InternalError
from rdp_remediate.facts.closings import ClosingKind
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

Layer = Literal["guest", "network", "platform"]


@dataclass(frozen=True)
class Draft:
    """A step before the run's policy has judged it.

    Attributes:
        kind: What is compared and set; the guest's kinds are guest/protocol.py's.
        target: What it is set on.
        expected: The before-value from evidence; None: absent.
        desired: The after-value; None: absent.
        title: One sentence in the imperative.
        postcondition: What must hold afterwards, one sentence.
        risk: The risk of the step by itself; opening a door to the Internet is added by planning.
        opens: The step lets RDP in, so exposure and brute force are weighed.
        drops_sessions: The step ends people's sessions, so they are looked at first.
        always_ask: Why a person decides whatever the mode, or None.
        undoable: False for what cannot be taken back, such as a restart.
        restart: TermService reads it when it starts; planning adds one restart for all such steps of a plan.
    """

    kind: str
    target: dict[str, Any]
    expected: Any
    desired: Any
    title: str
    postcondition: str
    risk: Risk = Risk.SAFE
    opens: bool = True
    drops_sessions: bool = False
    always_ask: str | None = None
    undoable: bool = True
    restart: bool = False


@dataclass(frozen=True)
class Refused:
    """A fix that is not ours to make, with the reason and whom to ask."""

    code: str
    why: str
    owner: str | None = None


def locked(facts: Facts) -> Refused | None:
    """The refusal of whatever writes to Azure while a read-only lock forbids it."""
    lock = facts.read_only_lock
    if lock is None:
        return None
    return Refused(
        "locked", f"The read-only lock {lock.lock_id.rsplit('/', 1)[-1]} forbids it.", "the owner of the lock"
    )


Yielded = Draft | Refused
Generate = Callable[[Facts, Sequence[Finding]], Iterator[Yielded]]


@dataclass(frozen=True)
class Fix:
    """One fix: its name is its file, its function and its id."""

    name: str
    faults: tuple[str, ...]
    layer: Layer
    order: int
    closed_by: tuple[ClosingKind, ...]
    permissions: tuple[str, ...]
    generate: Generate = field(repr=False)

    @property
    def title(self) -> str:
        """What the fix does, in the imperative."""
        return (inspect.getdoc(self.generate) or "").splitlines()[0]

    def section(self, heading: str) -> str:
        """A section of the docstring (Changes, Undo, Refuses when) as one text, or an empty string."""
        return section_of(self.generate, heading)


RUN_COMMAND = ("Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/virtualMachines/runCommand/action")


def fix(
    *,
    faults: Sequence[str],
    layer: Layer,
    order: int,
    permissions: Sequence[str],
    closed_by: Sequence[ClosingKind] = (),
) -> Callable[[Generate], Fix]:
    """Declares a fix.

    Args:
        faults: Catalogue ids that it remedies.
        layer: Where its steps act.
        order: Place in the plan: services 20, settings 30, firewall 40, network 90; the VM's power comes first
            with 10, then with 15 what opens no way in.
        permissions: Azure permissions that its steps need.
        closed_by: Kinds of change by which somebody may have closed this on purpose.
    """

    def declare(generate: Generate) -> Fix:
        return Fix(generate.__name__, tuple(faults), layer, order, tuple(closed_by), tuple(permissions), generate)

    return declare


_NO_FIX = ("fix", "last_resort", "service_steps", "account_steps")
"""Modules of this folder that hold no fix of their own."""


@cache
def all_fixes() -> tuple[Fix, ...]:
    """Every fix, in plan order.

    Raises:
        InternalError: A file holds no fix of its own name.
    """
    found: list[Fix] = []
    for module in pkgutil.iter_modules(fixes.__path__):
        if module.name in _NO_FIX:
            continue
        declared = getattr(importlib.import_module(f"{fixes.__name__}.{module.name}"), module.name, None)
        if not isinstance(declared, Fix):
            raise InternalError(f"rdp_remediate.fixes.{module.name} declares no fix {module.name}")
        found.append(declared)
    return tuple(sorted(found, key=lambda one: (one.order, one.name)))
