"""--classic FILE: an export of PowerShell judged without Azure, and what is no export."""

import json
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.cli.main import main
from tests import factories as f
from tests.checks import surroundings as s

ENDPOINT = {"Name": "RDP", "Port": 57123, "LocalPort": 3389, "Protocol": "tcp", "Vip": "40.1.2.3", "Acl": []}
DENYING = {**ENDPOINT, "Port": 3389, "Acl": [{"Order": 1, "Action": "permit", "RemoteSubnet": "198.51.100.0/24"}]}


def diagnosed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The report of one call of the command line, which must find something."""
    assert main(["diagnose", *arguments, "--client", "203.0.113.7", "--output", "json"]) == 1
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("content", [ENDPOINT, [ENDPOINT]], ids=["one endpoint", "a list"])
def test_an_export_alone_is_judged(
    content: Any, encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps(content), encoding=encoding)
    report = diagnosed(capsys, "old1", "--classic", str(file))
    assert report["verdict"]["causes"] == ["classic-endpoint-wrong-port"]
    assert report["path"] == []


def test_the_dialled_port_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps([ENDPOINT]), encoding="utf-8")
    main(["diagnose", "old1", "--classic", str(file), "--client", "203.0.113.7", "--dialled", "40.1.2.3:57123",
          "--output", "json"])  # fmt: skip
    assert json.loads(capsys.readouterr().out)["verdict"]["causes"] == []


def test_an_export_completes_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, export = tmp_path / "bundle.json", tmp_path / "endpoints.json"
    saved = f.healthy_bundle(s.classic(None))
    bundle.write_text(saved.model_dump_json(by_alias=True), encoding="utf-8")
    export.write_text(json.dumps([DENYING]), encoding="utf-8")
    report = diagnosed(capsys, "--bundle", str(bundle), "--classic", str(export))
    assert report["verdict"]["causes"] == ["classic-acl-denies"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "holds neither"),
        ('{"a": 1}', "holds neither"),
        ('[{"Name": "RDP"}]', "holds neither"),
        ("3", "holds neither"),
    ],
)
def test_what_is_no_export_is_a_usage_error(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "endpoints.json"
    file.write_text(content, encoding="utf-8")
    assert main(["diagnose", "old1", "--classic", str(file)]) == 2
    assert said in capsys.readouterr().err


def test_a_bundle_of_another_kind_of_vm_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, export = tmp_path / "bundle.json", tmp_path / "endpoints.json"
    bundle.write_text(f.healthy_bundle().model_dump_json(by_alias=True), encoding="utf-8")
    export.write_text(json.dumps([ENDPOINT]), encoding="utf-8")
    assert main(["diagnose", "--bundle", str(bundle), "--classic", str(export)]) == 2
    assert "ClassicCompute" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", "old1", "--classic", str(tmp_path / "none.json")]) == 2
    assert "could not be read" in capsys.readouterr().err
