"""The user's computer: the name it dials, its own firewall, its age, and the name that the user signs in with."""

from datetime import timedelta

import pytest

from rdp_remediate.models.report import Confidence, FindingStatus
from tests import factories as f
from tests.checks.client_documents import attempt, checked
from tests.checks.judging import diagnosis, finding

DNS, LOCAL, AGE = "dialled_name_leads_to_the_vm", "client_computer_lets_rdp_out", "client_security_is_current"
OLD = "20.50.9.9"
STALE = {"resolution": {"addresses": [OLD]}, "target": attempt("timeout", address=OLD)}
BLOCKED = {"target": attempt("timeout"), "local_firewall": {"outbound_blocks": ["No RDP (Block, TCP 3389)"]}}
_UNREAD = f.put("unavailable", value=[{"fact": "client_check", "reason": "forbidden", "detail": "not readable"}])
ALL = (DNS, LOCAL, AGE, "network_of_the_user_lets_rdp_out", "handshake_is_not_intercepted")


@pytest.mark.parametrize("name", ALL)
def test_without_a_client_check_the_question_does_not_arise(name: str) -> None:
    assert finding(name).status is FindingStatus.SKIPPED


@pytest.mark.parametrize("name", ALL)
def test_a_broken_or_old_check_is_unknown(name: str) -> None:
    assert (
        finding(name, f.put("client_check", value={"schema": "rdp-remediate/client-check/1"})).status
        is FindingStatus.UNKNOWN
    )
    yesterday = (f.at(f.healthy_json()) - timedelta(days=2)).isoformat()
    assert finding(name, checked(made_at=yesterday)).status is FindingStatus.UNKNOWN
    assert finding(name, _UNREAD).status is FindingStatus.UNKNOWN


def test_a_name_that_leads_to_an_old_address() -> None:
    made = diagnosis(checked(**STALE))
    one = next(x for x in made.findings if x.check == DNS)
    assert (one.fault, one.confidence) == ("client-stale-dns", Confidence.LIKELY)
    assert f"mstsc /v:{f.PUBLIC_ADDRESS}:3389" in (one.by_hand or "")
    assert (made.verdict.status, made.verdict.causes) == ("broken", ["client-stale-dns"])
    assert "most likely" in made.verdict.headline


def test_the_hosts_file_is_named() -> None:
    one = finding(DNS, checked(**{**STALE, "resolution": {"addresses": [OLD], "hosts_file": [OLD]}}))
    assert one.fault == "client-stale-dns"
    assert "hosts file" in (one.reason or "")


def test_one_right_address_among_others_or_an_address_dialled_is_no_stale_name() -> None:
    assert finding(DNS, checked(resolution={"addresses": [OLD, f.PUBLIC_ADDRESS]})).status is FindingStatus.PASS
    assert finding(DNS, checked(host=f.PUBLIC_ADDRESS, resolution=None)).status is FindingStatus.PASS


def test_a_name_of_somebody_elses_that_answers_may_be_a_gateway() -> None:
    other = {"host": "rds.example.com", "resolution": {"addresses": [OLD]}}
    assert finding(DNS, checked(**other, target=attempt("handshake", address=OLD))).status is FindingStatus.UNKNOWN
    assert finding(DNS, checked(**other, target=attempt("timeout", address=OLD))).fault == "client-stale-dns"


def test_a_name_that_does_not_exist() -> None:
    one = finding(DNS, checked(resolution={"addresses": [], "not_found": True}))
    assert one.fault == "client-name-not-found"
    assert finding(DNS, checked(resolution={"addresses": []})).status is FindingStatus.UNKNOWN
    assert finding(DNS, checked(resolution=None)).status is FindingStatus.UNKNOWN


def test_addresses_that_could_not_be_read_are_unknown() -> None:
    assert finding(DNS, checked(**STALE), f.hide("resource", f.VM)).status is FindingStatus.UNKNOWN


def test_a_rule_of_the_users_computer_blocks_the_port() -> None:
    made = diagnosis(checked(**BLOCKED))
    assert made.verdict.causes == ["client-local-security-software"]
    assert "No RDP" in made.verdict.headline
    assert finding(LOCAL, checked(target=attempt("local_denied"))).fault == "client-local-security-software"


def test_a_blocking_rule_is_no_cause_where_the_connection_was_made() -> None:
    assert finding(LOCAL, checked(**{**BLOCKED, "target": attempt("open")})).status is FindingStatus.PASS
    assert finding(LOCAL, checked(target=attempt("timeout"))).status is FindingStatus.PASS


def test_an_unread_firewall_of_the_computer_is_unknown() -> None:
    unread = [{"fact": "local_firewall", "reason": "forbidden", "detail": "needs root"}]
    one = finding(LOCAL, checked(target=attempt("timeout"), local_firewall=None, unavailable=unread))
    assert (one.status, one.because) == (FindingStatus.UNKNOWN, "forbidden: client_check.local_firewall")
    assert finding(LOCAL, checked(target=None)).status is FindingStatus.UNKNOWN


ORACLE = r"SYS\CredSSP\Parameters\AllowEncryptionOracle"


def test_an_unpatched_computer_is_refused_by_a_vm_that_forces_updates() -> None:
    system = {"os": "windows", "version": "10.0.14393", "tspkg_version": "10.0.14393.2007"}
    forced = f.guest("registry", ORACLE, value=0)
    assert finding(AGE, checked(system=system), forced).fault == "client-credssp-unpatched"
    assert (
        finding(AGE, checked(system={**system, "tspkg_version": "10.0.14393.2248"}), forced).status
        is FindingStatus.PASS
    )
    assert finding(AGE, checked(system=system)).status is FindingStatus.PASS
    assert finding(AGE, checked(system=system), f.hide("guest.registry")).status is FindingStatus.UNKNOWN


def test_windows_7_without_tls_1_2() -> None:
    event = {"at": f.healthy_json()["collected_at"], "log": "System", "provider": "Schannel", "id": 36874, "count": 2}
    logged = f.guest("events", value=[event])
    old = {"os": "windows", "version": "6.1.7601"}
    assert finding(AGE, checked(system=old), logged).fault == "client-tls-too-old"
    assert finding(AGE, checked(), logged).status is FindingStatus.PASS
    assert finding(AGE, checked(system=old)).status is FindingStatus.PASS
    assert finding(AGE, checked(system=old), f.hide("guest.events")).status is FindingStatus.UNKNOWN


USER = "user_name_fits_the_account"


def _asked(place: str, sub_status: str = "C0000064", *, local: bool = True) -> tuple[f.Change, ...]:
    now = f.healthy_json()["collected_at"]
    row = {"status": "C000006D", "sub_status": sub_status, "type": 3, "address": f.CLIENT, "count": 1, "last": now}
    return (
        f.target(user=f"{place}alice"),
        f.guest("accounts", value={"asked": {"local": local}}),
        f.guest("sign_ins", value={"window_s": 900, "failed": 1, "sources": 1, "asked": {"failures": [row]}}),
    )


def test_a_local_account_under_a_domain_that_is_not_this_computers() -> None:
    one = finding(USER, *_asked("CONTOSO\\"))
    assert (one.fault, one.confidence) == ("client-username-format", Confidence.CONFIRMED)
    assert "\\alice" in (one.by_hand or "")


def test_the_name_is_right_or_the_refusal_is_another() -> None:
    assert finding(USER, *_asked(".\\")).status is FindingStatus.PASS
    assert finding(USER, *_asked("CONTOSO\\", "C000006A")).status is FindingStatus.PASS
    assert finding(USER, *_asked("CONTOSO\\", local=False)).status is FindingStatus.PASS
    assert finding(USER, *_asked("CONTOSO\\"), f.hide("guest.sign_ins")).status is FindingStatus.UNKNOWN
