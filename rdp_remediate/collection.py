"""Collection: every read of one pass, side by side, into one bundle. Decides nothing.

Tier 0: plain resources, activity log, health, locks, tags and the probe. Tier 1: effective rules and routes. Tier 2:
Run Command, started right after pre-flight beside tier 1 and handed back unfinished, so that a run can be parked on it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rdp_remediate import log_reads
from rdp_remediate.errors import NotApplicableError, StoreError
from rdp_remediate.facts import references
from rdp_remediate.facts.boot import picture_type
from rdp_remediate.facts.client_check import BEFORE_OUR_CHANGES
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.facts.policy import ResolvedMode, resolve_mode
from rdp_remediate.further_reads import further_reads
from rdp_remediate.gathering import PLAIN_S, Gathering, by_deadline
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import MODE_ORDER, Bundle, Mode, Policy, ProbeRecord, UnavailableFact
from rdp_remediate.models.fact import Fact, Reason, Unavailable, derive
from rdp_remediate.models.incident import Kind
from rdp_remediate.models.run import Run
from rdp_remediate.network.question import probe_targets
from rdp_remediate.network_reads import read_activity, read_beyond, read_network, read_roles
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

GUEST_SECONDS = 60


@dataclass
class Collected:
    """What a pass has seen so far, and the guest operation that is still running."""

    bundle: Bundle
    mode: ResolvedMode
    guest: WriteOutcome | None = None


async def read_policy(run: Run, services: Services, vm: Fact[JsonObject]) -> tuple[Policy, ResolvedMode]:
    """Resolves the run's policy from settings, tags and the request, anew in every pass: a tag may be set in between."""
    settings = services.settings
    vm_id = run.target.vm_id
    scopes: list[tuple[str, Fact[Mapping[str, str]]]] = [("VM", derive(vm, references.tags_of))]
    for name, parts in (("resource group", 5), ("subscription", 3)):
        scope = "/".join(vm_id.split("/")[:parts])
        tags = await by_deadline(services.reads.operation(Operation.TAGS, scope), PLAIN_S, f"tags of {scope}")
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
    got = Gathering(services)
    say = got.services.progress
    vm_id = run.target.vm_id
    say(Progress("platform", "reading the VM and its instance view"))
    vm = await got.read(vm_id)
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
        group.create_task(read_network(got, machine, run.target.dialled_address))
        group.create_task(_surroundings(got, vm_id))
        if run.tier >= 2:  # a hint asks no logs
            group.create_task(log_reads.read_logs(services, run.target, got.logs, got.unavailable))
        if references.is_running(machine) and not references.agent_is_ready(machine):
            group.create_task(got.read_operation(Operation.BOOT_LOG, vm_id, PLAIN_S))
            group.create_task(_boot_picture(run, services, got))
    await read_beyond(got, vm_id)
    if run.target.principal_id is not None:
        say(Progress("guest-auth", "reading the roles of the person who was asked about"))
        await read_roles(got, machine, run.target.principal_id)
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


def _bundle(run: Run, services: Services, got: Gathering, answer: JsonObject | None) -> Bundle:
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
        reported_at=run.incident.occurred_at,
        resources=got.resources,
        operations=got.operations,
        guest=answer,
        client_check=check,
        logs=got.logs,
        changes=got.changes,
        unavailable=got.unavailable,
    )


async def _start_guest(
    run: Run, services: Services, got: Gathering, vm: JsonObject, answer: JsonObject | None
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
    got.services.progress(Progress("guest", "asking Windows through Run Command"))
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
        nic = await by_deadline(services.reads.resource(nic_id), PLAIN_S, nic_id)
        if not isinstance(nic, Unavailable):
            addresses = references.private_addresses(nic.value)
            if addresses:
                return addresses[0]
    return None


async def _surroundings(got: Gathering, vm_id: str) -> None:
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
            group.create_task(got.read_operation(operation, key, PLAIN_S))
        group.create_task(read_activity(got, "/".join(vm_id.split("/")[:5])))


async def _boot_picture(run: Run, services: Services, got: Gathering) -> None:
    """Keeps the picture of the console for a person; what it shows is never guessed, and no address of it is kept."""
    vm_id, name = run.target.vm_id, "boot_picture"
    try:
        async with asyncio.timeout(PLAIN_S):
            picture = await got.services.reads.boot_picture(vm_id)
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
