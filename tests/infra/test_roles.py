"""The custom roles hold what the code reads and changes: no more, no less."""

import importlib.util
import inspect
import json
from types import ModuleType
from typing import Any

import pytest

from rdp_remediate.arm.resource_types import GENUINE, PLAIN
from rdp_remediate.fixes.fix import all_fixes
from rdp_remediate.ports import ArmWrites, Operation
from tests.infra.conftest import INFRA


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("roles", INFRA / "roles.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def roles() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((INFRA / "roles.json").read_text(encoding="utf-8"))
    return loaded


def actions(roles: dict[str, Any], *names: str) -> set[str]:
    return {action.lower() for name in names for action in roles[name]["actions"]}


def test_the_file_is_what_the_generator_writes(generator: ModuleType, roles: dict[str, Any]) -> None:
    assert generator.build() == roles, "run: python infra/roles.py"


def test_every_operation_and_every_acting_call_has_its_actions(generator: ModuleType) -> None:
    assert set(generator.OPERATIONS) == set(Operation)
    calls = {name for name, _ in inspect.getmembers(ArmWrites, inspect.isfunction) if not name.startswith("_")}
    assert set(generator.WRITES) == calls


def test_every_resource_type_that_is_read_is_in_the_reading_role(roles: dict[str, Any]) -> None:
    types = {name for name in (*GENUINE, *PLAIN) if name and not name.startswith("microsoft.classiccompute/")}
    assert {f"{name}/read" for name in types} - actions(roles, "diagnose") == set()


def test_words_of_resource_types_are_spelt_as_azure_spells_them(generator: ModuleType) -> None:
    # A word that the generator does not know would stay as the code writes it, in lower case.
    words = {word for name in (*GENUINE, *PLAIN) for word in name.split("/") if word}
    assert words - set(generator.SPELLING) - {"microsoft.classiccompute"} == set()


def test_every_permission_of_a_fix_is_given(roles: dict[str, Any]) -> None:
    needed = {permission.lower() for fix in all_fixes() for permission in fix.permissions}
    assert needed
    assert needed - actions(roles, "diagnose", "guest", "remediate", "vm_access") == set()


def test_the_reading_role_changes_nothing(roles: dict[str, Any]) -> None:
    # These POSTs only read; every other action and every write is in another role.
    read_posts = {"effectivenetworksecuritygroups", "effectiveroutetable", "retrievebootdiagnosticsdata"}
    read_posts |= {"listnetworkmanagereffectivesecurityadminrules", "ipflowverify", "nexthop"}
    for action in actions(roles, "diagnose"):
        assert action.endswith("/read") or action.split("/")[-2] in read_posts


def test_what_is_never_done_is_not_allowed(roles: dict[str, Any]) -> None:
    every = actions(roles, "diagnose", "guest", "remediate")
    # A full NSG is never written, no VM is written, nobody is given access.
    for never in (
        "microsoft.network/networksecuritygroups/write",
        "microsoft.network/networksecuritygroups/delete",
        "microsoft.compute/virtualmachines/write",
        "microsoft.compute/virtualmachines/delete",
        "microsoft.compute/virtualmachines/runcommands/write",
        "microsoft.authorization/roleassignments/write",
        "microsoft.authorization/locks/delete",
    ):
        assert never not in every
    assert actions(roles, "guest") == {"microsoft.compute/virtualmachines/runcommand/action"}


def test_managed_run_commands_are_a_right_of_their_own_and_vmaccess_too(roles: dict[str, Any]) -> None:
    base = "microsoft.compute/virtualmachines/runcommands"
    extension = "microsoft.compute/virtualmachines/extensions"
    assert actions(roles, "managed_guest") == {f"{base}/read", f"{base}/write", f"{base}/delete"}
    assert not any("/runcommands/" in one for one in actions(roles, "diagnose", "guest", "remediate"))
    assert actions(roles, "vm_access") == {f"{extension}/write", f"{extension}/delete"}
    assert not any(
        one.endswith(("/extensions/write", "/extensions/delete"))
        for one in actions(roles, "diagnose", "guest", "remediate")
    )
    assert "param allowVmAccess bool = false" in (INFRA / "main.bicep").read_text(encoding="utf-8")
    assert "param allowManagedRunCommands bool = false" in (INFRA / "main.bicep").read_text(encoding="utf-8")
