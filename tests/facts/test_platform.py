"""The VM, the activity log and the mode as facts: what counts, and what bad input becomes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rdp_remediate.facts.facts import Facts, read_facts
from rdp_remediate.facts.platform import VirtualMachine, read_changes, read_time
from rdp_remediate.facts.policy import ResolvedMode, resolve_mode
from rdp_remediate.models.bundle import Mode
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from tests import factories as f
from tests.factories import Change, healthy_bundle, hide


def _facts(*changes: Change) -> Facts:
    return read_facts(healthy_bundle(*changes))


def _vm(*changes: Change) -> VirtualMachine:
    fact = _facts(*changes).vm
    assert isinstance(fact, Observed)
    return fact.value


def test_the_healthy_vm() -> None:
    vm = _vm()
    assert (vm.name, vm.os_type, vm.power_state, vm.running) == ("vm1", "Windows", "running", True)
    assert vm.agent is not None
    assert vm.agent.ready
    assert vm.nic_ids == [f.NIC]
    assert vm.computer_name == "RDPVM01"


@pytest.mark.parametrize(
    "code", ["PowerState/running", "powerstate/Running", "PowerState/deallocated", "PowerState/brand-new"]
)
def test_the_power_state_is_read_in_any_case(code: str) -> None:
    status = f.resource(f.VM, "properties", "instanceView", "statuses", value=[{"code": code}])
    assert _vm(status).power_state == code.split("/")[1].lower()


@pytest.mark.parametrize("value", [[], None, [{"code": "ProvisioningState/succeeded"}]])
def test_no_power_status_is_no_power_state(value: Any) -> None:
    vm = _vm(f.resource(f.VM, "properties", "instanceView", "statuses", value=value))
    assert vm.power_state is None
    assert not vm.running


@pytest.mark.parametrize(
    ("path", "value"),
    [(("properties",), None), (("properties",), "x"), (("properties", "instanceView"), ["x"]), (("tags",), "x")],
)
def test_a_vm_of_an_impossible_shape_is_malformed(path: tuple[str, ...], value: Any) -> None:
    fact = _facts(f.resource(f.VM, *path, value=value)).vm
    assert isinstance(fact, Unavailable)
    assert fact.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("name", "value", "keep", "schedule"),
    [
        ("keep-running", "true", True, None),
        ("AlwaysOn", "yes", True, None),
        ("keep-running", "no", False, None),
        ("Auto-Shutdown", "20:00", False, "Auto-Shutdown=20:00"),
        ("schedule", "off", False, None),
        ("team", "shop", False, None),
    ],
)
def test_tags_about_running(name: str, value: str, keep: bool, schedule: str | None) -> None:
    vm = _vm(f.tag(name, value))
    assert (vm.keep_running, vm.schedule_tag) == (keep, schedule)


def _event(**changes: Any) -> dict[str, Any]:
    return {
        "eventTimestamp": "2026-11-24T10:00:00.1234567Z",
        "operationName": {"value": "Microsoft.Compute/virtualMachines/deallocate/action"},
        "status": {"value": "Succeeded"},
        "caller": "ada@example.com",
        "resourceId": f.VM,
        **changes,
    }


def test_an_event_of_either_dialect_reads_the_same() -> None:
    plain = _event(
        operationName="Microsoft.Compute/virtualMachines/deallocate/action",
        status="Succeeded",
        resourceId=None,
        resourceUri=f.VM,
    )
    assert read_changes([_event()]) == read_changes([plain])


@pytest.mark.parametrize(
    "changes",
    [
        {"status": {"value": "Started"}},
        {"status": {"value": "Accepted"}},
        {"status": {"value": "Failed"}},
        {"status": None},
        {"eventTimestamp": "yesterday"},
        {"eventTimestamp": None},
    ],
)
def test_what_did_not_happen_or_has_no_time_is_no_change(changes: dict[str, Any]) -> None:
    assert read_changes([_event(**changes)]) == []


@pytest.mark.parametrize(
    ("caller", "claims", "kind"),
    [
        ("ada@example.com", {}, "person"),
        ("22222222-2222-3333-4444-555555555555", {}, "automation"),
        ("ada@example.com", {"idtyp": "app"}, "automation"),
        ("Microsoft.Something", {}, "unknown"),
        ("", None, "unknown"),
    ],
)
def test_who_made_a_change(caller: str, claims: Any, kind: str) -> None:
    (change,) = read_changes([_event(caller=caller, claims=claims)])
    assert change.kind == kind


def test_principals_are_compared_without_dashes_and_case() -> None:
    object_id = "http://schemas.microsoft.com/identity/claims/objectidentifier"
    (change,) = read_changes([_event(claims={object_id: "ABCD-1234", "appid": "EF-56"})])
    assert {"abcd1234", "ef56"} <= set(change.principal_ids)


def test_changes_are_ordered_by_time() -> None:
    late, early = _event(), _event(eventTimestamp="2026-11-23T10:00:00Z")
    assert [change.at.day for change in read_changes([late, early])] == [23, 24]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T10:00:00Z", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24T10:00:00.1234567Z", datetime(2026, 11, 24, 10, 0, 0, 123456, UTC)),
        ("2026-11-24T12:00:00+02:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24T10:00:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("24.11.2026", None),
        (17, None),
        (None, None),
    ],
)
def test_times(text: Any, expected: datetime | None) -> None:
    assert read_time(text) == expected


def test_unread_and_unlisted_reads_are_told_apart() -> None:
    refused = _facts(hide("locks", f.VM)).locks
    assert isinstance(refused, Unavailable)
    assert refused.reason is Reason.FORBIDDEN
    absent = _facts(f.drop("operations", "locks")).locks
    assert isinstance(absent, Unavailable)
    assert absent.reason is Reason.NOT_COLLECTED


@pytest.mark.parametrize("name", ["locks", "resource_annotations"])
@pytest.mark.parametrize("answer", [None, "x", {"value": None}, {"value": "x"}, 7])
def test_an_answer_of_an_unknown_shape_is_malformed_and_never_empty(name: str, answer: Any) -> None:
    facts = _facts(f.operation(name, f.VM, answer))
    fact = facts.locks if name == "locks" else facts.annotations
    assert isinstance(fact, Unavailable)
    assert fact.reason is Reason.MALFORMED


def test_a_jit_policy_of_another_vm_guards_nothing_here() -> None:
    mine = _facts(f.jit_policy(3390)).jit_ports
    assert isinstance(mine, Observed)
    assert [(one.port, one.max_duration) for one in mine.value] == [(3390, "PT3H")]
    other = {"value": [{"properties": {"virtualMachines": [{"id": f"{f.VM}2", "ports": [{"number": 3389}]}]}}]}
    theirs = _facts(f.operation("jit_policies", f.SUBSCRIPTION, other)).jit_ports
    assert isinstance(theirs, Observed)
    assert theirs.value == []


# Mode

AT = datetime(2026, 11, 24, tzinfo=UTC)
UNREAD = Unavailable(Reason.FORBIDDEN, "403", "tags")


def _mode(
    *tags: dict[str, str] | Unavailable,
    ceiling: Mode = Mode.AUTO,
    untagged: Mode = Mode.OBSERVE,
    requested: Mode | None = None,
    guest_reads: str = "asked",
) -> ResolvedMode:
    names = ("VM", "resource group", "subscription")
    facts: list[Fact[Any]] = [one if isinstance(one, Unavailable) else Observed(one, "tags", AT) for one in tags]
    scopes = list(zip(names, facts, strict=False))
    return resolve_mode(ceiling=ceiling, untagged=untagged, requested=requested, scopes=scopes, guest_reads=guest_reads)


@pytest.mark.parametrize(
    ("tags", "more", "mode"),
    [
        (({}, {}, {}), {}, Mode.OBSERVE),
        (({}, {}, {}), {"untagged": Mode.AUTO}, Mode.AUTO),
        (({"rdp-remediate": "auto"}, {}, {}), {}, Mode.AUTO),
        (({"RDP-Remediate": " Auto "}, {}, {}), {}, Mode.AUTO),
        (({}, {}, {"rdp-remediate": "auto"}), {}, Mode.AUTO),
        (({"rdp-remediate": "auto"}, {"rdp-remediate": "approve"}, {}), {}, Mode.APPROVE),
        (({"rdp-remediate": "auto"}, {}, {"rdp-remediate": "off"}), {}, Mode.OFF),
        (({"rdp-remediate": "auto"}, {}, {}), {"ceiling": Mode.APPROVE}, Mode.APPROVE),
        (({"rdp-remediate": "auto"}, {}, {}), {"requested": Mode.OBSERVE}, Mode.OBSERVE),
        (({"rdp-remediate": "observe"}, {}, {}), {"requested": Mode.AUTO}, Mode.OBSERVE),
        (({"rdp-remediate": "yes please"}, {}, {}), {}, Mode.OBSERVE),
        (({"rdp-remediate": "auto"}, UNREAD, {}), {}, Mode.OBSERVE),
        ((UNREAD, {}, {"rdp-remediate": "off"}), {}, Mode.OFF),
        ((UNREAD, UNREAD, UNREAD), {"untagged": Mode.AUTO}, Mode.OBSERVE),
    ],
)
def test_the_lowest_mode_holds(tags: Any, more: Any, mode: Mode) -> None:
    resolved = _mode(*tags, **more)
    assert resolved.mode is mode
    assert resolved.because


def test_a_tag_can_only_forbid_guest_reads() -> None:
    assert _mode({"rdp-remediate-guest-reads": "Never"}).guest_reads == "never"
    assert _mode({"rdp-remediate-guest-reads": "asked"}, guest_reads="never").guest_reads == "never"
    assert _mode({}).guest_reads == "asked"


def test_the_vms_own_tag_wins_and_foreign_tags_are_not_kept() -> None:
    resolved = _mode({"rdp-remediate-x": "1", "team": "a"}, {"rdp-remediate-x": "2", "rdp-remediate-y": "3"})
    assert resolved.tags == {"rdp-remediate-x": "1", "rdp-remediate-y": "3"}


def test_closings_are_unavailable_without_the_activity_log_and_go_on_without_the_guests() -> None:
    stop = f.activity("Microsoft.Compute/virtualMachines/powerOff/action", f.VM, "ada@example.com", timedelta(hours=1))
    assert isinstance(_facts(hide("changes")).closings([]), Unavailable)
    found = _facts(stop, hide("guest.changes")).closings([])
    assert isinstance(found, Observed)
    assert [(one.kind, one.author) for one in found.value] == [("power", "ada@example.com")]
