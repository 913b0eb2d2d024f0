"""The vector scenarios of this version's faults, compounds and traps, executed on the genuine PowerShell engine."""

from pathlib import Path

import pytest

from rdp_remediate.lab.scenario import Scenario, built_in, load
from tests.acceptance.playing import Played, mismatches, needs, play_scenario

pytestmark = pytest.mark.slow

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"
FILES = ("guest_firewall.json", "guest_rdp_service.json", "platform.json", "compound.json", "traps.json")
ABSENT = "the vectors are in ../shared/vectors, which is not part of the repository"
ROWS = {one.expect.row for one in built_in().values() if one.expect.kind == "fault"}
"""The catalogue rows of the built-in scenarios: the faults that this version treats."""

COMPOUNDS = {f"compound-{number}" for number in (1, 2, 4, 5)}
TRAPS = {
    f"trap-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 10, 13, 14, 15, 16, 17, 19, 22, 23, 29, 30, 32, 37, 39, 40)
}

DELIBERATE = {
    ("PL01n", "remedy of vm-transitional"): "waiting for a VM that is starting comes with its own issue; it is named",
    ("PL13n", "remedy of vm-transitional"): "as above",
    ("PL13a", "remedy of agent-not-ready"): "a restart is no repair of RDP that works; by hand",
    ("PL20a", "remedy of nic-ip-changed"): "the user's address and the DNS record are not the VM's; named, by hand",
    ("TR03", "remedy of jit-closed"): "the trap forbids touching the rule; asking Defender is an approval step",
    ("TR30", "remedy of vm-deallocated"): "a VM that a person stopped is started with approval only; never by itself",
    ("TR32", "hop edge"): "the caller's address, which the trap leaves free, comes first in path order",
    ("TR32", "remedy of nsg-no-allow-rule"): "a source outside the configured ones is refused even if approved",
}
"""Where the design decides otherwise than a vector's expert, and why; anything else that differs is a failure."""


def chosen() -> list[tuple[str, str]]:
    """File and name of the vector scenarios that this version must pass; none in a public clone."""
    wanted = ROWS | COMPOUNDS | TRAPS
    found = []
    for file in FILES:
        if (VECTORS / file).is_file():
            found += [(file, one.name) for one in load(VECTORS / file) if one.expect.row in wanted]
    return found


def unexplained(name: str, one: Played) -> list[str]:
    """The differences that the design does not decide."""
    return [text for text in mismatches(one) if not any(name == n and text.startswith(t) for n, t in DELIBERATE)]


@pytest.mark.skipif(not VECTORS.is_dir(), reason=ABSENT)
def test_every_row_with_a_guest_or_platform_vector_is_played() -> None:
    scenarios: dict[str, Scenario] = {one.name: one for file in FILES for one in load(VECTORS / file)}
    played = {scenarios[name].expect.row for _, name in chosen()}
    # The other rows are decided by the network alone; their vectors are packets, held against the path engine.
    assert {
        "fw-rdp-rule-disabled",
        "fw-block-all-inbound",
        "fw-gpo-enforced-block",
        "rdp-disabled-local",
        "rdp-disabled-policy",
        "termservice-stopped",
        "termservice-disabled",
        "rdp-port-unmatched",
        "vm-deallocated",
        "vm-stopped-allocated",
        "agent-not-ready",
    } <= played
    assert played >= COMPOUNDS | TRAPS


@pytest.mark.parametrize(
    ("file", "name"), chosen() or [pytest.param("", "", marks=pytest.mark.skip(reason=ABSENT), id="absent")]
)
async def test_the_vectors_of_the_known_rows(file: str, name: str, tmp_path: Path) -> None:
    one = await play_scenario(name, needs("winps"), tmp_path, file=VECTORS / file)
    assert unexplained(name, one) == []
