"""Parses JSON from outside within limits and reads typed values out of it.

Everything that is wrong with a payload ends as `PayloadError`; its text names the place and the fault and quotes at
most a short printable part of what came in.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from rdp_remediate.errors import PayloadError
from rdp_remediate.models.base import JsonObject

MAX_BYTES = 1024 * 1024
"""No source sends more: Azure Monitor stops at 256 KB, Event Grid at 1 MB a delivery, a queue message at 64 KB."""

MAX_DEPTH = 40
"""The deepest recorded payload has 8 levels."""

MAX_ID_LENGTH = 1024

# An escaped surrogate may stand alone, and then it cannot be written as UTF-8 again. Most payloads have none.
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(body: bytes | str, what: str) -> Any:
    """The JSON value that the body holds.

    Args:
        body: As received.
        what: What it should be, for the error text, such as "alert".

    Raises:
        PayloadError: It is larger than 1 MiB, is not UTF-8, is not JSON, or is nested deeper than 40 levels.
    """
    if len(body) > MAX_BYTES:
        raise PayloadError(f"The {what} is larger than {MAX_BYTES} bytes; no source sends that. Nothing was started.")
    try:
        encoded = body if isinstance(body, bytes) else body.encode("utf-8")
        if len(encoded) > MAX_BYTES:
            raise PayloadError(
                f"The {what} is larger than {MAX_BYTES} bytes; no source sends that. Nothing was started."
            )
        text = encoded.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant)
        if _SURROGATE_ESCAPE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise PayloadError(f"The {what} is not valid UTF-8 text. Nothing was started.") from None
    except RecursionError:
        raise PayloadError(f"The {what} is nested too deeply. Nothing was started.") from None
    except ValueError as error:
        # A JSONDecodeError holds the document; only its position may reach a log.
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise PayloadError(f"The {what} is not valid JSON{where}. Nothing was started.") from None
    _check_depth(value, what)
    return value


def as_object(value: Any, where: str) -> JsonObject:
    """The value, which must be a JSON object.

    Raises:
        PayloadError: It is something else.
    """
    if not isinstance(value, dict):
        refuse(f"{where} is {_kind(value)}, not an object")
    return value


def object_at(parent: JsonObject, key: str, where: str) -> JsonObject:
    """The object under a key; missing and null are errors.

    Raises:
        PayloadError: It is missing or something else.
    """
    return as_object(parent.get(key), f"{where}.{key}")


def optional_object(parent: JsonObject, key: str, where: str) -> JsonObject:
    """The object under a key; missing and null read as empty, as Azure sends both.

    Raises:
        PayloadError: It is something else.
    """
    value = parent.get(key)
    return {} if value is None else as_object(value, f"{where}.{key}")


def objects_at(parent: JsonObject, key: str, where: str) -> list[JsonObject]:
    """The objects in the array under a key; missing and null read as empty.

    Raises:
        PayloadError: It is no array, or holds something else.
    """
    return [as_object(item, f"{where}.{key}[{index}]") for index, item in enumerate(list_at(parent, key, where))]


def list_at(parent: JsonObject, key: str, where: str) -> list[Any]:
    """The array under a key; missing and null read as empty.

    Raises:
        PayloadError: It is something else.
    """
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        refuse(f"{where}.{key} is {_kind(value)}, not an array")
    return value


def texts_at(parent: JsonObject, key: str, where: str) -> list[str]:
    """The texts in the array under a key, blank ones left out; missing and null read as empty.

    Raises:
        PayloadError: It is no array, or holds something that is no text.
    """
    texts: list[str] = []
    for index, item in enumerate(list_at(parent, key, where)):
        if not isinstance(item, str):
            refuse(f"{where}.{key}[{index}] is {_kind(item)}, not a text")
        if item.strip():
            texts.append(item.strip())
    return texts


def optional_text(parent: JsonObject, key: str, where: str) -> str | None:
    """The stripped text under a key; missing, null and blank read as None.

    Raises:
        PayloadError: It is something else.
    """
    value = parent.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        refuse(f"{where}.{key} is {_kind(value)}, not a text")
    return value.strip() or None


def id_at(parent: JsonObject, key: str, where: str) -> str:
    """The identifier under a key: printable and of bounded length.

    Raises:
        PayloadError: It is missing or of another form.
    """
    value = optional_text(parent, key, where)
    if value is None:
        refuse(f"{where}.{key} is missing")
    return checked_id(value, f"{where}.{key}")


def checked_id(value: str, where: str) -> str:
    """The identifier itself, which must be printable and of bounded length.

    Raises:
        PayloadError: It is not.
    """
    if len(value) > MAX_ID_LENGTH or not value.isprintable():
        refuse(f"{where} is not an identifier")
    return value


def time_at(parent: JsonObject, key: str, where: str) -> datetime:
    """The time under a key, in UTC. Azure writes up to seven decimals; a time without zone is UTC.

    Raises:
        PayloadError: It is missing or no ISO 8601 time.
    """
    value = optional_text(parent, key, where)
    if value is None:
        refuse(f"{where}.{key} is missing")
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        refuse(f"{where}.{key} is '{plain(value, 40)}', not an ISO 8601 time")


def label(value: Any) -> str:
    """A text reduced for comparison: lower case, letters and digits only; anything that is no text is empty.

    Azure writes the same label as "Activity Log" and "ActivityLog", and sometimes sends a number in its place.
    """
    return "".join(char for char in value.lower() if char.isalnum()) if isinstance(value, str) else ""


def plain(text: str, limit: int = 120) -> str:
    """The text on one line, printable only, cut to a limit: safe for a log, a terminal and a card.

    Control characters and the invisible ones that turn text around (Unicode category Cf) become "?".
    """
    shown = "".join(char if char.isprintable() else "?" for char in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def refuse(fault: str) -> NoReturn:
    """Ends the reading of this payload.

    Raises:
        PayloadError: Always.
    """
    raise PayloadError(f"{fault}. Nothing was started.")


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError


def _check_depth(value: Any, what: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for node in level
            if isinstance(node, (dict, list))
            for item in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    refuse(f"The {what} is nested deeper than {MAX_DEPTH} levels")


def _kind(value: Any) -> str:
    names = {type(None): "missing", bool: "a boolean", int: "a number", float: "a number", str: "a text"}
    return names.get(type(value), "an array" if isinstance(value, list) else "an object")
