"""rdp-remediate scan against the lab, in process: findings, exit codes, usage errors."""

import json
from collections.abc import AsyncIterator

import pytest

from benchmarks.estate import SUBSCRIPTIONS, SyntheticEstate
from benchmarks.pattern import OFFICE
from rdp_remediate.cli.main import parser
from rdp_remediate.errors import UsageError
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.scan import Scan
from tests.lab.fake_guest import FakeGuest

GRAPH = "Microsoft.ResourceGraph/resources"


@pytest.fixture
async def lab(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    async with Lab("healthy", runtime=FakeGuest()) as running:
        for name, value in {**running.exports(), "RDP_REMEDIATE_CA_BUNDLE": str(running.ca_bundle)}.items():
            monkeypatch.setenv(name, value)
        running.world.estate = SyntheticEstate(50)
        yield running


async def scanned(*arguments: str) -> int:
    options = parser().parse_args(["scan", *arguments])
    return int(await options.run(options))


async def test_json_holds_every_finding(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert await scanned("-S", SUBSCRIPTIONS[0], "--source", OFFICE, "--output", "json") == 1
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert next(iter(document)) == "schema"
    assert document["schema"] == "rdp-remediate/scan/1"
    assert output.err == "", "progress is for people"
    assert len(document["unreachable"]) == 10
    assert len(document["open_to_internet"]) == 10
    assert any("lags minutes behind" in line for line in document["limits"])
    assert Scan.model_validate(document).counts.undetermined == 5


async def test_text_names_vms_rules_and_limits(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert await scanned("--source", OFFICE) == 1
    shown = capsys.readouterr().out
    assert "49 VMs in 1 subscription, TCP port 3389: 10 unreachable, 10 open to the Internet, 5 undetermined" in shown
    assert "rg-00000/vm-000025" in shown
    assert "subnet DenyAllInBound" in shown
    assert "route User 0.0.0.0/0->VirtualAppliance" in shown
    assert "Resource Graph, which lags minutes behind" in shown


async def test_the_port_counts(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert await scanned("--source", OFFICE, "--port", "4000", "--output", "json") == 1
    document = json.loads(capsys.readouterr().out)
    open_vms = {int(one["vm_id"].rsplit("-", 1)[-1]) for one in document["open_to_internet"]}
    assert open_vms == {*range(30, 40)}, "the deny of the first five is for 3389 only"


async def test_a_healthy_vm_ends_with_0(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.world.estate = None
    assert await scanned("--source", "203.0.113.0/28") == 0
    assert "1 VM in 1 subscription, TCP port 3389: 0 unreachable, 0 open" in capsys.readouterr().out


async def test_what_could_not_be_read_ends_with_3(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.world.estate = None
    refused = {"error": {"code": "AuthorizationFailed", "message": "The client has no access."}}
    lab.failures.add(GRAPH, body_pattern="inventory-networkSecurityGroups", status=403, body=refused, times=None)
    assert await scanned("--source", "203.0.113.0/28") == 3
    shown = capsys.readouterr().out
    assert "Could not be read" in shown
    assert "inventory.networkSecurityGroups" in shown
    assert "forbidden" in shown


async def test_sources_come_from_the_settings(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RDP_REMEDIATE_SOURCES", json.dumps({f"/subscriptions/{SUBSCRIPTIONS[0]}": [OFFICE]}))
    assert await scanned("--output", "json") == 1
    assert json.loads(capsys.readouterr().out)["counts"]["reachable"] == 29


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--source", "*"], "is no CIDR"),
        (["--source", "0.0.0.0/0"], "wider than a public source may be"),
        (["--source", "203.0.113.1/28"], "host bits"),
        (["-S", "production"], "no subscription id"),
        (["--port", "0"], "from 1 to 65535"),
    ],
)
async def test_wrong_words_start_nothing(lab: Lab, arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        await scanned(*arguments)
    assert lab.requests.entries == []


async def test_no_subscription_is_a_usage_error(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    with pytest.raises(UsageError, match="AZURE_SUBSCRIPTION_ID"):
        await scanned()
