r"""The wire form between this program and its two scripts: one parameter in, one line of stdout out.

A request is base64url of ASCII JSON, schema rdp-remediate/guest-request/1. An answer is one line,
`#rdpr1 <z|p> <slice> <crc32> <length> <payload>#end`, because Run Command keeps only the last 4,096 bytes of stdout:
z is base64 of raw deflate (RFC 1951) of JSON, p the JSON itself (Constrained Language Mode). In it a service is the row
state, start type, account, pid, exit code, dependencies, and registry is short key to values by name in p, in the order
of registry_values.ps1 in z. Whatever is not exactly that is `Unavailable`, never guessed.

How the collector derives each section (a model of the guest has to derive the same):

- os: Win32_OperatingSystem and Win32_ComputerSystem; installation_type from CurrentVersion; safe_mode from
  Control\SafeBoot\Option\OptionValue (1 Minimal, 2 Network, 3 DsRepair), else from %SAFEBOOT_OPTION%.
- registry: the values of $registryValues in collector.ps1 under their short names, null where absent; an unreadable
  key is `registry.<short key>` in `unavailable`.
- services: Win32_Service for $serviceNames; the state without blanks, Auto with delayed start is AutoDelayed,
  depends_on is the registry's DependOnService, null where the service is not installed.
- listener: TCP rows in state Listen whose port is RT\PortNumber (3389 where absent) or whose owner is TermService's
  process. term_service_pid is null while the service does not run.
- firewall: profiles of the ActiveStore (NotConfigured counts as on), source GroupPolicy where the policy key of the
  profile (for Private also StandardProfile) holds one of the four values that are listed under FWP; active from the
  connection profiles; rules: the two built-in ones whatever their state, and every enabled inbound rule for TCP or
  any protocol that names the RDP port or TermService, or is open to any port, service and to svchost or any program.
- sessions: qwinsta. sign_ins: Security 4625 of 900 s, at most 1,000 counted; sources are distinct addresses but "-";
  not_guessed are those of another reason than 64, 6A, 6D or 234. asked: the request's user in 24 hours, name and
  domain compared without case: 4625 alike counted, the newest 4624, 1149, 4740, 4825, and for AzureAD\ Entra's codes.
- accounts: Get-LocalUser and Win32_UserAccount for the request's user, members of the groups 544 and 555; user rights
  (secedit) and the hours (net user) only where the user's last failure gives them as the reason; on members of a domain
  nltest, Test-ComputerSecureChannel and w32tm against the controller; dsregcmd; the RDP certificates' registry ACL.
- addresses: all but loopback and fe80::. certificate: the one that RT\SSLCertificateSHA1Hash names if it is in the
  Remote Desktop or My store, else the Remote Desktop store's latest. self_probe: to the request's self_address, else
  to the first IPv4 address in text order. remote_desktop: only what is not usual, see `RemoteDesktopSection`. changes:
  seven days, see `GuestChange`. events: seven days, see `LoggedEvent`; which ones, $eventQueries in events.ps1.
- system: Win32_LogicalDisk of %SystemDrive%, the sizes of Win32_OperatingSystem in megabytes, Win32_Processor's load (read
  twice above 90), and of `bcdedit /enum {current}` ems (absent is off) and safeboot. The names of processes are there only
  when memory is short or the load high. pending_restart from the three registry keys; ports from netstat, from half of
  the dynamic range on. remote_desktop.licensing only of a session host; policy_owned where PolicySource is 1.
- adapters: Get-NetAdapter whose device is a network adapter of the VMBus, with its IPv4 interface, routes and typed-in
  DNS servers; ghosts from Enum and hidden adapters; proxy from netsh winhttp; see `models.guest_adapters`.

In Constrained Language Mode slice 1 reads fewer registry values and services (Select-Share), and self_probe, changes
and events are not supported; slice 2 holds os, system and the other registry values
and services only. Lists are sorted here, because
sorting in Windows depends on the culture.
"""

import base64
import json
import re
import zlib
from typing import Any

from pydantic import ValidationError

from rdp_remediate.errors import InternalError
from rdp_remediate.guest.scripts import registry_values
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.guest import GuestAnswer
from rdp_remediate.ports import GuestRequest

REQUEST_SCHEMA = "rdp-remediate/guest-request/1"
MAX_REQUEST_CHARACTERS = 7000
"""The parameter stands on a command line, which ends at 8,191 characters in cmd.exe; the scripts refuse more."""

_MARK = "#rdpr1 "
_END = "#end"
_HEAD = re.compile(r"#rdpr1 ([zp]) ([12]) ([0-9a-f]{8}) ([0-9]{1,4}) ")
_MAX_JSON_BYTES = 65_536
_SERVICE = ("state", "start_type", "account", "pid", "exit_code", "depends_on")
_SOURCE = "guest"


def encode_request(request: GuestRequest) -> str:
    """Returns the value of the scripts' one parameter.

    Raises:
        InternalError: The steps do not fit into one parameter; a plan never holds that many.
    """
    document = {
        "schema": REQUEST_SCHEMA,
        "run_id": request.run_id,
        "slice": request.slice,
        "user": request.user,
        "self_address": request.self_address,
        "deadline_s": request.deadline_s,
        "allow_domain_controller": request.allow_domain_controller,
        "steps": list(request.steps),
    }
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    encoded = base64.urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")
    if len(encoded) > MAX_REQUEST_CHARACTERS:
        raise InternalError(
            f"The request for the guest has {len(encoded)} characters, more than {MAX_REQUEST_CHARACTERS}: "
            f"{len(request.steps)} steps do not fit into one Run Command. Please report this plan."
        )
    return encoded


def decode_answer(stdout: str, slice_: int = 1) -> JsonObject | Unavailable:
    """Returns a script's answer as JSON of schema rdp-remediate/guest/1, or why there is none.

    The JSON is complete and canonical: defaults filled in, lists sorted, absent sections left out.

    Args:
        stdout: What Run Command kept of the script's standard output.
        slice_: The slice that was asked for.
    """
    text = stdout.replace("\r", "").replace("\n", "")
    payload = checked_payload(text, slice_)
    if isinstance(payload, Unavailable):
        return payload
    try:
        document = json.loads(payload)
    except ValueError as error:
        return _malformed(f"The guest's answer is not JSON: {error}.")
    if not isinstance(document, dict) or document.get("schema") != "rdp-remediate/guest/1":
        return _malformed("The guest's answer is of a schema that is not known here.")
    if not _unpack(document):
        return _malformed("The guest's answer holds a row of another length than is known here.")
    if document.get("slice") != slice_:
        return _malformed("The guest's answer is of another slice than its head says.")
    try:
        answer = GuestAnswer.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return _malformed(f"The guest's answer breaks its schema at {where}: {first['msg']}.")
    return canonical(answer)


def _unpack(document: JsonObject) -> bool:
    """Gives packed registry values and service rows their names again, in place; False if one has another length."""
    table = registry_values()
    values, services = document.get("registry"), document.get("services")
    if isinstance(values, dict):
        for key in [key for key in values if key in table]:
            packed = values.pop(key)
            if isinstance(packed, list) and len(packed) == len(table[key]):
                packed = dict(zip(table[key], packed, strict=True))
            if not isinstance(packed, dict):
                return False
            values.update((f"{key}\\{name}", value) for name, value in packed.items())
    if isinstance(services, dict):
        for name, row in services.items():
            if not isinstance(row, list):
                continue
            if len(row) != len(_SERVICE):
                return False
            services[name] = dict(zip(_SERVICE, row, strict=True))
    return True


def canonical(answer: GuestAnswer) -> JsonObject:
    """Returns an answer as JSON with its lists sorted; sections that are not there are left out."""
    document: JsonObject = answer.model_dump(mode="json", by_alias=True)
    for name in [name for name, value in document.items() if value is None]:
        del document[name]
    _sort(document.get("listener"), "rows", "address", "port", "pid")
    _sort(document.get("firewall"), "rules", "name", "store")
    _sort(document.get("firewall"), "outbound", "name", "store")
    _sort(document.get("firewall"), "ipsec", "name")
    _sort(document, "sessions", "id")
    _sort(document, "addresses", "address", "interface")
    _sort(document, "changes", "at", "log", "event_id", "object")
    _sort(document.get("adapters"), "nics", "name")
    _sort(document.get("adapters"), "blocked", "at", "event_id", "source")
    _sort(document, "events", "at", "provider", "id", "data")
    sign_ins = document.get("sign_ins") or {}
    _sort(sign_ins.get("asked"), "failures", "last", "status", "sub_status", "type", "address")
    if "remote_desktop" in document:
        document["remote_desktop"]["policy_owned"].sort()
    firewall = document.get("firewall")
    if firewall is not None:
        firewall["active"].sort()
        for rule in (*firewall["rules"], *firewall["outbound"], *firewall["ipsec"]):
            rule["profiles"].sort()
    return document


def _sort(owner: JsonObject | None, name: str, *keys: str) -> None:
    rows: list[dict[str, Any]] | None = None if owner is None else owner.get(name)
    if rows is not None:
        rows.sort(key=lambda row: tuple(row[key] for key in keys))


def checked_payload(text: str, slice_: int) -> bytes | Unavailable:
    """Returns the JSON of the one answer in a script's output, length and checksum checked, or why there is none."""
    if not text.strip():
        return _malformed("The script printed nothing.")
    start = text.find(_MARK)
    if start < 0:
        if text.rstrip().endswith(_END):
            return _truncated("The head of the guest's answer is missing: Run Command kept only its end.")
        return _malformed("The script printed something, but no answer of ours.")
    head = _HEAD.match(text, start)
    if head is None:
        if _END not in text[start:]:
            return _truncated("The guest's answer ends within its head.")
        return _malformed("The head of the guest's answer is not understood.")
    mode, slice_text, checksum, length_text = head.groups()
    payload = text[head.end() : head.end() + int(length_text)]
    rest = text[head.end() + int(length_text) :]
    if len(payload) < int(length_text) or not rest.startswith(_END):
        if _END not in text[head.end() :]:
            return _truncated("The end of the guest's answer is missing.")
        return _malformed("The guest's answer has another length than its head says.")
    if _MARK in rest:
        return _malformed("The script printed two answers.")
    raw = payload.encode("utf-8", "replace")
    if zlib.crc32(raw) != int(checksum, 16):
        return _malformed("The checksum of the guest's answer is wrong.")
    if int(slice_text) != slice_:
        return _malformed(f"The guest answered slice {slice_text}, slice {slice_} was asked for.")
    return raw if mode == "p" else _inflate(raw)


def _inflate(raw: bytes) -> bytes | Unavailable:
    try:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        plain = inflater.decompress(base64.b64decode(raw, validate=True), _MAX_JSON_BYTES)
    except (ValueError, zlib.error) as error:
        return _malformed(f"The guest's answer cannot be unpacked: {error}.")
    if not inflater.eof:
        return _malformed("The guest's answer unpacks to too much or ends early.")
    return plain


def _malformed(detail: str) -> Unavailable:
    return Unavailable(Reason.MALFORMED, detail, _SOURCE)


def _truncated(detail: str) -> Unavailable:
    return Unavailable(Reason.TRUNCATED, detail, _SOURCE)
