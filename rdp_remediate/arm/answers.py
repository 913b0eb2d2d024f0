"""What Azure's answers mean: every status, error dialect and SDK exception as a `Reason`, or as a write's outcome.

The status decides first, because one code serves several states (OperationNotAllowed is a 409 of a stopped VM and a 429
of throttling). Bodies come wrapped, bare, in PascalCase, as HTML or empty; codes and messages may carry blanks. Facts:
recorded answers, and learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    DeserializationError,
    HttpResponseError,
    IncompleteReadError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ResponseNotReadError,
    SerializationError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
    StreamClosedError,
    StreamConsumedError,
    TooManyRedirectsError,
)

from rdp_remediate.arm.redaction import redact_text
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.ports import OutcomeUnknown, Rejected


class ForeignUrlError(AzureError):
    """An answer named a URL outside ARM; our token must not go there."""


FAILURES = (AzureError, SerializationError, DeserializationError, aiohttp.ClientError, OSError)
"""Everything that a call of the SDK raises for what Azure, the network or a credential did."""

_LONGEST_DETAIL = 320
_LONGEST_STATED_WAIT_S = 600.0

_BY_CODE = {
    "vmagentstatuscommunicationerror": Reason.UNREACHABLE,
    "missingsubscriptionregistration": Reason.NOT_CONFIGURED,
    "subscriptionnotregistered": Reason.NOT_CONFIGURED,
    "scopelocked": Reason.LOCKED,
    "requestdisallowedbypolicy": Reason.FORBIDDEN,
    "authorizationfailed": Reason.FORBIDDEN,
    "linkedauthorizationfailed": Reason.FORBIDDEN,
    "resourcenotfound": Reason.NOT_FOUND,
    "resourcegroupnotfound": Reason.NOT_FOUND,
    "subscriptionnotfound": Reason.NOT_FOUND,
    "resourcegroupbeingdeleted": Reason.NOT_FOUND,
    "notfound": Reason.NOT_FOUND,
    "anotheroperationinprogress": Reason.BUSY,
    "retryableerrorduetoanotheroperation": Reason.BUSY,
    "operationpreempted": Reason.BUSY,
    "conflict": Reason.BUSY,
    "operationnotallowed": Reason.NOT_SUPPORTED,
    "noregisteredproviderfound": Reason.NOT_SUPPORTED,
    "invalidresourcetype": Reason.NOT_SUPPORTED,
}
_BY_STATUS = {
    401: Reason.FORBIDDEN,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    408: Reason.TIMEOUT,
    409: Reason.BUSY,
    410: Reason.NOT_FOUND,
    412: Reason.BUSY,
    423: Reason.LOCKED,
    429: Reason.THROTTLED,
    504: Reason.TIMEOUT,
}
#: From the most special class to the most general: the first match counts.
_BY_EXCEPTION: tuple[tuple[type[Exception], Reason], ...] = (
    (ForeignUrlError, Reason.MALFORMED),
    (ClientAuthenticationError, Reason.FORBIDDEN),
    (ServiceRequestTimeoutError, Reason.TIMEOUT),
    (ServiceResponseTimeoutError, Reason.TIMEOUT),
    (ServiceRequestError, Reason.UNREACHABLE),
    (ServiceResponseError, Reason.UNREACHABLE),
    (IncompleteReadError, Reason.TRUNCATED),
    (DecodeError, Reason.MALFORMED),
    (ResourceNotFoundError, Reason.NOT_FOUND),
    (ResourceExistsError, Reason.BUSY),
    (ResourceModifiedError, Reason.BUSY),
    (TooManyRedirectsError, Reason.MALFORMED),
    (StreamConsumedError, Reason.MALFORMED),
    (StreamClosedError, Reason.MALFORMED),
    (ResponseNotReadError, Reason.MALFORMED),
    (SerializationError, Reason.MALFORMED),
    (DeserializationError, Reason.MALFORMED),
    (TimeoutError, Reason.TIMEOUT),
    (aiohttp.ClientPayloadError, Reason.TRUNCATED),
    (aiohttp.ClientError, Reason.UNREACHABLE),
    (OSError, Reason.UNREACHABLE),
)
_VM_OFF = re.compile(r"requires the vm to be running|vm is not running|vm .* is (deallocated|stopped)", re.IGNORECASE)
_BOOT_LOG_OFF = re.compile(r"boot ?diagnostics.*(not enabled|disabled|not configured)", re.IGNORECASE)
_ANOTHER_OPERATION = re.compile(r"another operation|execution is in progress", re.IGNORECASE)
_STATED_WAIT = re.compile(r"(?:after|in)\s+'?(\d{1,6})'?\s*seconds", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer of ARM.

    Attributes:
        status: HTTP status.
        headers: Lower-case names.
        body: The parsed body; None when it is empty or the literal null.
        is_json: False when there is a body that is no JSON.
        text: The body as text.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    is_json: bool
    text: str


def answer_of(status: int, headers: Mapping[str, str], text: str) -> Answer:
    """Reads an answer; a body that is no JSON is kept as text."""
    lower = {str(name).lower(): str(value) for name, value in headers.items()}
    stripped = text.strip().lstrip("\ufeff")
    if not stripped:
        return Answer(status, lower, None, True, "")
    try:
        return Answer(status, lower, json.loads(stripped), True, text)
    except ValueError:
        return Answer(status, lower, None, False, text)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an error answer says."""

    reason: Reason
    status: int
    code: str
    detail: str
    retry_after_s: float | None


def refusal(answer: Answer, asked: str) -> Refusal:
    """Reads an error answer, or an operation's final body with status Failed.

    Args:
        answer: What Azure said.
        asked: What was asked, for the sentence: "GET virtualMachines vm1".
    """
    code, message, inner_codes = _error_words(answer)
    reason = _reason(answer.status, code, message, inner_codes)
    said = f"{answer.status} {code}".strip() if answer.status >= 300 else (code or "status Failed")
    detail = f"{asked}: Azure answered {said}" + (f": {message}" if message else "")
    return Refusal(reason, answer.status, code, sentence(detail), _wait_s(answer, message))


def sentence(text: str) -> str:
    """One line without secrets and of a length that a report can show."""
    line = " ".join(redact_text(text).split())
    return line if len(line) <= _LONGEST_DETAIL else line[: _LONGEST_DETAIL - 1] + "…"


def read_failure(error: Exception, asked: str, source: str) -> Unavailable:
    """What a failed read means."""
    answer = _answer_of_error(error)
    if answer is not None and not isinstance(error, ClientAuthenticationError | DecodeError):
        told = refusal(answer, asked)
        return Unavailable(told.reason, told.detail, source)
    return Unavailable(reason_of(error), sentence(f"{asked}: {_own_words(error)}"), source)


def write_failure(error: Exception, asked: str) -> Rejected | OutcomeUnknown:
    """What a failed write means: refused (nothing happened), or nobody knows.

    Only a refusal in Azure's own words or a connection that never came about counts as "nothing happened".
    """
    if isinstance(error, ClientAuthenticationError):
        detail = sentence(f"{asked}: {_own_words(error)}")
        return Rejected(Reason.FORBIDDEN, 401, "AuthenticationFailed", detail)
    answer = _answer_of_error(error)
    if answer is not None and 400 <= answer.status < 500 and answer.status != 408:
        told = refusal(answer, asked)
        return Rejected(told.reason, told.status, told.code, told.detail, told.retry_after_s)
    if _was_never_sent(error):
        detail = sentence(f"{asked}: no connection, nothing was sent: {_own_words(error)}")
        return Rejected(Reason.UNREACHABLE, 0, "ConnectionFailed", detail)
    if answer is not None:
        return OutcomeUnknown(refusal(answer, asked).detail)
    return OutcomeUnknown(sentence(f"{asked}: the answer was lost: {_own_words(error)}"))


def reason_of(error: Exception) -> Reason:
    """The reason that an SDK exception without a readable answer stands for."""
    if isinstance(error, HttpResponseError) and not isinstance(error, ClientAuthenticationError | DecodeError):
        status = error.status_code
        if status is not None:
            return _reason(status, "", "", ())
    for kind, reason in _BY_EXCEPTION:
        if isinstance(error, kind):
            return reason
    return Reason.SERVER_ERROR


def _reason(status: int, code: str, message: str, inner_codes: tuple[str, ...]) -> Reason:
    codes = [code.lower(), *(inner.lower() for inner in inner_codes)]
    if status == 429:
        waits = "retryableerrorduetoanotheroperation" in codes or _ANOTHER_OPERATION.search(message)
        return Reason.BUSY if waits else Reason.THROTTLED
    if 500 <= status <= 599:
        return _BY_STATUS.get(status, Reason.SERVER_ERROR)
    if _BOOT_LOG_OFF.search(message):
        return Reason.NOT_CONFIGURED
    if status in (200, 202, 400, 409) and _VM_OFF.search(message):
        return Reason.NOT_RUNNING
    if _ANOTHER_OPERATION.search(message) and status in (200, 202, 409):
        return Reason.BUSY
    for known in codes:
        if known.startswith("nicmustbeattachedtorunningvm"):  # …ToGetEffectiveSecurityGroups, …ToGetEffectiveRoutes
            return Reason.NOT_RUNNING
        if known in _BY_CODE:
            return _BY_CODE[known]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Reason.NOT_SUPPORTED if 400 <= status <= 499 else Reason.SERVER_ERROR


def _error_words(answer: Answer) -> tuple[str, str, tuple[str, ...]]:
    body = _lowered(answer.body)
    if not isinstance(body, dict):
        plain = re.sub(r"<[^>]*>", " ", answer.text)
        return "", " ".join(plain.split())[:200], ()
    for wrapper in ("error", "odata.error"):
        if isinstance(body.get(wrapper), dict):
            body = body[wrapper]
            break
    message = body.get("message", "")
    if isinstance(message, dict):  # OData: {"lang": …, "value": …}
        message = message.get("value", "")
    details = body.get("details")
    inner = details if isinstance(details, list) else []
    inner_codes = tuple(str(item.get("code") or "").strip() for item in inner if isinstance(item, dict))
    if not message and isinstance(body.get("status"), str):
        message = f"status {body['status']}"
    return str(body.get("code") or "").strip(), str(message or "").strip(), inner_codes


def _lowered(value: Any) -> Any:
    """The same JSON with lower-case keys: Azure writes error, Error, code and Code."""
    if isinstance(value, dict):
        return {str(key).lower(): _lowered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_lowered(item) for item in value]
    return value


def stated_wait_s(headers: Mapping[str, str]) -> float | None:
    """The wait that an answer's headers ask for; Retry-After of 0 says nothing, as in the SDK."""
    for name, scale in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wait_s = float(headers.get(name, "")) * scale
        except ValueError:  # absent, or an HTTP date, which ARM does not send
            continue
        if wait_s > 0:
            return min(wait_s, _LONGEST_STATED_WAIT_S)
    return None


def _wait_s(answer: Answer, message: str) -> float | None:
    stated = stated_wait_s(answer.headers)
    if stated is None and answer.status in (409, 429, 503) and (match := _STATED_WAIT.search(message)):
        return min(max(float(match[1]), 1.0), _LONGEST_STATED_WAIT_S)
    return stated


def _answer_of_error(error: Exception) -> Answer | None:
    response = getattr(error, "response", None) if isinstance(error, HttpResponseError) else None
    if response is None:
        return None
    try:
        text = response.text()
    except (ResponseNotReadError, StreamClosedError, StreamConsumedError, UnicodeDecodeError, LookupError):
        text = ""
    return answer_of(response.status_code, response.headers, text)


def _own_words(error: Exception) -> str:
    words = str(getattr(error, "message", "") or error).strip().split("\n")[0] or type(error).__name__
    if isinstance(error, ClientAuthenticationError):
        return f"no sign-in to Azure; run `az login`, or give the app its managed identity ({words})"
    return words


def _was_never_sent(error: Exception) -> bool:
    """Whether the connection itself failed.

    The transport reports a server that hung up with the same class, so only aiohttp's connect errors count.
    """
    inner = getattr(error, "inner_exception", None)
    if isinstance(error, ServiceRequestTimeoutError):
        return isinstance(inner, aiohttp.ConnectionTimeoutError)
    return isinstance(inner or error, aiohttp.ClientConnectorError)
