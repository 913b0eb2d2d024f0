from rdp_remediate.probe.causes import CAUSES, CAVEATS
from rdp_remediate.probe.outcome import Outcome, ProbeVerdict


def test_every_outcome_that_is_not_ok_has_causes_and_no_other() -> None:
    assert set(CAUSES) == {outcome for outcome in Outcome if outcome.verdict is not ProbeVerdict.OK}
    assert all(causes and all(causes) for causes in CAUSES.values())


def test_silence_names_the_closed_port_behind_windows_firewall_and_claims_no_rule() -> None:
    causes = " ".join(CAUSES[Outcome.TCP_TIMEOUT])
    for word in ("security group", "VM is off", "Windows Firewall", "stealth", "this computer"):
        assert word in causes
    assert "no proof" in CAVEATS[ProbeVerdict.FILTERED]


def test_a_refusal_is_never_laid_on_windows_firewall() -> None:
    # Windows Firewall drops, it does not reject: a refusal means that it is off.
    assert [one for one in CAUSES[Outcome.TCP_REFUSED] if "Windows Firewall" in one] == [
        "nothing listens on this port and Windows Firewall is off, or the machine is not Windows"
    ]


def test_errors_of_this_computer_say_so() -> None:
    assert "nothing about the target" in CAVEATS[ProbeVerdict.ERROR]
