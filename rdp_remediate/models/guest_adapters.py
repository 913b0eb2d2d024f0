"""The section adapters of the guest's answer: what stands between Azure's NIC and TermService inside Windows.

What has its usual value is not sent; the defaults here are those values.
"""

from pydantic import Field

from rdp_remediate.models.base import Document, UtcTime


class Adapter(Document):
    """One network adapter that Azure gave the VM (a VMBus device that is there)."""

    name: str
    status: str = Field(default="Up", description="Up, Disabled (by somebody) or Disconnected (no link)")
    dhcp: bool | None = Field(default=True, description="null: IPv4 is not bound, as on a disabled adapter")
    gateways: list[str] = Field(description="next hops of its default routes, the preferred one first")
    routes: list[str] = Field(
        default=[], description="other routes by a next hop, `prefix hop`, without those of the platform"
    )
    static_dns: list[str] = Field(default=[], description="DNS servers that somebody typed in; empty: DHCP's")
    sources: list[str] | None = Field(
        default=None, description="of several IPv4 addresses those that may be a source (no SkipAsSource)"
    )


class WinHttpProxy(Document):
    """The machine's WinHTTP proxy."""

    server: str
    bypass: str


class BlockedConnection(Document):
    """An inbound connection to the RDP port that a filter blocked (Security 5157) or IPsec refused (4652 to 4654)."""

    at: UtcTime
    event_id: int
    source: str
    origin: str = Field(default="", description="the filter's name where Windows gives one that is no rule of its own")


class AdaptersSection(Document):
    """The adapters and what belongs to them."""

    nics: list[Adapter] | None = None
    ghosts: int = Field(default=0, description="network devices of the VMBus that are known but not there")
    proxy: WinHttpProxy | None = None
    domain_lookup: str | None = Field(
        default=None, description="a domain member whose domain does not resolve: the error's identifier"
    )
    netvsc: str | None = Field(default=None, description="the version of netvsc.sys where it is a faulty one")
    crashed_driver: str | None = Field(
        default=None, description="the mlx driver that a crash report of seven days names"
    )
    blocked: list[BlockedConnection] = []
    wireserver: dict[str, str] = Field(
        default={},
        description="ports 80 and 32526 of 168.63.129.16 that did not accept a TCP connection in 1.5 s, and how",
    )
