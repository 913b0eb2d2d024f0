"""A guest runtime that executes whatever script arrives, on winps: the genuine PowerShell engine over guest state.

The tool lies beside the checkout (../shared/tools/winps/winps) or where RDP_REMEDIATE_WINPS points; the package does
not bring it. One `winps serve` process answers one JSON line per request; it is started at the first script, started
again when it died, and killed by its process id at the end.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any

from rdp_remediate.errors import RdpRemediateError, UsageError
from rdp_remediate.lab.guest_runtime import Admission, GuestState, RdpListener, ScriptResult
from rdp_remediate.lab.guests import dynamics, firewall, listener

LOCATION_VARIABLE = "RDP_REMEDIATE_WINPS"
_BESIDE_CHECKOUT = Path(__file__).resolve().parents[4] / "shared" / "tools" / "winps" / "winps"
_LONGEST_ANSWER_BYTES = 64 * 1024 * 1024
_START_S = 30.0
_GRACE_S = 10.0


class WinpsError(RdpRemediateError):
    """Winps ended, or refused a request; the guest's state is as it was."""


def find_winps() -> Path:
    """Returns the winps program.

    Raises:
        UsageError: it is not there.
    """
    named = os.environ.get(LOCATION_VARIABLE)
    path = Path(named) if named else _BESIDE_CHECKOUT
    if path.is_dir():
        path = path / "winps"
    if not path.is_file():
        raise UsageError(
            f"winps, which executes PowerShell on the lab's guests, is not at {path}. Put its directory at "
            f"../shared/tools/winps beside the checkout, or set {LOCATION_VARIABLE} to the program, "
            "or use --guest modelled."
        )
    return path


class WinpsGuest:
    """Executes any PowerShell script over guest state; a `GuestRuntime`.

    Raises:
        UsageError: winps is not installed.
    """

    def __init__(self, program: Path | None = None) -> None:
        self._found = find_winps() if program is None else program
        self._staged: tempfile.TemporaryDirectory[str] | None = None
        self._states: dict[str, str] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._stderr: IO[bytes] | None = None
        self._turn = asyncio.Lock()
        self._words = ""

    def healthy_state(self, base: str) -> GuestState:
        """Returns a fresh healthy state as winps has it, not settled: what a scenario changes in it was so at boot.

        Raises:
            UsageError: winps has no such base.
        """
        if base not in self._states:
            done = subprocess.run(  # noqa: S603 - our own program with one word from the scenario, no shell
                [str(self._program()), "state", base],
                capture_output=True,
                text=True,
                check=False,
                timeout=_START_S,
                env=_environment(),
            )
            if done.returncode != 0:
                raise UsageError(f"winps has no healthy guest state {base!r}: {done.stderr.strip()}")
            self._states[base] = done.stdout
        state: GuestState = json.loads(self._states[base])
        # As Azure's images are set; besides, in another zone winps' ToUniversalTime() leaves local times as they are.
        state["os"]["time_zone"] = "UTC"
        return state

    def settle(self, state: GuestState) -> GuestState:
        """Returns the state after Windows' own dynamics."""
        return dynamics.settle(state)

    def rdp_listener(self, state: GuestState) -> RdpListener | None:
        """Returns the RDP listener of a settled state, None when there is none."""
        return listener.rdp_listener(state)

    def admits(self, state: GuestState, client: str, port: int) -> Admission:
        """Returns what Windows Firewall and the listeners make of a TCP SYN from client to the guest's port."""
        return firewall.admits(state, client, port)

    async def run_script(
        self, state: GuestState, script: str, parameters: dict[str, str], *, timeout_s: float
    ) -> ScriptResult:
        """Runs a PowerShell script as Run Command does: as SYSTEM, parameters bound by name, all of them strings.

        Raises:
            TimeoutError: the script ran longer than timeout_s.
            WinpsError: winps refused the request or died twice over it.
        """
        request = {"script": script, "parameters": parameters, "state": state, "timeout_s": max(1, round(timeout_s))}
        line = json.dumps(request).encode() + b"\n"
        async with self._turn:
            # A script is a function of the state sent with it, so that sending it again does nothing twice.
            answer = await self._exchange(line, timeout_s) or await self._exchange(line, timeout_s)
            if not answer:
                raise WinpsError(f"winps ended twice while it ran a script: {self._last_words()}")
        result: dict[str, Any] = json.loads(answer)
        if "error" in result:
            raise WinpsError(f"winps refused a script or its guest state: {result['error']}")
        if result.get("timed_out"):
            raise TimeoutError(f"the script ran longer than {timeout_s:g} s on the guest")
        return ScriptResult(result["stdout"], result["stderr"], result["state"], list(result["not_simulated"]))

    async def close(self) -> None:
        """Kills the process by its id and removes what was staged."""
        await self._end_process()
        if self._staged is not None:
            self._staged.cleanup()
            self._staged = None

    async def _exchange(self, line: bytes, timeout_s: float) -> bytes:
        """Returns the answer line, empty when the process died over it."""
        if self._process is None or self._process.returncode is not None:
            await self._start()
        process = self._process
        assert process is not None  # noqa: S101 - _start set it
        assert process.stdin is not None  # noqa: S101 - started with pipes
        assert process.stdout is not None  # noqa: S101
        try:
            async with asyncio.timeout(timeout_s + _GRACE_S):
                process.stdin.write(line)
                await process.stdin.drain()
                answer = await process.stdout.readline()
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
        except BaseException:
            # Timed out or cancelled: a late answer would be taken for the next script's.
            await self._end_process()
            raise
        if not answer.endswith(b"\n"):
            await self._end_process()
            return b""
        return answer

    async def _start(self) -> None:
        await self._end_process()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = await asyncio.create_subprocess_exec(
            str(self._program()),
            "serve",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._stderr,
            limit=_LONGEST_ANSWER_BYTES,
            env=_environment(),
        )

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if process.stdin is not None:
                process.stdin.close()
        if self._stderr is not None and process is not None:
            self._words = _tail(self._stderr)
            self._stderr.close()
            self._stderr = None

    def _last_words(self) -> str:
        return self._words or "it left no message"

    def _program(self) -> Path:
        """Returns a program that can be executed: winps itself, or a copy where its file lacks the permission."""
        if os.access(self._found, os.X_OK):
            return self._found
        if self._staged is None:
            self._staged = tempfile.TemporaryDirectory(prefix="winps-")
            for file in self._found.parent.iterdir():
                if file.name != self._found.name:
                    (Path(self._staged.name) / file.name).symlink_to(file)
            copy = Path(self._staged.name) / self._found.name
            shutil.copyfile(self._found, copy)
            copy.chmod(0o700)
        return Path(self._staged.name) / self._found.name


def _environment() -> dict[str, str]:
    """What the .NET host needs; nothing of the caller's credentials reaches scripts."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"DOTNET_CLI_TELEMETRY_OPTOUT": "1"}


def _tail(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read()[-2000:].decode(errors="replace").strip()
