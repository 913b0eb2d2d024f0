"""By hand: every fault of the hops endpoint and network has commands that a person can run, and Bicep that compiles."""

import re
from pathlib import Path

import pytest

from rdp_remediate.checks.check import all_checks
from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.report import FindingStatus, Hop
from tests import factories as f
from tests.checks.test_hidden_surroundings import CASES
from tests.fault_cases import BY_FAULT
from tests.infra.conftest import Bicep, bicep

__all__ = ["bicep"]

HANDS = {
    fault: one.by_hand(fault)
    for one in all_checks()
    for fault in (*one.faults, *one.not_provable)
    if one.hop in (Hop.ENDPOINT, Hop.NETWORK) or fault == "nic-ip-changed"
}
WORDS = ("az ", "route -p", "Get-AzureVM", "reg query", "mstsc", "WebSockets")
_RESOURCE = re.compile(r"`(resource \w+ .*?)`")
_PARENT = re.compile(r"parent: (\w+)")


def test_the_two_hops_are_complete() -> None:
    assert len(HANDS) == 17 + 18 + 1


@pytest.mark.parametrize("fault", HANDS)
def test_a_person_is_told_what_to_run(fault: str) -> None:
    assert any(word in HANDS[fault] for word in WORDS)


@pytest.mark.slow
def test_the_bicep_compiles(bicep: Bicep, tmp_path: Path) -> None:
    for fault, text in HANDS.items():
        for number, snippet in enumerate(_RESOURCE.findall(text)):
            file = tmp_path / f"{fault}-{number}.bicep"
            file.write_text(_whole(re.sub(r"<\w+>", "300", snippet)), encoding="utf-8")
            built = bicep("build", file.name, "--stdout", folder=tmp_path)
            assert built.returncode == 0, f"{fault}: {built.stderr}"


def _whole(snippet: str) -> str:
    """The snippet with what it takes for granted around it."""
    lines = ["param location string = 'westeurope'", "param frontendId string = ''", snippet.replace("'300'", "'text'")]
    if found := _PARENT.search(snippet):
        kind = re.search(r"'([^'@]+)/\w+@([\d-]+)'", snippet)
        assert kind is not None
        name = "/".join(["x"] * (kind[1].count("/")))
        lines.append(f"resource {found[1]} '{kind[1]}@{kind[2]}' existing = {{ name: '{name}' }}")
    return "\n".join(lines).replace("'text'", "'1.2.3.4'") + "\n"


@pytest.mark.parametrize("fault", [*CASES, *(one for one in BY_FAULT if one in HANDS)])
def test_a_finding_fills_in_every_name_that_it_knows(fault: str) -> None:
    changes = CASES[fault] if fault in CASES else BY_FAULT[fault].changes
    found = diagnose(read_facts(f.healthy_bundle(*changes))).findings
    one = next(x for x in found if x.fault == fault and x.status in (FindingStatus.FAIL, FindingStatus.BY_DESIGN))
    left = set(re.findall(r"<([a-z_]+)>", one.by_hand or ""))
    assert left <= {"appliance", "appliance_group"}  # named when the appliance itself is off
