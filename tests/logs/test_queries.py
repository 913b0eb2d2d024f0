"""Log Analytics queries: genuine client against scripted https answers; rows are typed, failures have reasons."""

import json
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.errors import InternalError
from rdp_remediate.logs.queries import QUERIES, AzureLogQueries, query_text
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from tests.arm.conftest import arm, certificate, payload
from tests.arm.fake_arm import VM, FakeArm, Reply, StaticCredential

__all__ = ["arm", "certificate", "payload"]

WORKSPACE = "99999999-2222-3333-4444-555555555555"
URL = f"/v1/workspaces/{WORKSPACE}/query"
COLUMNS = {
    "TimeGenerated": "datetime",
    "Computer": "string",
    "LogonType": "int",
    "TargetUserName": "string",
    "TargetDomainName": "string",
    "IpAddress": "string",
    "WorkstationName": "string",
    "LogonProcessName": "string",
    "Status": "string",
    "SubStatus": "string",
}
ROW = ["2026-11-03T12:00:00.1234567Z", "vm1", 3, "anna", "", "203.0.113.9", "-", "NtLmSsp ", "0xc000006d", "0xc000006a"]


def table(rows: list[list[Any]], columns: dict[str, str] | None = None) -> dict[str, Any]:
    named = [{"name": name, "type": kind} for name, kind in (columns or COLUMNS).items()]
    return {"tables": [{"name": "PrimaryResult", "columns": named, "rows": rows}]}


@pytest.fixture
async def logs(arm: FakeArm, certificate: Path) -> AsyncIterator[AzureLogQueries]:
    queries = AzureLogQueries(
        StaticCredential(),
        WORKSPACE,
        endpoint=f"{arm.base}/v1",
        connection_verify=str(certificate / "ca.pem"),
        deadline_s=5.0,
        retry_backoff_s=0.01,
    )
    yield queries
    await queries.close()


async def test_rows_are_typed(arm: FakeArm, logs: AzureLogQueries) -> None:
    arm.on("POST", URL, Reply(body=table([ROW])))
    fact = await logs.run("sign_ins", {"vm_id": VM})
    assert isinstance(fact, Observed)
    assert fact.source == "logs.sign_ins"
    assert fact.value == [
        {
            "TimeGenerated": "2026-11-03T12:00:00.123456Z",
            "Computer": "vm1",
            "LogonType": 3,
            "TargetUserName": "anna",
            "TargetDomainName": None,
            "IpAddress": "203.0.113.9",
            "WorkstationName": None,
            "LogonProcessName": "NtLmSsp",
            "Status": "0xc000006d",
            "SubStatus": "0xc000006a",
        }
    ]
    assert json.loads(json.dumps(fact.value)) == fact.value
    assert arm.seen[0].json()["query"].startswith("// rdp-remediate:sign_ins/1\n")
    assert arm.seen[0].headers["user-agent"].startswith("rdp-remediate/")


async def test_recorded_row_is_read(arm: FakeArm, logs: AzureLogQueries, payload: Callable[[str], Any]) -> None:
    row = payload("la-securityevent-4625-row-ntlm.json")
    arm.on("POST", URL, Reply(body=table([[row.get(name, "") for name in COLUMNS]])))
    fact = await logs.run("sign_ins", {"vm_id": VM})
    assert isinstance(fact, Observed), fact
    assert (fact.value[0]["LogonType"], fact.value[0]["LogonProcessName"]) == (3, "NtLmSsp")
    assert fact.value[0]["TargetDomainName"] is None


async def test_no_rows_are_an_observed_empty_list(arm: FakeArm, logs: AzureLogQueries) -> None:
    arm.on("POST", URL, Reply(body=table([])))
    fact = await logs.run("sign_ins", {"vm_id": VM})
    assert isinstance(fact, Observed)
    assert fact.value == []


def semantic(message: str) -> Reply:
    inner = {"code": "SemanticError", "innererror": {"code": "SEM0100", "message": message}}
    return Reply(400, {"error": {"code": "BadArgumentError", "message": "bad", "innererror": inner}})


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (semantic("Failed to resolve table or column expression named 'SecurityEvent'"), Reason.NOT_CONFIGURED),
        (semantic("A syntax error"), Reason.NOT_SUPPORTED),
        (Reply(403, {"error": {"code": "InsufficientAccessError", "message": "m"}}), Reason.FORBIDDEN),
        (Reply(401, {"error": {"code": "InvalidTokenError"}}), Reason.FORBIDDEN),
        (Reply(404, {"error": {"code": "WorkspaceNotFoundError"}}), Reason.NOT_FOUND),
        (Reply(429, headers={"retry-after-ms": "1"}), Reason.THROTTLED),
        (Reply(500), Reason.SERVER_ERROR),
        (Reply(504), Reason.TIMEOUT),
        (Reply(200, text="<html>", content_type="text/html"), Reason.MALFORMED),
        (Reply(body={"tables": []}), Reason.MALFORMED),
        (Reply(body=table([ROW[:-1]], dict(list(COLUMNS.items())[:-1]))), Reason.MALFORMED),
        (Reply(body=table([["no time", *ROW[1:]]])), Reason.MALFORMED),
        (Reply(body={**table([ROW]), "error": {"code": "PartialError", "message": "m"}}), Reason.TRUNCATED),
        (Reply(hang_up=True), Reason.UNREACHABLE),
    ],
)
async def test_every_failure_is_a_reason(
    reply: Reply, reason: Reason, arm: FakeArm, certificate: Path, logs: AzureLogQueries
) -> None:
    arm.on("POST", URL, reply)
    fact = await logs.run("sign_ins", {"vm_id": VM})
    assert isinstance(fact, Unavailable), fact
    assert fact.reason is reason
    assert fact.source == "logs.sign_ins"


async def test_silence(arm: FakeArm, certificate: Path) -> None:
    arm.on("POST", URL, Reply(delay_s=1))
    logs = AzureLogQueries(
        StaticCredential(),
        WORKSPACE,
        endpoint=arm.base,
        connection_verify=str(certificate / "ca.pem"),
        deadline_s=0.1,
    )
    fact = await logs.run("sign_ins", {"vm_id": VM})
    await logs.close()
    assert isinstance(fact, Unavailable)
    assert fact.reason is Reason.TIMEOUT


async def test_without_a_workspace_nothing_is_asked() -> None:
    logs = AzureLogQueries(StaticCredential(), None, endpoint="https://localhost:1")
    fact = await logs.run("sign_ins", {"vm_id": VM})
    await logs.close()
    assert isinstance(fact, Unavailable)
    assert fact.reason is Reason.NOT_CONFIGURED


@pytest.mark.parametrize("value", ['x" or 1==1 //', "x\\", "x\n| take 1", "ü\U0001f600", "';drop"])
def test_parameter_never_leaves_its_string(value: str) -> None:
    lines = query_text("sign_ins", {"vm_id": value}).split("\n")
    assert lines[0] == "// rdp-remediate:sign_ins/1"
    assert lines[1].startswith('let vm_id = "')
    assert lines[1].endswith('";')
    inside = lines[1].removeprefix('let vm_id = "').removesuffix('";')
    assert inside.isascii()
    assert '"' not in inside.replace("\\\\", "").replace('\\"', "")
    assert not inside.replace("\\\\", "").endswith("\\")


@pytest.mark.parametrize(
    ("name", "parameters"), [("unknown", {}), ("sign_ins", {}), ("sign_ins", {"vm_id": "x", "more": "y"})]
)
def test_wrong_name_or_parameters_are_our_bug(name: str, parameters: dict[str, str]) -> None:
    with pytest.raises(InternalError):
        query_text(name, parameters)


def test_every_file_is_known_and_names_itself() -> None:
    found = {path.name.removesuffix(".kql") for path in files("rdp_remediate.logs").iterdir() if ".kql" in path.name}
    assert found == set(QUERIES)
    for name in found:
        text = files("rdp_remediate.logs").joinpath(f"{name}.kql").read_text(encoding="utf-8")
        assert text.startswith(f"// rdp-remediate:{name}/1\n")
        assert all(parameter in text for parameter in QUERIES[name].parameters)
