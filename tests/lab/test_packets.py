"""The lab's literal walk, against every vector of the specification and over a living world."""

from typing import Any

import pytest

from rdp_remediate.lab.build import build_world
from rdp_remediate.lab.packet_entry import Evidence
from rdp_remediate.lab.packet_match import matches_ephemeral
from rdp_remediate.lab.packets import LabPath, Verdict, walk
from rdp_remediate.lab.scenario import by_name
from tests.lab.fake_guest import FakeGuest
from tests.network.vectors import load, names


def evidence_of(bundle: dict[str, Any]) -> Evidence:
    operations = bundle["operations"]

    def values(key: str) -> dict[str, list[dict[str, Any]]]:
        return {k: v["value"] for k, v in operations.get(key, {}).items()}

    tags = {
        entry["name"]: entry["properties"]["addressPrefixes"]
        for answer in operations.get("service_tags", {}).values()
        for entry in answer["values"]
    }
    unread = [u for u in bundle["unavailable"] if u["fact"] == "application_security_group_members"]
    return Evidence(
        resources=bundle["resources"],
        routes=values("effective_routes"),
        admin_rules=values("effective_admin_rules"),
        service_tags=tags,
        unreadable_groups=frozenset(u["resource_id"].lower() for u in unread),
        classic_acls=operations.get("classic_endpoint_acls", {}),
    )


@pytest.mark.parametrize("name", names("path"))
def test_vector(name: str) -> None:
    vector = load(name)
    host, _, port = vector["ask"]["dialled"].rpartition(":")
    evidence = vector["evidence"]
    landing = walk(
        evidence_of(evidence), evidence["target"]["vm_id"], vector["ask"]["client"], host.strip("[]"), int(port)
    )
    assert landing.verdict == vector["expect"]["verdict"], vector["why"]


@pytest.mark.parametrize(
    ("scenario", "verdict"),
    [
        ("healthy", Verdict.ALLOW),
        ("nsg-no-allow-rule", Verdict.DENY),
        ("nsg-second-layer-deny", Verdict.DENY),
        ("nsg-explicit-deny-wins", Verdict.DENY),
        ("edge-caller-ip-not-allowed", Verdict.DENY),
        ("jit-closed", Verdict.DENY),
        ("public-ip-standard-no-nsg", Verdict.DENY),
        ("quarantined", Verdict.DENY),
        ("no-public-ip", Verdict.NO_PATH),
        ("fw-rdp-rule-disabled", Verdict.ALLOW),  # what Windows does is not the network's affair
    ],
)
def test_built_in_scenarios_on_the_wire(scenario: str, verdict: Verdict) -> None:
    world = build_world(by_name(scenario), FakeGuest())
    landing = LabPath(world).walk(world.vm_id, "203.0.113.7", world.names.public_address, 3389)
    assert landing.verdict is verdict


def test_an_internet_client_reaches_no_private_address_and_a_neighbour_does() -> None:
    world = build_world(by_name("healthy"), FakeGuest())
    path = LabPath(world)
    private = world.names.private_address
    assert path.walk(world.vm_id, "203.0.113.7", private, 3389).verdict is Verdict.NO_PATH
    assert path.walk(world.vm_id, "10.0.0.30", private, 3389).verdict is Verdict.ALLOW
    assert path.walk(world.vm_id, "198.51.100.1", world.names.public_address, 3389).verdict is Verdict.DENY
    assert {e.address for e in path.entries(world.vm_id)} == {private, world.names.public_address}


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        (["*"], True),
        (["1024-65535"], True),
        (["1024-30000", "30001-65535"], True),
        (["1024-30000", "30002-65535"], None),
        (["3389"], None),
        (["80"], False),
        ([], None),
    ],
)
def test_client_ports_are_ephemeral(ports: list[str], expected: bool | None) -> None:
    assert matches_ephemeral(ports) is expected
