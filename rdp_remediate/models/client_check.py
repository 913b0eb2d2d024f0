"""What the user's own computer sees, schema rdp-remediate/client-check/1.

Written by `rdp-remediate client-check` or by client-check.ps1, read by diagnose. It comes from outside, so it is a claim:
evidence for the hops client and edge, never the source of a rule and never an address that is connected to. Every text
and list is bounded. What could not be read is named in `unavailable`; what is neither present nor named was not tried.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rdp_remediate.models.base import UtcTime

MOST_BYTES = 24 * 1024
"""A check is a few KiB; it is stored with its run."""

Line = Annotated[str, StringConstraints(max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[^\x00-\x20\x7f]*$")]
Address = Annotated[str, StringConstraints(min_length=2, max_length=45, pattern=r"^[0-9A-Fa-f:.]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Part(BaseModel):
    """Strict: a key that no version of ours writes is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)


class ClientSystem(_Part):
    """The computer itself."""

    os: Literal["windows", "linux", "other"]
    version: Line = Field(description="such as 10.0.22631 or the kernel's release")
    tspkg_version: Line | None = Field(
        default=None, description="Windows: file version of tspkg.dll, which holds CredSSP"
    )


class RdpFile(_Part):
    """What a .rdp file dials; user names and passwords in it are not kept."""

    full_address: Line
    alternate_full_address: Line | None = None
    server_port: Port | None = None
    gateway_host: Line | None = None
    gateway_usage: int | None = Field(default=None, ge=0, le=4, description="gatewayusagemethod: 0 and 4 never use it")


class Resolution(_Part):
    """What the dialled name leads to on this computer."""

    addresses: list[Address] = Field(max_length=32)
    not_found: bool = Field(default=False, description="the resolver says that there is no such name")
    hosts_file: list[Address] = Field(default=[], max_length=32, description="addresses that the hosts file gives it")


class Attempt(_Part):
    """One connection that was tried."""

    host: Name
    port: Port
    address: Address | None = Field(default=None, description="the address that was tried")
    outcome: Literal["open", "answered", "handshake", "timeout", "refused", "unreachable", "reset", "closed", "no_answer",
                     "not_rdp", "tls_failed", "local_denied", "not_resolved", "error"] = Field(
        description="open: TCP only; answered: X.224; handshake: X.224 and TLS; reset, closed and no_answer: after TCP connected"
    )  # fmt: skip
    thumbprint: Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{40}$")] | None = Field(
        default=None, description="SHA-1 of the certificate that was seen"
    )
    issuer: Line | None = None
    subject: Line | None = None
    detail: Line = ""

    @property
    def answered(self) -> bool:
        """RDP itself answered."""
        return self.outcome in ("answered", "handshake", "tls_failed")

    @property
    def connected(self) -> bool:
        """TCP connected."""
        return self.outcome not in ("timeout", "refused", "unreachable", "local_denied", "not_resolved", "error")


class Proxy(_Part):
    """Proxy settings as they were found, without user names and passwords."""

    settings: list[Line] = Field(default=[], max_length=16)


class LocalFirewall(_Part):
    """What on this computer may stop it from connecting."""

    outbound_blocks: list[Line] = Field(
        default=[],
        max_length=16,
        description="enabled rules that block the dialled port outwards, or a blocking default",
    )
    active: list[Line] = Field(default=[], max_length=16, description="firewalls that are on")
    products: list[Line] = Field(default=[], max_length=16, description="security products that Windows knows")


class UnavailableItem(_Part):
    """An item that could not be read."""

    fact: Line
    reason: Literal["forbidden", "not_found", "timeout", "unreachable", "not_supported", "malformed", "server_error"]
    detail: Line


class ClientCheck(_Part):
    """One run on the user's computer."""

    schema_: Literal["rdp-remediate/client-check/1"] = Field(alias="schema", default="rdp-remediate/client-check/1")
    made_at: UtcTime
    made_by: Literal["python", "powershell"]
    system: ClientSystem
    host: Name = Field(description="the name or address that the user dials")
    port: Port
    expected_address: Address | None = Field(
        default=None, description="the address that Azure shows, as the user was told"
    )
    client_address: Address | None = Field(default=None, description="the user's public address, as the user says")
    rdp_file: RdpFile | None = None
    resolution: Resolution | None = None
    target: Attempt | None = None
    control_https: Attempt | None = Field(default=None, description="port 443 of the control host")
    control_rdp: Attempt | None = Field(default=None, description="the RDP port of the control host")
    second_rdp: Attempt | None = Field(default=None, description="another computer that is known to take RDP")
    bastion: Attempt | None = Field(default=None, description="a WebSocket upgrade on port 443 of the Bastion host")
    proxy: Proxy | None = None
    local_firewall: LocalFirewall | None = None
    unavailable: list[UnavailableItem] = Field(default=[], max_length=32)


def read_client_check(raw: Any) -> ClientCheck:
    """A check from decoded JSON.

    Raises:
        ValueError: It is none, too large, or holds what no check holds; the text names the first thing.
    """
    if not isinstance(raw, dict) or raw.get("schema") != "rdp-remediate/client-check/1":
        raise ValueError("its schema is not rdp-remediate/client-check/1")
    size = len(json.dumps(raw, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    try:
        return ClientCheck.model_validate(raw)
    except ValidationError as refused:
        first = refused.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where[:80]}: {first['msg']}"[:200]) from refused
