"""Facts to findings and a verdict: each fault and its near miss, the table of verdicts, and purity."""

import copy
from datetime import timedelta

import pytest

from rdp_remediate.checks.check import Check, all_checks, check, in_order
from rdp_remediate.checks.outcome import Outcome, by_design, failed, passed, unknown
from rdp_remediate.diagnosis import diagnose, diagnose_bundle, wants_second_slice
from rdp_remediate.errors import InternalError
from rdp_remediate.facts.facts import Facts, read_facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Diagnosis, Effect, Finding, FindingStatus, Hop, Proof, Verdict
from rdp_remediate.planning import plan
from tests import factories as f
from tests.factories import Change, altered, healthy_bundle, hide
from tests.fault_cases import CASES, FaultCase


def _diagnosis(*changes: Change) -> Diagnosis:
    return diagnose(read_facts(healthy_bundle(*changes)))


def _finding(found: Diagnosis, name: str) -> Finding:
    return next(finding for finding in found.findings if finding.check == name)


def _blocking(found: Diagnosis) -> list[str]:
    return [x.fault for x in found.findings if x.fault and x.effect is Effect.BLOCKS]


def test_a_healthy_vm_passes_every_check_and_needs_nothing() -> None:
    facts = read_facts(healthy_bundle())
    found = diagnose(facts)
    assert {finding.status for finding in found.findings} <= {FindingStatus.PASS, FindingStatus.SKIPPED}
    # Who signs in, and through which domain, is a question only where somebody was asked about or a domain is there.
    skipped = [f for f in found.findings if f.status is FindingStatus.SKIPPED and f.hop is not Hop.GUEST_AUTH]
    assert {f.check for f in skipped} == {
        "bastion_admits_the_user",
        "bastion_reaches_the_vm",
        "browser_gets_websockets",
        "classic_endpoint_leads_to_rdp",
        "classic_vm_is_migrated",
        "rd_gateway_admits_the_connection",
        "gateway_connections_stand",
        # Nobody asked Network Watcher.
        "azure_agrees_about_the_rules",
        # Nobody ran the client check and nobody was asked about.
        "client_computer_lets_rdp_out",
        "client_security_is_current",
        "client_settings_fit",
        "dialled_name_leads_to_the_vm",
        "handshake_is_not_intercepted",
        "network_of_the_user_lets_rdp_out",
        "user_name_fits_the_account",
    }
    assert len(found.findings) == len(all_checks())
    assert found.verdict.status == "reachable"
    assert found.verdict.proof is Proof.END_TO_END
    made = plan(facts, found.findings)
    assert made.steps == []
    assert made.refusals == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_one_change_gives_exactly_this_fault(case: FaultCase) -> None:
    found = _diagnosis(*case.changes)
    failing = [x for x in found.findings if x.fault]
    assert [x.fault for x in failing] == [case.fault]
    mine = failing[0]
    assert mine.check == case.check
    assert mine.hop == case.hop
    assert mine.status == case.status
    assert mine.effect == case.effect
    assert mine.confidence == case.confidence
    assert mine.reason
    assert mine.by_hand
    assert found.verdict.status == case.verdict
    blocks = case.effect == "blocks"
    assert found.verdict.causes == ([case.fault] if blocks else [])
    assert found.verdict.hop == (case.hop if blocks else None)
    others = [x for x in found.findings if x.fault != case.fault and x.status is FindingStatus.UNKNOWN]
    assert not blocks or not others or case.fault.startswith("vm-"), others


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_what_only_looks_like_it_is_not_this_fault(case: FaultCase) -> None:
    found = _diagnosis(*case.near)
    assert case.fault not in [x.fault for x in found.findings]
    assert _blocking(found) == ([case.near_fault] if case.near_fault else [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_without_the_deciding_fact_the_check_is_unknown(case: FaultCase) -> None:
    hidden = (hide(fact, key) for fact, key in case.deciding)
    found = _diagnosis(*case.changes, *hidden)
    assert _finding(found, case.check).status is FindingStatus.UNKNOWN
    assert case.fault not in [x.fault for x in found.findings]
    assert found.verdict.status == "not_proven"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_judgement_is_pure(case: FaultCase) -> None:
    bundle = healthy_bundle(*case.changes)
    before = copy.deepcopy(bundle.model_dump(mode="python"))
    facts = read_facts(bundle)
    first = diagnose(facts)
    plan(facts, first.findings)
    assert bundle.model_dump(mode="python") == before
    again = altered(bundle)
    assert again is not bundle
    other = read_facts(again)
    second = diagnose(other)
    assert second == first
    assert plan(other, second.findings) == plan(facts, first.findings)


def test_checks_are_declared_as_the_contract_says() -> None:
    checks = all_checks()
    names = [one.name for one in checks]
    assert len(names) == len(set(names))
    for one in checks:
        assert len(one.faults) <= 4, one.name
        assert set(one.requires) <= set(names), one.name
        assert one.title.endswith("."), one.name
        assert one.section("Why"), one.name
        assert one.section("Evidence"), one.name
        for fault in one.faults:
            assert one.by_hand(fault), f"{one.name}: {fault}"
    ordered = [one.name for one in in_order(checks)]
    for one in checks:
        assert all(ordered.index(name) < ordered.index(one.name) for name in one.requires)


def test_a_fault_belongs_to_one_check() -> None:
    named = [fault for one in all_checks() for fault in one.faults]
    assert sorted(named) == sorted(set(named))
    assert {case.fault for case in CASES} <= set(named)


def _check(name: str, judge: Outcome | Exception, requires: tuple[str, ...] = (), hop: Hop = Hop.NETWORK) -> Check:
    def answer(facts: Facts) -> Outcome:
        """It holds."""
        if isinstance(judge, Exception):
            raise judge
        return judge

    return Check(name, hop, ("fault-a", "fault-b"), requires, answer)


def _with(*checks: Check) -> Diagnosis:
    return diagnose(read_facts(healthy_bundle()), checks)


def test_a_required_failure_skips_and_names_the_first_cause() -> None:
    found = _with(
        _check("first", failed("fault-a", "broken")),
        _check("second", passed("fine"), ("first",)),
        _check("third", passed("fine"), ("second",)),
    )
    assert [(x.check, x.status, x.because) for x in found.findings[1:]] == [
        ("second", FindingStatus.SKIPPED, "first"),
        ("third", FindingStatus.SKIPPED, "first"),
    ]


@pytest.mark.parametrize(
    "required",
    [unknown("not seen", because="forbidden"), RuntimeError("a bug")],
    ids=["unknown", "error"],
)
def test_a_required_unknown_makes_unknown(required: Outcome | Exception) -> None:
    found = _with(_check("first", required), _check("second", passed("fine"), ("first",)))
    assert found.findings[1].status is FindingStatus.UNKNOWN
    assert found.findings[1].because == "first"


def test_a_required_failure_that_only_degrades_lets_the_check_run() -> None:
    found = _with(
        _check("first", failed("fault-a", "slow", Effect.DEGRADES)), _check("second", passed("fine"), ("first",))
    )
    assert found.findings[1].status is FindingStatus.PASS


def test_our_own_bug_is_an_error_and_never_a_cause() -> None:
    found = _with(_check("first", KeyError("gone")))
    assert found.findings[0].status is FindingStatus.ERROR
    assert "KeyError" in (found.findings[0].reason or "")
    assert found.verdict.causes == []
    assert found.verdict.status == "reachable"


def test_circles_and_unknown_names_are_our_bugs() -> None:
    with pytest.raises(InternalError, match="circle"):
        in_order([_check("a", passed(""), ("b",)), _check("b", passed(""), ("a",))])
    with pytest.raises(InternalError, match="does not exist"):
        in_order([_check("a", passed(""), ("nobody",))])
    with pytest.raises(InternalError, match="at most four"):
        check(hop=Hop.EDGE, faults=("1", "2", "3", "4", "5"))(_check("a", passed("")).judge)


def _verdict(*outcomes: Outcome, hops: tuple[Hop, ...] = tuple(Hop), base: tuple[Change, ...] = ()) -> Verdict:
    checks = [_check(f"check_{i}", outcome, hop=hops[i]) for i, outcome in enumerate(outcomes)]
    return diagnose(read_facts(healthy_bundle(*base)), checks).verdict


LIKELY = Confidence.LIKELY
BLOCKS = Effect.BLOCKS


def test_a_confirmed_block_wins_over_a_likely_one_and_over_proof() -> None:
    verdict = _verdict(failed("fault-a", "maybe", BLOCKS, LIKELY), failed("fault-b", "surely"))
    assert verdict.status == "broken"
    assert verdict.causes == ["fault-b"]
    assert verdict.hop is Hop.EDGE


def test_a_likely_block_is_worded_as_such() -> None:
    verdict = _verdict(failed("fault-a", "maybe", BLOCKS, LIKELY))
    assert verdict.status == "broken"
    assert "most likely" in verdict.headline


def test_a_possible_block_is_no_cause() -> None:
    verdict = _verdict(failed("fault-a", "perhaps", BLOCKS, Confidence.POSSIBLE), base=(f.silent, f.listens()))
    assert verdict.status == "not_proven"
    assert verdict.causes == []


def test_what_was_closed_on_purpose_is_by_design_unless_something_is_broken() -> None:
    assert _verdict(by_design("fault-a", "closed")).status == "by_design"
    both = _verdict(by_design("fault-a", "closed"), failed("fault-b", "broken"))
    assert both.status == "broken"
    assert both.causes == ["fault-a", "fault-b"]


def test_notes_are_no_causes() -> None:
    verdict = _verdict(failed("fault-a", "slow", Effect.DEGRADES), failed("fault-b", "open", Effect.RISK))
    assert verdict.status == "reachable"
    assert verdict.causes == []


def test_a_vm_that_is_off_comes_first() -> None:
    found = _diagnosis(f.powered("deallocated"), f.security_rules(f.NIC_NSG))
    assert found.verdict.causes == ["vm-deallocated", "nsg-no-allow-rule"]
    assert found.verdict.hop is Hop.PLATFORM


def test_causes_are_listed_in_path_order() -> None:
    found = _diagnosis(
        f.silent,
        f.listens(),
        f.service("Stopped", "Manual"),
        f.firewall_rule("RemoteDesktop-UserMode-In-TCP", enabled=False),
        f.security_rules(f.NIC_NSG),
        f.security_rules(f.SUBNET_NSG),
    )
    assert found.verdict.causes == [
        "nsg-second-layer-deny",
        "nsg-no-allow-rule",
        "fw-rdp-rule-disabled",
        "termservice-stopped",
    ]


def test_unread_admin_rules_make_a_denial_likely_and_a_passing_path_unproven() -> None:
    unread = hide("effective_admin_rules", f.VNET)
    denied = _diagnosis(f.silent, f.security_rules(f.NIC_NSG), unread)
    assert _finding(denied, "nsg_layers_allow_client").confidence is LIKELY
    assert "most likely" in denied.verdict.headline
    passing = _diagnosis(f.silent, unread)
    assert passing.verdict.status == "not_proven"


def test_what_a_cut_answer_hid_is_asked_for_once_and_judged_from_the_second_answer_alone() -> None:
    cut = healthy_bundle(
        f.silent, f.listens(), f.service("Stopped", "Manual"), hide("guest.services", reason="truncated")
    )
    first = diagnose_bundle(cut)
    assert wants_second_slice(cut, first.findings)
    whole = healthy_bundle(f.silent, f.listens(), f.service("Stopped", "Manual"))
    both = cut.model_copy(update={"guest_slice2": whole.guest})
    second = diagnose_bundle(both)
    assert second.verdict.causes == ["termservice-stopped"]
    assert not wants_second_slice(both, second.findings)


def test_a_need_that_is_not_met_names_reason_and_fact() -> None:
    def judge(facts: Facts) -> Outcome:
        """It holds."""
        need(facts.guest.sign_ins)
        return passed("seen")

    bundle = healthy_bundle(hide("guest.sign_ins", reason="timeout"))
    found = diagnose(read_facts(bundle), [Check("one", Hop.GUEST_AUTH, (), (), judge)])
    assert found.findings[0].because == "timeout: guest.sign_ins"


PERSON = "operator@example.com"
STOP = "Microsoft.Compute/virtualMachines/deallocate/action"
AUTOMATION = "22222222-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("changes", "status", "stopper"),
    [
        ((f.activity(STOP, f.VM, PERSON, timedelta(hours=3)),), "by_design", "person"),
        ((f.activity(STOP, f.VM, AUTOMATION, timedelta(hours=3), idtyp="app"),), "by_design", "automation"),
        (
            (f.activity(STOP, f.VM, AUTOMATION, timedelta(hours=3), idtyp="app"), f.tag("auto-shutdown", "20:00")),
            "by_design",
            "schedule",
        ),
        ((f.tag("auto-shutdown", "20:00"),), "by_design", "schedule"),
        ((f.tag("keep-running", "true"), f.activity(STOP, f.VM, PERSON, timedelta(hours=3))), "fail", "unwanted"),
        ((f.tag("keep-running", "false"),), "fail", "unknown"),
        ((f.activity(STOP, f.NIC, PERSON, timedelta(hours=3)),), "fail", "unknown"),
        ((), "fail", "unknown"),
    ],
)
def test_who_stopped_a_vm_decides_between_broken_and_by_design(
    changes: tuple[Change, ...], status: str, stopper: str
) -> None:
    found = _diagnosis(f.powered("deallocated"), *changes)
    finding = _finding(found, "vm_is_running")
    assert (finding.status, finding.fault, finding.evidence["stopper"]) == (status, "vm-deallocated", stopper)
    assert found.verdict.status == ("broken" if status == "fail" else "by_design")


def _annotation(name: str, context: str) -> Change:
    row = {"properties": {"annotationName": name, "context": context, "occurredTime": "2026-11-24T10:00:00Z"}}
    return f.operation("resource_annotations", f.VM, {"value": [row]})


def test_an_eviction_and_a_platform_event_are_azures_doing() -> None:
    evicted = _diagnosis(f.powered("deallocated"), _annotation("VirtualMachinePreempted", "Platform Initiated"))
    assert evicted.verdict.causes == ["vm-spot-evicted"]
    moved = _diagnosis(f.powered("stopped"), _annotation("VirtualMachineHostCrashed", "Platform Initiated"))
    assert _finding(moved, "vm_is_running").evidence["stopper"] == "platform"
    assert moved.verdict.status == "broken"


def test_an_avd_session_host_is_closed_by_design() -> None:
    pool = f"{f.GROUP}/providers/Microsoft.DesktopVirtualization/hostpools/pool"
    found = _diagnosis(f.silent, f.tag("cm-resource-parent", pool), f.security_rules(f.NIC_NSG))
    assert found.verdict.status == "by_design"
    assert found.verdict.causes == []
    assert plan(read_facts(healthy_bundle()), found.findings).steps == []


def test_the_wording_of_unread_facts_reaches_the_headline() -> None:
    found = _diagnosis(f.silent, hide("guest.services"))
    assert "403" in found.verdict.headline
