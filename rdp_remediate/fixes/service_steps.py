"""The steps that let a service run again: its start type first, then its state."""

from collections.abc import Iterator, Sequence
from typing import Any

from rdp_remediate.fixes.fix import Draft
from rdp_remediate.models.guest import Service

_SHOWN = {"Auto": "Automatic"}
"""As Windows' own console calls a start type."""


def service_steps(
    name: str,
    service: Service,
    start_type: str,
    *,
    changes: Sequence[str] = ("Disabled",),
    because: str = ", its default",
    start: bool = True,
    start_title: str | None = None,
    stoppable: bool = True,
    **shared: Any,
) -> Iterator[Draft]:
    """Yields the start type where it is to change, then the start where the service does not run.

    Args:
        name: The service.
        service: What was seen of it.
        start_type: What its start type is to be.
        changes: The start types that are changed to it; others are left as they are.
        because: What the title says after the start type.
        start: Whether it is started as well.
        start_title: The title of the start, where it says more than the name.
        stoppable: False for a service that Windows lets nobody stop, so that its start cannot be undone.
        shared: What both steps have in common: `opens`, `always_ask`.
    """
    if service.start_type in changes:
        shown = _SHOWN.get(start_type, start_type)
        yield Draft(
            kind="service_start",
            target={"service": name},
            expected=service.start_type,
            desired=start_type,
            title=f"Set the start type of {name} to {shown}{because}",
            postcondition=f"{name} has start type {shown}",
            **shared,
        )
    if start and service.state != "Running":
        yield Draft(
            kind="service_state",
            target={"service": name},
            expected=service.state,
            desired="Running",
            title=start_title or f"Start {name}",
            postcondition=f"{name} is running",
            undoable=stoppable,
            **shared,
        )
