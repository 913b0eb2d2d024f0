"""Operations that turn a healthy JSON document into a broken one (reference scenarios.md, `op`)."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from itertools import pairwise
from typing import Any

from rdp_remediate.errors import UsageError

Op = dict[str, Any]


def same(left: Any, right: Any) -> bool:
    """True when two values are equal, text without case."""
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    return bool(left == right)


def find_key(container: dict[str, Any], key: str) -> str | None:
    """Returns the key of a dictionary as it is spelled there."""
    if key in container:
        return key
    return next((k for k in container if k.casefold() == key.casefold()), None)


def matches(entry: Any, selector: dict[str, Any]) -> bool:
    """True when a list entry has every field of the selector."""
    if not isinstance(entry, dict):
        return False
    for name, wanted in selector.items():
        key = find_key(entry, name)
        if key is None or not same(entry[key], wanted):
            return False
    return True


def describe(path: Iterable[Any]) -> str:
    """Returns a path as a person reads it."""
    return " / ".join(p if isinstance(p, str) else str(p) for p in path)


def _index(items: list[Any], step: Any, path: list[Any]) -> int | None:
    if isinstance(step, int) and not isinstance(step, bool):
        return step if 0 <= step < len(items) else None
    if isinstance(step, dict):
        return next((i for i, entry in enumerate(items) if matches(entry, step)), None)
    raise UsageError(
        f"The path {describe(path)} meets a list at {step!r}: select an entry by its fields or its number."
    )


def _descend(node: Any, step: Any, following: Any, path: list[Any], *, create: bool) -> Any:
    """Returns the child at step; a missing one is made when create is set, else None is returned."""
    if isinstance(node, list):
        found = _index(node, step, path)
        if found is not None:
            return node[found]
        if not create or not isinstance(step, dict):
            raise UsageError(f"The path {describe(path)} selects {step!r}, which no entry of the list is.")
        node.append(dict(step))
        return node[-1]
    if not isinstance(node, dict) or not isinstance(step, str):
        raise UsageError(f"The path {describe(path)} leads through {step!r}, where there is no object.")
    key = find_key(node, step)
    if key is not None:
        return node[key]
    if not create:
        return None
    node[step] = [] if isinstance(following, dict) else {}
    return node[step]


def apply_op(document: Any, op: Op) -> None:
    """Applies one operation in place.

    Raises:
        UsageError: the operation has no path or no verb, or its path leads nowhere.
    """
    path = op.get("path")
    verbs = [v for v in ("value", "remove", "append") if v in op]
    if not isinstance(path, list) or not path or len(verbs) != 1:
        raise UsageError(f"An operation needs a path and one of value, remove and append; this one is {op!r}.")
    verb = verbs[0]
    node = document
    for step, following in pairwise(path):
        node = _descend(node, step, following, path, create=verb != "remove")
        if node is None:
            return  # nothing there to remove
    last = path[-1]
    if verb == "append":
        target = _descend(node, last, {}, path, create=True)
        if not isinstance(target, list):
            raise UsageError(f"The path {describe(path)} is not a list, so nothing can be appended.")
        target.append(deepcopy(op["append"]))
    elif isinstance(node, list):
        found = _index(node, last, path)
        if verb == "remove":
            if found is not None:
                del node[found]
        elif found is None:
            node.append(deepcopy(op["value"]))
        else:
            node[found] = deepcopy(op["value"])
    elif isinstance(node, dict) and isinstance(last, str):
        key = find_key(node, last)
        if verb == "remove":
            if key is not None:
                del node[key]
        else:
            node[last if key is None else key] = deepcopy(op["value"])
    else:
        raise UsageError(f"The path {describe(path)} ends at something that is neither an object nor a list.")


def apply_ops(document: Any, ops: Iterable[Op]) -> None:
    """Applies operations in order, in place."""
    for op in ops:
        apply_op(document, op)


def _key(path: list[Any]) -> tuple[str, ...]:
    def text(step: Any) -> str:
        if isinstance(step, dict):
            return repr(sorted((str(k).casefold(), str(v).casefold()) for k, v in step.items()))
        return str(step).casefold()

    return tuple(text(step) for step in path)


def conflicts(first: list[Op], second: list[Op]) -> Iterator[str]:
    """Yields the paths to which two lists of operations give different values, or of which one hides the other's.

    The second list acts after the first.
    """
    for a in first:
        for b in second:
            if _clash(a, b):
                yield describe(a["path"] if len(a["path"]) >= len(b["path"]) else b["path"])


def _clash(a: Op, b: Op) -> bool:
    ka, kb = _key(a["path"]), _key(b["path"])
    common = min(len(ka), len(kb))
    if ka[:common] != kb[:common]:
        return False
    if "append" in b:
        # into what the first made is fine; into what it removed is not
        return "remove" in a and len(ka) <= len(kb)
    if "append" in a:
        return len(kb) <= len(ka)
    return ka != kb or a.keys() != b.keys() or a.get("value") != b.get("value")


def substitute(value: Any, replacements: dict[str, str]) -> Any:
    """Returns a copy of a JSON value with every `{placeholder}` and other replaced text in its strings replaced."""
    if isinstance(value, str):
        for old, new in replacements.items():
            value = value.replace(old, new)
        return value
    if isinstance(value, list):
        return [substitute(v, replacements) for v in value]
    if isinstance(value, dict):
        return {substitute(k, replacements): substitute(v, replacements) for k, v in value.items()}
    return value
