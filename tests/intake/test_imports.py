"""Intake is what a cold function app runs first: it must stay light."""

import json
import subprocess
import sys

SCRIPT = """
import json, sys
import rdp_remediate.intake.alert, rdp_remediate.intake.event_grid, rdp_remediate.intake.manual
print(json.dumps(sorted(sys.modules)))
"""


def test_intake_loads_no_azure_module_and_one_model_module() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    modules = set(json.loads(done.stdout))
    assert not [name for name in modules if name == "azure" or name.startswith("azure.")]
    assert not modules & {"aiohttp", "requests", "asyncio", "sqlite3", "cryptography", "msal"}
    ours = {
        name for name in modules if name.startswith("rdp_remediate.") and not name.startswith("rdp_remediate.intake")
    }
    assert ours == {
        "rdp_remediate.errors",
        "rdp_remediate.models",
        "rdp_remediate.models.base",
        "rdp_remediate.models.incident",
    }
