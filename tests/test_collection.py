"""Collection: what is read, what is noted as unread, and that nothing is invented or asked of strangers."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate import gathering
from rdp_remediate.collection import Collected, collect, guest_failure, probe, with_guest, with_second_slice
from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.errors import NotApplicableError
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Mode
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.models.incident import Kind
from rdp_remediate.planning import plan
from rdp_remediate.ports import Completed, OutcomeUnknown, Started
from tests import factories as f
from tests.fakes import BUSY, FORBIDDEN
from tests.stage import Stage, stage


async def _collect(on: Stage, answer: JsonObject | None = None, **fields: Any) -> Collected:
    return await collect(await on.create(**fields), on.services(), answer)


def _missing(collected: Collected) -> set[tuple[str, str]]:
    return {(item.fact, item.reason) for item in collected.bundle.unavailable}


async def test_everything_on_the_path_is_read_and_keyed_in_lower_case() -> None:
    on = stage()
    collected = await _collect(on)
    assert set(collected.bundle.resources) == {
        one.lower() for one in (f.VM, f.NIC, f.NIC_NSG, f.SUBNET_NSG, f.VNET, f.PUBLIC_IP)
    }
    assert set(collected.bundle.operations) >= {
        "effective_security_rules",
        "effective_routes",
        "effective_admin_rules",
        "resource_health",
        "jit_policies",
        "locks",
        "bastion_hosts",
        "resource_changes",
    }
    assert [(one.fact, one.reason) for one in collected.bundle.unavailable] == [("logs", "not_configured")]
    assert isinstance(collected.guest, Started)
    assert collected.mode.mode is Mode.AUTO


async def test_each_refused_read_is_a_fact_and_the_rest_goes_on() -> None:
    for key in (*stage().world.data["resources"], *stage().world.data["operations"]):
        if key == f.VM.lower():
            continue
        on = stage()
        on.world.refused[key] = Reason.FORBIDDEN
        collected = await _collect(on)
        refused = _missing(collected) - {("logs", "not_configured")}
        assert {reason for _, reason in refused} == {"forbidden"}, key
        assert collected.bundle.resources[f.VM.lower()]
        if key != f.NIC.lower():
            assert len(collected.bundle.unavailable) == 2, key


async def test_an_unread_activity_log_is_not_an_empty_one() -> None:
    on = stage()
    on.world.refused["activity"] = Reason.THROTTLED
    assert ("changes", "throttled") in _missing(await _collect(on))


async def test_a_vm_that_is_off_is_not_asked_for_effective_rules_or_run_command() -> None:
    collected = await _collect(stage(f.powered("deallocated")))
    assert {("effective_security_rules", "not_running"), ("effective_routes", "not_running")} <= _missing(collected)
    assert ("guest", "not_running") in _missing(collected)
    assert collected.guest is None


async def test_an_agent_that_does_not_report_is_not_waited_for() -> None:
    on = stage(f.agent_not_ready)
    collected = await _collect(on)
    assert ("guest", "unreachable") in _missing(collected)
    assert on.world.calls == []


async def test_a_hint_and_forbidden_guest_reads_ask_nothing_of_windows() -> None:
    for on, kind in ((stage(), Kind.HINT), (stage(guest_reads="never"), Kind.MANUAL)):
        collected = await _collect(on, kind=kind)
        assert ("guest", "not_configured") in _missing(collected)
        assert on.world.calls == []


async def test_a_repairs_answer_is_used_and_no_collector_started() -> None:
    on = stage()
    answer = on.world.answer()
    collected = await _collect(on, answer)
    assert collected.bundle.guest == answer
    assert on.world.calls == []


async def test_what_is_not_treated_is_said() -> None:
    with pytest.raises(NotApplicableError, match="Linux"):
        await _collect(stage(f.resource(f.VM, "properties", "storageProfile", "osDisk", "osType", value="Linux")))
    with pytest.raises(NotApplicableError, match="no VM"):
        await _collect(stage(f.drop("resources", f.VM.lower())))
    with pytest.raises(NotApplicableError, match="left alone"):
        await _collect(stage(f.tag("rdp-remediate", "off")))


async def test_a_vm_that_cannot_be_read_is_no_missing_vm() -> None:
    on = stage()
    on.world.refused[f.VM.lower()] = Reason.FORBIDDEN
    collected = await _collect(on)
    assert ("resource", "forbidden") in _missing(collected)
    assert collected.mode.mode is Mode.OBSERVE


async def test_only_what_arm_shows_on_the_target_is_probed() -> None:
    on = stage()
    bundle = (await _collect(on, dialled_address="198.51.100.77")).bundle
    assert on.prober.asked == [(f.PUBLIC_ADDRESS, 3389)]
    assert bundle.probes[0].source_address == f.CLIENT
    again = await probe(bundle, on.services())
    assert len(on.prober.asked) == 1, "what was probed is not probed again"
    assert again.probes == bundle.probes
    private = stage(f.without_public_address)
    await _collect(private)
    assert private.prober.asked == []


async def test_a_read_that_never_answers_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PLAIN_S", 0.05)
    on = stage()
    services = on.services()
    reads = services.reads

    class Slow:
        """Reads of which one hangs."""

        async def resource(self, resource_id: str) -> Fact[JsonObject]:
            if resource_id.lower() == f.PUBLIC_IP.lower():
                await asyncio.sleep(30)
            return await reads.resource(resource_id)

        operation = reads.operation
        boot_picture = reads.boot_picture

    collected = await collect(await on.create(), replace(services, reads=Slow()))
    assert ("resource", "timeout") in _missing(collected)


async def test_the_apps_vms_are_written_to_through_its_store_only() -> None:
    on = stage(f.tag("rdp-remediate", "auto"))
    on.vantage = "cli"
    assert (await _collect(on)).mode.mode is Mode.OBSERVE
    with_store = stage(f.tag("rdp-remediate", "auto"), store="tables", storage_connection="UseDevelopmentStorage=true")
    with_store.vantage = "cli"
    assert (await _collect(with_store)).mode.mode is Mode.AUTO


async def test_a_reason_to_observe_wins_over_every_mode() -> None:
    on = stage()
    on.observe_because = "the store cannot be reached"
    collected = await _collect(on)
    assert (collected.mode.mode, collected.mode.because) == (Mode.OBSERVE, "the store cannot be reached")


async def test_settings_and_tags_are_read_anew_in_every_pass() -> None:
    on = stage()
    run = await on.create()
    assert (await collect(run, on.services())).mode.mode is Mode.AUTO
    on.world.change(f.tag("rdp-remediate", "observe"))
    assert (await collect(run, on.services())).mode.mode is Mode.OBSERVE
    on.settings = replace(on.settings, sources={"/": ("198.51.100.0/24",)})
    assert (await collect(run, on.services())).bundle.policy.sources == ["198.51.100.0/24"]


async def test_the_guest_answer_or_its_reason_completes_a_bundle() -> None:
    on = stage()
    bundle = (await _collect(on)).bundle
    answered = with_guest(bundle, Observed({"schema": "x"}, "guest", on.clock.now()))
    assert answered.guest == {"schema": "x"}
    first = with_guest(bundle, Unavailable(Reason.BUSY, "busy", "guest"))
    second = with_guest(first, Unavailable(Reason.TIMEOUT, "slow", "guest"))
    assert [(item.fact, item.reason) for item in second.unavailable[-1:]] == [("guest", "timeout")]
    assert len(second.unavailable) == len(bundle.unavailable) + 1
    assert [item.fact for item in bundle.unavailable] == ["logs"]
    sliced = with_second_slice(bundle, Unavailable(Reason.TIMEOUT, "slow", "guest"))
    assert [item.fact for item in sliced.unavailable[-1:]] == ["guest_slice2"]


def test_why_a_run_command_that_did_not_start_gives_no_answer() -> None:
    assert guest_failure(Started({})) is None
    for outcome, reason in (
        (BUSY, Reason.BUSY),
        (FORBIDDEN, Reason.FORBIDDEN),
        (OutcomeUnknown("lost"), Reason.UNREACHABLE),
        (Completed(None), Reason.SERVER_ERROR),
    ):
        failure = guest_failure(outcome)
        assert failure is not None
        assert failure.reason is reason


async def test_a_client_check_is_evidence_of_the_first_pass_only() -> None:
    on = stage()
    run = await on.create()
    check = {"schema": "rdp-remediate/client-check/1"}
    run = run.model_copy(update={"incident": run.incident.model_copy(update={"client_check": check})})
    first = await collect(run, on.services())
    assert first.bundle.client_check == check
    later = await collect(run.model_copy(update={"pass_number": 2}), on.services())
    assert later.bundle.client_check is None
    assert ("client_check", "not_supported") in _missing(later)


HOUR = timedelta(hours=1)
ELSEWHERE = f"{f.SUBSCRIPTION}/resourceGroups/rg-net"
FAR_NSG = f"{ELSEWHERE}/providers/Microsoft.Network/networkSecurityGroups/nsg-shared"


def shared_nsg(data: JsonObject) -> None:
    """The NIC's NSG lies in the network team's resource group, and has no rule for the client."""
    f.security_rules(f.NIC_NSG)(data)
    text = json.dumps(data).replace(f.NIC_NSG, FAR_NSG).replace(f.NIC_NSG.lower(), FAR_NSG.lower())
    data.clear()
    data.update(json.loads(text))
    data["probes"] = []


async def test_who_closed_a_rule_is_read_in_the_group_of_the_nsg() -> None:
    deleted = "Microsoft.Network/networkSecurityGroups/securityRules/delete"
    on = stage(shared_nsg, f.activity(deleted, f"{FAR_NSG}/securityRules/Allow-RDP", "netops@example.com", HOUR))
    collected = await _collect(on)
    made = plan(read_facts(collected.bundle), diagnose_bundle(collected.bundle).findings)
    (step,) = [one for one in made.steps if one.fix == "allow_rdp_in_nsg"]
    assert "netops@example.com" in (step.approval or "")


async def test_an_unread_log_of_that_group_leaves_open_who_closed_it() -> None:
    on = stage(shared_nsg)
    on.world.refused[ELSEWHERE.lower()] = Reason.FORBIDDEN
    collected = await _collect(on)
    assert ("changes", "forbidden") in _missing(collected)
    made = plan(read_facts(collected.bundle), diagnose_bundle(collected.bundle).findings)
    (step,) = [one for one in made.steps if one.fix == "allow_rdp_in_nsg"]
    assert "could not be read" in (step.approval or "")
