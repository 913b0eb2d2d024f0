"""A WebSocket to Bastion: opened, ended on the request, and what says nothing."""

import pytest

from tests import factories as f
from tests.checks.client_documents import attempt, checked
from tests.checks.endpoint.test_bastion_reaches_the_vm import BEHIND
from tests.checks.judging import diagnosis, finding

CHECK = "browser_gets_websockets"
HOST = "bst-1.bastion.azure.com"


def asked(outcome: str, detail: str = "") -> f.Change:
    """The client check asked the Bastion host for a WebSocket."""
    return checked(target=None, bastion=attempt(outcome, HOST, "20.60.1.1", 443, detail=detail))


@pytest.mark.parametrize("outcome", ["closed", "reset"])
def test_a_connection_that_ends_on_the_request_is_most_likely_a_proxys_doing(outcome: str) -> None:
    found = diagnosis(*BEHIND, asked(outcome))
    one = next(one for one in found.findings if one.check == CHECK)
    assert (one.fault, one.effect, one.confidence) == ("bastion-websocket-blocked", "blocks", "likely")
    assert "bastion-websocket-blocked" in found.verdict.causes


def test_a_websocket_that_opens_is_healthy() -> None:
    assert finding(CHECK, *BEHIND, asked("answered", "HTTP/1.1 101 Switching Protocols")).status == "pass"


@pytest.mark.parametrize(
    "change",
    [
        asked("answered", "HTTP/1.1 403 Forbidden"),
        asked("timeout"),
        asked("tls_failed"),
        asked("not_resolved"),
        checked(target=None),
        f.put("client_check", value={"schema": "rdp-remediate/client-check/1"}),
    ],
)
def test_what_tells_nothing_is_unknown(change: f.Change) -> None:
    assert finding(CHECK, *BEHIND, change).status == "unknown"


def test_without_bastion_or_without_a_check_there_is_no_question() -> None:
    assert finding(CHECK, asked("closed")).status == "skipped"
    assert finding(CHECK, *BEHIND).status == "skipped"
