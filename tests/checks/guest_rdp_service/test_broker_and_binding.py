"""The connection broker, the bound certificate and the one restart that certificates need."""

from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.plan import Plan
from rdp_remediate.planning import plan
from tests import factories as f
from tests.factories import Change, healthy_bundle

HASH = r"RT\SSLCertificateSHA1Hash"
THUMBPRINT = "A9" * 20
BOUND = f.registry(HASH, {"Binary": THUMBPRINT})


def _plan(*changes: Change) -> Plan:
    facts = read_facts(healthy_bundle(*changes))
    return plan(facts, diagnose(facts).findings)


def _steps(*changes: Change) -> list[tuple[str, Any, bool]]:
    return [(one.kind, one.desired, one.approval is None) for one in _plan(*changes).steps]


def _broker(state: str, start: str) -> Change:
    row: JsonObject = {"state": state, "start_type": start, "account": None, "pid": 0, "exit_code": 0, "depends_on": []}
    return f.guest("services", "TSSDis", value=row)


def _certificate(days: int, *, custom: bool = False) -> Change:
    def change(data: JsonObject) -> None:
        until = (f.at(data) + timedelta(days=days)).isoformat()
        data["guest"]["certificate"].update(bound_thumbprint="BB" * 20, custom=custom, not_after=until)

    return change


@pytest.mark.parametrize(
    ("state", "start", "status", "steps"),
    [
        ("Stopped", "Auto", "fail", [("service_state", "Running", True)]),
        ("Stopped", "Disabled", "fail", []),
        ("Running", "Auto", "pass", []),
        ("StartPending", "Auto", "unknown", []),
    ],
)
def test_broker(state: str, start: str, status: str, steps: list[Any]) -> None:
    found = diagnose(read_facts(healthy_bundle(_broker(state, start)))).findings
    assert next(one.status for one in found if one.check == "connection_broker_runs") == status
    assert _steps(_broker(state, start)) == steps


def test_a_missing_binding_is_removed_with_approval_only_and_never_on_a_broker() -> None:
    missing = BOUND, _certificate(90)
    assert _steps(*missing) == [("listener_certificate", None, False), ("service_restart", None, False)]
    assert _steps(*missing, _broker("Running", "Auto")) == []


def test_an_expired_binding_is_left_to_its_owner() -> None:
    made = _plan(BOUND, _certificate(-3, custom=True))
    assert made.steps == []
    assert [one.owner for one in made.refusals if one.fault == "cert-custom-thumbprint-missing"] == ["the PKI team"]


def test_an_expired_self_signed_certificate_asks_for_one_restart() -> None:
    assert _steps(_certificate(-3)) == [("service_restart", None, False)]


def test_two_reasons_for_a_restart_are_one_restart() -> None:
    kinds = [kind for kind, _, _ in _steps(_certificate(-3), f.registry(r"RT\fLogonDisabled", 1))]
    assert kinds == ["registry", "service_restart"]


@pytest.mark.parametrize("name", ["OOBEInProgress", "SystemSetupInProgress"])
def test_a_windows_that_is_being_set_up_is_not_repaired(name: str) -> None:
    made = _plan(f.registry(f.DENY_LOCAL, 1), f.registry(rf"SETUP\{name}", 1))
    assert made.steps == []
    assert "setup_unfinished" in {one.code for one in made.refusals}
