from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from rdp_remediate.models.incident import Clue, ClueKind, Incident, Kind, Source, run_id, vm_key

SUBSCRIPTION = "/subscriptions/3d1ab1f4-7b51-4d7a-8f9e-2f6f6f0c1a11"
VM = f"{SUBSCRIPTION}/resourceGroups/Shop-RG/providers/Microsoft.Compute/virtualMachines/Web01"
NSG = f"{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/networkSecurityGroups/nsg1"


def _incident(**changes: Any) -> Incident:
    values: dict[str, Any] = {
        "source": Source.ALERT,
        "kind": Kind.FAILED_RDP,
        "event_id": "alert-1",
        "occurred_at": datetime(2026, 5, 4, 8, 30, tzinfo=UTC),
        "vm_id": VM,
        "summary": "RDP to Web01 failed.",
    }
    return Incident.model_validate(values | changes)


def test_run_id_is_stable_and_blind_to_the_case_of_the_vm_id() -> None:
    assert run_id(VM, "alert-1") == run_id(VM.upper(), "alert-1") == run_id(VM.lower() + "/", "alert-1")
    assert run_id(VM, "alert-1") == "ff0c8aa5bc7daf3e562e"


def test_run_id_differs_by_vm_and_by_event() -> None:
    ids = {run_id(VM, "alert-1"), run_id(VM, "alert-2"), run_id(VM + "2", "alert-1"), run_id(VM, "Alert-1")}
    assert len(ids) == 4


def test_vm_id_keeps_its_writing_and_has_a_lower_case_key() -> None:
    incident = _incident()
    assert incident.vm_id == VM
    assert incident.vm_key == vm_key(VM) == VM.lower()
    assert _incident(vm_id=None, clue=Clue(kind=ClueKind.COMPUTER_NAME, value="WEB01")).vm_key is None


def test_json_round_trip_starts_with_the_schema() -> None:
    incident = _incident(client_address="203.0.113.7", dialled_port=3390)
    text = incident.model_dump_json(by_alias=True)
    assert text.startswith('{"schema":"rdp-remediate/incident/1"')
    assert '"occurred_at":"2026-05-04T08:30:00Z"' in text
    assert Incident.model_validate_json(text) == incident


@pytest.mark.parametrize(
    "changes",
    [
        {"vm_id": None},
        {"clue": Clue(kind=ClueKind.COMPUTER_NAME, value="WEB01")},
        {"vm_id": None, "clue": Clue(kind=ClueKind.NETWORK_SECURITY_GROUP, value=NSG)},
        {"occurred_at": "2026-05-04T08:30:00"},
        {"dialled_port": 0},
        {"dialled_port": 65536},
        {"requested_mode": "off"},
        {"event_id": ""},
    ],
    ids=["no target", "two targets", "many VMs repaired", "naive time", "port 0", "port 65536", "mode off", "no id"],
)
def test_what_no_incident_may_be(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _incident(**changes)


def test_a_hint_may_come_from_a_shared_resource() -> None:
    hint = _incident(kind=Kind.HINT, vm_id=None, clue=Clue(kind=ClueKind.NETWORK_SECURITY_GROUP, value=NSG))
    assert hint.clue is not None
    assert hint.clue.value == NSG


def test_unknown_keys_are_ignored() -> None:
    assert _incident(colour="red") == _incident()
