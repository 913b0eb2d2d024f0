import asyncio
import os
import shutil
from pathlib import Path

import pytest

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.guest_runtime import GuestRuntime
from rdp_remediate.lab.guests import winps
from rdp_remediate.lab.guests.winps import WinpsError, WinpsGuest
from tests.lab.guests.winps_guest import winps_guest, winps_or_skip

pytestmark = pytest.mark.slow


async def test_a_script_that_nobody_foresaw_answers_from_guest_state() -> None:
    async with winps_guest() as guest:
        runtime: GuestRuntime = guest
        state = runtime.healthy_state("server2022")
        state["services"]["TermService"]["state"] = "Stopped"
        result = await runtime.run_script(state, "Get-Service TermService", {}, timeout_s=30)
        assert "Stopped" in result.stdout
        assert "Remote Desktop Services" in result.stdout
        assert result.stderr == ""
        assert result.not_simulated == []


async def test_parameters_and_changes_reach_the_guest() -> None:
    async with winps_guest() as guest:
        state = guest.healthy_state("server2016")
        script = "param([string]$Name) Set-Service $Name -StartupType Disabled; (Get-CimInstance Win32_Service | " \
            "Where-Object Name -eq $Name).StartMode"  # fmt: skip
        result = await guest.run_script(state, script, {"Name": "TermService"}, timeout_s=30)
        assert result.stdout.strip() == "Disabled"
        assert result.state["services"]["TermService"]["start_type"] == "Disabled"
        assert state["services"]["TermService"]["start_type"] == "Manual"


async def test_what_winps_cannot_do_is_surfaced() -> None:
    async with winps_guest() as guest:
        state = guest.healthy_state("server2022")
        result = await guest.run_script(state, "New-Object -ComObject HNetCfg.FwPolicy2", {}, timeout_s=30)
        assert result.not_simulated
        assert "not simulated" in result.stderr


async def test_a_process_that_died_is_started_again() -> None:
    async with winps_guest() as guest:
        state = guest.healthy_state("server2022")
        assert (await guest.run_script(state, "1", {}, timeout_s=30)).stdout == "1\n"
        process = guest._process
        assert process is not None
        process.kill()
        assert (await guest.run_script(state, "2", {}, timeout_s=30)).stdout == "2\n"
        assert guest._process is not None
        assert guest._process.pid != process.pid


async def test_scripts_run_one_at_a_time_and_keep_their_answers() -> None:
    async with winps_guest() as guest:
        state = guest.healthy_state("server2022")
        results = await asyncio.gather(
            *(guest.run_script(state, f"'answer {number}'", {}, timeout_s=30) for number in range(5))
        )
        assert [result.stdout for result in results] == [f"answer {number}\n" for number in range(5)]


async def test_a_script_without_end_times_out_and_the_next_one_runs() -> None:
    async with winps_guest() as guest:
        state = guest.healthy_state("server2022")
        with pytest.raises(TimeoutError, match="longer than 1 s"):
            await guest.run_script(state, "while ($true) {}", {}, timeout_s=1)
        assert (await guest.run_script(state, "3", {}, timeout_s=30)).stdout == "3\n"


async def test_a_state_that_is_no_state_is_an_error_that_says_so() -> None:
    async with winps_guest() as guest:
        with pytest.raises(WinpsError, match="no default state 'nope'"):
            await guest.run_script({"base": "nope"}, "1", {}, timeout_s=30)


async def test_an_unknown_base_is_a_usage_error() -> None:
    async with winps_guest() as guest:
        with pytest.raises(UsageError, match="server1999"):
            guest.healthy_state("server1999")


async def test_close_ends_the_process() -> None:
    guest = winps_or_skip()
    await guest.run_script(guest.healthy_state("server2022"), "1", {}, timeout_s=30)
    process = guest._process
    assert process is not None
    await guest.close()
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


async def test_a_program_without_the_permission_to_execute_is_staged(tmp_path: Path) -> None:
    found = winps.find_winps() if os.access(winps_or_skip()._found, os.F_OK) else None
    assert found is not None
    for file in found.parent.iterdir():
        if file.name != found.name:
            (tmp_path / file.name).symlink_to(file)
    shutil.copyfile(found, tmp_path / found.name)
    (tmp_path / found.name).chmod(0o400)
    guest = WinpsGuest(tmp_path / found.name)
    try:
        state = guest.healthy_state("server2022")
        assert (await guest.run_script(state, "'staged'", {}, timeout_s=30)).stdout == "staged\n"
    finally:
        await guest.close()


def test_without_winps_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(winps.LOCATION_VARIABLE, str(tmp_path / "winps"))
    with pytest.raises(UsageError, match=r"RDP_REMEDIATE_WINPS.*--guest modelled"):
        WinpsGuest()
