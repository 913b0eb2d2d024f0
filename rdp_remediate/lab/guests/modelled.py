"""A guest runtime without PowerShell: it knows our own two scripts and the state that they read, and nothing else.

It is there so that the demo needs nothing installed. Whatever it does not know ends with "needs winps".
"""

import base64
import binascii
import json
import zlib
from typing import Any

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.guest_runtime import Admission, GuestState, RdpListener, ScriptResult
from rdp_remediate.lab.guests import dynamics, firewall, listener, states, surface
from rdp_remediate.lab.guests.listener import SELF_SIGNED_STORE, bound_certificate
from rdp_remediate.lab.guests.modelled_answer import collect
from rdp_remediate.lab.guests.modelled_repair import NotModelledError, repair
from rdp_remediate.lab.guests.moments import moment

COLLECT = "# rdp-remediate collect 1"
REPAIR = "# rdp-remediate repair 1"
_REQUEST_SCHEMA = "rdp-remediate/guest-request/1"
_LONGEST_REQUEST = 8000
_LONGEST_PAYLOAD = 3960
_SHORT = 120
"""A section is not dropped when it is shorter than the line that would tell of it."""
_DROPPED_FIRST = (
    "events", "changes", "adapters", "system", "remote_desktop", "self_probe", "accounts", "certificate", "addresses",
    "sign_ins", "sessions", "listener", "firewall", "services", "registry",
)  # fmt: skip


class NeedsWinpsError(UsageError):
    """The modelled guest knows neither what was asked nor what Windows would answer; winps does."""


class ModelledGuest:
    """Answers collect.ps1 and repair.ps1 from guest state; a `GuestRuntime`."""

    def healthy_state(self, base: str) -> GuestState:
        """Returns a fresh healthy state, not settled: what a scenario changes in it was so when Windows started.

        Raises:
            UsageError: there is no such base.
        """
        return states.healthy_state(base)

    def settle(self, state: GuestState) -> GuestState:
        """Returns the state after Windows' own dynamics.

        Raises:
            NeedsWinpsError: the state holds something that is not modelled.
        """
        unknown = _unknown(state)
        if unknown:
            raise NeedsWinpsError(
                f"needs winps: the modelled guest does not know {', '.join(unknown[:5])}"
                f"{' and more' if len(unknown) > 5 else ''}. Use --guest winps."
            )
        return dynamics.settle(state)

    def rdp_listener(self, state: GuestState) -> RdpListener | None:
        """Returns the RDP listener of a settled state, None when there is none."""
        return listener.rdp_listener(state)

    def admits(self, state: GuestState, client: str, port: int) -> Admission:
        """Returns what Windows Firewall and the listeners make of a TCP SYN from client to the guest's port."""
        return firewall.admits(state, client, port)

    async def run_script(
        self,
        state: GuestState,
        script: str,
        parameters: dict[str, str],
        *,
        timeout_s: float,  # noqa: ARG002 - the protocol's; nothing here takes time
    ) -> ScriptResult:
        """Answers our own two scripts; any other script, or a state not modelled, gives stderr "needs winps: …"."""
        first_line = script.removeprefix("\ufeff").split("\n", 1)[0].strip()
        if first_line not in {COLLECT, REPAIR}:
            return _needs_winps(
                state, "the modelled guest executes no PowerShell, only its own model of our two scripts"
            )
        try:
            settled = self.settle(state)
        except NeedsWinpsError as error:
            return ScriptResult("", f"{error}\n", state)
        try:
            request = _decode_request(parameters.get("Request", ""))
        except ValueError as error:
            return _needs_winps(state, f"the request cannot be read ({error})")
        repaired = None
        if first_line == REPAIR:
            if request is None:
                return _needs_winps(state, "repair was sent without a request")
            try:
                settled, repaired = repair(settled, request)
            except NotModelledError as error:
                return _needs_winps(state, f"the modelled guest does not know {error}")
        asked = request or {}
        answer = collect(settled, asked.get("self_address"), 2 if asked.get("slice") == 2 else 1, asked.get("user"))
        if repaired is not None:
            answer["repair"] = repaired
        return ScriptResult(_wire(answer) + "\n", "", settled)

    async def close(self) -> None:
        """Does nothing: nothing was started."""


def _unknown(state: GuestState) -> list[str]:
    unknown = surface.unknown_parts(state)
    # TermService would make a new self-signed certificate at its next start.
    certificate = bound_certificate(state)
    if certificate is None or moment(certificate["not_after"]) <= moment(state["now"]):
        unknown.append(f"certificates.{SELF_SIGNED_STORE} without a valid certificate")
    return unknown


def _needs_winps(state: GuestState, why: str) -> ScriptResult:
    return ScriptResult("", f"needs winps: {why}. Use --guest winps.\n", state)


def _decode_request(text: str) -> dict[str, Any] | None:
    """Returns the scripts' one parameter: base64url of ASCII JSON; None when it is empty."""
    if not text:
        return None
    if len(text) > _LONGEST_REQUEST:
        raise ValueError(f"it has {len(text)} characters, more than {_LONGEST_REQUEST}")
    try:
        document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii"))
    except (binascii.Error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError("it is not base64url of JSON") from error
    if not isinstance(document, dict) or document.get("schema") != _REQUEST_SCHEMA:
        raise ValueError("its schema is not known")
    return document


def _packed(answer: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer with a key's values and a service's in their known order, without names."""
    packed = dict(answer)
    if "registry" in answer:
        packed["registry"] = {
            key: [answer["registry"][f"{key}\\{name}"] for name in names]
            for key, names in surface.REGISTRY_VALUES.items()
        }
    if "services" in answer:
        packed["services"] = {
            name: None if service is None else list(service.values()) for name, service in answer["services"].items()
        }
    return packed


def _wire(answer: dict[str, Any]) -> str:
    """Returns the one line of an answer; sections that have no room are dropped, the least needed first."""
    droppable = list(_DROPPED_FIRST)
    if answer["slice"] == 2:
        droppable.reverse()
    while True:
        text = json.dumps(_packed(answer), ensure_ascii=True, separators=(",", ":"), sort_keys=True)
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        payload = base64.b64encode(deflate.compress(text.encode("ascii")) + deflate.flush()).decode("ascii")
        if len(payload) <= _LONGEST_PAYLOAD or not droppable:
            break
        section = droppable.pop(0)
        if answer.get(section) is None or len(json.dumps(answer[section], separators=(",", ":"))) < _SHORT:
            continue
        del answer[section]
        answer["unavailable"] = [
            entry for entry in answer["unavailable"] if not entry["fact"].startswith(f"{section}.")
        ] + [{"fact": section, "reason": "truncated", "detail": "the answer has no room for this section"}]
    crc = zlib.crc32(payload.encode("ascii"))
    return f"#rdpr1 z {answer['slice']} {crc:08x} {len(payload)} {payload}#end"
