"""The Bicep CLI, and the deployment as it evaluates without Azure."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
INFRA = CHECKOUT / "infra"
BICEP = CHECKOUT.parent / "shared" / "tools" / "bicep" / "bicep"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"

Bicep = Callable[..., "subprocess.CompletedProcess[str]"]
Resource = dict[str, Any]


@pytest.fixture(scope="session")
def bicep(tmp_path_factory: pytest.TempPathFactory) -> Bicep:
    """Runs the Bicep CLI in a folder with extra environment variables."""
    if not BICEP.is_file():
        pytest.skip(
            "../shared/tools/bicep/bicep is not there; by hand: az bicep install && az bicep lint -f infra/main.bicep"
        )

    # The CLI unpacks itself below HOME.
    home = tmp_path_factory.mktemp("home")

    def run(*arguments: str, folder: Path = INFRA, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
        return subprocess.run(
            [str(BICEP), *arguments],
            cwd=folder,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def evaluate(bicep: Bicep, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Resource]]:
    """Returns what a deployment would create, with the parameters that environment variables set."""

    def predicted(**variables: str) -> list[Resource]:
        folder = tmp_path_factory.mktemp("infra")
        for name in ("*.bicep", "*.bicepparam", "*.json"):
            for file in INFRA.glob(name):
                shutil.copy(file, folder)
        run = bicep("snapshot", "main.bicepparam", "--subscription-id", SUBSCRIPTION, folder=folder, **variables)
        assert run.returncode == 0, run.stderr
        snapshot = json.loads((folder / "main.snapshot.json").read_text(encoding="utf-8"))
        assert snapshot["diagnostics"] == []
        resources: list[Resource] = snapshot["predictedResources"]
        return resources

    return predicted


@pytest.fixture(scope="session")
def smallest(evaluate: Callable[..., list[Resource]]) -> list[Resource]:
    """The deployment with its default parameters."""
    return evaluate()


@pytest.fixture(scope="session")
def largest(evaluate: Callable[..., list[Resource]]) -> list[Resource]:
    """The deployment with everything asked for."""
    return evaluate(
        GUEST_RESOURCE_GROUPS="rg-guest,rg-both",
        REMEDIATED_RESOURCE_GROUPS="rg-both,rg-repair",
        CREATE_ACTION_GROUP="true",
    )
