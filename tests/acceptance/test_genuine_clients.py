"""A customer's own script with the genuine Azure SDK, and Microsoft's repairs typed by hand, against the lab."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.cli.lab_services import environment_of, open_lab
from rdp_remediate.lab.server import Lab
from tests.acceptance.command_line import beside
from tests.acceptance.playing import needs, options

SCRIPT = Path(__file__).with_name("customer_script.py")


@asynccontextmanager
async def exported(scenario: str, guest: str, folder: Path) -> AsyncIterator[Lab]:
    """A lab whose exports are set, as after `lab start`."""
    async with open_lab(options(scenario, guest)) as lab, environment_of(lab, str(folder / "runs.sqlite3")):
        yield lab


async def run_script(*scripts: str) -> dict[str, Any]:
    """Runs the customer's script in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SCRIPT),
        *scripts,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    seen: dict[str, Any] = json.loads(out)
    return seen


async def status_of(lab: Lab) -> tuple[int, str]:
    """What diagnose says now, and its exit code."""
    answer = await beside("diagnose", lab.vm_id, "--client", "203.0.113.7", "--output", "json")
    return answer.code, answer.document["verdict"]["status"]


@pytest.mark.slow
async def test_a_rule_put_shows_in_get_effective_rules_and_at_the_endpoint(tmp_path: Path) -> None:
    async with exported("nsg-no-allow-rule", needs("winps"), tmp_path) as lab:
        seen = await run_script("Get-Service TermService | Format-List Name, Status, StartType", "whoami")
        assert await status_of(lab) == (0, "reachable")
    assert seen["power"][-1] == "PowerState/running"
    assert seen["agent"] == ["Ready"]
    assert (seen["connected_before"], seen["connected_after"]) == (False, True)
    assert "securityRules/office" not in seen["effective_before"]
    assert "securityRules/office" in seen["effective_after"]
    assert seen["written"] == "Succeeded"
    assert {key: seen["read"][key] for key in ("priority", "access", "destinationPortRange")} == {
        "priority": 250,
        "access": "Allow",
        "destinationPortRange": "3389",
    }
    service, who = seen["answers"]
    assert "TermService" in service[0]
    assert "Running" in service[0]
    assert service[1] == ""
    assert who[0].strip().lower() == "nt authority\\system"


@pytest.mark.slow
async def test_repairs_of_microsofts_pages_typed_by_hand_work(tmp_path: Path) -> None:
    name = "fw-rdp-rule-disabled+rdp-disabled-local+termservice-disabled"
    async with exported(name, needs("winps"), tmp_path) as lab:
        assert await status_of(lab) == (1, "broken")
        seen = await run_script(
            "(Get-Service TermService).Status; (Get-Service TermService).StartType",
            "Set-ItemProperty -Path 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server' "
            "-Name fDenyTSConnections -Value 0 -Type DWord -Force",
            "Set-Service -Name TermService -StartupType Manual; Start-Service -Name TermService",
            "Enable-NetFirewallRule -Name RemoteDesktop-UserMode-In-TCP",
            "(Get-Service TermService).Status",
        )
        assert [answer[1] for answer in seen["answers"]] == [""] * 5
        assert seen["answers"][0][0].split() == ["Stopped", "Disabled"]
        assert seen["answers"][-1][0].split() == ["Running"]
        assert await status_of(lab) == (0, "reachable")
        changed = [one for one in lab.requests.writes() if "rdp-remediate" in one.user_agent and one.method != "POST"]
    assert changed == []


@pytest.mark.slow
async def test_half_a_repair_by_hand_is_seen_as_half(tmp_path: Path) -> None:
    async with exported("fw-rdp-rule-disabled+termservice-stopped", needs("winps"), tmp_path) as lab:
        await run_script("Start-Service TermService")
        answer = await beside("diagnose", lab.vm_id, "--client", "203.0.113.7", "--output", "json")
    assert answer.document["verdict"]["causes"] == ["fw-rdp-rule-disabled"]
