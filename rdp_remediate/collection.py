"""Collection: every read of one pass, side by side, into one bundle. Decides nothing.

Tier 0: plain resources, activity log, health, locks, tags and the probe. Tier 1: effective rules and routes. Tier 2:
Run Command, started right after pre-flight beside tier 1 and handed back unfinished, so that a run can be parked on it.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from rdp_remediate import log_reads
from rdp_remediate.errors import NotApplicableError, StoreError
from rdp_remediate.facts import references
from rdp_remediate.facts.boot import picture_type
from rdp_remediate.facts.client_check import BEFORE_OUR_CHANGES
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.facts.policy import ResolvedMode, resolve_mode
from rdp_remediate.further_reads import further_reads
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import MODE_ORDER, Bundle, Mode, Policy, ProbeRecord, UnavailableFact
from rdp_remediate.models.fact import Fact, Reason, Unavailable, derive
from rdp_remediate.models.incident import Kind
from rdp_remediate.models.run import Run
from rdp_remediate.network.question import probe_targets
from rdp_remediate.ports import (
    GuestRequest,
    Operation,
    OutcomeUnknown,
    Progress,
    Rejected,
    Services,
    Started,
    WriteOutcome,
)

PLAIN_S = 30.0
"""Deadline of one plain read, retries included."""

LONG_S = 120.0
"""Deadline of one long-running read; a diagnostics POST alone may take 10 s before it answers (azure-facts.md 1)."""

GUEST_SECONDS = 60

MOST_LEVELS = 4
MOST_PEERS = 10
MOST_OWNERS = 20
MOST_SCOPES = 12


@dataclass
class Collected:
    """What a pass has seen so far, and the guest operation that is still running."""

    bundle: Bundle
    mode: ResolvedMode
    guest: WriteOutcome | None = None


@dataclass
class _Gathering:
    """Answers as they come in; one writer each, so no lock is needed."""

    resources: dict[str, JsonObject] = field(default_factory=dict)
    operations: dict[str, dict[str, JsonObject]] = field(default_factory=dict)
    changes: list[JsonObject] = field(default_factory=list)
    logs: dict[str, list[JsonObject]] = field(default_factory=dict)
    unavailable: list[UnavailableFact] = field(default_factory=list)

    def miss(self, fact: str, resource_id: str | None, why: Unavailable) -> None:
        self.unavailable.append(
            UnavailableFact(fact=fact, resource_id=resource_id, reason=why.reason.value, detail=why.detail)
        )


async def read_policy(run: Run, services: Services, vm: Fact[JsonObject]) -> tuple[Policy, ResolvedMode]:
    """Resolves the run's policy from settings, tags and the request, anew in every pass: a tag may be set in between."""
    settings = services.settings
    vm_id = run.target.vm_id
    scopes: list[tuple[str, Fact[Mapping[str, str]]]] = [("VM", derive(vm, references.tags_of))]
    for name, parts in (("resource group", 5), ("subscription", 3)):
        scope = "/".join(vm_id.split("/")[:parts])
        tags = await _deadline(services.reads.operation(Operation.TAGS, scope), PLAIN_S, f"tags of {scope}")
        scopes.append((name, derive(tags, references.tag_values)))
    # An operator's run keeps the words it was started with; the app's own settings may have been lowered since.
    own = services.vantage == "cli"
    ceiling = run.ceiling if own else min(run.ceiling, Mode(settings.max_mode), key=MODE_ORDER.index)
    requested = Mode(run.incident.requested_mode) if run.incident.requested_mode else None
    resolved = resolve_mode(
        ceiling=ceiling,
        untagged=run.untagged if own else Mode(settings.untagged),
        requested=requested,
        scopes=scopes,
        guest_reads=settings.guest_reads,
    )
    if own and resolved.tagged and settings.store is None:
        why = "this VM is tagged for the app, and the setting store does not name the app's store"
        resolved = replace(resolved, mode=min(resolved.mode, Mode.OBSERVE, key=MODE_ORDER.index), because=why)
    if services.observe_because:
        resolved = replace(
            resolved, mode=min(resolved.mode, Mode.OBSERVE, key=MODE_ORDER.index), because=services.observe_because
        )
    if run.incident.kind is Kind.HINT and resolved.mode is not Mode.OFF:
        resolved = replace(resolved, mode=Mode.OBSERVE, because="a hint changes nothing by itself")
    policy = Policy(
        sources=list(run.policy.sources if own else settings.sources_for(vm_id)),
        mode=resolved.mode,
        tags=dict(resolved.tags),
        tags_readable=resolved.readable,
        auto_risks=sorted(settings.auto_risks),
        unknown_author=settings.unknown_author,
        guest_reads=resolved.guest_reads,
        isolation_tags=sorted(settings.isolation_tags),
        isolation_nsgs=sorted(settings.isolation_nsgs),
        rule_ttl_s=settings.rule_ttl_s,
        blast_radius_limit=settings.blast_radius_limit,
        own_principal_ids=sorted(settings.own_principal_ids),
        vantage_address=settings.vantage_address,
        boot_screen=run.policy.boot_screen,
    )
    return policy, resolved


async def collect(run: Run, services: Services, answer: JsonObject | None = None) -> Collected:
    """Reads everything that this run may read.

    Args:
        run: Says which VM, under which policy, and whether Run Command is wanted (tier 2).
        services: The ports.
        answer: A guest answer that a repair has just brought; then no collector is started.

    Returns:
        The bundle so far, in tier 2 how the collector's start ended, and the mode that holds with its reason.

    Raises:
        NotApplicableError: The VM does not exist or is no Windows VM.
    """
    got = _Gathering()
    say = services.progress
    vm_id = run.target.vm_id
    say(Progress("platform", "reading the VM and its instance view"))
    vm = await _resource(services, got, vm_id)
    if isinstance(vm, Unavailable) and vm.reason is Reason.NOT_FOUND:
        raise NotApplicableError(f"There is no VM {vm_id}: {vm.detail}")
    machine = vm.value if not isinstance(vm, Unavailable) else {}
    if references.is_windows(machine) is False:
        raise NotApplicableError(f"{vm_id} runs Linux; this product treats Windows VMs only.")
    policy, mode = await read_policy(run, services, vm)
    if mode.mode is Mode.OFF:
        raise NotApplicableError(f"{vm_id} is left alone: {mode.because}.")
    run = run.model_copy(update={"policy": policy, "mode": mode.mode, "mode_because": mode.because})
    async with asyncio.TaskGroup() as group:
        guest = group.create_task(_start_guest(run, services, got, machine, answer))
        group.create_task(_network(services, got, machine, run.target.dialled_address))
        group.create_task(_surroundings(services, got, vm_id))
        if run.tier >= 2:  # a hint asks no logs
            group.create_task(log_reads.read_logs(services, run.target, got.logs, got.unavailable))
        if references.is_running(machine) and not references.agent_is_ready(machine):
            group.create_task(_operation(services, got, Operation.BOOT_LOG, vm_id, PLAIN_S))
            group.create_task(_boot_picture(run, services, got))
    await _beyond(services, got)
    if run.target.principal_id is not None:
        say(Progress("guest-auth", "reading the roles of the person who was asked about"))
        await _roles(run.target.principal_id, services, got, machine)
    bundle = _bundle(run, services, got, answer)
    say(Progress("endpoint", "probing the RDP endpoints that ARM shows"))
    probed, bundle = await asyncio.gather(probe(bundle, services), further_reads(bundle, services))
    bundle = bundle.model_copy(update={"probes": probed.probes})
    return Collected(bundle, mode, guest.result())


async def probe(bundle: Bundle, services: Services) -> Bundle:
    """Probes the entries that ARM shows on the target and that are not probed yet; a claimed address is never dialled."""
    known = {(record.address, record.port) for record in bundle.probes}
    targets = [one for one in probe_targets(read_facts(bundle)) if (one.address, one.port) not in known]
    machine = bundle.resources.get(bundle.target.vm_id.lower(), {})
    name = references.computer_name(machine)

    async def one_probe(address: str, port: int) -> ProbeRecord:
        result = await services.prober.probe(address, port, computer_name=name)
        return ProbeRecord(
            vantage=services.vantage,
            source_address=bundle.policy.vantage_address,
            address=address,
            port=port,
            at=services.clock.now(),
            result=result,
        )

    records = await asyncio.gather(*(one_probe(one.address, one.port) for one in targets))
    return bundle.model_copy(update={"probes": [*bundle.probes, *records]})


def with_guest(bundle: Bundle, answer: Fact[JsonObject]) -> Bundle:
    """The bundle completed with the guest's answer, or with the reason why there is none."""
    if isinstance(answer, Unavailable):
        missing = UnavailableFact(fact="guest", resource_id=None, reason=answer.reason.value, detail=answer.detail)
        kept = [item for item in bundle.unavailable if item.fact != "guest"]
        return bundle.model_copy(update={"guest": None, "unavailable": [*kept, missing]})
    return bundle.model_copy(update={"guest": answer.value})


def with_second_slice(bundle: Bundle, answer: Fact[JsonObject]) -> Bundle:
    """The bundle with the collector's second answer beside its first, or with the reason why there is none."""
    if isinstance(answer, Unavailable):
        missing = UnavailableFact(
            fact="guest_slice2", resource_id=None, reason=answer.reason.value, detail=answer.detail
        )
        return bundle.model_copy(update={"unavailable": [*bundle.unavailable, missing]})
    return bundle.model_copy(update={"guest_slice2": answer.value})


def guest_failure(outcome: WriteOutcome) -> Unavailable | None:
    """Why a Run Command that did not start gives no answer; None for one that runs."""
    match outcome:
        case Started():
            return None
        case Rejected(reason=reason, detail=detail):
            return Unavailable(reason, detail, "guest")
        case OutcomeUnknown(detail=detail):
            return Unavailable(Reason.UNREACHABLE, detail, "guest")
        case _:
            return Unavailable(Reason.SERVER_ERROR, "Run Command ended before it was started", "guest")


def _bundle(run: Run, services: Services, got: _Gathering, answer: JsonObject | None) -> Bundle:
    if (check := run.incident.client_check) is not None and run.pass_number > 1:
        got.miss("client_check", None, BEFORE_OUR_CHANGES)
        check = None
    return Bundle(
        run_id=run.run_id,
        requested_by=run.incident.requested_by,
        mode_because=run.mode_because,
        target=run.target,
        policy=run.policy,
        collected_at=services.clock.now(),
        resources=got.resources,
        operations=got.operations,
        guest=answer,
        client_check=check,
        logs=got.logs,
        changes=got.changes,
        unavailable=got.unavailable,
    )


async def _start_guest(
    run: Run, services: Services, got: _Gathering, vm: JsonObject, answer: JsonObject | None
) -> WriteOutcome | None:
    if answer is not None:
        return None
    if run.tier < 2:
        got.miss("guest", None, Unavailable(Reason.NOT_CONFIGURED, "a hint reads nothing inside Windows", "guest"))
        return None
    if run.policy.guest_reads == "never":
        got.miss("guest", None, Unavailable(Reason.NOT_CONFIGURED, "guest_reads is never for this VM", "guest"))
        return None
    refused = services.guest.preflight(vm)
    if refused is not None:
        got.miss("guest", None, refused)
        return None
    services.progress(Progress("guest", "asking Windows through Run Command"))
    nics = [one for one in references.next_resources(vm) if one]
    address = await _first_address(services, nics)
    return await services.guest.start(
        run.target.vm_id,
        GuestRequest(
            run_id=run.run_id,
            script="collect",
            attempt=run.attempt("collect"),
            location=references.location(vm),
            managed_because=run.managed_because,
            user=run.target.user,
            self_address=address,
            deadline_s=GUEST_SECONDS,
        ),
    )


async def _first_address(services: Services, nic_ids: list[str]) -> str | None:
    for nic_id in nic_ids:
        nic = await _deadline(services.reads.resource(nic_id), PLAIN_S, nic_id)
        if not isinstance(nic, Unavailable):
            addresses = references.private_addresses(nic.value)
            if addresses:
                return addresses[0]
    return None


async def _network(services: Services, got: _Gathering, vm: JsonObject, dialled: str | None) -> None:
    services.progress(Progress("network", "reading NICs, NSGs, public addresses and load balancers"))
    nics = await _resources(services, got, references.next_resources(vm))
    subnets = {one for nic in nics for one in references.subnets_of(nic)}
    around = await _resources(services, got, [one for nic in nics for one in references.next_resources(nic)])
    wanted = [
        one
        for resource in around
        for one in (*references.of_subnets(resource, subnets), *references.next_resources(resource))
    ]
    vnets = {references.parent(subnet) for subnet in subnets}
    wanted += _peers(got, [one for one in around if str(one.get("id", "")).lower() in {v.lower() for v in vnets}])
    # a VNet leads to its firewall, that to its policy, and that to the groups of its DNAT rules
    for _level in range(MOST_LEVELS):
        read = await _resources(services, got, wanted)
        wanted = [one for resource in read for one in references.next_resources(resource)]
    async with asyncio.TaskGroup() as group:
        group.create_task(_owners(services, got, vm, nics, dialled))
        for vnet in vnets:
            group.create_task(_operation(services, got, Operation.EFFECTIVE_ADMIN_RULES, vnet, LONG_S))
        if references.is_running(vm):
            services.progress(Progress("network", "asking for effective rules and routes"))
        for nic in nics:
            nic_id = str(nic["id"])
            for operation in (Operation.EFFECTIVE_SECURITY_RULES, Operation.EFFECTIVE_ROUTES):
                if references.is_running(vm):
                    group.create_task(_operation(services, got, operation, nic_id, LONG_S))
                else:
                    why = Unavailable(Reason.NOT_RUNNING, "Azure shows effective rules and routes of running VMs only")
                    got.miss(operation.value, nic_id, why)


def _peers(got: _Gathering, vnets: Iterable[JsonObject]) -> list[str]:
    """The VNets that the VM's own VNets are peered with; of a hub with many spokes only the first are read."""
    found = list(dict.fromkeys(one for vnet in vnets for one in references.peered_vnets(vnet)))
    for left in found[MOST_PEERS:]:
        why = f"the VNet has {len(found)} peerings; only the first {MOST_PEERS} remote VNets are read"
        got.miss("resource", left, Unavailable(Reason.NOT_COLLECTED, why, left))
    return found[:MOST_PEERS]


async def _owners(
    services: Services, got: _Gathering, vm: JsonObject, nics: Iterable[JsonObject], dialled: str | None
) -> None:
    """Reads the NICs, VMs and public addresses behind next hops, DNS servers and the dialled address."""
    addresses = references.addresses_to_find(got.resources.values(), dialled)
    parts = str(vm.get("id", "")).split("/")
    if len(parts) < 5 or (not addresses and any(references.has_public_address(nic) for nic in nics)):
        return
    subscription = "/".join(parts[:3])
    found = await _deadline(
        services.reads.operation(Operation.ADDRESS_OWNERS, subscription, addresses=",".join(addresses), group=parts[4]),
        PLAIN_S,
        f"owners of {', '.join(addresses) or 'public addresses'}",
    )
    if isinstance(found, Unavailable):
        got.miss(Operation.ADDRESS_OWNERS.value, subscription, found)
        return
    got.operations.setdefault(Operation.ADDRESS_OWNERS.value, {})[subscription.lower()] = found.value
    rows = found.value.get("value")
    ids = [str(row["id"]) for row in rows if isinstance(row, dict) and row.get("id")] if isinstance(rows, list) else []
    holders = await _resources(services, got, ids[:MOST_OWNERS])
    machines = [owner for one in holders if (owner := references.vm_of(one)) is not None]
    await _resources(services, got, [*machines, *(one for h in holders for one in _behind(h))])


def _behind(holder: JsonObject) -> list[str]:
    """What a public address that was found leads to; a stranger's NIC is not followed."""
    is_nic = str(holder.get("type") or "").lower() == "microsoft.network/networkinterfaces"
    return [] if is_nic else references.next_resources(holder)


async def _surroundings(services: Services, got: _Gathering, vm_id: str) -> None:
    subscription = "/".join(vm_id.split("/")[:3])
    async with asyncio.TaskGroup() as group:
        for operation, key in (
            (Operation.RESOURCE_HEALTH, vm_id),
            (Operation.RESOURCE_ANNOTATIONS, vm_id),
            (Operation.LOCKS, vm_id),
            (Operation.RESOURCE_CHANGES, "/".join(vm_id.split("/")[:5])),
            (Operation.JIT_POLICIES, subscription),
            (Operation.BASTION_HOSTS, subscription),
        ):
            group.create_task(_operation(services, got, operation, key, PLAIN_S))
        group.create_task(_activity(services, got, vm_id))


async def _beyond(services: Services, got: _Gathering) -> None:
    """Where a network leads to others: the connections of its gateways, and the private DNS zones of Bastion's network."""
    gateways = [one for one in got.resources if re.fullmatch(r".*/virtualnetworkgateways/[^/]+", one)]
    hosting = [
        one for key, one in got.resources.items() if references.has_bastion_subnet(one) and "/virtualnetworks/" in key
    ]
    await asyncio.gather(
        *(_operation(services, got, Operation.GATEWAY_CONNECTIONS, one, PLAIN_S) for one in gateways),
        *(_operation(services, got, Operation.PRIVATE_DNS_LINKS, str(one["id"]), PLAIN_S) for one in hosting),
    )
    listed = [
        str(row["id"])
        for answer in got.operations.get(Operation.GATEWAY_CONNECTIONS.value, {}).values()
        for row in answer.get("value") or []
        if isinstance(row, dict) and row.get("id")
    ]
    connections = await _resources(services, got, listed)
    await _resources(
        services, got, [one for connection in connections for one in references.next_resources(connection)]
    )


async def _roles(principal_id: str, services: Services, got: _Gathering, vm: JsonObject) -> None:
    """The person's roles where signing in asks for them: at the VM, its NICs and VNets, and the Bastion hosts."""
    name = Operation.ROLE_ASSIGNMENTS
    scopes = [
        str(vm.get("id") or ""),
        *(one for one in references.next_resources(vm) if "/networkinterfaces/" in one.lower()),
    ]
    scopes += [one for one in got.resources if re.fullmatch(r"[^?]*/(virtualnetworks|bastionhosts)/[^/]+", one)]
    for answer in got.operations.get(Operation.BASTION_HOSTS.value, {}).values():
        scopes += [str(host.get("id") or "") for host in answer.get("value") or [] if isinstance(host, dict)]
    wanted = list({scope.lower(): scope for scope in scopes if scope}.values())

    async def read(scope: str) -> None:
        fact = await _deadline(
            services.reads.operation(name, scope, principal=principal_id), PLAIN_S, f"{name.value} at {scope}"
        )
        if isinstance(fact, Unavailable):
            got.miss(name.value, scope, fact)
        else:
            got.operations.setdefault(name.value, {})[scope.lower()] = fact.value

    for left in wanted[MOST_SCOPES:]:
        got.miss(name.value, left, Unavailable(Reason.NOT_COLLECTED, f"only {MOST_SCOPES} scopes are read", left))
    await asyncio.gather(*(read(scope) for scope in wanted[:MOST_SCOPES]))


async def _activity(services: Services, got: _Gathering, vm_id: str) -> None:
    group_id = "/".join(vm_id.split("/")[:5])
    found = await _deadline(services.reads.operation(Operation.ACTIVITY, group_id), LONG_S, "activity log")
    if isinstance(found, Unavailable):
        got.miss("changes", None, found)
        return
    rows = found.value.get("value")
    got.changes += [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


async def _boot_picture(run: Run, services: Services, got: _Gathering) -> None:
    """Keeps the picture of the console for a person; what it shows is never guessed, and no address of it is kept."""
    vm_id, name = run.target.vm_id, "boot_picture"
    try:
        async with asyncio.timeout(PLAIN_S):
            picture = await services.reads.boot_picture(vm_id)
    except TimeoutError:
        picture = Unavailable(Reason.TIMEOUT, f"the boot picture did not come within {PLAIN_S:g} s", vm_id)
    if isinstance(picture, Unavailable):
        got.miss(name, vm_id, picture)
        return
    try:
        reference = await services.ledger.put_picture(run.run_id, picture.value)
    except StoreError as failed:
        got.miss(name, vm_id, Unavailable(Reason.SERVER_ERROR, f"the picture could not be stored: {failed}", vm_id))
        return
    got.operations.setdefault(name, {})[vm_id.lower()] = {
        "reference": reference,
        "media_type": picture_type(picture.value),
        "bytes": len(picture.value),
    }


async def _resources(services: Services, got: _Gathering, ids: Iterable[str]) -> list[JsonObject]:
    wanted = [one for one in dict.fromkeys(ids) if one.lower() not in got.resources]
    facts = await asyncio.gather(*(_resource(services, got, one) for one in wanted))
    return [fact.value for fact in facts if not isinstance(fact, Unavailable)]


async def _resource(services: Services, got: _Gathering, resource_id: str) -> Fact[JsonObject]:
    fact = await _deadline(services.reads.resource(resource_id), PLAIN_S, resource_id)
    if isinstance(fact, Unavailable):
        got.miss("resource", resource_id, fact)
    else:
        got.resources[resource_id.lower()] = fact.value
    return fact


async def _operation(services: Services, got: _Gathering, operation: Operation, key: str, deadline_s: float) -> None:
    fact = await _deadline(services.reads.operation(operation, key), deadline_s, f"{operation.value} of {key}")
    if isinstance(fact, Unavailable):
        got.miss(operation.value, key, fact)
    else:
        got.operations.setdefault(operation.value, {})[key.lower()] = fact.value


async def _deadline(read: Awaitable[Fact[JsonObject]], seconds: float, what: str) -> Fact[JsonObject]:
    try:
        async with asyncio.timeout(seconds):
            return await read
    except TimeoutError:
        return Unavailable(Reason.TIMEOUT, f"{what} did not answer within {seconds:g} s", what)
