"""probe through the words of the command line, against peers on loopback."""

import asyncio
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.cli import probe as command
from rdp_remediate.cli import probe_text
from rdp_remediate.cli.main import main
from rdp_remediate.models.probe import Probes
from rdp_remediate.probe.prober import Prober
from rdp_remediate.probe.times import ProbeTimes
from tests.probe import peers
from tests.probe.certificates import ServerIdentity, make_identity
from tests.probe.peers import LOOPBACK, Handler, WindowsShaped, answering, serving
from tests.probe.real_servers import free_port

EVIL = "VM\x1b[2J\u202e[bold]"


@pytest.fixture(scope="module")
def identity() -> ServerIdentity:
    return make_identity("VM-PROD-01.contoso.example")


@pytest.fixture(scope="module")
def windows(identity: ServerIdentity, tmp_path_factory: pytest.TempPathFactory) -> WindowsShaped:
    return WindowsShaped(identity.server_context(Path(tmp_path_factory.mktemp("windows"))))


@pytest.fixture(autouse=True)
def quick_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Prober", partial(Prober, ProbeTimes(confirm_delay_s=0.02)))


@contextmanager
def listening(handler: Handler, address: str = LOOPBACK) -> Iterator[int]:
    """The port of a peer that serves in a thread of its own, so that the command has an event loop to itself."""
    ready, ports = threading.Event(), list[int]()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with serving(handler, address) as peer:
            ports.append(peer.port)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(5)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def test_a_healthy_server_is_one_line_and_what_it_says_of_itself(
    windows: WindowsShaped, identity: ServerIdentity, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(windows) as port:
        assert main(["probe", f"{LOOPBACK}:{port}"]) == 0
    said = capsys.readouterr()
    head, row, *rest = said.out.splitlines()
    assert head.split() == ["endpoint", "verdict", "outcome", "security", "computer", "certificate", "ms"]
    assert row.split()[:7] == [
        f"{LOOPBACK}:{port}",
        "ok",
        "nla_ok",
        "NLA",
        "TLSv1.3",
        "VM-PROD-01",
        f"{identity.sha1[:16]}…",
    ]
    text = "\n".join(rest)
    assert identity.sha1 in text
    assert "self-issued" in text
    assert "VM-PROD-01.contoso.example, domain CONTOSO, version 10.0.20348" in text
    assert "What may be behind it" not in text
    assert said.err == ""


def test_many_targets_are_shown_in_the_order_asked(windows: WindowsShaped, capsys: pytest.CaptureFixture[str]) -> None:
    closed = free_port()
    with listening(windows) as port, listening(answering(b"SSH-2.0-x\r\n")) as ssh:
        asked = [f"{LOOPBACK}:{closed}", f"{LOOPBACK}:{port}", f"{LOOPBACK}:{ssh}", f"{LOOPBACK}:{port}"]
        assert main(["probe", *asked]) == 1
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[1:5]] == asked
    assert [line.split()[2] for line in out.splitlines()[1:5]] == ["tcp_refused", "nla_ok", "not_rdp_ssh", "nla_ok"]
    # What an outcome may mean is said once, however many endpoints had it.
    assert out.count("What may be behind it") == 2


def test_ipv6_in_brackets(windows: WindowsShaped, capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6; sysctl net.ipv6.conf.lo.disable_ipv6=0")
    with listening(windows, "::1") as port:
        assert main(["probe", f"[::1]:{port}"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith(f"[::1]:{port} ")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["host:0"], "outside 1 to 65535"),
        (["host:x"], "no number"),
        (["[::1"], "no endpoint"),
        (["http://host"], "no URL"),
        ([""], "no host"),
        (["h", "--concurrency", "0"], "--concurrency"),
        (["h", "--concurrency", "9999"], "--concurrency"),
        (["h", "--thumbprint", "12"], "no certificate thumbprint"),
        (["a", "b", "--computer-name", "vm"], "one target"),
    ],
)
def test_bad_input_is_a_usage_error_before_anything_is_dialled(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_probe", None)
    assert main(["probe", *words]) == 2
    said = capsys.readouterr()
    assert reason in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def json_of(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_json_begins_with_its_schema_and_keeps_to_it(
    windows: WindowsShaped, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = free_port()
    with listening(windows) as port:
        code = main(["probe", f"{LOOPBACK}:{port}", f"{LOOPBACK}:{closed}", "--output", "json", "--nla-required"])
    document = json_of(capsys)
    assert code == 1
    assert next(iter(document)) == "schema"
    assert document["schema"] == "rdp-remediate/probes/1"
    read = Probes.model_validate(document, extra="forbid")
    assert [one.outcome for one in read.probes] == ["nla_ok", "tcp_refused"]
    # Nothing is lost between the document and its schema, the same keys in both.
    again = read.model_dump(mode="json", by_alias=True)
    for written, model in zip(document["probes"], again["probes"], strict=True):
        assert set(written) == set(model)


@pytest.mark.parametrize(
    ("handlers", "code"),
    [
        (["ok"], 0),
        (["degraded"], 1),
        (["ok", "not_rdp"], 1),
        (["filtered"], 3),
        (["ok", "filtered"], 3),
        (["filtered", "degraded"], 1),
        (["error"], 3),
    ],
)
def test_exit_codes(handlers: list[str], code: int, windows: WindowsShaped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Prober", partial(Prober, ProbeTimes(connect_s=0.3, confirm_delay_s=0.02)))
    with (
        listening(windows) as ok,
        listening(answering(peers.refusal(3))) as degraded,
        listening(answering(b"\x00")) as other,
        full_queue() as filtered,
    ):
        ends = {
            "ok": f"{LOOPBACK}:{ok}",
            "degraded": f"{LOOPBACK}:{degraded}",
            "not_rdp": f"{LOOPBACK}:{other}",
            "filtered": f"{LOOPBACK}:{filtered}",
            "error": "..",
        }
        assert main(["probe", *(ends[one] for one in handlers)]) == code


@contextmanager
def full_queue() -> Iterator[int]:
    """A port whose accept queue is full: it drops connection requests, as a packet filter does."""
    with socket.socket() as listener, socket.socket() as first:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("words", "code", "identity_word"),
    [
        (["--thumbprint", "{sha1}"], 0, "own"),
        (["--computer-name", "vm-prod-01"], 0, "own"),
        (["--computer-name", "vm-prod-02"], 1, "other"),
        (["--thumbprint", "AB" * 20], 3, "unknown"),
    ],
    ids=["own thumbprint", "own name", "other name", "other thumbprint"],
)
def test_the_expected_machine(
    words: list[str], code: int, identity_word: str, windows: WindowsShaped, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(windows) as port:
        main(["probe", f"{LOOPBACK}:{port}", "--output", "json"])
        sha1 = json_of(capsys)["probes"][0]["cert"]["sha1"].lower()
        asked = [word.format(sha1=sha1) for word in words]
        assert main(["probe", f"{LOOPBACK}:{port}", "--output", "json", *asked]) == code
    assert json_of(capsys)["probes"][0]["identity"] == identity_word


def test_interception_is_said_in_plain_words(
    tmp_path: Path, identity: ServerIdentity, capsys: pytest.CaptureFixture[str]
) -> None:
    inspecting = WindowsShaped(make_identity("proxy.example", issuer="Inspection CA").server_context(tmp_path))
    with listening(inspecting) as port:
        words = ["--thumbprint", identity.sha1, "--computer-name", "VM-PROD-01"]
        assert main(["probe", f"{LOOPBACK}:{port}", *words]) == 1
        assert "NLA sign-ins fail through this path" in " ".join(capsys.readouterr().out.split())
        assert main(["probe", f"{LOOPBACK}:{port}"]) == 0
        assert "If it is not the VM's own" in " ".join(capsys.readouterr().out.split())


def test_what_a_server_says_cannot_drive_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context = make_identity(EVIL).server_context(tmp_path)
    evil = WindowsShaped(context, pieces=lambda: (peers.ts_request(peers.challenge(EVIL)),))
    with listening(evil) as port:
        main(["probe", f"{LOOPBACK}:{port}"])
    out = capsys.readouterr().out
    assert "VM[2J[bold]" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_silence_is_explained_without_blaming_a_rule(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "Prober", partial(Prober, ProbeTimes(connect_s=0.3, confirm_delay_s=0.02)))
    with full_queue() as port:
        assert main(["probe", f"{LOOPBACK}:{port}"]) == 3
    text = " ".join(capsys.readouterr().out.split())
    assert "no proof of a network security group" in text
    assert "2; the one before ended with tcp_timeout" in text


# --- progress and interruption, in a process of their own -------------------------------------------------------------

PROGRAM = (
    "import sys; from rdp_remediate.cli import probe;"
    "probe.PROGRESS_AFTER_S = 0.2; probe.PLAIN_LINE_EVERY_S = 0.2;"
    "from rdp_remediate.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


def start(port: int, stderr: int, *words: str) -> subprocess.Popen[bytes]:
    environment = dict(os.environ) | {"TERM": "xterm", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "probe", *words, f"{LOOPBACK}:{port}"],
        stdout=subprocess.PIPE,
        stderr=stderr,
        stdin=subprocess.DEVNULL,
        env=environment,
    )


def read_terminal(end: int, until: bytes, within_s: float = 10.0) -> bytes:
    seen = b""
    give_up = time.monotonic() + within_s
    while until not in seen and time.monotonic() < give_up:
        if select.select([end], [], [], 0.2)[0]:
            seen += os.read(end, 4096)
    return seen


def test_a_slow_probe_shows_plain_lines_where_there_is_no_terminal_and_ctrl_c_ends_it() -> None:
    closed = free_port()
    with listening(answering()) as port, start(port, subprocess.PIPE, f"{LOOPBACK}:{closed}") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"probing: 1 of 2 done\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"interrupted: 1 of 2 targets were probed" in err
    assert b"Traceback" not in err
    # What was found until then is not lost.
    assert f"{LOOPBACK}:{closed}".encode() in out


def test_a_slow_probe_shows_a_bar_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    try:
        with listening(answering()) as port, start(port, theirs) as process:
            seen = read_terminal(ours, b"0/1")
            process.send_signal(signal.SIGINT)
            seen += read_terminal(ours, b"interrupted")
            process.communicate(timeout=10)
    finally:
        os.close(ours)
        os.close(theirs)
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen)
    assert b"probing" in text
    assert b"0/1" in text
    assert b"0 of 1 done" not in text


def test_a_large_run_shows_only_what_is_worth_a_line(
    windows: WindowsShaped, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = free_port()
    count = probe_text.SHOWN_IN_FULL
    with listening(windows) as port:
        assert main(["probe", *([f"{LOOPBACK}:{port}"] * count), f"{LOOPBACK}:{closed}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if " nla_ok " in line]) == count
    assert [line for line in lines if line.startswith(LOOPBACK) and " " not in line] == [f"{LOOPBACK}:{closed}"]
