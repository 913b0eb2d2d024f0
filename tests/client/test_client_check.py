"""The check run for real against peers on loopback, and what its words say."""

import json
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.cli.client_check import read_saved_check
from rdp_remediate.client.check import Wanted, check_client
from rdp_remediate.client.connections import try_bastion, try_tcp
from rdp_remediate.client.surroundings import hosts_file_addresses, proxy, without_login
from rdp_remediate.client.verdict import conclude, lines
from rdp_remediate.errors import UsageError
from rdp_remediate.models.client_check import ClientCheck, Proxy, read_client_check
from rdp_remediate.probe.prober import Prober
from rdp_remediate.probe.times import ProbeTimes
from tests.checks.client_documents import CONTROL, SECOND, attempt, document
from tests.probe.certificates import make_identity
from tests.probe.peers import LOOPBACK, WindowsShaped, answering, serving

WEB = attempt("open", CONTROL, CONTROL, 443)


async def _check(port: int, **more: Any) -> ClientCheck:
    said: list[str] = []
    made = await check_client(Wanted(LOOPBACK, port, **more), Prober(ProbeTimes.short()), {}, said.append)
    assert said
    assert read_client_check(json.loads(made.model_dump_json(by_alias=True))) == made
    return made


async def test_a_peer_that_closes_after_tcp() -> None:
    async with serving(answering(after="close")) as peer:
        made = await _check(peer.port)
    assert made.target is not None
    assert made.target.outcome == "closed"
    assert conclude(made)[1] is False


async def test_a_peer_that_says_nothing() -> None:
    async with serving(answering(after="wait")) as peer:
        made = await _check(peer.port, second_rdp=f"{LOOPBACK}:{peer.port}")
    assert made.target is not None
    assert made.second_rdp is not None
    assert made.target.outcome == made.second_rdp.outcome == "no_answer"


async def test_a_server_shaped_like_windows_and_its_certificate(tmp_path: Path) -> None:
    context = make_identity("VM-PROD-01.contoso.example").server_context(tmp_path)
    async with serving(WindowsShaped(context)) as peer:
        made = await _check(peer.port)
    assert made.target is not None
    assert made.target.outcome == "handshake"
    assert made.target.thumbprint is not None
    assert conclude(made) == ("RDP answers this computer. What fails later is the sign-in.", True)
    assert conclude(made, made.target.thumbprint)[1] is True
    text, answers = conclude(made, "0" * 40)
    assert answers is False
    assert "Do not enter a password" in text


async def test_nobody_listens() -> None:
    async with serving(answering(after="close")) as peer:
        port = peer.port
    made = await _check(port)
    assert made.target is not None
    assert made.target.outcome == "refused"
    assert (await try_tcp(LOOPBACK, port)).outcome == "refused"
    assert (await try_bastion(LOOPBACK, port)).outcome == "refused"


def test_hosts_file(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text(
        "# vm1 old\n20.50.9.9  vm1 VM1.example.com # old\n::1 localhost\nnonsense\n$(x) vm1\n", encoding="utf-8"
    )
    assert hosts_file_addresses("vm1.example.com", path) == ["20.50.9.9"]
    assert hosts_file_addresses("VM1", path) == ["20.50.9.9"]
    assert hosts_file_addresses("vm2", path) == []
    assert hosts_file_addresses("vm1", tmp_path / "none") == []


def test_a_proxy_is_told_without_its_login() -> None:
    login = "someone:" + "x" * 8
    made = proxy({"HTTPS_PROXY": f"http://{login}@proxy.example.com:8080", "PATH": "/bin"})
    assert made == Proxy(settings=["HTTPS_PROXY=http://proxy.example.com:8080"])
    assert without_login(f"{login}@proxy:1") == "proxy:1"


def _read(**parts: Any) -> ClientCheck:
    return read_client_check(document(**parts))


@pytest.mark.parametrize(
    ("parts", "words", "answers"),
    [
        ({"resolution": {"addresses": [], "not_found": True}}, "finds no address", False),
        ({"expected_address": "20.50.7.7"}, "Azure shows 20.50.7.7", False),
        ({"target": attempt("local_denied")}, "of this computer stops", False),
        ({"target": attempt("timeout")}, "With --control and --second-rdp", False),
        (
            {"target": attempt("timeout"), "control_https": WEB, "second_rdp": attempt("timeout", SECOND)},
            "blocks RDP",
            False,
        ),
        ({"target": attempt("timeout"), "second_rdp": attempt("handshake", SECOND)}, "gets out to another", False),
        (
            {"target": attempt("timeout"), "local_firewall": {"outbound_blocks": ["No RDP"]}},
            "own firewall blocks",
            False,
        ),
        ({"target": attempt("answered")}, "without TLS", None),
        ({"target": None}, "not tried", None),
    ],
)
def test_words(parts: dict[str, Any], words: str, answers: bool | None) -> None:
    made = _read(**parts)
    text, shown = conclude(made)
    assert words in text
    assert shown is answers
    assert lines(made)[0] == text


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "rdp-remediate/client-check/2"},
        {"port": 0},
        {"host": "vm1\nx"},
        {"expected_address": "$(id)"},
        {"surprise": 1},
        {"made_at": "2026-01-01T00:00:00"},
        {"target": {**attempt("open"), "detail": "x" * 401}},
        {"target": {**attempt("open"), "detail": "\x1b[31m"}},
        {"resolution": {"addresses": ["20.50.1.4"] * 33}},
        {"target": attempt("won")},
    ],
)
def test_hostile_documents_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    path.write_text(json.dumps({**document(), **change}), encoding="utf-8")
    with pytest.raises(UsageError, match="no client check"):
        read_saved_check(path)


@pytest.mark.parametrize("raw", [b"", b"\x00\xff", b"[" * 20000, b"[]", b'{"schema": 1}', b" " * 200_000])
def test_what_is_no_document_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    path.write_bytes(raw)
    with pytest.raises(UsageError):
        read_saved_check(path)


def test_a_file_of_windows_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    path.write_text(json.dumps(document()), encoding="utf-8-sig")
    assert read_saved_check(path)["host"] == document()["host"]
