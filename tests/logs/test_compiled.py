"""Every query is compiled by Microsoft's own language service against the columns that the tables are documented with.

The columns are in table_schemas.json; https://learn.microsoft.com/azure/azure-monitor/reference/tables has them all.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.logs.queries import QUERIES, query_text
from tests.arm.fake_arm import VM

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
INSTALL_COMMAND = (
    "mkdir -p .kusto && npm install --no-save --no-audit --no-fund --prefix .kusto @kusto/language-service-next@12.4.1"
)
_PACKAGE = CHECKOUT / ".kusto/node_modules/@kusto/language-service-next"
PARAMETERS = {"vm_id": VM, "rdp_port": "3389"}


def compiled(queries: dict[str, str]) -> dict[str, list[str]]:
    """What the language service says against each query; skips where it is not installed."""
    node = shutil.which("node")
    if node is None or not (_PACKAGE / "bridge.js").is_file():
        missing = "node (18 or later)" if node is None else "Microsoft's Kusto language service"
        pytest.skip(f"{missing} is not installed: {INSTALL_COMMAND}")
    tables = json.loads((HERE / "table_schemas.json").read_text(encoding="utf-8"))
    done = subprocess.run(
        [node, str(HERE / "compile.js"), str(_PACKAGE)],
        input=json.dumps({"tables": tables, "queries": queries}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def bound(name: str) -> str:
    """A query as it is sent."""
    return query_text(name, {key: PARAMETERS[key] for key in QUERIES[name].parameters})


def test_every_query_compiles() -> None:
    assert compiled({name: bound(name) for name in QUERIES}) == {name: [] for name in QUERIES}


def test_a_wrong_column_table_or_type_is_reported() -> None:
    good = bound("sign_ins")
    said = compiled(
        {
            "column": good.replace("IpAddress", "IpAdress"),
            "case": good.replace("EventID", "EventId"),
            "table": good.replace("\nSecurityEvent\n", "\nSecurityEvents\n"),
            "type": good.replace("EventID == 4625", 'EventID contains "4625" and EventID + "x"'),
            "parameter": good.replace("let vm_id", "let other_id"),
        }
    )
    assert [name for name, problems in said.items() if not problems] == []
    assert "IpAdress" in said["column"][0]
    assert "vm_id" in said["parameter"][0]


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_projects_what_its_row_is_read_from(name: str) -> None:
    shown = bound(name).rstrip().rsplit("| project ", 1)[1]
    wanted = {field.alias for field in QUERIES[name].row.model_fields.values()}
    assert {column.strip() for column in shown.split(",")} == wanted
