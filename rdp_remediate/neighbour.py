"""A neighbour VM as a vantage: found among the VMs of the target's VNet that opted in, asked once in a pass, parked.

It is asked only where it can separate hops: the target runs, and the pass found neither proof nor a confirmed cause. Its
Run Command cannot be cancelled: after `GIVE_UP_S` the run goes on without the answer, and the script, which has its own
deadline of seconds, ends by itself.
"""

import asyncio
from datetime import datetime, timedelta

from rdp_remediate.facts import neighbours, references
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle, ProbeRecord, UnavailableFact
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable, derive
from rdp_remediate.models.report import Confidence, Diagnosis, Effect, FindingStatus
from rdp_remediate.models.run import Run
from rdp_remediate.network.question import ask
from rdp_remediate.ports import (
    NeighbourChannel,
    NeighbourRequest,
    Operation,
    OutcomeUnknown,
    Progress,
    Rejected,
    Services,
    Started,
)

FACT = "probes.neighbour"
GIVE_UP_S = 180.0
"""A Run Command takes 20 seconds at least and 45 were recorded for two lines of text (azure-facts.md 7.1)."""
READ_S = 30.0
LEAST_PAUSE_S = 0.1
MOST_NICS = 40


def wanted(bundle: Bundle, diagnosis: Diagnosis) -> bool:
    """Whether a neighbour's answer could separate hops that are not separated yet."""
    asked = any(one.vantage == "neighbour" for one in bundle.probes) or any(
        one.fact == FACT for one in bundle.unavailable
    )
    machine = bundle.resources.get(bundle.target.vm_id.lower(), {})
    if asked or not references.is_running(machine):
        return False
    confirmed = any(
        f.status is FindingStatus.FAIL and f.effect is Effect.BLOCKS and f.confidence is Confidence.CONFIRMED
        for f in diagnosis.findings
    )
    return diagnosis.verdict.status == "not_proven" or (diagnosis.verdict.status == "broken" and not confirmed)


async def start(run: Run, services: Services, bundle: Bundle) -> Started | Unavailable:
    """Finds a neighbour and sends the probe to it; the first that may and can be asked, never a second one."""
    channel = services.neighbours
    if channel is None:
        return Unavailable(Reason.NOT_CONFIGURED, "this installation asks no neighbour", FACT)
    if services.settings.guest_reads == "never":
        return Unavailable(Reason.NOT_CONFIGURED, "guest_reads is never: no script runs in any VM", FACT)
    machine = bundle.resources.get(bundle.target.vm_id.lower(), {})
    own = [nic for one in references.next_resources(machine) if (nic := bundle.resources.get(one.lower()))]
    addresses = [one for nic in own for one in references.private_addresses(nic)]
    if not addresses:
        return Unavailable(Reason.NOT_COLLECTED, "no private address of the VM was read", FACT)
    services.progress(Progress("network", "looking for a neighbour VM that may be asked to probe"))
    found = await _find(services, channel, bundle, own)
    if isinstance(found, Unavailable):
        return found
    vm, address = found
    vm_id = str(vm["id"])
    target, port = addresses[0], ask(read_facts(bundle)).port
    services.progress(Progress("network", f"asking the neighbour {vm_id.rsplit('/', 1)[-1]} to probe {target}:{port}"))
    request = NeighbourRequest(run.run_id, references.is_windows(vm) is True, target, port)
    outcome = await channel.start(vm_id, request)
    if isinstance(outcome, Started):
        until = services.clock.now() + timedelta(seconds=GIVE_UP_S)
        held = {"neighbour": vm_id, "source": address, "address": target, "port": port, "until": until.isoformat()}
        return Started({**held, "inner": outcome.operation}, outcome.retry_after_s)
    if isinstance(outcome, Rejected):
        return Unavailable(outcome.reason, f"the neighbour {vm_id} was not asked: {outcome.detail}", FACT)
    detail = outcome.detail if isinstance(outcome, OutcomeUnknown) else "the Run Command ended before it was started"
    return Unavailable(Reason.UNREACHABLE, f"the neighbour {vm_id}: {detail}", FACT)


async def finish(services: Services, operation_id: str, bundle: Bundle, until: datetime) -> Started | Bundle:
    """Polls the parked probe; the bundle with its record or with the reason why there is none, or `Started` if it runs on."""
    while True:
        state = await services.ledger.get_operation(operation_id)
        if state is None:
            known = any(one.vantage == "neighbour" for one in bundle.probes)
            lost = Unavailable(
                Reason.UNREACHABLE, "the poll state of the neighbour's probe is gone from the store", FACT
            )
            return bundle if known else without(bundle, lost)
        if services.neighbours is None:
            return without(bundle, Unavailable(Reason.NOT_CONFIGURED, "this installation asks no neighbour", FACT))
        polled = await services.neighbours.poll(state["inner"])
        if isinstance(polled, Observed):
            return _with(bundle, state, polled)
        if isinstance(polled, Unavailable):
            return without(bundle, polled)
        now = services.clock.now()
        if now >= datetime.fromisoformat(state["until"]):
            late = (
                f"the Run Command on {state['neighbour']} was not over within {GIVE_UP_S:g} s; it cannot be cancelled and "
                "ends by itself"
            )
            return without(bundle, Unavailable(Reason.TIMEOUT, late, FACT))
        await services.ledger.put_operation(operation_id, {**state, "inner": polled.operation})
        pause_s = max(polled.retry_after_s, LEAST_PAUSE_S)
        if now + timedelta(seconds=pause_s) > until:
            return polled
        await services.clock.sleep(pause_s)


def without(bundle: Bundle, why: Unavailable) -> Bundle:
    """The bundle with the reason why no neighbour probed."""
    missing = UnavailableFact(fact=FACT, resource_id=None, reason=why.reason.value, detail=why.detail)
    return bundle.model_copy(update={"unavailable": [*bundle.unavailable, missing]})


def _with(bundle: Bundle, state: JsonObject, seen: Observed[JsonObject]) -> Bundle:
    record = ProbeRecord(
        vantage="neighbour",
        source_address=state["source"],
        address=state["address"],
        port=state["port"],
        at=seen.at,
        result={**seen.value, "neighbour": state["neighbour"]},
    )
    return bundle.model_copy(update={"probes": [*bundle.probes, record]})


async def _find(
    services: Services, channel: NeighbourChannel, bundle: Bundle, own: list[JsonObject]
) -> tuple[JsonObject, str] | Unavailable:
    """The neighbour and its private address, by fresh reads in a fixed order; or why there is none."""
    subscription = "/".join(bundle.target.vm_id.split("/")[:3])
    subnets = {subnet for nic in own for subnet in references.subnets_of(nic)}
    vnets = [bundle.resources.get(one, {}) for one in sorted({references.parent(subnet) for subnet in subnets})]
    beside = neighbours.nics_beside(vnets, own, subscription)
    nics = await asyncio.gather(*(_read(services, one) for one in beside[:MOST_NICS]))
    owners = [(references.vm_of(nic.value), nic.value) for nic in nics if isinstance(nic, Observed)]
    pairs = {vm_id.lower(): (vm_id, nic) for vm_id, nic in reversed(owners) if vm_id}
    pairs = {key: pairs[key] for key in dict.fromkeys(v.lower() for v, _ in owners if v)}
    machines = await asyncio.gather(*(_read(services, vm_id) for vm_id, _ in pairs.values()))
    refused: list[str] = []
    for (_, nic), vm in zip(pairs.values(), machines, strict=True):
        if isinstance(vm, Unavailable) or not neighbours.opted_in(vm.value):
            continue
        why = await _refused(services, channel, vm)
        addresses = references.private_addresses(nic)
        if why is None and addresses:
            return vm.value, addresses[0]
        refused.append(f"{vm.value.get('name')}: {why or 'it has no private address'}")
    unread = sum(isinstance(one, Unavailable) for one in (*nics, *machines)) + max(len(beside) - MOST_NICS, 0)
    more = f" {unread} NICs or VMs beside it were not read." if unread else ""
    if refused:
        return Unavailable(Reason.NOT_RUNNING, f"No neighbour can be asked now: {'; '.join(refused)}.{more}", FACT)
    tag = f"{neighbours.NEIGHBOUR_TAG}: allow"
    return Unavailable(Reason.NOT_CONFIGURED, f"No VM of the virtual network has the tag {tag}.{more}", FACT)


async def _refused(services: Services, channel: NeighbourChannel, vm: Observed[JsonObject]) -> str | None:
    """Why a VM that opted in is not asked, or None."""
    if references.is_windows(vm.value) is None:
        return "its system is not known"
    missing = channel.preflight(vm.value)
    if missing is not None:
        return missing.detail
    scopes = [("VM", derive(vm, references.tags_of))]
    for name, parts in (("resource group", 5), ("subscription", 3)):
        scope = "/".join(str(vm.value.get("id", "")).split("/")[:parts])
        tags = await _tags(services, scope)
        scopes.append((name, derive(tags, references.tag_values)))
    return neighbours.forbidden_by_tag(scopes, services.settings.guest_reads)


async def _read(services: Services, resource_id: str) -> Fact[JsonObject]:
    try:
        async with asyncio.timeout(READ_S):
            return await services.reads.resource(resource_id)
    except TimeoutError:
        return Unavailable(Reason.TIMEOUT, f"{resource_id} did not answer within {READ_S:g} s", resource_id)


async def _tags(services: Services, scope: str) -> Fact[JsonObject]:
    try:
        async with asyncio.timeout(READ_S):
            return await services.reads.operation(Operation.TAGS, scope)
    except TimeoutError:
        return Unavailable(Reason.TIMEOUT, f"tags of {scope} did not answer within {READ_S:g} s", scope)
