import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rdp_remediate.errors import PayloadError
from rdp_remediate.intake.ignored import Ignored, IgnoredReason
from rdp_remediate.intake.manual import read_manual
from rdp_remediate.models.incident import ClueKind, Incident, Kind, Source
from tests.intake.cases import NET, SUBSCRIPTION, only, reasons, vm_id

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def _read(authenticated: str | None = None, /, **request: Any) -> list[Incident | Ignored]:
    return read_manual(json.dumps(request), request_id="r1", received_at=NOW, requested_by=authenticated)


def test_a_full_request() -> None:
    incident = only(
        _read(
            vm=vm_id("Web01"),
            client_address="203.0.113.7",
            user="CONTOSO\\anna",
            dialled_address="web01.westeurope.cloudapp.azure.com",
            dialled_port=50001,
            mode="observe",
            requested_by="anna",
        )
    )
    assert incident == Incident(
        source=Source.MANUAL,
        kind=Kind.MANUAL,
        event_id="r1",
        occurred_at=NOW,
        vm_id=vm_id("Web01"),
        client_address="203.0.113.7",
        user="CONTOSO\\anna",
        dialled_address="web01.westeurope.cloudapp.azure.com",
        dialled_port=50001,
        requested_mode="observe",
        requested_by="anna",
        summary="anna asked to look at Web01.",
    )


def test_who_the_platform_authenticated_wins_over_who_the_body_claims() -> None:
    assert only(_read("ops@example.com", vm=vm_id("Web01"), requested_by="ceo")).requested_by == "ops@example.com"


def test_a_name_with_group_and_subscription_is_an_id_and_a_name_alone_is_a_clue() -> None:
    whole = only(_read(vm="Web01", resource_group="Shop-RG", subscription_id=SUBSCRIPTION))
    assert whole.vm_id == vm_id("Web01")
    alone = only(_read(vm="Web01", resource_group="Shop-RG"))
    assert alone.vm_id is None
    assert alone.clue is not None
    assert (alone.clue.kind, alone.clue.value, alone.clue.resource_group) == (ClueKind.VM_NAME, "Web01", "Shop-RG")


@pytest.mark.parametrize(
    ("vm", "reason"),
    [
        (vm_id("s").replace("Machines", "MachineScaleSets") + "/virtualMachines/0", IgnoredReason.SCALE_SET_INSTANCE),
        (vm_id("m").replace("Compute/virtualMachines", "HybridCompute/machines"), IgnoredReason.ARC_MACHINE),
    ],
)
def test_machines_of_another_kind_are_ignored_by_name(vm: str, reason: IgnoredReason) -> None:
    assert reasons(_read(vm=vm)) == [reason]


@pytest.mark.parametrize(
    ("request_body", "fault"),
    [
        ({}, "names no VM"),
        ({"vm": ""}, "names no VM"),
        ({"vm": 5}, "not a text"),
        ({"vm": "web 01"}, "no virtual machine's name"),
        ({"vm": ".."}, "no virtual machine's name"),
        ({"vm": "g/web01"}, "not the ARM id"),
        ({"vm": f"{NET}/networkSecurityGroups/n"}, "not the ARM id"),
        ({"vm": vm_id("a'b")}, "no such id has"),
        ({"vm": vm_id("Web01"), "resource_group": "other"}, "leave out"),
        ({"vm": "w", "subscription_id": "prod"}, "no subscription id"),
        ({"vm": "w", "resource_group": "a/b"}, "no resource group's name"),
        ({"vm": "w", "mod": "observe"}, "did you mean 'mode'"),
        ({"vm": "w", "x" * 500: 1}, "unknown key"),
        ({"vm": "w", "mode": "off"}, "request.mode"),
        ({"vm": "w", "mode": "AUTO"}, "request.mode"),
        ({"vm": "w", "client_address": "203.0.113.0/24"}, "not an IP address"),
        ({"vm": "w", "client_address": "0.0.0.0/0"}, "not an IP address"),
        ({"vm": "w", "dialled_address": "http://web01/"}, "neither an IP address nor a host name"),
        ({"vm": "w", "dialled_address": "a" * 300}, "neither an IP address nor a host name"),
        ({"vm": "w", "dialled_port": "3389"}, "no port number"),
        ({"vm": "w", "dialled_port": True}, "no port number"),
        ({"vm": "w", "dialled_port": 0}, "no port number"),
        ({"vm": "w", "dialled_port": 65536}, "no port number"),
        ({"vm": "w", "principal_id": "mia@contoso.com"}, "object id"),
        ({"vm": "w", "principal_id": "5c2a0000-0000-4000-8000-0000000000aa'"}, "object id"),
        ({"vm": "w", "user": "a\nb"}, "printable characters"),
        ({"vm": "w", "user": "a" * 257}, "printable characters"),
    ],
)
def test_a_wrong_value_is_named(request_body: dict[str, Any], fault: str) -> None:
    with pytest.raises(PayloadError, match=fault) as caught:
        _read(**request_body)
    assert str(caught.value).endswith("Nothing was started.")
    assert len(str(caught.value)) < 300


def test_a_client_check_is_kept_as_a_claim() -> None:
    document = {"schema": "rdp-remediate/client-check/1", "host": "vm1"}
    assert only(_read(vm=vm_id("Web01"), client_check=document)).client_check == document


@pytest.mark.parametrize(
    "value",
    ["x", [], {}, {"schema": "other/1"}, {"schema": "rdp-remediate/client-check/1", "host": "x" * 25_000}],
)
def test_what_is_no_client_check_is_refused(value: Any) -> None:
    with pytest.raises(PayloadError, match="client_check"):
        _read(vm=vm_id("Web01"), client_check=value)
