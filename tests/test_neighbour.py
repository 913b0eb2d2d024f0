"""A neighbour as a vantage, through whole runs: who is asked, when, and what becomes of the answer."""

import copy
from dataclasses import dataclass, field
from typing import Any

import pytest

from rdp_remediate.guest.run_command import preflight
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.neighbour import FACT, GIVE_UP_S
from rdp_remediate.pipeline import report_of
from rdp_remediate.ports import NeighbourRequest, Started, WriteOutcome
from tests import factories as f
from tests.factories import Change
from tests.fakes import BUSY, FakeProber
from tests.stage import Stage, played, stage

NEAR = f"{f.GROUP}/providers/Microsoft.Compute/virtualMachines/vm2"
FAR = f"{f.GROUP}/providers/Microsoft.Compute/virtualMachines/vm0"
ANSWERED = {"outcome": "rdp_answered", "verdict": "ok", "detail": "10.0.0.4:3389 answered X.224."}
SILENT = {"outcome": "tcp_timeout", "verdict": "filtered", "detail": "10.0.0.4:3389 did not answer."}


def beside(vm_id: str = NEAR, address: str = "10.0.0.9", **tags: str) -> Change:
    """Puts a running Windows VM with a NIC into a subnet of the target's VNet."""
    return lambda data: _place(data, vm_id, address, tags, "snet-app")


def _place(data: JsonObject, vm_id: str, address: str, tags: dict[str, str], subnet: str) -> None:
    name = vm_id.rsplit("/", 1)[-1]
    nic_id = f.NIC.replace("vm1-nic", f"{name}-nic")
    resources = data["resources"]
    nic, vm = copy.deepcopy(resources[f.NIC.lower()]), copy.deepcopy(resources[f.VM.lower()])
    configuration = nic["properties"]["ipConfigurations"][0]["properties"]
    configuration["privateIPAddress"] = address
    configuration["subnet"]["id"] = f"{f.VNET}/subnets/{subnet}"
    del configuration["publicIPAddress"]
    nic["id"], nic["properties"]["virtualMachine"] = nic_id, {"id": vm_id}
    vm["id"], vm["name"] = vm_id, name
    vm["tags"] = {key.replace("_", "-"): value for key, value in tags.items()}
    vm["properties"]["networkProfile"]["networkInterfaces"] = [{"id": nic_id}]
    resources[nic_id.lower()], resources[vm_id.lower()] = nic, vm
    subnets = resources[f.VNET.lower()]["properties"]["subnets"]
    held = next((one for one in subnets if one["name"] == subnet), None)
    if held is None:
        held = {"name": subnet, "id": f"{f.VNET}/subnets/{subnet}", "properties": {"ipConfigurations": []}}
        subnets.append(held)
    held["properties"]["ipConfigurations"].append({"id": f"{nic_id}/ipConfigurations/ipconfig1"})


@dataclass
class Near:
    """A neighbour channel with a scripted answer."""

    answer: JsonObject | Unavailable | None = None
    outcome: WriteOutcome = field(default_factory=lambda: Started({"arm": "poll"}, 1.0))
    asked: list[tuple[str, NeighbourRequest]] = field(default_factory=list)
    on: Stage | None = None

    def preflight(self, vm: JsonObject) -> Unavailable | None:
        return preflight(vm)

    async def start(self, vm_id: str, request: NeighbourRequest) -> WriteOutcome:
        self.asked.append((vm_id, request))
        return self.outcome

    async def poll(self, operation: JsonObject) -> Started | Fact[JsonObject]:
        assert operation == {"arm": "poll"}
        if self.answer is None:
            return Started(operation, 5.0)
        if isinstance(self.answer, Unavailable):
            return self.answer
        assert self.on is not None
        return Observed(self.answer, FACT, self.on.clock.now())


def _unproven(data: JsonObject) -> None:
    """Windows cannot be asked, so nothing shows whether RDP works."""
    data["resources"][f.VM.lower()]["properties"]["osProfile"]["allowExtensionOperations"] = False


def _stage(near: Near, *changes: Change, **settings: Any) -> Stage:
    on = stage(*changes, _unproven, **settings)
    # The public way in stays silent for our probe.
    on.prober = _Silent(on.world)
    on.neighbours, near.on = near, on
    return on


class _Silent(FakeProber):
    async def probe(self, address: str, port: int, *, computer_name: str | None = None) -> JsonObject:
        self.asked.append((address, port))
        data = f.healthy_json()
        f.silent(data)
        result: JsonObject = data["probes"][0]["result"]
        return result


async def _last(on: Stage) -> tuple[Any, Bundle]:
    run = await played(on)
    return run, await on.services().ledger.get_bundle(run.bundles[-1])


def _why(bundle: Bundle) -> str:
    return next(one.detail for one in bundle.unavailable if one.fact == FACT)


async def test_a_neighbour_that_opted_in_is_asked_and_its_answer_separates_the_hops() -> None:
    near = Near(ANSWERED)
    on = _stage(near, beside(rdp_remediate_neighbour="allow"))
    run, bundle = await _last(on)
    assert [(one, r.address, r.port, r.windows) for one, r in near.asked] == [(NEAR, "10.0.0.4", 3389, True)]
    record = next(one for one in bundle.probes if one.vantage == "neighbour")
    assert (record.source_address, record.result["neighbour"]) == ("10.0.0.9", NEAR)
    report = await report_of(run, on.services())
    assert report.verdict.status == "not_proven"
    assert "a neighbour reaches RDP on 10.0.0.4:3389" in report.verdict.headline
    assert "endpoint or network" in report.verdict.headline
    assert {one.vantage: one.outcome for one in report.vantages} == {"app": "does_not", "neighbour": "reaches"}
    assert NEAR.lower() not in bundle.resources


async def test_neither_reaches_it_leaves_platform_or_guest() -> None:
    on = _stage(Near(SILENT), beside(rdp_remediate_neighbour="allow"))
    run, _ = await _last(on)
    headline = (await report_of(run, on.services())).verdict.headline
    assert "neither a neighbour nor the app reaches RDP: the fault lies at platform or guest" in headline


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({}, "has the tag"),
        ({"rdp_remediate_neighbour": "deny"}, "has the tag"),
        ({"rdp_remediate": "auto"}, "has the tag"),
        ({"rdp_remediate_neighbour": "allow", "rdp_remediate_guest_reads": "never"}, "guest_reads is never"),
        ({"rdp_remediate_neighbour": "allow", "rdp_remediate": "off"}, "off"),
    ],
)
async def test_a_vm_that_did_not_opt_in_or_forbids_is_not_asked(tags: dict[str, str], why: str) -> None:
    near = Near(ANSWERED)
    _, bundle = await _last(_stage(near, beside(**tags)))
    assert near.asked == []
    assert why in _why(bundle)


async def test_the_tag_of_the_group_opts_nobody_in_and_unreadable_tags_forbid() -> None:
    near = Near(ANSWERED)
    on = _stage(near, beside())
    on.world.tags[f.GROUP.lower()] = {"rdp-remediate-neighbour": "allow"}
    await _last(on)
    assert near.asked == []
    on = _stage(near, beside(rdp_remediate_neighbour="allow"))
    on.world.refused["tags"] = Reason.FORBIDDEN
    await _last(on)
    assert near.asked == []


async def test_a_neighbour_whose_agent_is_silent_is_not_asked() -> None:
    near = Near(ANSWERED)

    def silent_agent(data: JsonObject) -> None:
        view = data["resources"][NEAR.lower()]["properties"]["instanceView"]
        view["vmAgent"]["statuses"] = [{"code": "ProvisioningState/Unavailable", "displayStatus": "Not Ready"}]

    _, bundle = await _last(_stage(near, beside(rdp_remediate_neighbour="allow"), silent_agent))
    assert near.asked == []
    assert "vm2" in _why(bundle)


async def test_the_same_subnet_goes_before_another_one_whatever_the_name() -> None:
    near = Near(ANSWERED)
    tags = {"rdp-remediate-neighbour": "allow"}
    far = lambda data: _place(data, FAR, "10.0.1.5", tags, "snet-other")  # noqa: E731
    await _last(_stage(near, far, beside(rdp_remediate_neighbour="allow")))
    assert [one for one, _ in near.asked] == [NEAR]


async def test_the_setting_guest_reads_never_forbids_every_neighbour() -> None:
    near = Near(ANSWERED)
    await _last(_stage(near, beside(rdp_remediate_neighbour="allow"), guest_reads="never"))
    assert near.asked == []


async def test_nobody_is_asked_where_rdp_is_proven_or_the_cause_is_confirmed_or_the_vm_is_off() -> None:
    for change in ((), (f.security_rules(f.NIC_NSG),), (f.powered("deallocated"),)):
        near = Near(ANSWERED)
        on = stage(*change, beside(rdp_remediate_neighbour="allow"), max_mode="observe")
        on.neighbours, near.on = near, on
        await played(on)
        assert near.asked == []


async def test_a_busy_neighbour_is_named_and_the_run_goes_on() -> None:
    near = Near(outcome=BUSY)
    run, bundle = await _last(_stage(near, beside(rdp_remediate_neighbour="allow")))
    assert len(near.asked) == 1
    assert run.done is not None
    assert "in progress" in _why(bundle)


async def test_a_run_command_that_does_not_end_is_given_up_and_called_what_it_is() -> None:
    on = _stage(Near(None), beside(rdp_remediate_neighbour="allow"))
    began = on.clock.time
    run, bundle = await _last(on)
    assert run.done is not None
    assert "cannot be cancelled" in _why(bundle)
    assert next(one.reason for one in bundle.unavailable if one.fact == FACT) == "timeout"
    assert (on.clock.time - began).total_seconds() >= GIVE_UP_S


async def test_an_answer_that_is_none_leaves_the_verdict_as_it_was() -> None:
    hostile = Unavailable(Reason.MALFORMED, "The checksum is wrong.", FACT)
    on = _stage(Near(hostile), beside(rdp_remediate_neighbour="allow"))
    run, bundle = await _last(on)
    assert _why(bundle) == "The checksum is wrong."
    assert (await report_of(run, on.services())).verdict.status == "not_proven"


async def test_a_neighbour_that_the_engine_denies_proves_nothing_by_its_silence() -> None:
    deny = f.rule("Deny-VNet", 200, source="10.0.0.9", access="Deny")
    rules = f.security_rules(f.NIC_NSG, deny, f.NIC_ALLOW)
    on = _stage(Near(SILENT), beside(rdp_remediate_neighbour="allow"), rules)
    run, _ = await _last(on)
    report = await report_of(run, on.services())
    row = next(one for one in report.vantages if one.vantage == "neighbour")
    assert (row.outcome, row.path_verdict) == ("says_nothing", "DENY")
    assert "By vantage" not in report.verdict.headline
