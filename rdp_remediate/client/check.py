"""One check of this computer: what it dials, where that leads, what gets out. Changes nothing, needs no rights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rdp_remediate.client import surroundings
from rdp_remediate.client.connections import try_bastion, try_rdp, try_tcp
from rdp_remediate.models.client_check import ClientCheck, RdpFile, UnavailableItem
from rdp_remediate.probe.prober import Prober
from rdp_remediate.probe.target import split_endpoint

RDP_PORT = 3389
HTTPS_PORT = 443


@dataclass(frozen=True)
class Wanted:
    """What the user asked for; hosts are HOST or HOST:PORT."""

    host: str
    port: int
    control: str | None = None
    second_rdp: str | None = None
    bastion: str | None = None
    expected_address: str | None = None
    client_address: str | None = None
    thumbprint: str | None = None
    rdp_file: RdpFile | None = None


async def check_client(
    wanted: Wanted, prober: Prober, environment: Mapping[str, str], say: Callable[[str], None]
) -> ClientCheck:
    """Runs the check; every part stands or fails alone."""
    unavailable: list[UnavailableItem] = []
    parts: dict[str, object] = {}

    def keep(name: str, value: object) -> None:
        if isinstance(value, UnavailableItem):
            unavailable.append(value)
        elif value is not None:
            parts[name] = value

    say(f"looking up {wanted.host}")
    keep("resolution", await surroundings.resolve(wanted.host, wanted.port))
    say("reading proxy settings and firewalls of this computer")
    keep("proxy", surroundings.proxy(environment))
    keep("local_firewall", await surroundings.local_firewall())
    say(f"connecting to {wanted.host}:{wanted.port}")
    expected = (wanted.thumbprint,) if wanted.thumbprint else ()
    keep("target", await try_rdp(prober, wanted.host, wanted.port, expected))
    if wanted.control:
        host, port = split_endpoint(wanted.control)
        say(f"connecting to the control host {host}")
        keep("control_https", await try_tcp(host, HTTPS_PORT))
        keep("control_rdp", await try_tcp(host, port or wanted.port))
    if wanted.second_rdp:
        host, port = split_endpoint(wanted.second_rdp)
        say(f"connecting to the second RDP host {host}")
        keep("second_rdp", await try_rdp(prober, host, port or RDP_PORT))
    if wanted.bastion:
        host, port = split_endpoint(wanted.bastion)
        say(f"asking {host} for a WebSocket")
        keep("bastion", await try_bastion(host, port or HTTPS_PORT))
    return ClientCheck.model_validate(
        {
            "made_at": datetime.now(UTC),
            "made_by": "python",
            "system": surroundings.system(),
            "host": wanted.host,
            "port": wanted.port,
            "expected_address": wanted.expected_address,
            "client_address": wanted.client_address,
            "rdp_file": wanted.rdp_file,
            "unavailable": unavailable,
            **parts,
        }
    )
