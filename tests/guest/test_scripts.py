"""The scripts as texts: what Run Command and Windows PowerShell 5.1 would trip over."""

from pathlib import Path

import pytest

from rdp_remediate.guest.scripts import assemble, collect_script, repair_script
from tests.winps import Winps

pytestmark = pytest.mark.slow

# Stands in for the parts that are not called in Constrained Language Mode, so that the rest can be checked for it.
NOT_CALLED = {
    "full_language.ps1": (
        "function Compress-Text([string]$Text) { $Text }\n"
        'function Get-SelfProbe([string]$Address, [int]$Port) { "$Address $Port" }\n'
        'function Get-PortState([string]$Address, [int]$Port) { "$Address $Port" }\n'
        "function Get-KeyError($Failure) { [string]$Failure }\n"
        "function Get-AccountSid([string]$Account) { $Account }\n"
        "function Get-RsaKeyName($Certificate) { $Certificate.Thumbprint }\n"
        "function Get-EventData($Record) { @{id = $Record.Id} }\n"
    ),
    "record.ps1": "function Protect-Folder([string]$Path) { $Path }\n",
}
# Programs that could also write; `test_limits_are_read_by_three_lines` looks at what that part does.
READS_LIMITS = {
    "sign_in_limits.ps1": "function Get-UserRights { @{} }\nfunction Get-Restrictions([string]$Name) { @{name = $Name} }\n"
}
SCRIPTS = {"collect.ps1": collect_script, "repair.ps1": repair_script}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_begins_with_the_line_that_a_modelled_guest_recognises(name: str) -> None:
    assert SCRIPTS[name]().splitlines()[0] == f"# rdp-remediate {name.removesuffix('.ps1')} 1"


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_is_ascii_and_whole(name: str) -> None:
    text = SCRIPTS[name]()
    assert text.isascii()
    assert "# include" not in text
    assert "\t" not in text


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_line_holds_a_backslash_n(name: str) -> None:
    # Run Command was seen to turn these two characters into a newline.
    assert [line for line in SCRIPTS[name]().splitlines() if "\\n" in line] == []


def test_both_scripts_end_with_the_same_collector() -> None:
    for part in ("firewall.ps1", "changes.ps1", "remote_desktop.ps1", "collector.ps1", "wire.ps1"):
        text = assemble(part).rstrip("\n")
        assert text in collect_script()
        assert text in repair_script()


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("target", ["2016", "2019", "2022"])
def test_winps_check_finds_no_error(winps: Winps, tmp_path: Path, name: str, target: str) -> None:
    path = tmp_path / name
    path.write_text(SCRIPTS[name](), encoding="ascii")
    findings = winps.check(path, "--target", target)
    assert [f for f in findings if f["severity"] == "error"] == []


def test_the_collector_only_reads(winps: Winps, tmp_path: Path) -> None:
    path = tmp_path / "collect.ps1"
    path.write_text(assemble("collect.ps1", READS_LIMITS), encoding="ascii")
    findings = winps.check(path, "--target", "2016", "--read-only")
    assert [f for f in findings if f["severity"] == "error"] == []


def test_limits_are_read_by_three_lines(winps: Winps, tmp_path: Path) -> None:
    path = tmp_path / "sign_in_limits.ps1"
    path.write_text(assemble("sign_in_limits.ps1"), encoding="ascii")
    text = path.read_text(encoding="ascii").splitlines()
    findings = winps.check(path, "--target", "2016", "--read-only")
    lines = [text[f["line"] - 1].strip() for f in findings if f["severity"] == "error"]
    assert lines == [
        "$null = secedit.exe /export /areas USER_RIGHTS /cfg $file /quiet",
        "finally { if (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file -Force } }",
        "foreach ($line in @(net.exe user $who)) {",
    ]


@pytest.mark.parametrize("name", SCRIPTS)
def test_winps_check_finds_no_error_on_the_constrained_paths(winps: Winps, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(assemble(name, NOT_CALLED), encoding="ascii")
    findings = winps.check(path, "--target", "2016", "--constrained")
    assert [f for f in findings if f["severity"] == "error"] == []
