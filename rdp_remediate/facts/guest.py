"""The guest's answer as facts: each section stands or fails alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rdp_remediate.models import guest as sections
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.models.guest_accounts import AccountsSection, SignInSection
from rdp_remediate.models.guest_adapters import Adapter, AdaptersSection, BlockedConnection
from rdp_remediate.models.guest_remote_desktop import RemoteDesktopSection
from rdp_remediate.models.guest_system import SystemSection

T = TypeVar("T")

TERM_SERVICE = "TermService"
REGISTRY_DENY_LOCAL = r"TS\fDenyTSConnections"
REGISTRY_DENY_POLICY = r"POL\fDenyTSConnections"
REGISTRY_PORT = r"RT\PortNumber"
BROKER_SERVICE = "TSSDis"

_registry: TypeAdapter[dict[str, sections.RegistryValue]] = TypeAdapter(dict[str, sections.RegistryValue])
_services: TypeAdapter[dict[str, sections.Service | None]] = TypeAdapter(dict[str, sections.Service | None])
_sessions: TypeAdapter[list[sections.Session]] = TypeAdapter(list[sections.Session])
_addresses: TypeAdapter[list[sections.Address]] = TypeAdapter(list[sections.Address])
_changes: TypeAdapter[list[sections.GuestChange]] = TypeAdapter(list[sections.GuestChange])
_events: TypeAdapter[list[sections.LoggedEvent]] = TypeAdapter(list[sections.LoggedEvent])


@dataclass(frozen=True)
class GuestFacts:
    """What the collector saw inside Windows."""

    os: Fact[sections.OsSection]
    registry: Fact[Mapping[str, sections.RegistryValue]]
    services: Fact[Mapping[str, sections.Service | None]]
    listener: Fact[sections.ListenerSection]
    firewall: Fact[sections.FirewallSection]
    sessions: Fact[list[sections.Session]]
    sign_ins: Fact[SignInSection]
    certificate: Fact[sections.CertificateSection]
    addresses: Fact[list[sections.Address]]
    self_probe: Fact[sections.SelfProbe]
    accounts: Fact[AccountsSection]
    remote_desktop: Fact[RemoteDesktopSection]
    changes: Fact[list[sections.GuestChange]]
    events: Fact[list[sections.LoggedEvent]]
    system: Fact[SystemSection]
    adapters: Fact[AdaptersSection]
    items: Mapping[str, Unavailable]
    plain: bool = False

    def not_told(self, name: str, source: str) -> Unavailable:
        """A plain answer (Constrained Language Mode) has room for a share only: the other slice may hold the rest."""
        if self.plain:
            return Unavailable(Reason.TRUNCATED, f"{name} is not in this slice of the plain answer", source)
        return Unavailable(Reason.NOT_COLLECTED, f"the collector did not look for {name}", source)

    def registry_value(self, path: str) -> Fact[sections.RegistryValue]:
        """One registry value; an observed None is a value that was looked for and is absent."""
        if isinstance(self.registry, Unavailable):
            return self.registry
        if f"registry.{path}" in self.items:
            return self.items[f"registry.{path}"]
        if path not in self.registry.value:
            return self.not_told(path, f"guest.registry.{path}")
        return Observed(self.registry.value[path], f"guest registry {path}", self.registry.at)

    def registry_number(self, path: str) -> Fact[int | None]:
        """One numeric registry value; None: absent. Another kind than a number is malformed, never zero."""
        fact = self.registry_value(path)
        if isinstance(fact, Unavailable):
            return fact
        if fact.value is None or (isinstance(fact.value, int) and not isinstance(fact.value, bool)):
            return Observed(fact.value, fact.source, fact.at)
        return Unavailable(Reason.MALFORMED, f"{path} is no number: {fact.value!r}"[:200], fact.source)

    def service(self, name: str) -> Fact[sections.Service | None]:
        """One service; an observed None is a service that is not installed."""
        if isinstance(self.services, Unavailable):
            return self.services
        if f"services.{name}" in self.items:
            return self.items[f"services.{name}"]
        by_name = {key.lower(): value for key, value in self.services.value.items()}
        if name.lower() not in by_name:
            return self.not_told(name, f"guest.services.{name}")
        return Observed(by_name[name.lower()], f"guest service {name}", self.services.at)

    def system_item(self, name: str) -> Fact[SystemSection]:
        """The section system, if this item of it (disk, memory, cpu or boot) was read."""
        if isinstance(self.system, Unavailable):
            return self.system
        return self.items.get(f"system.{name}", self.system)

    def rdp_port(self) -> Fact[int]:
        r"""The port that TermService is set to listen on (RT\PortNumber)."""
        fact = self.registry_number(REGISTRY_PORT)
        if isinstance(fact, Unavailable):
            return fact
        if fact.value is None or not 1 <= fact.value <= 65535:
            return Unavailable(Reason.MALFORMED, f"RT\\PortNumber is {fact.value}", fact.source)
        return Observed(fact.value, fact.source, fact.at)

    def people(self) -> Fact[list[sections.Session]]:
        """The sessions that belong to a person."""
        if isinstance(self.sessions, Unavailable):
            return self.sessions
        return Observed([s for s in self.sessions.value if s.user], self.sessions.source, self.sessions.at)

    def nics(self) -> Fact[list[Adapter]]:
        """The network adapters that Azure gave the VM."""
        found = self.adapter_item("nics")
        if isinstance(found, Unavailable):
            return found
        if found.value.nics is None:
            return Unavailable(Reason.NOT_COLLECTED, "the guest's answer lists no adapters", "guest.adapters.nics")
        return Observed(found.value.nics, found.source, found.at)

    def adapter_item(self, item: str) -> Fact[AdaptersSection]:
        """The section adapters, if the named item of it could be read."""
        unread = self.items.get(f"adapters.{item}")
        return self.adapters if unread is None or isinstance(self.adapters, Unavailable) else unread

    def blocked(self) -> Fact[list[BlockedConnection]]:
        """Inbound connections to the RDP port that Windows logged as blocked in the last hours."""
        found = self.adapter_item("blocked")
        if isinstance(found, Unavailable):
            return found
        return Observed(found.value.blocked, found.source, found.at)

    def logged(self, provider: str, *ids: int) -> Fact[list[sections.LoggedEvent]]:
        """The events of one provider with one of these ids, oldest first; a query that failed is unavailable, not empty."""
        if isinstance(self.events, Unavailable):
            return self.events
        if f"events.{provider}" in self.items:
            return self.items[f"events.{provider}"]
        found = [one for one in self.events.value if one.provider.lower() == provider.lower() and one.id in ids]
        if not found and "events.older" in self.items:
            return self.items["events.older"]
        return Observed(found, f"guest events {provider}", self.events.at)


def read_guest(answer: JsonObject | None, absent: Unavailable, at: datetime) -> GuestFacts:
    """Takes a decoded guest answer apart.

    Args:
        answer: The bundle's `guest`, or None.
        absent: Why there is no answer; used for every section when `answer` is None.
        at: When the bundle was collected.

    Returns:
        Facts in which a missing or malformed section is unavailable and the others stand.
    """
    items = _items(answer)
    plain = (answer or {}).get("language_mode") == "ConstrainedLanguage"

    def section(name: str, parse: Any) -> Any:
        if answer is None:
            return Unavailable(absent.reason, absent.detail, f"guest.{name}")
        if name in items:
            return items[name]
        if answer.get(name) is None:
            reason = Reason.TRUNCATED if plain else Reason.NOT_COLLECTED
            return Unavailable(reason, f"the guest's answer has no section {name}", f"guest.{name}")
        try:
            return Observed(parse(answer[name]), f"guest {name}", at)
        except ValidationError as refused:
            first = refused.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return Unavailable(Reason.MALFORMED, f"section {name}, {where}: {first['msg']}"[:200], f"guest.{name}")

    return GuestFacts(
        os=section("os", sections.OsSection.model_validate),
        registry=section("registry", _registry.validate_python),
        services=section("services", _services.validate_python),
        listener=section("listener", sections.ListenerSection.model_validate),
        firewall=section("firewall", sections.FirewallSection.model_validate),
        sessions=section("sessions", _sessions.validate_python),
        sign_ins=section("sign_ins", SignInSection.model_validate),
        certificate=section("certificate", sections.CertificateSection.model_validate),
        addresses=section("addresses", _addresses.validate_python),
        self_probe=section("self_probe", sections.SelfProbe.model_validate),
        accounts=section("accounts", AccountsSection.model_validate),
        remote_desktop=section("remote_desktop", RemoteDesktopSection.model_validate),
        changes=section("changes", _changes.validate_python),
        events=section("events", _events.validate_python),
        system=section("system", SystemSection.model_validate),
        adapters=section("adapters", AdaptersSection.model_validate),
        items=items,
        plain=plain,
    )


def _items(answer: JsonObject | None) -> dict[str, Unavailable]:
    found: dict[str, Unavailable] = {}
    for row in (answer or {}).get("unavailable") or []:
        if not isinstance(row, dict) or not isinstance(row.get("fact"), str):
            continue
        word = row.get("reason")
        reason = Reason(str(word)) if word in Reason.__members__.values() else Reason.SERVER_ERROR
        found[row["fact"]] = Unavailable(reason, str(row.get("detail") or reason), f"guest.{row['fact']}")
    return found
