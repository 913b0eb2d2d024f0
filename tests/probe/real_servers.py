"""Starts xrdp and freerdp-shadow on loopback, and ends what it started."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL = (
    "apt-get update && apt-get install -y --no-install-recommends xrdp freerdp2-shadow-x11 xvfb openssl nmap "
    "nftables iproute2"
)
LOOPBACK = "127.0.0.1"
_READY_WITHIN_S = 15.0
_REQUEST = bytes.fromhex("030000130ee000000000000100080003000000")
_XRDP_INI = """\
[Globals]
ini_version=1
fork=true
port=tcp://{address}:{port}
security_layer={security_layer}
crypt_level=high
certificate={certificate}
key_file={key}
ssl_protocols={ssl_protocols}
{extra}
[Logging]
LogFile={directory}/xrdp.log
LogLevel=ERROR
EnableSyslog=false
[Xorg]
name=Xorg
lib=libxup.so
"""


@dataclass(frozen=True)
class RealServer:
    """A server that answers X.224 on loopback."""

    port: int
    directory: Path


def find(program: str) -> str:
    """Finds a program, or skips the test with the command that brings it."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{program} is missing; {INSTALL}")
    return found


def free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind((LOOPBACK, 0))
        port: int = probe_socket.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server in a session of its own and ends that session's processes."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, signal_number)
                process.wait(timeout=3)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
            break
        process.wait(timeout=3)


def wait_until_answering(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Returns when an X.224 request is answered."""
    give_up = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < give_up:
        if process.poll() is not None:
            pytest.fail(f"The server ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
                connection.settimeout(2)
                connection.sendall(_REQUEST)
                if connection.recv(1) == b"\x03":
                    return
        except OSError:
            pass  # Not listening yet.
        time.sleep(0.02)
    pytest.fail(f"No server answered on port {port}: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def xrdp(
    directory: Path,
    certificate: Path | str,
    key: Path | str,
    *,
    security_layer: str = "negotiate",
    ssl_protocols: str = "TLSv1.2, TLSv1.3",
    extra: str = "",
) -> Iterator[RealServer]:
    """A running xrdp."""
    program, port = find("xrdp"), free_port()
    directory.mkdir(parents=True, exist_ok=True)
    configuration, log = directory / "xrdp.ini", directory / "output.log"
    configuration.write_text(
        _XRDP_INI.format(
            address=LOOPBACK,
            port=port,
            security_layer=security_layer,
            certificate=certificate,
            key=key,
            ssl_protocols=ssl_protocols,
            extra=extra,
            directory=directory,
        )
    )
    command = [program, "--nodaemon", "--config", str(configuration)]
    with running(command, dict(os.environ), log) as process:
        wait_until_answering(process, port, log)
        yield RealServer(port, directory)


@contextmanager
def x_display(directory: Path) -> Iterator[str]:
    """A running Xvfb; gives its display name."""
    program = find("Xvfb")
    directory.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    with ExitStack() as stack:
        stack.callback(os.close, reading)
        # -noreset: without it the server resets when its last client leaves, and later shadows find no display.
        process = subprocess.Popen(
            [program, "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp", "-noreset"],
            pass_fds=(writing,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(writing)
        stack.callback(process.wait, timeout=5)
        stack.callback(process.terminate)
        number = os.read(reading, 16).decode().strip()
        if not number:
            pytest.fail("Xvfb ended without a display.")
        yield f":{number}"


@contextmanager
def shadow(directory: Path, display: str, *options: str) -> Iterator[RealServer]:
    """A running freerdp-shadow with a home of its own, where it makes its certificate."""
    program, port = find("freerdp-shadow-cli"), free_port()
    directory.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ) | {
        "DISPLAY": display,
        "HOME": str(directory),
        "XDG_CONFIG_HOME": str(directory / ".config"),
    }
    log = directory / "output.log"
    command = [program, f"/port:{port}", f"/bind-address:{LOOPBACK}", *options]
    with running(command, environment, log) as process:
        wait_until_answering(process, port, log)
        yield RealServer(port, directory)
