"""Unseen is not absent: taking any single fact away never makes another cause, a pass, or a bolder plan."""

from functools import cache

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.plan import Plan, Risk
from rdp_remediate.models.report import Diagnosis, FindingStatus
from rdp_remediate.planning import plan
from tests.factories import altered, every_fact, healthy_bundle, hide
from tests.fault_cases import BY_FAULT, CASES, FaultCase

BLIND = (FindingStatus.UNKNOWN, FindingStatus.SKIPPED)
RISKS = (Risk.SAFE, Risk.DISRUPTIVE, Risk.EXPOSING, Risk.SENSITIVE)
REASONS = ("forbidden", "timeout", "not_collected")


def _judge(bundle: Bundle) -> tuple[Diagnosis, Plan]:
    facts = read_facts(bundle)
    found = diagnose(facts)
    return found, plan(facts, found.findings)


@cache
def _faulty(fault: str) -> tuple[Bundle, Diagnosis, Plan]:
    bundle = healthy_bundle(*BY_FAULT[fault].changes)
    return bundle, *_judge(bundle)


def _hidden_cases() -> list[tuple[str, str, str | None]]:
    return [(case.fault, fact, key) for case in CASES for fact, key in every_fact(_faulty(case.fault)[0])]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_hiding_any_fact_changes_no_conclusion_into_another(case: FaultCase) -> None:
    bundle, full, whole_plan = _faulty(case.fault)
    before = {finding.check: finding for finding in full.findings}
    for fact, key in every_fact(bundle):
        seen, less = _judge(altered(bundle, hide(fact, key)))
        where = f"{case.fault} without {fact} {key or ''}"
        for finding in seen.findings:
            old = before[finding.check]
            if finding.status in BLIND:
                continue
            assert finding.status is old.status, f"{where}: {finding.check} became {finding.status} {finding.fault}"
            assert finding.fault == old.fault, f"{where}: {finding.check}"
        assert set(seen.verdict.causes) <= set(full.verdict.causes), where
        if full.verdict.status != "reachable":
            assert seen.verdict.status in (full.verdict.status, "not_proven"), where
        _is_no_bolder(less, whole_plan, where)


def _is_no_bolder(less: Plan, whole: Plan, where: str) -> None:
    known = {step.step_id: step for step in whole.steps}
    for step in less.steps:
        assert step.step_id in known, f"{where}: a new step {step.title}"
        old = known[step.step_id]
        assert RISKS.index(step.risk) >= RISKS.index(old.risk), f"{where}: {step.title}"
        if old.approval is not None:
            assert step.approval is not None, f"{where}: {step.title} waits no more"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_every_finding_without_its_fact_names_the_reason(case: FaultCase) -> None:
    bundle, _, _ = _faulty(case.fault)
    for reason in REASONS:
        seen, _ = _judge(altered(bundle, *(hide(fact, key, reason) for fact, key in case.deciding)))
        mine = next(finding for finding in seen.findings if finding.check == case.check)
        assert mine.status is FindingStatus.UNKNOWN
        assert mine.because
        assert mine.reason


def test_a_bundle_with_nothing_in_it_proves_nothing_and_plans_nothing() -> None:
    bundle = healthy_bundle(resources={}, operations={}, guest=None, probes=[], changes=[])
    seen, less = _judge(bundle)
    assert {finding.status for finding in seen.findings} <= {*BLIND}
    assert seen.verdict.status == "not_proven"
    assert not less.steps
