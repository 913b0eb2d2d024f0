"""Every status, error dialect and SDK exception has its reason; a write's outcome is never guessed."""

import inspect
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import azure.core.exceptions
import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)

from rdp_remediate.arm.answers import (
    Answer,
    answer_of,
    read_failure,
    reason_of,
    refusal,
    stated_wait_s,
    write_failure,
)
from rdp_remediate.models.fact import Reason
from rdp_remediate.ports import OutcomeUnknown, Rejected

BASES_WITHOUT_MEANING = {"AzureError", "HttpResponseError", "ODataV4Error", "ResourceNotModifiedError"}
"""Classes whose meaning is the status of their answer, or none: without one they stand for a fault of the server."""


class FakeResponse:
    """The part of an SDK response that error handling reads."""

    def __init__(self, status: int, text: str = "", headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.reason = "status"
        self.headers = headers or {}
        self._text = text

    def text(self, encoding: str | None = None) -> str:
        return self._text

    def body(self) -> bytes:
        return self._text.encode()


def http_error(status: int, text: str = "", **headers: str) -> HttpResponseError:
    response: Any = FakeResponse(status, text, headers)
    return HttpResponseError(response=response)


def sdk_exceptions() -> list[type[Exception]]:
    module = azure.core.exceptions
    found = [c for _, c in inspect.getmembers(module, inspect.isclass) if issubclass(c, Exception)]
    return [c for c in found if c.__module__ == module.__name__]


@pytest.mark.parametrize("kind", sdk_exceptions(), ids=lambda kind: kind.__name__)
def test_every_exception_class_of_the_sdk_has_a_reason(kind: type[Exception]) -> None:
    bare: Exception = kind.__new__(kind)
    if isinstance(bare, HttpResponseError):
        bare.status_code = None
    reason = reason_of(bare)
    assert isinstance(reason, Reason)
    if kind.__name__ not in BASES_WITHOUT_MEANING:
        assert reason is not Reason.SERVER_ERROR, f"{kind.__name__} is new: decide what it means"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ClientAuthenticationError("no token"), Reason.FORBIDDEN),
        (ServiceRequestError("refused"), Reason.UNREACHABLE),
        (ServiceRequestTimeoutError("slow"), Reason.TIMEOUT),
        (ServiceResponseError("hung up"), Reason.UNREACHABLE),
        (ServiceResponseTimeoutError("slow"), Reason.TIMEOUT),
        (IncompleteReadError("cut"), Reason.TRUNCATED),
        (ResourceNotFoundError("gone"), Reason.NOT_FOUND),
        (ConnectionResetError("reset"), Reason.UNREACHABLE),
    ],
)
def test_reasons_of_common_exceptions(error: Exception, reason: Reason) -> None:
    assert read_failure(error, "GET vm1", "id").reason is reason


@pytest.mark.parametrize(
    ("name", "reason", "code"),
    [
        ("err-409-operationnotallowed-vm-not-running.json", Reason.NOT_RUNNING, "OperationNotAllowed"),
        ("err-409-runcommand-inprogress.json", Reason.BUSY, "Conflict"),
        ("err-429-appservice-numeric-code.json", Reason.THROTTLED, "429"),
        ("err-429-compute-toomanyrequests-details.json", Reason.THROTTLED, "OperationNotAllowed"),
        ("err-429-resourcerequeststhrottled.json", Reason.THROTTLED, "ResourceRequestsThrottled"),
        ("err-500-networkwatcher-internal.json", Reason.SERVER_ERROR, "InternalServerError"),
        ("err-504-resourcereadfailed-policy.json", Reason.TIMEOUT, "ResourceReadFailed"),
        ("err-anotheroperationinprogress-409.json", Reason.BUSY, "AnotherOperationInProgress"),
        ("err-authorizationfailed-403-activitylog.json", Reason.FORBIDDEN, "AuthorizationFailed"),
        ("err-authorizationfailed-403-write.json", Reason.FORBIDDEN, "AuthorizationFailed"),
        ("err-notfound-404-nrp.json", Reason.NOT_FOUND, "NotFound"),
        ("err-operationnotallowed-409-details-first.json", Reason.NOT_SUPPORTED, "OperationNotAllowed"),
        ("err-pascalcase-error-409.json", Reason.BUSY, "ResourceGroupDeletionTimeout"),
        ("err-resourcegroupbeingdeleted-409.json", Reason.NOT_FOUND, "ResourceGroupBeingDeleted"),
        ("err-resourcegroupnotfound-404.json", Reason.NOT_FOUND, "ResourceGroupNotFound"),
        ("err-resourcenotfound-404-extension.json", Reason.NOT_FOUND, "ResourceNotFound"),
        (
            "net-effective-nsg-nic-not-running-400.json",
            Reason.NOT_RUNNING,
            "NicMustBeAttachedToRunningVmToGetEffectiveSecurityGroups",
        ),
        (
            "net-effective-routes-nic-not-running-400.json",
            Reason.NOT_RUNNING,
            "NicMustBeAttachedToRunningVmToGetEffectiveRoutes",
        ),
        ("nsg-rule-errors-400-priority.json", Reason.NOT_SUPPORTED, "SecurityRuleInvalidPriority"),
    ],
)
def test_recorded_error(name: str, reason: Reason, code: str, payload: Callable[[str], Any]) -> None:
    exchanges = payload(name)["exchanges"]
    response = next(e["response"] for e in exchanges if code in str(e["response"].get("body")))
    answer = Answer(response["status"], {}, response.get("body"), True, response.get("body_text") or "")
    told = refusal(answer, "GET x")
    assert (told.reason, told.code) == (reason, code)
    assert told.detail.startswith("GET x: Azure answered ")
    assert len(told.detail) <= 320


def wrapped(code: str, message: str = "m", **more: Any) -> str:
    return json.dumps({"error": {"details": [], "code": code, "message": message, **more}})


VM_OFF = "Cannot modify extensions in the VM when the VM is not running."


@pytest.mark.parametrize(
    ("status", "text", "reason", "code"),
    [
        (403, wrapped("RequestDisallowedByPolicy"), Reason.FORBIDDEN, "RequestDisallowedByPolicy"),
        (409, wrapped("ScopeLocked"), Reason.LOCKED, "ScopeLocked"),
        (409, wrapped("MissingSubscriptionRegistration"), Reason.NOT_CONFIGURED, "MissingSubscriptionRegistration"),
        (409, json.dumps({"code": " Conflict ", "message": VM_OFF}), Reason.NOT_RUNNING, "Conflict"),
        (409, '{"odata.error":{"code":"Conflict","message":{"lang":"en","value":"m"}}}', Reason.BUSY, "Conflict"),
        (
            429,
            wrapped("RetryableError", details=[{"code": "RetryableErrorDueToAnotherOperation"}]),
            Reason.BUSY,
            "RetryableError",
        ),
        (404, "<html><body><h1>404 not here</h1></body></html>", Reason.NOT_FOUND, ""),
        (502, "", Reason.SERVER_ERROR, ""),
        (412, wrapped("PreconditionFailed"), Reason.BUSY, "PreconditionFailed"),
        (418, '["odd"]', Reason.NOT_SUPPORTED, ""),
        (400, wrapped("NoRegisteredProviderFound"), Reason.NOT_SUPPORTED, "NoRegisteredProviderFound"),
        (
            200,
            json.dumps({"status": "Failed", "error": {"code": "VMAgentStatusCommunicationError", "message": "m"}}),
            Reason.UNREACHABLE,
            "VMAgentStatusCommunicationError",
        ),
        (200, '{"status":"Canceled"}', Reason.SERVER_ERROR, ""),
    ],
)
def test_dialects(status: int, text: str, reason: Reason, code: str) -> None:
    told = refusal(answer_of(status, {}, text), "GET x")
    assert (told.reason, told.code) == (reason, code)


def test_wait_is_read_from_headers_then_from_the_text_and_is_bounded() -> None:
    throttled = '{"error":{"code":"ResourceRequestsThrottled","message":"retry after \'372\' seconds"}}'
    assert refusal(answer_of(429, {}, throttled), "x").retry_after_s == 372
    assert refusal(answer_of(429, {"Retry-After": "17"}, throttled), "x").retry_after_s == 17
    assert refusal(answer_of(429, {}, throttled.replace("372", "0")), "x").retry_after_s == 1
    assert refusal(answer_of(429, {}, throttled.replace("372", "999999")), "x").retry_after_s == 600
    assert stated_wait_s({"retry-after-ms": "10"}) == 0.01
    assert stated_wait_s({"retry-after": "Fri, 31 Dec 2027 23:59:59 GMT"}) is None
    assert stated_wait_s({"retry-after": "-5"}) is None


def test_no_secret_of_an_error_text_reaches_the_detail() -> None:
    text = '{"error":{"code":"X","message":"see https://a.blob.core.windows.net/b?sv=1&sig=canary-7f3a"}}'
    assert "canary" not in read_failure(http_error(403, text), "GET x", "id").detail
    assert "canary" not in read_failure(ServiceRequestError("GET https://h/p?sig=canary"), "GET x", "id").detail


class FakeConnectorError(aiohttp.ClientConnectorError):
    def __init__(self) -> None:
        Exception.__init__(self, "Cannot connect to host")

    def __str__(self) -> str:
        return "Cannot connect to host"


@pytest.mark.parametrize(
    "error",
    [
        http_error(500, '{"error":{"code":"InternalServerError"}}'),
        http_error(503),
        http_error(408),
        http_error(302),
        ServiceResponseError("hung up"),
        ServiceResponseTimeoutError("slow"),
        ServiceRequestError("x", error=aiohttp.ServerDisconnectedError()),
        ServiceRequestTimeoutError("x", error=aiohttp.SocketTimeoutError()),
        IncompleteReadError("cut"),
        AzureError("?"),
        OSError("?"),
    ],
    ids=repr,
)
def test_a_write_whose_answer_is_lost_has_an_unknown_outcome(error: Exception) -> None:
    assert isinstance(write_failure(error, "PUT x"), OutcomeUnknown)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (http_error(409, '{"error":{"code":"ScopeLocked"}}'), 409, Reason.LOCKED),
        (http_error(412), 412, Reason.BUSY),
        (http_error(429), 429, Reason.THROTTLED),
        (ClientAuthenticationError("az login"), 401, Reason.FORBIDDEN),
        (ServiceRequestError("x", error=FakeConnectorError()), 0, Reason.UNREACHABLE),
        (ServiceRequestTimeoutError("x", error=aiohttp.ConnectionTimeoutError()), 0, Reason.UNREACHABLE),
    ],
    ids=repr,
)
def test_a_refused_write_changed_nothing(error: Exception, status: int, reason: Reason) -> None:
    outcome = write_failure(error, "PUT x")
    assert isinstance(outcome, Rejected)
    assert (outcome.status, outcome.reason) == (status, reason)
