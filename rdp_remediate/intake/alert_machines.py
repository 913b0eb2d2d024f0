"""Decides which machines an alert names: its targets, the rows of its query, or the computer names beside them."""

from dataclasses import dataclass, field

from rdp_remediate.intake.ignored import NOT_REPAIRED, Ignored
from rdp_remediate.intake.log_rows import Row, computer_name, read_rows
from rdp_remediate.intake.payload import texts_at
from rdp_remediate.intake.resource_id import Named, NamedVm, last_name, read_resource_id, subscription_of
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.incident import Clue, ClueKind, vm_key

_WORKSPACE = "/microsoft.operationalinsights/workspaces/"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, or a clue to some, with what the alert claims about the failed connection.

    Attributes:
        named: The VM or the clue.
        client: The one client address that is claimed for it; None if there is none or more than one.
        user: The one user that is claimed for it; None if there is none or more than one.
        dialled_address: The one address that was dialled; None if there is none or more than one.
        dialled_port: The one port that was dialled; None if there is none or more than one.
    """

    named: NamedVm | Clue
    client: str | None = None
    user: str | None = None
    dialled_address: str | None = None
    dialled_port: int | None = None


@dataclass(slots=True)
class _Claims:
    named: Named
    clients: set[str] = field(default_factory=set)
    users: dict[str, str] = field(default_factory=dict)
    ports: set[int] = field(default_factory=set)
    dialled: set[str] = field(default_factory=set)

    def add(self, row: Row) -> None:
        if row.client is not None:
            self.clients.add(row.client)
        if row.user is not None:
            self.users.setdefault(row.user.lower(), row.user)
        if row.dialled_address is not None:
            self.dialled.add(row.dialled_address)
        if row.dialled_port is not None:
            self.ports.add(row.dialled_port)

    def outcome(self) -> Machine | Ignored:
        if isinstance(self.named, Ignored):
            return self.named
        return Machine(
            self.named,
            client=next(iter(self.clients)) if len(self.clients) == 1 else None,
            user=next(iter(self.users.values())) if len(self.users) == 1 else None,
            dialled_address=next(iter(self.dialled)) if len(self.dialled) == 1 else None,
            dialled_port=next(iter(self.ports)) if len(self.ports) == 1 else None,
        )


def machines_of_resources(resource_ids: list[str]) -> list[Machine | Ignored]:
    """What each resource leads to, each once.

    Raises:
        PayloadError: An id holds characters that no such id has.
    """
    return [claims.outcome() for claims in _claims_of(resource_ids).values()]


def machines_of_metric_or_log(
    context: JsonObject, where: str, targets: list[str], configuration_items: list[str]
) -> list[Machine | Ignored]:
    """The machines that a metric or log alert names, each once.

    Resource ids in targets and rows go before computer names, which are not unique; the alert's target is often the
    workspace and says nothing. Computer names stand in for a row only if it names no resource of ours.

    Args:
        context: The alert context.
        where: Its place in the payload, for error texts.
        targets: `alertTargetIDs`.
        configuration_items: `configurationItems` of a log alert; a computer name or the name of the target.

    Raises:
        PayloadError: A part of it has a form that Azure never sends.
    """
    rows = read_rows(context, where)
    affected = texts_at(context, "AffectedConfigurationItems", where)
    resources = [*targets, *(item for item in affected if item.startswith("/"))]
    found = _claims_of([*resources, *(row.resource_id for row in rows if row.resource_id is not None)])
    machines = {key: claims for key, claims in found.items() if _is_machine(claims.named)}
    subscription = next((subscription for text in targets if (subscription := subscription_of(text))), None)
    if not machines:
        target_names = {last_name(text).lower() for text in targets}
        names = [row.computer for row in rows if row.computer is not None] or [
            name
            for item in [*affected, *configuration_items]
            if (name := computer_name(item)) is not None and name.lower() not in target_names
        ]
        for name in names:
            clue = Clue(kind=ClueKind.COMPUTER_NAME, value=name, subscription_id=subscription)
            machines.setdefault(name.lower(), _Claims(clue))
    _attach(rows, machines)
    # That a log alert's target is its workspace is no news; that it names no machine is.
    others = {key: claims for key, claims in found.items() if _WORKSPACE not in key}
    return [claims.outcome() for claims in (machines or others).values()]


def _attach(rows: list[Row], machines: dict[str, _Claims]) -> None:
    """Adds the claims of each row to its machine; a row that names none belongs to the only machine, if it is one."""
    for row in rows:
        owner = machines.get(vm_key(row.resource_id or "")) or machines.get((row.computer or "").lower())
        if owner is None and len(machines) == 1:
            owner = next(iter(machines.values()))
        if owner is not None:
            owner.add(row)


def _claims_of(resource_ids: list[str]) -> dict[str, _Claims]:
    claims: dict[str, _Claims] = {}
    for text in resource_ids:
        named = read_resource_id(text)
        key = named.id if isinstance(named, NamedVm) else named.value if isinstance(named, Clue) else text
        claims.setdefault(vm_key(key), _Claims(named))
    return claims


def _is_machine(named: Named) -> bool:
    """Whether this names a machine, repaired here or not; an Arc machine's computer name must not become a clue."""
    return isinstance(named, NamedVm) or (isinstance(named, Ignored) and named.reason in NOT_REPAIRED)
