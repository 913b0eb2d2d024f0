"""The listener's certificate: faults, what is near them, and what cannot be seen."""

from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate.facts.certificates import READ, WRITE, network_service_may, system_may
from tests import factories as f
from tests.checks.guest_rdp_service.test_rdp_security import finding, logged, planned
from tests.deciding.certificates import DECIDING
from tests.factories import Change, healthy_bundle

RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"
BINDING, TEMPLATE = r"RT\SSLCertificateSHA1Hash", r"POL\CertTemplateName"
STORE, FOLDER = r"TS\WinStations\SelfSignedCertStore", r"CV\ProfileList\ProgramData"
USUAL = "O:SYG:SYD:PAI(A;;FA;;;SY)(A;;FR;;;NS)(A;;FA;;;BA)"
OPEN, CLOSED = "O:SYG:SYD:PAI(A;;0x12019f;;;WD)(A;;FA;;;BA)", "O:SYG:SYD:PAI(A;;FA;;;SY)(A;;FA;;;BA)"
YESTERDAY = (healthy_bundle().collected_at - timedelta(days=1)).isoformat()
TOMORROW = (healthy_bundle().collected_at + timedelta(days=1)).isoformat()


def cert(**fields: Any) -> Change:
    def change(data: Any) -> None:
        data["guest"]["certificate"].update(fields)

    return change


BOUND = f.registry(BINDING, {"Binary": "A94B7E01D35C8F2290E6B4417D0C9A3356F1E288"})
CASES: dict[str, tuple[str, tuple[Change, ...]]] = {
    "cert-self-signed-expired-or-missing": ("certificate_is_valid", (cert(not_after=YESTERDAY),)),
    "cert-custom-thumbprint-missing": ("certificate_is_valid", (BOUND,)),
    "cert-machinekeys-acl": ("certificate_key_is_readable", (cert(key_acl=CLOSED, key_file="x"),)),
    "cert-key-corrupt": ("certificate_key_is_readable", (cert(key_error="0x80090016", key_acl=USUAL, key_file="x"),)),
    "cert-custom-private-key-acl": ("certificate_key_is_readable", (cert(key_acl=CLOSED, key_file="x", custom=True),)),
    "cert-store-setting-wrong": ("certificate_settings_are_usual", (f.registry(STORE, "TerminalServices"),)),
    "cert-template-renewal-failed": (
        "certificate_template_enrols",
        (f.registry(TEMPLATE, "RemoteDesktopComputer"), logged(RCM, 1064)),
    ),
}


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
    ("check", "changes", "status", "effect"),
    [
        ("certificate_is_valid", (cert(not_after=TOMORROW),), "pass", None),
        ("certificate_is_valid", (cert(not_after=YESTERDAY),), "fail", "degrades"),
        ("certificate_is_valid", (cert(bound_thumbprint=None, not_after=None),), "fail", "blocks"),
        ("certificate_is_valid", (BOUND, cert(custom=True)), "pass", None),
        ("certificate_is_valid", (BOUND, cert(custom=True, not_after=YESTERDAY)), "fail", "degrades"),
        ("certificate_is_valid", (f.registry(BINDING, "A94B"),), "unknown", None),
        ("certificate_key_is_readable", (cert(key_acl=CLOSED),), "fail", "blocks"),
        ("certificate_key_is_readable", (cert(key_acl=CLOSED, custom=True),), "fail", "degrades"),
        (
            "certificate_key_is_readable",
            (cert(key_acl=CLOSED, custom=True), logged("Schannel", 36870)),
            "fail",
            "blocks",
        ),
        ("certificate_key_is_readable", (cert(folder_acl=CLOSED),), "fail", "degrades"),
        ("certificate_key_is_readable", (cert(folder_acl=CLOSED), logged(RCM, 1058)), "fail", "blocks"),
        ("certificate_key_is_readable", (cert(folder_acl=f"{OPEN}(A;;FA;;;SY)"),), "pass", None),
        ("certificate_key_is_readable", (cert(key_acl=f"{CLOSED}(A;;FR;;;AU)"),), "pass", None),
        ("certificate_key_is_readable", (cert(key_acl="?"),), "unknown", None),
        ("certificate_key_is_readable", (logged(RCM, 1058),), "pass", None),
        ("certificate_settings_are_usual", (f.registry(FOLDER, "C:\\ProgramData"),), "pass", None),
        ("certificate_settings_are_usual", (f.registry(FOLDER, "%ProgramFiles%"),), "fail", "degrades"),
        ("certificate_settings_are_usual", (f.registry(STORE, None), f.registry(FOLDER, None)), "pass", None),
        (
            "certificate_settings_are_usual",
            (f.registry(STORE, "My"), cert(bound_thumbprint=None, not_after=None)),
            "fail",
            "blocks",
        ),
        ("certificate_settings_are_usual", (f.registry(STORE, 1),), "unknown", None),
        ("certificate_template_enrols", (f.registry(TEMPLATE, "RemoteDesktopComputer"),), "pass", None),
        ("certificate_template_enrols", (logged(RCM, 1064),), "pass", None),
    ],
)
def test_variants_and_what_is_near(check: str, changes: tuple[Change, ...], status: str, effect: str | None) -> None:
    one = finding(check, *changes)
    assert (one.status, one.effect) == (status, effect)


@pytest.mark.parametrize(
    ("sddl", "right", "may"),
    [
        (OPEN, WRITE, True),
        (CLOSED, WRITE, False),
        ("D:PAI(A;;0x120089;;;NS)", READ, True),
        ("D:PAI(A;;0x120089;;;NS)", WRITE, False),
        ("D:PAI(A;;FR;;;S-1-5-20)", READ, True),
        ("D:PAI(D;;FR;;;NS)(A;;FA;;;WD)", READ, False),
        ("O:SYG:SYD:", READ, False),
        ("", READ, None),
    ],
)
def test_access_lists(sddl: str, right: int, may: bool | None) -> None:
    assert network_service_may(sddl, right) is may


@pytest.mark.parametrize("fault", ["cert-machinekeys-acl", "cert-custom-private-key-acl"])
def test_a_person_decides_who_reads_a_key(fault: str) -> None:
    steps = [step for step in planned(*CASES[fault][1]).steps if fault in step.faults]
    assert [step.kind for step in steps] == ["key_acl", "service_restart"]
    assert steps[0].desired == f"{CLOSED}(A;;FR;;;NS)"
    assert all(step.approval is not None for step in steps)


def test_a_list_that_denies_somebody_is_left_to_its_owner() -> None:
    change = cert(key_acl=f"{CLOSED}(D;;FR;;;NS)", key_file="x")
    assert [one.code for one in planned(change).refusals] == ["denied_on_purpose"]


def test_a_person_decides_about_the_folder_of_keys() -> None:
    steps = planned(cert(folder_acl=CLOSED)).steps
    assert [(step.kind, step.approval is None) for step in steps] == [("key_acl", False), ("service_restart", False)]
    assert (steps[0].target, steps[0].desired) == ({"path": "MachineKeys"}, f"{CLOSED}(A;;0x12019f;;;WD)")


def test_a_certificate_without_room_in_the_answer_proves_no_way_in() -> None:
    one = finding("certificate_key_is_readable", f.hide("guest.certificate", None, "truncated"))
    assert (one.status, one.effect) == ("unknown", "blocks")


def test_a_key_that_does_not_open_is_damaged_only_where_its_access_list_is_not_why() -> None:
    damaged = cert(key_error="0x80090016", key_acl=USUAL, key_file="x\\f686")
    likely = finding("certificate_key_is_readable", damaged)
    assert (likely.effect, likely.confidence, likely.evidence["key_name"]) == ("blocks", "likely", "f686")
    certain = finding("certificate_key_is_readable", damaged, logged("Schannel", 36870))
    assert certain.confidence == "confirmed"
    assert finding("certificate_key_is_readable", logged("Schannel", 36870)).status == "pass", (
        "events alone are history"
    )
    only_service = "O:SYG:SYD:PAI(A;;FR;;;NS)"
    shut = finding("certificate_key_is_readable", cert(key_error="0x80090016", key_acl=only_service, key_file="x"))
    assert shut.status == "unknown", "SYSTEM, as which the collector runs, may not read it"
    assert finding("certificate_key_is_readable", cert(key_error="0x80090016", key_acl=CLOSED, key_file="x")).fault == (
        "cert-machinekeys-acl"
    )


@pytest.mark.parametrize(
    ("sddl", "may"),
    [(USUAL, True), ("O:SYD:(A;;FR;;;NS)", False), ("O:SYD:(D;;FR;;;SY)(A;;FA;;;BA)", False), ("nonsense", None)],
)
def test_what_system_may(sddl: str, may: bool | None) -> None:
    assert system_may(sddl, READ) is may
