r"""Keys as every store can hold them.

Azure Tables refuse `/`, `\`, `#`, `?` and control characters in keys and limit them to 512 characters; blob names have
rules of their own. Both stores write the escaped form, so that rows come in the same order from both.
https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
"""

import re

from rdp_remediate.errors import StoreError

_UNSAFE = re.compile(r"[^A-Za-z0-9._:@|()\-]", re.DOTALL)
_ESCAPED = re.compile(r"!([0-9a-f]+);")
_LONGEST = 512
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_BLOB = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")


def escape(key: str) -> str:
    """The key as it is stored; each character by itself, so that a prefix stays a prefix.

    Raises:
        StoreError: It is too long once escaped.
    """
    stored = _UNSAFE.sub(lambda match: f"!{ord(match[0]):x};", key)
    if len(stored) > _LONGEST:
        raise StoreError(f"A key of {len(stored)} characters is too long for the store; the limit is {_LONGEST}.")
    return stored


def unescape(stored: str) -> str:
    """The key that was escaped."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), stored)


def checked_table(table: str) -> str:
    """The table's name.

    Raises:
        StoreError: It is no name that every store accepts.
    """
    if not _TABLE.fullmatch(table):
        raise StoreError(f"{table!r} is no name of a table.")
    return table


def checked_blob(name: str) -> str:
    """The blob's name.

    Raises:
        StoreError: It is no name that every store accepts.
    """
    if not _BLOB.fullmatch(name) or len(name) > 900 or any(set(part) == {"."} for part in name.split("/")):
        raise StoreError(f"{name[:80]!r} is no name of a blob.")
    return name
