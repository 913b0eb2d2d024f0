"""Reads a person's request to look at a VM: the body of the `diagnose` HTTP function."""

import difflib
import ipaddress
import json
import re
from datetime import datetime

from rdp_remediate.intake.ignored import NOT_REPAIRED, Ignored
from rdp_remediate.intake.payload import as_object, optional_text, parse_json, plain, refuse
from rdp_remediate.intake.resource_id import (
    NamedVm,
    is_object_id,
    is_resource_name,
    is_subscription_id,
    last_name,
    read_resource_id,
)
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.incident import Clue, ClueKind, Incident, Kind, RequestedMode, Source

_KEYS = (
    "vm",
    "resource_group",
    "subscription_id",
    "client_address",
    "user",
    "principal_id",
    "dialled_address",
    "dialled_port",
    "client_check",
    "mode",
    "requested_by",
)
_MODES: dict[str, RequestedMode] = {"observe": "observe", "approve": "approve", "auto": "auto"}
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-zA-Z0-9_](?:[a-zA-Z0-9_\-]{0,62})(?:\.[a-zA-Z0-9_][a-zA-Z0-9_\-]{0,62})*\.?")
_MAX_NAME_LENGTH = 256
_CLIENT_CHECK_SCHEMA = "rdp-remediate/client-check/1"
_MOST_CLIENT_CHECK = 24 * 1024


def read_manual(
    body: bytes | str, *, request_id: str, received_at: datetime, requested_by: str | None = None
) -> list[Incident | Ignored]:
    """What a request starts.

    Keys: `vm` (ARM id, or a name with `resource_group` and `subscription_id` as far as known), `client_address`,
    `user`, `principal_id` (that account's object id in Microsoft Entra ID), `dialled_address`, `dialled_port`,
    `client_check` (the document of `rdp-remediate client-check`), `mode` (observe, approve or auto; it can only lower the
    mode) and `requested_by`. An unknown key is an error: a mistyped `mode` must not pass as no mode.

    Args:
        body: The request body.
        request_id: A new id for this request, or the caller's idempotency key.
        received_at: When it came in, aware.
        requested_by: Who asks, as the platform has authenticated them; without it the body's claim is kept.

    Raises:
        PayloadError: The body is malformed, or a value is of a wrong form.
    """
    request = as_object(parse_json(body, "request"), "The request")
    for key in request:
        if key not in _KEYS:
            close = difflib.get_close_matches(key[:40], _KEYS, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(_KEYS)}"
            refuse(f"The request has the unknown key '{plain(key, 40)}'{hint}")
    named = _vm(request)
    if isinstance(named, Ignored):
        return [Ignored(named.reason, named.detail, request_id)]
    who = requested_by or _name(request, "requested_by")
    vm = last_name(named.id) if isinstance(named, NamedVm) else named.value
    return [
        Incident(
            source=Source.MANUAL,
            kind=Kind.MANUAL,
            event_id=request_id,
            occurred_at=received_at,
            vm_id=named.id if isinstance(named, NamedVm) else None,
            clue=None if isinstance(named, NamedVm) else named,
            client_address=_address(request, "client_address"),
            user=_name(request, "user"),
            principal_id=_principal(request),
            dialled_address=_dialled(request),
            dialled_port=_port(request),
            client_check=_client_check(request),
            requested_mode=_mode(request),
            requested_by=who,
            summary=f"{plain(who or 'Somebody')} asked to look at {plain(vm)}.",
        )
    ]


def _vm(request: JsonObject) -> NamedVm | Clue | Ignored:
    vm = optional_text(request, "vm", "request")
    group = optional_text(request, "resource_group", "request")
    subscription = optional_text(request, "subscription_id", "request")
    if vm is None:
        refuse("The request names no VM; give its ARM id or its name in 'vm'")
    if subscription is not None and not is_subscription_id(subscription):
        refuse("request.subscription_id is no subscription id")
    if group is not None and not is_resource_name(group):
        refuse(f"request.resource_group is '{plain(group, 90)}', which is no resource group's name")
    if "/" in vm:
        if group is not None or subscription is not None:
            refuse("request.vm is an ARM id; leave out 'resource_group' and 'subscription_id'")
        named = read_resource_id(vm)
        if isinstance(named, Clue) or (isinstance(named, Ignored) and named.reason not in NOT_REPAIRED):
            refuse(f"request.vm is '{plain(vm)}', which is not the ARM id of a virtual machine")
        return named
    if not is_resource_name(vm):
        refuse(f"request.vm is '{plain(vm)}', which is no virtual machine's name")
    if group is not None and subscription is not None:
        return NamedVm(
            f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{vm}"
        )
    return Clue(kind=ClueKind.VM_NAME, value=vm, subscription_id=subscription, resource_group=group)


def _address(request: JsonObject, key: str) -> str | None:
    value = optional_text(request, key, "request")
    if value is None:
        return None
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        refuse(f"request.{key} is '{plain(value, 60)}', not an IP address")


def _dialled(request: JsonObject) -> str | None:
    value = optional_text(request, "dialled_address", "request")
    if value is None:
        return None
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        if _HOST_NAME.fullmatch(value):
            return value
    refuse(f"request.dialled_address is '{plain(value, 60)}', neither an IP address nor a host name")


def _principal(request: JsonObject) -> str | None:
    value = optional_text(request, "principal_id", "request")
    if value is not None and not is_object_id(value):
        refuse("request.principal_id is no object id of Microsoft Entra ID, which is a GUID with dashes")
    return value


def _port(request: JsonObject) -> int | None:
    value = request.get("dialled_port")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        refuse("request.dialled_port is no port number from 1 to 65535")
    return value


def _client_check(request: JsonObject) -> JsonObject | None:
    """The document as it came, bounded; it is a claim, and judgement reads it strictly or not at all."""
    value = request.get("client_check")
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("schema") != _CLIENT_CHECK_SCHEMA:
        refuse(f"request.client_check is no document of the schema {_CLIENT_CHECK_SCHEMA}")
    if len(json.dumps(value)) > _MOST_CLIENT_CHECK:
        refuse(f"request.client_check is larger than {_MOST_CLIENT_CHECK} characters")
    return value


def _mode(request: JsonObject) -> RequestedMode | None:
    value = optional_text(request, "mode", "request")
    if value is None:
        return None
    if value not in _MODES:
        refuse(f"request.mode is '{plain(value, 20)}'; known are {', '.join(_MODES)}")
    return _MODES[value]


def _name(request: JsonObject, key: str) -> str | None:
    value = optional_text(request, key, "request")
    if value is not None and (len(value) > _MAX_NAME_LENGTH or not value.isprintable()):
        refuse(f"request.{key} is no name of at most {_MAX_NAME_LENGTH} printable characters")
    return value
