"""Each check is one file, one healthy statement, and by-hand text for every fault that it names."""

import importlib
import pkgutil
from pathlib import Path

import pytest

from rdp_remediate import checks
from rdp_remediate.checks.catalogue import CATALOGUE
from rdp_remediate.checks.check import Check, all_checks
from rdp_remediate.models.report import Hop

CHECKS = all_checks()


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.name)
def test_a_check_says_what_it_is(one: Check) -> None:
    assert one.title.endswith("."), "a sentence"
    assert one.title[0].isupper()
    for heading in ("Why", "Evidence", "By hand", "See"):
        assert one.section(heading), heading
    assert one.section("See").startswith("https://learn.microsoft.com/")


@pytest.mark.parametrize("one", [one for one in CHECKS if one.faults], ids=lambda one: one.name)
def test_each_fault_has_its_own_by_hand_text(one: Check) -> None:
    texts = {fault: one.by_hand(fault) for fault in one.faults}
    assert all(len(text) > 20 for text in texts.values())
    if len(texts) > 1:
        assert len(set(texts.values())) == len(texts)
        for fault, text in texts.items():
            assert fault not in text, "the fault's id is a key, not a sentence"


def test_checks_name_faults_of_the_catalogue_and_each_fault_has_one_check() -> None:
    known = [fault for ids in CATALOGUE.values() for fault in ids]
    named = [fault for one in CHECKS for fault in (*one.faults, *one.not_provable)]
    assert len(known) == len(set(known)) == 199
    assert set(named) <= set(known)
    assert len(named) == len(set(named))


def test_every_file_of_a_hop_is_a_check() -> None:
    names = {one.name for one in CHECKS}
    for hop in Hop:
        folder = Path(str(checks.__path__[0])) / hop.value.replace("-", "_")
        if not folder.is_dir():
            continue
        package = importlib.import_module(f"rdp_remediate.checks.{folder.name}")
        assert {module.name for module in pkgutil.iter_modules(package.__path__)} <= names


def test_checks_come_in_path_order() -> None:
    hops = [list(Hop).index(one.hop) for one in CHECKS]
    assert hops == sorted(hops)
