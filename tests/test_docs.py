"""Generated documents are fresh, and what they name exists."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from rdp_remediate.checks.check import all_checks
from rdp_remediate.fixes.fix import all_fixes

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT.parent / "shared" / "reference" / "faults.md"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_documents_are_fresh() -> None:
    assert generator().stale() == []


def test_every_fault_of_a_check_is_in_the_catalogue() -> None:
    if not CATALOGUE.is_file():
        pytest.skip("the fault catalogue is in ../shared, which is not part of the repository")
    known = set(re.findall(r"^\| `([a-z0-9-]+)` \|", CATALOGUE.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(known) == 199
    assert {fault for one in all_checks() for fault in one.faults} <= known


def test_every_fault_of_a_fix_is_found_by_a_check() -> None:
    found = {fault for one in all_checks() for fault in one.faults}
    for one in all_fixes():
        assert set(one.faults) <= found, one.name


def test_no_fault_is_found_by_two_checks_or_mended_by_two_fixes() -> None:
    by_check = [fault for one in all_checks() for fault in one.faults]
    by_fix = [fault for one in all_fixes() for fault in one.faults]
    assert len(by_check) == len(set(by_check))
    assert len(by_fix) == len(set(by_fix))


@pytest.mark.parametrize("one", all_checks(), ids=lambda one: one.name)
def test_a_check_says_why_from_what_and_how_by_hand(one: object) -> None:
    from rdp_remediate.checks.check import Check

    assert isinstance(one, Check)
    assert one.title.endswith(".")
    assert one.section("Why")
    assert one.section("Evidence")
    for fault in one.faults:
        assert len(one.by_hand(fault)) > 20, fault
        assert fault not in one.by_hand(fault).split(":")[0]


@pytest.mark.parametrize("name", ["README.md", "infra/README.md"])
def test_links_to_files_of_the_repository_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / name).parent / link).exists(), link
