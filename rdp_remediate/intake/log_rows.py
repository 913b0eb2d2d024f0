"""Finds machines, client addresses and users in the dimensions and rows of a log or metric alert.

A log alert of version 2 carries the dimensions that its rule splits by and no rows; version 1 may carry rows. Column
names are those of the Log Analytics tables (https://learn.microsoft.com/azure/azure-monitor/reference/tables-index).
All of it is text that a rule author, an agent or a stranger at the sign-in wrote: claims, never facts.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rdp_remediate.intake.payload import list_at, objects_at, optional_object, optional_text, refuse
from rdp_remediate.models.base import JsonObject

_RESOURCE_COLUMNS = frozenset({"_resourceid", "resourceid", "vmresourceid", "azureresourceid", "targetresourceid"})
_COMPUTER_COLUMNS = frozenset({"computer", "computername", "hostname", "machine", "machinename"})
_CLIENT_COLUMNS = frozenset(
    {"ipaddress", "clientip", "clientipaddress", "clientaddress", "sourceip", "sourceaddress", "srcip", "remoteip"}
)
_USER_COLUMNS = frozenset({"account", "targetaccount", "targetusername", "username", "user", "accountname"})

# Flow logs name the private address behind a public one as destination, so `DestIP` is not what was dialled.
_DIALLED_COLUMNS = frozenset({"dialledaddress", "dialledip"})
_PORT_COLUMNS = frozenset({"destport", "destinationport", "dialledport"})

# A short or full computer name. The worker puts it into a query, so nothing else may pass.
_COMPUTER_NAME = re.compile(r"\w(?:[\w.\-]{0,252}\w)?")


@dataclass(frozen=True, slots=True)
class Row:
    """What one set of dimensions, or one row, says.

    Attributes:
        resource_id: An ARM id, as written.
        computer: A computer name.
        client: The address of the computer that tried to connect, in normal form.
        user: The account that tried to connect.
        dialled_address: The address that was dialled, in normal form.
        dialled_port: The port that was dialled, as firewall and flow logs name it.
    """

    resource_id: str | None = None
    computer: str | None = None
    client: str | None = None
    user: str | None = None
    dialled_address: str | None = None
    dialled_port: int | None = None


def read_rows(context: JsonObject, where: str) -> list[Row]:
    """Every set of dimensions and every row of an alert context.

    Raises:
        PayloadError: A part of it has a form that Azure never sends.
    """
    condition = optional_object(context, "condition", where)
    rows = [
        _row(_pairs(objects_at(criterion, "dimensions", f"{where}.condition.allOf")))
        for criterion in objects_at(condition, "allOf", f"{where}.condition")
    ]
    rows.append(_row(_pairs(objects_at(context, "Dimensions", where))))
    for key in ("SearchResults", "SearchResult"):
        results = optional_object(context, key, where)
        for table in objects_at(results, "tables", f"{where}.{key}"):
            rows.extend(_table(table, f"{where}.{key}.tables"))
    return [row for row in rows if row != Row()]


def computer_name(text: str) -> str | None:
    """The text if it can be a computer name, else None."""
    return text if _COMPUTER_NAME.fullmatch(text) else None


def client_address(text: str) -> str | None:
    """The address in normal form; None for what is no address or can be no client's.

    Windows logs 0.0.0.0 or "-" for a sign-in whose client it does not know.
    """
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return client_address(str(address.ipv4_mapped))
        if address.scope_id is not None:
            return None
    if address.is_unspecified or address.is_loopback or address.is_multicast or str(address) == "255.255.255.255":
        return None
    return str(address)


def user_name(text: str) -> str | None:
    r"""The account name; None for what Windows writes when there is none. "\name" is a name without domain."""
    name = text.strip().removeprefix("\\").strip()
    if name in {"", "-", "-\\-"} or len(name) > 256 or not name.isprintable():
        return None
    return name


def _pairs(dimensions: list[JsonObject]) -> Iterator[tuple[str, str]]:
    for dimension in dimensions:
        name, value = dimension.get("name", dimension.get("Name")), dimension.get("value", dimension.get("Value"))
        if isinstance(name, str) and isinstance(value, str):
            yield name, value


def _table(table: JsonObject, where: str) -> Iterator[Row]:
    columns = [
        optional_text(column, "name", f"{where}.columns") or "" for column in objects_at(table, "columns", where)
    ]
    for cells in list_at(table, "rows", where):
        if not isinstance(cells, list):
            refuse(f"{where}.rows holds something that is no row")
        yield _row((name, cell) for name, cell in zip(columns, cells, strict=False) if isinstance(cell, str))


def _row(cells: Iterator[tuple[str, str]]) -> Row:
    """The first usable cell of each kind."""
    found: dict[str, str] = {}
    port: int | None = None
    for name, value in cells:
        column = name.strip().lower()
        text = value.strip()
        if column in _RESOURCE_COLUMNS and text.lower().startswith("/subscriptions/"):
            found.setdefault("resource_id", text)
        elif column in _COMPUTER_COLUMNS and (computer := computer_name(text)) is not None:
            found.setdefault("computer", computer)
        elif column in _CLIENT_COLUMNS and (client := client_address(text)) is not None:
            found.setdefault("client", client)
        elif column in _DIALLED_COLUMNS and (dialled := client_address(text)) is not None:
            found.setdefault("dialled_address", dialled)
        elif column in _USER_COLUMNS and (user := user_name(text)) is not None:
            found.setdefault("user", user)
        elif column in _PORT_COLUMNS and text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536:
            port = port or int(text)
    return Row(**found, dialled_port=port)
