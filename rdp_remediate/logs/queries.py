"""Runs the .kql files of this package in a Log Analytics workspace, by their names."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import aiohttp
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    DeserializationError,
    HttpResponseError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)
from azure.monitor.query import LogsQueryPartialResult, LogsQueryResult
from azure.monitor.query.aio import LogsQueryClient
from pydantic import ValidationError

from rdp_remediate import __version__
from rdp_remediate.errors import InternalError
from rdp_remediate.logs.rows import (
    AgentRow,
    BruteForceRow,
    DeniedFlowRow,
    GuestEventRow,
    HeartbeatRow,
    ReasonRow,
    SignedInRow,
    SignInRow,
)
from rdp_remediate.models.base import Document, JsonObject
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.ports import LogQueries

DEADLINE_S = 60.0

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNKNOWN_NAME = re.compile(r"failed to resolve (table|column|scalar)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Query:
    """What a .kql file needs and gives.

    Attributes:
        parameters: Names that the file uses; each becomes a `let` with a string.
        row: The model of its rows.
    """

    parameters: tuple[str, ...]
    row: type[Document]


QUERIES: Mapping[str, Query] = {
    "agent": Query(("vm_id",), AgentRow),
    "brute_force": Query(("vm_id",), BruteForceRow),
    "denied_flows": Query(("vm_id", "rdp_port"), DeniedFlowRow),
    "guest_events": Query(("vm_id",), GuestEventRow),
    "heartbeat": Query(("vm_id",), HeartbeatRow),
    "sign_in_reasons": Query(("vm_id",), ReasonRow),
    "sign_ins": Query(("vm_id",), SignInRow),
    "signed_in": Query(("vm_id",), SignedInRow),
}

_BY_STATUS = {
    401: Reason.FORBIDDEN,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    408: Reason.TIMEOUT,
    429: Reason.THROTTLED,
    504: Reason.TIMEOUT,
}


class AzureLogQueries(LogQueries):
    """`LogQueries` over the genuine azure-monitor-query client."""

    def __init__(
        self,
        credential: AsyncTokenCredential,
        workspace_id: str | None,
        *,
        endpoint: str = "https://api.loganalytics.io/v1",
        connection_verify: bool | str = True,
        deadline_s: float = DEADLINE_S,
        retry_backoff_s: float = 0.8,
    ) -> None:
        """Asks one workspace.

        Args:
            credential: Whose sign-in; not closed here.
            workspace_id: The workspace's GUID; None: every query is not_configured.
            endpoint: The query endpoint.
            connection_verify: True, or the file of the certificate authorities to trust.
            deadline_s: The longest that one query may take.
            retry_backoff_s: First wait after a second failed try.
        """
        self._workspace_id = workspace_id
        self._deadline_s = deadline_s
        self._client = LogsQueryClient(
            credential,
            endpoint=endpoint,
            connection_verify=connection_verify,
            user_agent=f"rdp-remediate/{__version__}",
            retry_total=2,
            retry_backoff_factor=retry_backoff_s,
            retry_backoff_max=10,
        )

    async def run(self, name: str, parameters: Mapping[str, str]) -> Fact[list[JsonObject]]:
        """The rows of one query.

        Raises:
            InternalError: There is no such query, or these are not its parameters.
        """
        source = f"logs.{name}"
        text = query_text(name, parameters)
        if self._workspace_id is None:
            return Unavailable(Reason.NOT_CONFIGURED, "No Log Analytics workspace is set (workspace_id).", source)
        # The SDK fails on an error answer without a JSON body before it tells the status, so the status is kept here.
        statuses: list[int] = []
        try:
            async with asyncio.timeout(self._deadline_s):
                result = await self._client.query_workspace(
                    self._workspace_id,
                    text,
                    timespan=None,
                    raw_response_hook=lambda response: statuses.append(response.http_response.status_code),
                )
        except TimeoutError:
            return Unavailable(Reason.TIMEOUT, f"Query {name}: no answer within {self._deadline_s:.0f} s.", source)
        except (AzureError, DeserializationError, aiohttp.ClientError, json.JSONDecodeError, OSError) as error:
            return _failure(name, source, error, statuses[-1] if statuses else 0)
        if isinstance(result, LogsQueryPartialResult):
            return Unavailable(Reason.TRUNCATED, f"Query {name}: the workspace answered with a part only.", source)
        return _rows(name, source, result)

    async def close(self) -> None:
        """Closes the client."""
        await self._client.close()


def query_text(name: str, parameters: Mapping[str, str]) -> str:
    """The text of a query with its parameters bound; what a parameter holds stays a string, whatever it is.

    Raises:
        InternalError: There is no such query, or these are not its parameters.
    """
    if name not in QUERIES or set(parameters) != set(QUERIES[name].parameters):
        raise InternalError(f"Query {name!r} does not take the parameters {sorted(parameters)}.")
    text = files("rdp_remediate.logs").joinpath(f"{name}.kql").read_text(encoding="utf-8")
    title, _, body = text.partition("\n")
    # A JSON string is a KQL string: the same escapes for quotes, backslashes and everything beyond ASCII.
    bound = [f"let {key} = {json.dumps(_CONTROL.sub(' ', value))};" for key, value in sorted(parameters.items())]
    return "\n".join([title, *bound, body])


def _rows(name: str, source: str, result: LogsQueryResult) -> Fact[list[JsonObject]]:
    table = next(iter(result.tables), None)
    if table is None:
        return Unavailable(Reason.MALFORMED, f"Query {name}: the answer holds no table.", source)
    model = QUERIES[name].row
    try:
        rows = [model.model_validate(dict(zip(table.columns, row, strict=True))) for row in table.rows]
    except ValidationError as error:
        fields = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}))
        return Unavailable(Reason.MALFORMED, f"Query {name}: columns are missing or odd: {fields}.", source)
    except ValueError:
        return Unavailable(Reason.MALFORMED, f"Query {name}: a row has not as many values as columns.", source)
    return Observed([row.model_dump(mode="json", by_alias=True) for row in rows], source, datetime.now(UTC))


def _failure(name: str, source: str, error: Exception, status: int) -> Unavailable:
    """What a failed query means; a table that the workspace does not have is a matter of its configuration."""
    if isinstance(error, ClientAuthenticationError):
        return Unavailable(Reason.FORBIDDEN, f"Query {name}: signing in to Log Analytics failed.", source)
    if isinstance(error, HttpResponseError | json.JSONDecodeError) and status >= 300:
        code, inner = _codes(error)
        said = f"Query {name}: Log Analytics answered {status} {code}".rstrip()
        if status == 400 and _UNKNOWN_NAME.search(inner):
            return Unavailable(Reason.NOT_CONFIGURED, f"{said}: the workspace lacks a table or column.", source)
        default = Reason.SERVER_ERROR if status >= 500 else Reason.NOT_SUPPORTED
        return Unavailable(_BY_STATUS.get(status, default), f"{said}.", source)
    if isinstance(error, ServiceRequestTimeoutError | ServiceResponseTimeoutError):
        return Unavailable(Reason.TIMEOUT, f"Query {name}: Log Analytics did not answer in time.", source)
    if isinstance(error, DecodeError | DeserializationError | json.JSONDecodeError):
        return Unavailable(Reason.MALFORMED, f"Query {name}: the answer is no JSON of the known form.", source)
    return Unavailable(Reason.UNREACHABLE, f"Query {name}: no answer ({type(error).__name__}).", source)


def _codes(error: Exception) -> tuple[str, str]:
    """The code of an error answer and all its inner texts."""
    response: Any = getattr(error, "response", None)
    try:
        body = json.loads(response.text())
    except (ValueError, AttributeError, AzureError):
        return "", ""
    outer = body.get("error") if isinstance(body, dict) else None
    if not isinstance(outer, dict):
        return "", ""
    return str(outer.get("code") or "").strip(), json.dumps(outer)
