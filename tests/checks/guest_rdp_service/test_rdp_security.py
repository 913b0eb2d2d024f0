"""Encryption, setup and farm settings of the listener: faults, what is near them, and what cannot be seen."""

from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.plan import Plan
from rdp_remediate.models.report import Finding
from rdp_remediate.planning import plan
from tests import factories as f
from tests.deciding.rdp_security import DECIDING
from tests.factories import Change, healthy_bundle

FROM_DC = r"RT\fQueryUserConfigFromDC"
SUITES = r"SSL\00010002\Functions"
REDIRECTION = r"TS\ClusterSettings\SessionDirectoryRedirectionIP"
ECDSA = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
BUILD_2016 = f.guest("os", "build", value=14393)


def tls(*off: str, name: str = "Enabled", value: int = 0) -> Change:
    """Switches TLS versions off for servers."""

    def change(data: JsonObject) -> None:
        for version in off:
            data["guest"]["registry"][rf"SCH\Protocols\TLS {version}\Server\{name}"] = value

    return change


def logged(provider: str, event_id: int) -> Change:
    """Windows logged one event."""
    row = {"at": "2026-07-01T09:50:00Z", "log": "System", "provider": provider, "id": event_id, "count": 2}
    return f.guest("events", value=[row | {"data": ["\\\\DC02.contoso.com", "alice"]}])


ALL_TLS_OFF = tls("1.0", "1.1", "1.2", "1.3")
SLOW = logged("Microsoft-Windows-TerminalServices-RemoteConnectionManager", 20499)
CASES: dict[str, tuple[str, tuple[Change, ...]]] = {
    "security-layer-encryption-inconsistent": (
        "security_layer_fits",
        (f.registry(r"RT\SecurityLayer", 2), f.registry(r"RT\MinEncryptionLevel", 1)),
    ),
    "security-negotiation-disabled": (
        "security_negotiation_is_allowed",
        (f.registry(r"RT\fAllowSecProtocolNegotiation", 0),),
    ),
    "nla-required-with-rdp-layer": (
        "security_layer_fits",
        (f.registry(r"RT\SecurityLayer", 0), f.registry(r"RT\UserAuthentication", 1)),
    ),
    "tls-server-protocols-disabled": ("tls_is_offered", (ALL_TLS_OFF,)),
    "tls-cipher-suite-mismatch": ("tls_cipher_suites_fit_the_certificate", (f.registry(SUITES, ECDSA),)),
    "sysprep-or-oobe-state": (
        "windows_setup_is_finished",
        (f.registry(r"SETUP\OOBEInProgress", 1), f.service("Stopped", "Manual")),
    ),
    "user-config-load-timeout": ("user_configuration_loads", (f.registry(FROM_DC, 1), SLOW)),
    "rds-redirection-ip-stale": ("redirection_address_is_current", (f.registry(REDIRECTION, "10.0.0.99"),)),
}


def finding(check: str, *changes: Change) -> Finding:
    found = diagnose(read_facts(healthy_bundle(*changes)))
    return next(one for one in found.findings if one.check == check)


def planned(*changes: Change) -> Plan:
    facts = read_facts(healthy_bundle(*changes))
    return plan(facts, diagnose(facts).findings)


@pytest.mark.parametrize("fault", CASES)
def test_the_fault_is_named(fault: str) -> None:
    check, changes = CASES[fault]
    assert finding(check).status == "pass"
    one = finding(check, *changes)
    assert (one.status, one.fault) == ("fail", fault)


@pytest.mark.parametrize(("fault", "hidden"), [(fault, fact) for fault in DECIDING for fact in DECIDING[fault]])
def test_without_a_deciding_fact_nothing_is_said(fault: str, hidden: tuple[str, str | None]) -> None:
    check, changes = CASES[fault]
    assert finding(check, *changes, f.hide(*hidden)).status == "unknown"


@pytest.mark.parametrize(
    ("check", "changes", "status"),
    [
        # The policy's copy is what counts, whatever the registry says.
        ("security_layer_fits", (f.registry(r"RT\SecurityLayer", 0), f.registry(r"POL\SecurityLayer", 2)), "pass"),
        (
            "security_layer_fits",
            (f.registry(r"POL\SecurityLayer", 2), f.registry(r"POL\MinEncryptionLevel", 1)),
            "fail",
        ),
        ("security_layer_fits", (f.registry(r"RT\SecurityLayer", 0), f.registry(r"RT\UserAuthentication", 0)), "pass"),
        ("security_layer_fits", (f.registry(r"RT\SecurityLayer", 2), f.registry(r"RT\MinEncryptionLevel", 2)), "pass"),
        ("security_layer_fits", (f.registry(r"RT\MinEncryptionLevel", 4),), "pass"),
        ("security_layer_fits", (f.registry(r"LSA\FIPSAlgorithmPolicy\Enabled", 1),), "pass"),
        ("security_layer_fits", (f.registry(r"RT\SecurityLayer", "2"),), "unknown"),
        ("security_negotiation_is_allowed", (f.registry(r"RT\fAllowSecProtocolNegotiation", None),), "pass"),
        ("tls_is_offered", (tls("1.0", "1.1"),), "pass"),
        ("tls_is_offered", (tls("1.0", "1.1", "1.2"),), "pass"),
        ("tls_is_offered", (tls("1.0", "1.1", "1.2"), BUILD_2016), "fail"),
        ("tls_is_offered", (tls("1.0", "1.1", "1.2", "1.3", name="DisabledByDefault", value=1),), "fail"),
        ("tls_is_offered", (tls("1.2", "1.3"),), "unknown"),
        ("tls_cipher_suites_fit_the_certificate", (f.registry(SUITES, f"{ECDSA}, TLS_ECDHE_RSA_WITH_X"),), "pass"),
        ("tls_cipher_suites_fit_the_certificate", (f.registry(SUITES, [ECDSA, "TLS_RSA_WITH_NULL_SHA"]),), "fail"),
        ("tls_cipher_suites_fit_the_certificate", (f.registry(SUITES, ["TLS_AES_256_GCM_SHA384"]),), "pass"),
        ("tls_cipher_suites_fit_the_certificate", (f.registry(SUITES, ["TLS_AES_X"]), BUILD_2016), "fail"),
        ("tls_cipher_suites_fit_the_certificate", (f.registry(SUITES, ["TLS_AES_X"]), tls("1.3")), "fail"),
        (
            "tls_cipher_suites_fit_the_certificate",
            (f.registry(SUITES, ECDSA), f.guest("certificate", "custom", value=True)),
            "unknown",
        ),
        ("tls_cipher_suites_fit_the_certificate", (f.registry(SUITES, ECDSA), ALL_TLS_OFF), "skipped"),
        ("windows_setup_is_finished", (f.registry(r"SETUP\SystemSetupInProgress", 1),), "fail"),
        ("windows_setup_is_finished", (f.registry(r"SETUP\OOBEInProgress", None),), "pass"),
        ("user_configuration_loads", (f.registry(FROM_DC, 1),), "pass"),
        ("user_configuration_loads", (SLOW,), "pass"),
        (
            "user_configuration_loads",
            (SLOW, f.registry(FROM_DC, 1), f.registry(r"RT\fQueryUserConfigFromLocalMachine", 1)),
            "pass",
        ),
        ("redirection_address_is_current", (f.registry(REDIRECTION, f.PRIVATE_ADDRESS),), "pass"),
        ("redirection_address_is_current", (f.registry(REDIRECTION, ""),), "pass"),
        ("redirection_address_is_current", (f.registry(REDIRECTION, 5),), "unknown"),
    ],
)
def test_variants_and_what_is_near(check: str, changes: tuple[Change, ...], status: str) -> None:
    assert finding(check, *changes).status == status


def test_setup_in_progress_explains_a_stopped_service() -> None:
    changes = CASES["sysprep-or-oobe-state"][1]
    assert finding("term_service_is_running", *changes).status == "skipped"
    assert planned(*changes).steps == []


def test_windows_without_tls_that_answers_by_a_workaround_is_degraded() -> None:
    workaround = (f.registry(r"RT\SecurityLayer", 0), f.registry(r"RT\UserAuthentication", 0))
    assert finding("tls_is_offered", ALL_TLS_OFF).effect == "blocks"
    assert finding("tls_is_offered", ALL_TLS_OFF, *workaround).effect == "degrades"


def _writes(found: Plan) -> list[tuple[str, Any, bool]]:
    return [(str(step.target), step.desired, step.approval is not None) for step in found.steps]


def test_security_is_only_raised() -> None:
    changes = (*CASES["nla-required-with-rdp-layer"][1], f.registry(r"RT\MinEncryptionLevel", 1))
    steps = _writes(planned(*changes))
    assert [(desired, asks) for _, desired, asks in steps] == [(2, False), (2, False)]
    assert "MinEncryptionLevel" in steps[0][0]


@pytest.mark.parametrize(
    ("fault", "more", "code"),
    [
        ("nla-required-with-rdp-layer", ALL_TLS_OFF, "tls_first"),
        ("nla-required-with-rdp-layer", f.registry(r"POL\SecurityLayer", 0), "policy_owned"),
        ("security-layer-encryption-inconsistent", f.registry(r"POL\MinEncryptionLevel", 1), "policy_owned"),
        ("user-config-load-timeout", f.registry(r"POL\fQueryUserConfigFromDC", 1), "policy_owned"),
    ],
)
def test_what_is_not_ours_is_refused(fault: str, more: Change, code: str) -> None:
    found = planned(*CASES[fault][1], more)
    assert [(one.fault, one.code) for one in found.refusals if one.fault == fault] == [(fault, code)]
    assert not [step for step in found.steps if fault in step.faults]


@pytest.mark.parametrize(
    "fault", ["security-negotiation-disabled", "user-config-load-timeout", "rds-redirection-ip-stale"]
)
def test_a_person_decides(fault: str) -> None:
    steps = [step for step in planned(*CASES[fault][1]).steps if fault in step.faults]
    assert steps
    assert all(step.approval is not None for step in steps)


@pytest.mark.parametrize("fault", ["tls-server-protocols-disabled", "tls-cipher-suite-mismatch"])
def test_schannel_and_policy_are_left_to_a_person(fault: str) -> None:
    assert planned(*CASES[fault][1]).steps == []
