"""The decoded answer of the guest collector, schema rdp-remediate/guest/1.

The wire form (compression, sentinels, checksum) is `rdp_remediate.guest.protocol`'s; this is what it decodes to and
what a bundle holds under `guest`. Every section is optional: a section that is neither present nor named in
`unavailable` was not collected. Registry values keep absent and zero apart: a key that is listed with null was looked
for and is absent.
"""

from typing import Any, Literal

from pydantic import Field

from rdp_remediate.models.base import Document, UtcTime
from rdp_remediate.models.guest_accounts import AccountsSection, SignInSection
from rdp_remediate.models.guest_adapters import AdaptersSection
from rdp_remediate.models.guest_remote_desktop import RemoteDesktopSection
from rdp_remediate.models.guest_system import SystemSection

RegistryValue = int | str | list[str] | dict[str, str] | None
"""DWord and QWord as int, String and ExpandString as str, MultiString as list, Binary as {"Binary": hex}; null: absent."""


class OsSection(Document):
    """Windows itself."""

    computer_name: str
    caption: str
    version: str
    build: int
    product_type: int = Field(description="Win32_OperatingSystem.ProductType: 1 client, 2 domain controller, 3 server")
    installation_type: str = Field(description="Server, Server Core or Client")
    domain_role: int = Field(description="Win32_ComputerSystem.DomainRole; 4 and 5 are domain controllers")
    part_of_domain: bool
    domain: str
    last_boot: UtcTime | None = None
    safe_mode: str | None = Field(default=None, description="Minimal, Network, DsRepair or null")


class Service(Document):
    """One Windows service (Win32_Service)."""

    state: str = Field(description="Running, Stopped, StartPending, StopPending, Paused, …")
    start_type: str = Field(description="Auto, AutoDelayed, Manual, Disabled, Boot or System")
    account: str | None
    pid: int
    exit_code: int
    depends_on: list[str] = []


class ListenRow(Document):
    """One TCP port in state Listen that is the RDP port or is owned by TermService."""

    address: str
    port: int
    pid: int
    process: str | None = None


class ListenerSection(Document):
    """Who listens on the RDP port."""

    rows: list[ListenRow]
    term_service_pid: int | None = None


class FirewallProfile(Document):
    """One profile of the effective policy (ActiveStore)."""

    enabled: bool
    default_inbound: str = Field(description="Block, Allow or NotConfigured")
    default_outbound: str
    allow_inbound_rules: bool = Field(description="False is netsh's BlockInboundAlways: every allow rule is ignored")
    allow_local_rules: bool
    source: str = Field(description="Local or GroupPolicy: who decides this profile")


class FirewallRule(Document):
    """An inbound rule that touches the RDP port or TermService, and the built-in RDP rules whatever their state."""

    name: str
    display_name: str = ""
    enabled: bool
    direction: str
    action: str
    profiles: list[str] = Field(description='"Any" or of Domain, Private, Public')
    protocol: str
    local_ports: list[str]
    remote_ports: list[str] = ["Any"]
    local_addresses: list[str] = ["Any"]
    remote_addresses: list[str]
    program: str
    service: str
    edge: str = "Block"
    interface_types: list[str] = ["Any"]
    store: str = Field(description="PolicyStoreSourceType: Local, GroupPolicy, …")


class IpsecRule(Document):
    """A connection security rule in force that requires authentication of inbound connections."""

    name: str
    profiles: list[str] = ["Any"]
    protocol: str = "Any"
    local_ports: list[str] = ["Any"]
    local_addresses: list[str] = ["Any"]
    remote_addresses: list[str] = ["Any"]


class FirewallSection(Document):
    """The guest firewall as it decides."""

    profiles: dict[str, FirewallProfile] = Field(description="by Domain, Private, Public")
    active: list[str] = Field(description="the profiles in use now: Domain, Private, Public")
    rules: list[FirewallRule]
    ipsec: list[IpsecRule] = []
    outbound: list[FirewallRule] = Field(
        default=[],
        description="of a domain member: block rules for TCP by lsass or any program; where a profile in use blocks by default, "
        "the allow rules too",
    )
    products: list[str] = Field(default=[], description="other firewalls that Security Center of a client knows")


class Session(Document):
    """One session of qwinsta: a person's session has a user."""

    id: int
    name: str
    user: str
    state: str


class CertificateSection(Document):
    """The certificate that the listener presents."""

    bound_thumbprint: str | None = Field(
        description="upper-case hex of the certificate that TLS uses; null: none found"
    )
    custom: bool = Field(description="True if RT\\SSLCertificateSHA1Hash names it")
    not_after: UtcTime | None = None
    key_acl: str | None = Field(
        default=None, description="SDDL of the file of its key, unless NETWORK SERVICE plainly reads it and it opens"
    )
    key_file: str | None = Field(default=None, description="the path of that file, if key_acl is told")
    key_error: str | None = Field(
        default=None, description="HRESULT with which the key of Windows' own certificate does not open, as 0x80090016"
    )
    folder_acl: str | None = Field(
        default=None, description="SDDL of the MachineKeys folder, unless it is as Windows sets it up"
    )


class Address(Document):
    """One unicast address of the guest."""

    address: str
    prefix_length: int
    interface: str
    origin: str


class SelfProbe(Document):
    """TCP connect and X.224 negotiation from inside the guest to its own private address and RDP port."""

    address: str
    port: int
    tcp: Literal["open", "refused", "timeout", "unreachable", "error"]
    x224: Literal["answered", "no_answer", "not_rdp"] | None = None
    selected_protocol: int | None = None
    negotiation_failure: int | None = None


class GuestChange(Document):
    """An event that says who changed something that opens or closes RDP, newest last."""

    at: UtcTime
    log: str
    event_id: int
    object: str = Field(description="TermService, a service name, a firewall rule name, …")
    what: str = Field(description="service_start_type, service_state, firewall_rule, firewall_setting, shutdown")
    value: str | None = Field(default=None, description="the new value, not localised where Windows gives a code")
    user_sid: str | None = None


class LoggedEvent(Document):
    """A kind of event that Windows logged about a fault in the last seven days: same log, provider, id and data."""

    at: UtcTime = Field(description="the latest one")
    log: str
    provider: str
    id: int
    count: int = Field(description="how many of the newest 200 of its provider are of this kind")
    recent: int | None = Field(default=None, description="how many of them in the last 15 minutes, where more than one")
    data: list[str] = Field(
        default=[], description="the first four values of EventData in their order, 80 characters each"
    )


class StepOutcome(Document):
    """What repair.ps1 did with one step."""

    id: str
    outcome: Literal["applied", "already_true", "stale", "failed", "undone", "not_started", "refused"]
    before: Any = None
    after: Any = None
    detail: str | None = None


class RepairSection(Document):
    """The repair part of an answer: the run it belongs to and each step's outcome in the order of the request."""

    run_id: str
    steps: list[StepOutcome]


class UnavailableSection(Document):
    """A section, or an item of one (`services.TermService`), that could not be read."""

    fact: str
    reason: str
    detail: str


class GuestAnswer(Document):
    """One whole answer of collect.ps1, or of repair.ps1 whose end is a collection."""

    schema_: Literal["rdp-remediate/guest/1"] = Field(alias="schema", default="rdp-remediate/guest/1")
    slice: int = 1
    collected_at: UtcTime
    language_mode: str = Field(description="FullLanguage or ConstrainedLanguage")
    script_ms: int | None = None
    os: OsSection | None = None
    registry: dict[str, RegistryValue] | None = Field(
        default=None,
        description=r"short path to value, as TS\fDenyTSConnections, RT\PortNumber, POL\fDenyTSConnections",
    )
    services: dict[str, Service | None] | None = Field(default=None, description="by service name; null: not installed")
    listener: ListenerSection | None = None
    firewall: FirewallSection | None = None
    sessions: list[Session] | None = None
    sign_ins: SignInSection | None = None
    certificate: CertificateSection | None = None
    addresses: list[Address] | None = None
    self_probe: SelfProbe | None = None
    accounts: AccountsSection | None = None
    remote_desktop: RemoteDesktopSection | None = None
    changes: list[GuestChange] | None = None
    events: list[LoggedEvent] | None = None
    system: SystemSection | None = None
    adapters: AdaptersSection | None = None
    repair: RepairSection | None = None
    unavailable: list[UnavailableSection] = []
