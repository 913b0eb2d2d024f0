"""What is deployed and what is locked: complete, and no more than that."""

import importlib.util
import json
import re
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.function_host.host import FunctionHost

CHECKOUT = Path(__file__).resolve().parents[1]
ROOT_FILES = {"function_app.py", "host.json", "requirements.txt"}
DATA_SUFFIXES = {".ps1", ".kql", ".json", ".html", ".svg", ".css", ".js", ".txt"}


@pytest.fixture(scope="module")
def package() -> ModuleType:
    spec = importlib.util.spec_from_file_location("package", CHECKOUT / "infra" / "package.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))


def data_files() -> set[str]:
    """Return the files of the working tree's package that are no Python."""
    files = (CHECKOUT / "rdp_remediate").rglob("*")
    return {str(file.relative_to(CHECKOUT)) for file in files if file.is_file() and file.suffix in DATA_SUFFIXES}


def locked(name: str) -> set[tuple[str, str]]:
    """Return the pins of a lock as (requirement, marker)."""
    pins = set()
    for line in (CHECKOUT / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line)
            pins.add((f"{requirement.name.lower()}{requirement.specifier}", str(requirement.marker or "")))
    return pins


def applies_on(pins: set[tuple[str, str]], python: str) -> set[str]:
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    chosen = set()
    for pin, marker in pins:
        requirement = Requirement(f"{pin}; {marker}" if marker else pin)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            chosen.add(pin)
    return chosen


def test_only_the_app_is_packaged(package: ModuleType) -> None:
    files = set(package.packaged_files())
    outside = {name for name in files if not name.startswith("rdp_remediate/")}
    assert outside == ROOT_FILES
    assert not {name for name in files if name.startswith("rdp_remediate/lab/")}
    assert "rdp_remediate/guest/__init__.py" in files


def test_every_script_query_and_template_is_tracked_and_packaged(package: ModuleType) -> None:
    shipped = {name for name in data_files() if not name.startswith("rdp_remediate/lab/")}
    assert shipped
    assert shipped - set(package.packaged_files()) == set()


def test_every_data_file_is_in_the_wheel_too(pyproject: dict[str, Any]) -> None:
    patterns = pyproject["tool"]["setuptools"]["package-data"]["rdp_remediate"]
    names = {name.removeprefix("rdp_remediate/") for name in data_files()}
    assert {name for name in names if not any(fnmatch(name, pattern) for pattern in patterns)} == set()


def test_ignore_patterns_are_anchored() -> None:
    for name in (".gitignore", ".funcignore"):
        patterns = [
            line
            for line in (CHECKOUT / name).read_text(encoding="utf-8").splitlines()
            if line and not line.startswith(("#", "/"))
        ]
        # What may lie in any folder is named here; everything else would hide a folder of the package by accident.
        assert set(patterns) <= {
            "__pycache__/", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".import_linter_cache/", ".hypothesis/",
        }  # fmt: skip


def test_the_archive_is_the_same_each_time_and_its_modules_are_compiled_for_the_app(
    package: ModuleType, tmp_path: Path
) -> None:
    names = package.build(tmp_path / "a.zip")
    package.build(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    compiled = {name for name in names if name.endswith(".pyc")}
    assert bool(compiled) == (sys.version_info[:2] == package.APP_PYTHON)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        # Bit 0 set: checked by hash, not by time; bit 1 clear: not checked at all (PEP 552).
        assert {int.from_bytes(archive.read(name)[4:8], "little") for name in compiled} <= {1}


def test_the_packaged_app_indexes_without_the_rest_of_the_checkout(package: ModuleType, tmp_path: Path) -> None:
    package.build(tmp_path / "app.zip")
    with zipfile.ZipFile(tmp_path / "app.zip") as archive:
        archive.extractall(tmp_path / "app")
    with FunctionHost(tmp_path / "app") as host:
        assert host.functions()
        assert not [name for name in host.modules() if name.startswith("rdp_remediate.lab")]


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_a_lock_holds_every_pin_of_pyproject(lock: str, pyproject: dict[str, Any]) -> None:
    declared = [Requirement(entry) for entry in pyproject["project"]["dependencies"]]
    if lock == "requirements-dev.txt":
        extras = pyproject["project"]["optional-dependencies"].values()
        declared += [Requirement(entry) for extra in extras for entry in extra]
    pins = locked(lock)
    for python in ("3.11", "3.12", "3.13"):
        wanted = {
            f"{requirement.name.lower()}{requirement.specifier}"
            for requirement in declared
            if requirement.marker is None or requirement.marker.evaluate({"python_version": python})
        }
        assert wanted - applies_on(pins, python) == set(), f"run `make lock`: {lock} is stale on Python {python}"


def test_the_app_lock_is_complete_exact_and_a_part_of_the_development_lock() -> None:
    app = locked("requirements.txt")
    assert all(re.fullmatch(r"[a-z0-9._-]+==[^,;=]+", pin) for pin, _ in app)
    assert app <= locked("requirements-dev.txt")
    # What the pinned packages need in turn is there, and the gRPC worker, which Azure brings itself, is not.
    names = {pin.split("==")[0] for pin in applies_on(app, "3.13")}
    assert {"msal", "multidict", "pydantic-core", "azurefunctions-extensions-base"} <= names
    assert "azure-functions-worker" not in names


def test_locks_name_no_index_and_no_path() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        assert not re.search(r"://|--index|--find-links|--extra-index|\s@\s|file:", text)
        assert not re.search(r"(^|\s)/\w+", text)


def test_host_json_works_one_message_long_enough_and_poisons_only_after_retries() -> None:
    host = json.loads((CHECKOUT / "host.json").read_text(encoding="utf-8"))
    queues = host["extensions"]["queues"]
    hours, minutes, seconds = (int(part) for part in host["functionTimeout"].split(":"))
    # One advance takes at most 240 s (DESIGN: the worker); Event Grid and our outputs write base64.
    assert hours * 3600 + minutes * 60 + seconds > 240
    assert queues["messageEncoding"] == "base64"
    # The default of zero retries at once and poisons a message within a second.
    assert queues["visibilityTimeout"] == "00:00:30"
    assert queues["maxDequeueCount"] >= 3
    assert 1 <= queues["batchSize"] <= 4
    assert host["extensionBundle"]["version"] == "[4.*, 5.0.0)"
