"""Runs scripts on winps, the simulated Windows of the shared tools, through one `winps serve` process per test session.

Use `shared_winps()`, which skips the calling test where the tool is not there. A result is the JSON that winps answers:
exit_code, stdout, stderr, errors, state, mutations, commands, not_simulated, duration_ms.
"""

import atexit
import functools
import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Material that lies beside the checkout; a clone elsewhere has none of it."""

_LATER = ("server2022-de", "server2016", "server2022-domain", "server2022-core", "win11")
BASES = ["server2022", *(pytest.param(base, marks=pytest.mark.slow) for base in _LATER)]
"""The Windows installations that scripts are run on; all but one in `.ci/run` only."""
"""The healthy guest states that winps knows."""

_MISSING = "winps is not there: put the directory of winps at ../shared/tools/winps beside the checkout, or set RDP_REMEDIATE_WINPS"


def find_winps() -> Path | None:
    """Returns the winps program, from RDP_REMEDIATE_WINPS or beside the checkout, or None."""
    path = Path(os.environ.get("RDP_REMEDIATE_WINPS", SHARED / "tools" / "winps" / "winps"))
    return path if path.is_file() else None


class Winps:
    """One `winps serve` process; requests go one at a time."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [str(program), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def run(
        self,
        script: str,
        state: dict[str, Any],
        parameters: dict[str, str] | None = None,
        *,
        constrained: bool = False,
        timeout_s: int = 60,
    ) -> dict[str, Any]:
        """Runs a script on a state, as Run Command would, and returns winps' result.

        Args:
            script: The text of the script.
            state: A whole state, or `{"base": NAME, "ops": […], "merge": {…}}`.
            parameters: The script's named parameters.
            constrained: Whether PowerShell runs in Constrained Language Mode.
            timeout_s: How long winps lets it run.
        """
        request = {
            "script": script,
            "parameters": parameters or {},
            "state": state,
            "language_mode": "ConstrainedLanguage" if constrained else "FullLanguage",
            "timeout_s": timeout_s,
        }
        line = self.exchange(json.dumps(request))
        if not line:
            raise RuntimeError(f"winps ended with {self._process.poll()}; the request was {script[:80]!r}…")
        result: dict[str, Any] = json.loads(line)
        return result

    def exchange(self, request: str) -> str:
        """Sends one request line and returns the answer's; empty when the process ended over it."""
        with self._lock:
            stdin, stdout = self._process.stdin, self._process.stdout
            if stdin is None or stdout is None:
                raise RuntimeError("winps was started without pipes")
            stdin.write(request.rstrip("\n") + "\n")
            stdin.flush()
            return stdout.readline()

    def state(self, name: str) -> dict[str, Any]:
        """Returns a fresh copy of the healthy state of that name."""
        state: dict[str, Any] = json.loads(_state_text(str(self.program), name))
        return state

    def prepare(self, base: str, ops: list[dict[str, Any]]) -> dict[str, Any]:
        """Returns the state that a base and scenario operations give, after what Windows itself does about them."""
        result = self.run("$null", {"base": base, "ops": ops})
        if result["errors"]:
            raise ValueError(f"winps refused the operations on {base}: {result['errors']}")
        state: dict[str, Any] = result["state"]
        return state

    def check(self, path: Path, *flags: str) -> list[dict[str, Any]]:
        """Returns the findings of `winps check` for a script file."""
        done = subprocess.run(
            [str(self.program), "check", str(path), "--json", *flags], capture_output=True, text=True, check=False
        )
        findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
        return findings

    def close(self) -> None:
        """Ends the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@functools.cache
def _state_text(program: str, name: str) -> str:
    return subprocess.run([program, "state", name], capture_output=True, text=True, check=True).stdout


@functools.cache
def _started(program: Path) -> Winps:
    winps = Winps(program)
    atexit.register(winps.close)
    return winps


def shared_winps() -> Winps:
    """Returns this session's winps; skips the calling test where the tool is not there."""
    program = find_winps()
    if program is None:
        pytest.skip(_MISSING)
    return _started(program)


def vectors(name: str) -> list[dict[str, Any]]:
    """Returns the scenarios of one vector file; none where the shared material is absent."""
    path = SHARED / "vectors" / f"{name}.json"
    if not path.is_file():
        return []
    scenarios: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return scenarios
