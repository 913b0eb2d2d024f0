"""The neighbour's probe: run for real in both shells' worlds, its one parameter, and answers that are none."""

import json
import os
import socket
import subprocess
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.errors import InternalError
from rdp_remediate.guest.neighbour import decode_neighbour, encode_neighbour_request, neighbour_body
from rdp_remediate.guest.scripts import neighbour_script
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.ports import NeighbourRequest
from tests.winps import shared_winps

pytestmark = pytest.mark.slow

RUN = "run-1"
ANSWERS = bytes.fromhex("030000130ed000001234000201080002000000")


@contextmanager
def _server(reply: bytes | None) -> Iterator[int]:
    """A listener on loopback that reads a request and answers; None: it stays silent."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        try:
            taken, _ = listener.accept()
        except OSError:
            return
        held.append(taken)
        taken.recv(64)
        if reply is not None:
            taken.sendall(reply)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()
        for one in held:
            one.close()


def _request(port: int, *, windows: bool = False, address: str = "127.0.0.1") -> NeighbourRequest:
    return NeighbourRequest(RUN, windows, address, port)


def _linux(tmp_path: Path, value: str, *, as_argument: bool = False, path: str | None = None) -> list[dict[str, Any]]:
    """Runs the script as RunShellScript does, by /bin/sh; the message is joined as Azure joins it."""
    script = tmp_path / "script.sh"
    script.write_text(neighbour_script(windows=False), encoding="ascii")
    environment = {"PATH": path or os.environ["PATH"], **({} if as_argument else {"Request": value})}
    arguments = [value] if as_argument else []
    done = subprocess.run(
        ["/bin/sh", str(script), *arguments], capture_output=True, text=True, env=environment, timeout=30, check=False
    )
    assert done.returncode == 0
    message = f"Enable succeeded: \n[stdout]\n{done.stdout}\n[stderr]\n{done.stderr}"
    return [{"code": "ProvisioningState/succeeded", "level": "Info", "message": message}]


def _asked(tmp_path: Path, port: int, **how: Any) -> Any:
    output = _linux(tmp_path, encode_neighbour_request(_request(port)), **how)
    return decode_neighbour({"value": output}, RUN, "127.0.0.1", port)


@pytest.mark.parametrize("as_argument", [False, True], ids=["by name", "as first argument"])
def test_linux_sees_an_rdp_server(tmp_path: Path, as_argument: bool) -> None:
    with _server(ANSWERS) as port:
        seen = _asked(tmp_path, port, as_argument=as_argument)
    assert (seen["outcome"], seen["verdict"]) == ("rdp_answered", "ok")


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [(b"SSH-2.0-OpenSSH\r\n", "not_rdp_other"), (b"\x03\x00", "not_rdp_other"), (None, "x224_timeout")],
)
def test_linux_tells_what_is_no_rdp_server(tmp_path: Path, reply: bytes | None, outcome: str) -> None:
    with _server(reply) as port:
        assert _asked(tmp_path, port)["outcome"] == outcome


def test_linux_tells_a_closed_port(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert _asked(tmp_path, held.getsockname()[1])["outcome"] == "tcp_refused"


def test_linux_waits_no_longer_than_its_deadline_where_nothing_answers(tmp_path: Path) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        filling = [socket.socket() for _ in range(3)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        seen = _asked(tmp_path, port)
        for one in filling:
            one.close()
    assert (seen["outcome"], seen["verdict"]) == ("tcp_timeout", "filtered")


@pytest.mark.parametrize("tool", ["bash", "timeout", "dd"])
def test_linux_says_which_tool_is_missing_and_claims_no_silence(tmp_path: Path, tool: str) -> None:
    there = tmp_path / "bin"
    there.mkdir()
    for name in ("sh", "bash", "timeout", "dd", "od", "sed", "tr", "base64", "gzip", "tail"):
        if name != tool:
            (there / name).symlink_to(f"/usr/bin/{name}")
    seen = _asked(tmp_path, 3389, path=str(there))
    assert isinstance(seen, Unavailable)
    assert (seen.reason, tool in seen.detail) == (Reason.NOT_SUPPORTED, True)


@pytest.mark.parametrize("value", ["", "$(touch hit)", "e30", "A" * 7001, "';touch hit;'"])
def test_linux_refuses_every_other_parameter_and_runs_nothing_of_it(tmp_path: Path, value: str) -> None:
    seen = decode_neighbour(_linux(tmp_path, value), RUN, "127.0.0.1", 3389)
    assert isinstance(seen, Unavailable)
    assert seen.reason is Reason.NOT_SUPPORTED
    assert not Path("hit").exists()
    assert not (tmp_path / "hit").exists()


def _windows(
    port: int, reachable: list[dict[str, Any]], *, address: str = "10.0.0.9", constrained: bool = False
) -> Any:
    winps = shared_winps()
    state = winps.state("server2022")
    state["network"]["reachable"] = reachable
    ran = winps.run(
        neighbour_script(windows=True),
        state,
        {"Request": encode_neighbour_request(_request(port, windows=True, address=address))},
        constrained=constrained,
    )
    assert ran["stderr"] == ""
    assert ran["mutations"] == []
    assert ran["not_simulated"] == []
    output = [{"code": "ComponentStatus/StdOut/succeeded", "message": ran["stdout"]}]
    return decode_neighbour(output, RUN, address, port)


def test_windows_sees_an_rdp_server() -> None:
    """Windows' own port stands for one: winps answers X.224 there."""
    assert _windows(3389, [], address="10.0.0.4")["outcome"] == "rdp_answered"


def test_windows_tells_silence() -> None:
    assert _windows(3389, [])["outcome"] == "tcp_timeout"


def test_windows_tells_a_closed_port() -> None:
    assert _windows(3389, [{"host": "10.0.0.9", "ports": [], "refused": [3389]}])["outcome"] == "tcp_refused"


def test_windows_in_constrained_language_mode_claims_nothing() -> None:
    seen = _windows(3389, [], constrained=True)
    assert isinstance(seen, Unavailable)
    assert seen.reason is Reason.NOT_SUPPORTED


def _wire(document: dict[str, Any], **frame: Any) -> list[dict[str, Any]]:
    payload = json.dumps(document, separators=(",", ":"))
    checksum = frame.get("checksum", f"{zlib.crc32(payload.encode()):08x}")
    text = f"#rdpr1 p 1 {checksum} {len(payload)} {payload}#end"
    return [{"code": "ComponentStatus/StdOut/succeeded", "message": text * frame.get("times", 1)}]


_GOOD = {
    "schema": "rdp-remediate/neighbour/1",
    "run_id": RUN,
    "address": "10.0.0.4",
    "port": 3389,
    "tcp": "open",
    "x224": "answered",
    "failed": None,
}


def test_a_good_answer_is_read() -> None:
    seen = decode_neighbour(_wire(_GOOD), RUN, "10.0.0.4", 3389)
    assert isinstance(seen, dict)
    assert seen["outcome"] == "rdp_answered"


@pytest.mark.parametrize(
    "output",
    [
        _wire({**_GOOD, "run_id": "run-2"}),
        _wire({**_GOOD, "address": "10.0.0.9"}),
        _wire({**_GOOD, "port": "3389"}),
        _wire({**_GOOD, "tcp": "timeout"}),
        _wire({**_GOOD, "tcp": None, "x224": None}),
        _wire({**_GOOD, "x224": "sure"}),
        _wire({**_GOOD, "schema": "rdp-remediate/guest/1"}),
        _wire(_GOOD, checksum="00000000"),
        _wire(_GOOD, times=2),
        [{"code": "ComponentStatus/StdErr/succeeded", "message": _wire(_GOOD)[0]["message"]}],
        [],
        None,
        "text",
        [{"code": "ProvisioningState/succeeded", "message": "Enable succeeded: \n[stdout]\n\n[stderr]\n"}],
    ],
)
def test_a_hostile_answer_is_unavailable(output: Any) -> None:
    seen = decode_neighbour(output, RUN, "10.0.0.4", 3389)
    assert isinstance(seen, Unavailable)
    assert seen.reason in (Reason.MALFORMED, Reason.TRUNCATED)


@pytest.mark.parametrize(
    ("address", "run_id", "port"),
    [
        ("10.0.0.4; id", RUN, 3389),
        ("vm1", RUN, 3389),
        ("10.0.0.4", "run'1", 3389),
        ("10.0.0.4", RUN, 0),
        ("fe80::1%e", RUN, 1),
    ],
)
def test_nothing_but_a_run_id_an_address_and_a_port_gets_into_the_parameter(
    address: str, run_id: str, port: int
) -> None:
    with pytest.raises(InternalError):
        neighbour_body(NeighbourRequest(run_id, True, address, port))


@pytest.mark.parametrize("flags", [("--target", "2016"), ("--target", "2022"), ("--target", "2016", "--read-only")])
def test_the_powershell_script_is_clean_and_only_reads(tmp_path: Path, flags: tuple[str, ...]) -> None:
    script = tmp_path / "neighbour.ps1"
    script.write_text(neighbour_script(windows=True), encoding="ascii")
    assert [one for one in shared_winps().check(script, *flags) if one["severity"] == "error"] == []


@pytest.mark.parametrize("windows", [True, False])
def test_no_line_holds_a_backslash_n_which_run_command_may_turn_into_a_newline(windows: bool) -> None:
    text = neighbour_script(windows=windows)
    assert text.isascii()
    assert [line for line in text.splitlines() if "\\n" in line] == []
