"""The user's network: what gets out of it, and what takes a handshake apart; each combination with its verdict."""

from datetime import timedelta

import pytest

from rdp_remediate.models.report import Confidence, Diagnosis, FindingStatus
from tests import factories as f
from tests.checks.client_documents import CONTROL, SECOND, attempt, checked
from tests.checks.judging import diagnosis, finding

OUT, HANDSHAKE = "network_of_the_user_lets_rdp_out", "handshake_is_not_intercepted"
SILENT = attempt("timeout")
WEB = attempt("open", CONTROL, CONTROL, 443)
NO_RDP = attempt("timeout", SECOND, SECOND)
OTHER_CERTIFICATE = "B" * 40


def own_thumbprint() -> str:
    """The certificate of the healthy guest."""
    return str(f.healthy_json()["guest"]["certificate"]["bound_thumbprint"])


def verdict(*changes: f.Change) -> tuple[str, list[str]]:
    made = diagnosis(*changes).verdict
    return made.status, made.causes


def test_the_healthy_vm_with_a_client_that_gets_in_is_reachable() -> None:
    assert verdict(checked()) == ("reachable", [])
    assert verdict(checked(target=attempt("handshake", thumbprint=own_thumbprint()))) == ("reachable", [])


@pytest.mark.parametrize("outcome", ["timeout", "refused", "unreachable"])
def test_rdp_answers_others_and_only_web_traffic_gets_out(outcome: str) -> None:
    made = diagnosis(checked(target=attempt(outcome), control_https=WEB, second_rdp=NO_RDP))
    assert (made.verdict.status, made.verdict.causes) == ("broken", ["edge-outbound-rdp-blocked"])
    assert "most likely broken at edge" in made.verdict.headline
    assert "the RDP port to other hosts does not" in made.verdict.headline


def test_without_another_host_the_network_is_likely_and_the_report_says_how_to_tell() -> None:
    one = finding(OUT, checked(target=SILENT))
    assert (one.fault, one.confidence) == ("edge-outbound-rdp-blocked", Confidence.LIKELY)
    assert "--second-rdp" in (one.reason or "")


def _not_hidden(made: Diagnosis) -> bool:
    """Neither reachable, nor a cause: the user's failure stands and its cause is open."""
    return (made.verdict.status, made.verdict.causes) == ("not_proven", [])


def test_rdp_gets_out_to_another_host() -> None:
    assert _not_hidden(diagnosis(checked(target=SILENT, second_rdp=attempt("handshake", SECOND, SECOND))))


def test_no_internet_at_all() -> None:
    down = attempt("timeout", CONTROL, CONTROL, 443)
    assert _not_hidden(diagnosis(checked(target=SILENT, control_https=down, second_rdp=NO_RDP)))


def test_nothing_shows_that_rdp_answers_anybody() -> None:
    unproven = (f.put("probes", value=[]), f.hide("guest.self_probe"))
    assert _not_hidden(diagnosis(checked(target=SILENT), *unproven))


def test_the_user_tried_another_port_or_address() -> None:
    assert _not_hidden(diagnosis(checked(port=3390, target=attempt("timeout", port=3390))))
    assert _not_hidden(diagnosis(checked(host="20.50.9.9", target=attempt("timeout", "20.50.9.9", "20.50.9.9"))))
    assert _not_hidden(diagnosis(checked(host="20.50.9.9", target=attempt("open", "20.50.9.9", "20.50.9.9"))))


def test_what_azure_denies_is_no_fault_of_the_users_network() -> None:
    made = diagnosis(checked(target=SILENT), f.security_rules(f.NIC_NSG))
    assert "edge-outbound-rdp-blocked" not in made.verdict.causes
    assert made.verdict.status == "broken"


def test_the_connection_was_not_tried() -> None:
    unread = [{"fact": "target", "reason": "server_error", "detail": "no socket"}]
    assert finding(OUT, checked(target=None, unavailable=unread)).status is FindingStatus.UNKNOWN
    assert finding(HANDSHAKE, checked(target=None, unavailable=unread)).status is FindingStatus.UNKNOWN


def test_another_certificate_is_seen() -> None:
    seen = attempt("handshake", thumbprint=OTHER_CERTIFICATE, issuer="CN=Office Gateway")
    made = diagnosis(checked(target=seen))
    assert (made.verdict.status, made.verdict.causes) == ("broken", ["edge-proxy-or-ids"])
    assert "Office Gateway" in made.verdict.headline


def test_the_certificate_of_our_own_probe_stands_for_an_unread_guest() -> None:
    seen = attempt("handshake", thumbprint=OTHER_CERTIFICATE)
    hidden = f.hide("guest.certificate")
    assert finding(HANDSHAKE, checked(target=seen), hidden, f.put("probes", value=[])).status is FindingStatus.UNKNOWN


@pytest.mark.parametrize("outcome", ["reset", "closed", "no_answer", "tls_failed"])
def test_the_handshake_ends_for_the_user_only(outcome: str) -> None:
    assert verdict(checked(target=attempt(outcome))) == ("broken", ["edge-proxy-or-ids"])
    unproven = (f.put("probes", value=[]), f.hide("guest.self_probe"))
    assert _not_hidden(diagnosis(checked(target=attempt(outcome)), *unproven))


def test_what_was_changed_after_the_check_makes_it_old() -> None:
    written = f.activity(
        "Microsoft.Network/networkSecurityGroups/write", f.NIC_NSG, "mia@example.com", timedelta(minutes=5)
    )
    made_at = (f.at(f.healthy_json()) - timedelta(minutes=10)).isoformat()
    assert _not_hidden(diagnosis(checked(target=SILENT, made_at=made_at), written))
    assert finding(OUT, checked(target=SILENT), written).fault == "edge-outbound-rdp-blocked"


def test_a_check_never_makes_a_rule() -> None:
    made = diagnosis(checked(target=SILENT, client_address="198.51.100.77"))
    assert all("198.51.100.77" not in str(one.evidence) for one in made.findings)
    assert all(path.client != "198.51.100.77" for path in made.paths)
