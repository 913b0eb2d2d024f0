"""For each catalogue row the facts without which it cannot be known; one file an area, each with a table DECIDING."""

import importlib
import pkgutil

Hidden = tuple[str, str | None]
"""A fact of the bundle and its key, as `tests.factories.hide` takes them."""


def deciding() -> dict[str, tuple[Hidden, ...]]:
    """Row to the facts that decide it; hiding any one of them must end its check in unknown."""
    found: dict[str, tuple[Hidden, ...]] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= importlib.import_module(f"{__name__}.{module.name}").DECIDING
    return found
