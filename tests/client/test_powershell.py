"""client-check.ps1 on the simulated Windows: the same document as the Python check writes."""

import json
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.client.rdp_file import parse_rdp
from rdp_remediate.client.surroundings import hosts_file_addresses
from rdp_remediate.models.client_check import ClientCheck, read_client_check
from tests.winps import shared_winps

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[2] / "rdp_remediate" / "client" / "client-check.ps1"
HOSTS = r"C:\Windows\System32\drivers\etc\hosts"
ADDRESS = "10.0.0.4"
TLS = "RDP beyond the X.224 negotiation (TLS, NLA)"
"""What winps does not simulate: the script's certificate is not run there."""

State = dict[str, Any]


def _run(state: State, **parameters: str) -> dict[str, Any]:
    result = shared_winps().run(SCRIPT.read_text(encoding="utf-8"), state, {"WaitS": "1", **parameters})
    assert set(result["not_simulated"]) <= {TLS}
    assert result["mutations"] == []
    return result


def _check(state: State, **parameters: str) -> ClientCheck:
    result = _run(state, **parameters)
    assert result["exit_code"] == 0, result["stderr"]
    return read_client_check(json.loads(result["stdout"]))


@pytest.fixture
def state() -> State:
    """A Windows 11 that is healthy."""
    return shared_winps().state("win11")


def _with_file(state: State, path: str, text: str) -> State:
    state["files"][path] = {"type": "file", "text": text}
    return state


def test_the_script_is_fit_for_5_1() -> None:
    assert [one for one in shared_winps().check(SCRIPT) if one["severity"] != "info"] == []


def test_rdp_answers(state: State) -> None:
    made = _check(state, Dial=ADDRESS)
    assert made.made_by == "powershell"
    assert made.target is not None
    assert made.target.outcome == "answered"
    assert made.local_firewall is not None
    assert made.local_firewall.outbound_blocks == []


def test_nothing_answers(state: State) -> None:
    made = _check(state, Dial="203.0.113.99:3390", Control="203.0.113.98", SecondRdp="203.0.113.97")
    assert made.target is not None
    assert (made.port, made.target.outcome) == (3390, "timeout")
    assert made.control_rdp is not None
    assert made.control_https is not None
    assert made.second_rdp is not None
    assert (made.control_https.port, made.control_rdp.port, made.second_rdp.port) == (443, 3390, 3389)


def test_a_name_that_does_not_exist(state: State) -> None:
    made = _check(state, Dial="vm1.example.com", MyAddress="203.0.113.7", ExpectedAddress="20.50.1.4")
    assert made.resolution is not None
    assert made.resolution.not_found
    assert made.target is not None
    assert made.target.outcome == "not_resolved"
    assert (made.client_address, made.expected_address) == ("203.0.113.7", "20.50.1.4")


def test_the_hosts_file_is_read_as_python_reads_it(state: State, tmp_path: Path) -> None:
    text = "# vm1 old\r\n20.50.9.9  vm1 VM1.example.com # old\r\n::1 localhost\r\nnonsense\r\n"
    (tmp_path / "hosts").write_text(text, encoding="utf-8")
    made = _check(_with_file(state, HOSTS, text), Dial="vm1.example.com")
    assert made.resolution is not None
    assert made.resolution.hosts_file == hosts_file_addresses("vm1.example.com", tmp_path / "hosts") == ["20.50.9.9"]


def _outbound(state: State, **fields: Any) -> State:
    model = dict(state["firewall"]["rules"][0])
    state["firewall"]["rules"].append(
        {
            **model,
            "name": "no-rdp",
            "display_name": "No RDP",
            "direction": "Outbound",
            "action": "Block",
            "local_ports": ["Any"],
            "remote_ports": ["3389"],
            "program": "Any",
            "service": "Any",
            **fields,
        }
    )
    return state


def test_an_outbound_rule_blocks_the_port(state: State) -> None:
    made = _check(_outbound(state), Dial="203.0.113.99")
    assert made.local_firewall is not None
    assert made.local_firewall.outbound_blocks == ["rule No RDP"]


@pytest.mark.parametrize(
    "fields",
    [
        {"remote_ports": ["445"]},
        {"enabled": False},
        {"action": "Allow"},
        {"protocol": "UDP"},
        {"program": r"C:\other.exe"},
    ],
)
def test_a_rule_that_does_not_block_rdp(state: State, fields: dict[str, Any]) -> None:
    made = _check(_outbound(state, **fields), Dial="203.0.113.99")
    assert made.local_firewall is not None
    assert made.local_firewall.outbound_blocks == []


def test_a_profile_that_blocks_by_default(state: State) -> None:
    state["firewall"]["profiles"]["Public"]["default_outbound"] = "Block"
    made = _check(state, Dial="203.0.113.99")
    assert made.local_firewall is not None
    assert made.local_firewall.outbound_blocks == ["profile Public blocks by default"]


def test_proxies_of_the_user_and_of_the_environment(state: State) -> None:
    login = "someone:" + "x" * 8
    key = "HKU\\S-1-5-18\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
    state["registry"][key] = {
        "ProxyEnable": ["DWord", 1],
        "ProxyServer": ["String", f"http://{login}@proxy.example.com:8080"],
    }
    made = _check(state, Dial=ADDRESS)
    assert made.proxy is not None
    assert made.proxy.settings == ["ProxyServer=http://proxy.example.com:8080"]


def test_a_rdp_file_is_read_as_python_reads_it(state: State) -> None:
    text = "full address:s:10.0.0.4\r\nserver port:i:3390\r\ngatewayhostname:s:gw.example.com\r\ngatewayusagemethod:i:1\r\nusername:s:x\r\n"
    path = r"C:\Users\x.rdp"
    made = _check(_with_file(state, path, text), RdpFile=path)
    assert made.rdp_file == parse_rdp(text.encode(), "x.rdp")
    assert (made.host, made.port) == ("10.0.0.4", 3390)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"Dial": "a b"}, {"Dial": "vm1:99999"}, {"RdpFile": r"C:\none.rdp"}, {"Dial": "vm1", "ExpectedAddress": "x"}],
)
def test_wrong_words_end_with_2(state: State, parameters: dict[str, str]) -> None:
    result = _run(state, **parameters)
    assert result["exit_code"] == 2
    assert result["stdout"].strip() == ""
