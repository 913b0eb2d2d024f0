"""Azurite for tests: Microsoft's storage emulator on loopback, one per pytest process, ended by its process id.

`--skipApiVersionCheck` is needed because the storage SDKs ask for a newer API version than Azurite 3.37.0 knows. The
account key is made for each start, so nothing here looks like a secret.
"""

import base64
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
INSTALL_COMMAND = "mkdir -p .azurite && npm install --no-save --no-audit --no-fund --prefix .azurite azurite@3.37.0"
_ENTRY = Path("node_modules/azurite/dist/src/azurite.js")
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at http://127\.0\.0\.1:(\d+)")
_START_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Azurite:
    """A running storage emulator; the account exists only as long as it runs."""

    account_name: str
    account_key: str
    blob_endpoint: str
    queue_endpoint: str
    table_endpoint: str
    pid: int

    @property
    def connection_string(self) -> str:
        """The connection string that the storage SDKs and AzureWebJobsStorage take."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account_name};AccountKey={self.account_key};"
            f"BlobEndpoint={self.blob_endpoint};QueueEndpoint={self.queue_endpoint};TableEndpoint={self.table_endpoint};"
        )


def _entry_or_skip() -> tuple[str, Path]:
    node = shutil.which("node")
    entries = [CHECKOUT / ".azurite" / _ENTRY, CHECKOUT / _ENTRY]
    entry = next((candidate for candidate in entries if candidate.is_file()), None)
    if node is None or entry is None:
        missing = "node (18 or later)" if node is None else "azurite"
        pytest.skip(f"{missing} is not installed; in the checkout run: {INSTALL_COMMAND}")
    return node, entry


def _ports(output: Path, process: "subprocess.Popen[bytes]") -> dict[str, int]:
    """Wait until all three services listen and return their ports by name."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        text = output.read_text(encoding="utf-8", errors="replace")
        ports = {name: int(port) for name, port in _LISTENING.findall(text)}
        if len(ports) == 3:
            return ports
        if process.poll() is not None:
            raise RuntimeError(f"Azurite ended with exit code {process.returncode} before it listened:\n{text[-2000:]}")
        time.sleep(0.05)
    raise RuntimeError(f"Azurite did not listen within {_START_TIMEOUT_S:.0f} s:\n{output.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Start Azurite on free loopback ports, or skip with the command that installs it."""
    node, entry = _entry_or_skip()
    folder = tmp_path_factory.mktemp("azurite")
    output = folder / "output.txt"
    account = "rdpremediatetest"
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    arguments = [node, str(entry), "--silent", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    for service in ("blob", "queue", "table"):
        arguments += [f"--{service}Host", "127.0.0.1", f"--{service}Port", "0"]
    with output.open("wb") as stream:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env=os.environ | {"AZURITE_ACCOUNTS": f"{account}:{key}"},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        ports = _ports(output, process)
        yield Azurite(
            account_name=account,
            account_key=key,
            blob_endpoint=f"http://127.0.0.1:{ports['Blob']}/{account}",
            queue_endpoint=f"http://127.0.0.1:{ports['Queue']}/{account}",
            table_endpoint=f"http://127.0.0.1:{ports['Table']}/{account}",
            pid=process.pid,
        )
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)
