"""Generated documents are fresh, what they name exists, and what the README says to type can be typed."""

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from rdp_remediate.checks.check import Check, all_checks
from rdp_remediate.cli.main import parser
from rdp_remediate.docstring import section_of
from rdp_remediate.fixes.fix import Fix, all_fixes

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


@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_stale_file_fails_the_check_by_name_and_says_what_to_run(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = generator()
    documents = made.documents()
    monkeypatch.setattr(made, "DOCS", tmp_path)
    monkeypatch.setattr(made, "documents", lambda: documents)
    assert made.main([]) == 0
    assert made.main(["--check"]) == 0
    file = tmp_path / "faults.md"
    if how == "missing":
        file.unlink()
    else:
        file.write_text(file.read_text(encoding="utf-8") + "an edit by hand\n", encoding="utf-8")
    assert made.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert said == "docs/faults.md is stale; run .venv/bin/python docs/generate.py\n"
    assert made.main([]) == 0
    assert made.main(["--check"]) == 0


def test_generated_files_are_all_that_lies_beside_them() -> None:
    schemas = {f"schemas/{path.name}" for path in (ROOT / "docs" / "schemas").iterdir()}
    assert schemas == {name for name in generator().documents() if name.startswith("schemas/")}


@pytest.mark.parametrize("name", sorted(generator().SCHEMAS))
def test_a_schema_names_the_document_that_begins_with_its_id(name: str) -> None:
    schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert schema["$id"] == schema["properties"]["schema"]["const"] == f"rdp-remediate/{name}/1"


def test_every_required_check_exists_and_is_another_one() -> None:
    names = {one.name for one in all_checks()}
    for one in all_checks():
        assert set(one.requires) <= names - {one.name}, one.name


def documented() -> None:
    """The healthy statement.

    Why: one sentence
    with two lines. Note: a colon in it, and an address: 10.0.0.4.
    Evidence: another.
    See: https://example.org
    """


def test_a_colon_inside_a_section_does_not_end_it() -> None:
    assert (
        section_of(documented, "Why") == "one sentence\nwith two lines. Note: a colon in it, and an address: 10.0.0.4."
    )
    assert section_of(documented, "Evidence") == "another."
    assert section_of(documented, "By hand") == ""


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
def test_a_check_says_why_from_what_and_how_by_hand(one: Check) -> None:
    assert one.title.endswith(".")
    # A whole sentence each: one that is cut off does not end with a full stop.
    assert one.section("Why").endswith(".")
    assert one.section("Evidence").endswith(".")
    for fault in one.faults:
        assert len(one.by_hand(fault)) > 20, fault
        assert fault not in one.by_hand(fault).split(":")[0]


@pytest.mark.parametrize("one", all_fixes(), ids=lambda one: one.name)
def test_a_fix_says_what_it_changes_how_it_is_undone_and_when_it_refuses(one: Fix) -> None:
    for heading in ("Changes", "Undo", "Refuses when"):
        assert one.section(heading).endswith("."), heading
    assert one.permissions


def commands_of_the_readme() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    typed = re.findall(r"^(?:\$ )?\.venv/bin/rdp-remediate (.+?)(?: +#.*)?$", text, re.MULTILINE)
    return typed + re.findall(r"`\.venv/bin/rdp-remediate ([^`]+)`", text)


def test_the_command_line_takes_every_command_of_the_readme() -> None:
    typed = commands_of_the_readme()
    assert len(typed) > 3
    for one in typed:
        options = parser().parse_args(shlex.split(one))
        assert callable(options.run), one


def test_the_table_of_commands_is_complete() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {
        span.split()[0]
        for row in re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
        for span in re.findall("`([^`]+)`", row)
    }
    known = set(re.findall(r"^    ([a-z-]+) ", parser().format_help(), re.MULTILINE))
    assert len(known) >= 8
    assert known <= named


def test_make_knows_every_target_of_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test", "check"} <= asked <= targets


@pytest.mark.parametrize("name", ["README.md", "infra/README.md"])
def test_links_to_files_of_the_repository_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / name).parent / link).exists(), link
