"""Facts to findings and a verdict. Pure: the same bundle gives the same diagnosis.

Three things stay apart: the VM is broken (fail), we could not see (unknown), our own bug (error).
"""

import traceback
from collections.abc import Sequence
from dataclasses import replace

from rdp_remediate.checks.check import Check, all_checks, in_order
from rdp_remediate.checks.outcome import Outcome, skipped, unknown
from rdp_remediate.facts.facts import Facts, read_facts
from rdp_remediate.facts.need import UnseenError
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.fact import Reason
from rdp_remediate.models.report import (
    HOPS,
    Confidence,
    Diagnosis,
    Effect,
    Finding,
    FindingStatus,
    Hop,
    Proof,
    Verdict,
)
from rdp_remediate.network.client_vantage import client_view
from rdp_remediate.network.isolation import isolate
from rdp_remediate.network.proof import Reachability, reachability
from rdp_remediate.network.views import path_views

_INSIDE = (Hop.GUEST_NETWORK, Hop.GUEST_FIREWALL, Hop.GUEST_RDP_SERVICE, Hop.GUEST_AUTH)
_SHUTS = ("termservice-stopped", "termservice-disabled", "rdp-disabled-local", "rdp-disabled-policy")
"""Faults under which nothing answers X.224 at all; under the others of their hop the door still opens."""
_DOOR = (Hop.ENDPOINT, Hop.NETWORK, Hop.GUEST_NETWORK, Hop.GUEST_FIREWALL)
_ELSEWHERE = ("public-ip-changed", "nic-ip-changed", "bastion-rbac-or-jit", "bastion-websocket-blocked")
"""Faults of an address or a person that no probe of ours uses, so none of its answers speaks against them."""
_OFF = ("vm-deallocated", "vm-stopped-allocated", "vm-spot-evicted", "vm-transitional", "vm-hibernated")


def diagnose(facts: Facts, checks: Sequence[Check] | None = None) -> Diagnosis:
    """Runs every check, proves what can be proved, and concludes.

    Args:
        facts: One bundle, read.
        checks: Other checks than all, for tests.

    Returns:
        Findings in path order, the verdict, the path decisions and the probes with what they prove.
    """
    chosen = all_checks() if checks is None else tuple(checks)
    findings: dict[str, Finding] = {}
    for one in in_order(chosen):
        outcome = _run(one, facts, findings)
        if facts.guest.plain and one.hop in _INSIDE and outcome.status is FindingStatus.UNKNOWN:
            # Constrained Language Mode shows a part of Windows only: what it hides may be what keeps the user out.
            outcome = replace(outcome, effect=Effect.BLOCKS)
        findings[one.name] = _finding(one, outcome)
    ordered = sorted(findings.values(), key=lambda f: (HOPS.index(f.hop), [c.name for c in chosen].index(f.check)))
    proof = reachability(facts)
    apart = isolate(proof.probes, client_view(facts))
    verdict = conclude(ordered, proof)
    leading = next((f for f in ordered if f.fault and f.fault in verdict.causes[:1]), None)
    against = contradiction(leading, proof) if leading and verdict.status == "broken" else None
    return Diagnosis(
        findings=ordered,
        verdict=verdict,
        paths=list(path_views(facts)),
        probes=list(proof.probes),
        vantages=list(apart.vantages),
        contradictions=[one for one in (against, apart.contradiction) if one],
    )


def diagnose_bundle(bundle: Bundle) -> Diagnosis:
    """Judges a bundle; what the guest's first answer could not hold is judged from its second, each check from one of them."""
    first = diagnose(read_facts(bundle))
    if bundle.guest_slice2 is None:
        return first
    second = diagnose(read_facts(bundle.model_copy(update={"guest": bundle.guest_slice2})))
    later = {finding.check: finding for finding in second.findings}
    findings = [
        later[f.check] if _cut_off(f) and later[f.check].status is not FindingStatus.UNKNOWN else f
        for f in first.findings
    ]
    return first.model_copy(
        update={"findings": findings, "verdict": conclude(findings, reachability(read_facts(bundle)))}
    )


def wants_second_slice(bundle: Bundle, findings: Sequence[Finding]) -> bool:
    """A check ended unknown because the guest's answer was cut, and nobody has asked for the rest yet."""
    asked = bundle.guest_slice2 is not None or any(item.fact == "guest_slice2" for item in bundle.unavailable)
    return not asked and any(_cut_off(finding) for finding in findings)


def _cut_off(finding: Finding) -> bool:
    return finding.status is FindingStatus.UNKNOWN and (finding.because or "").startswith(Reason.TRUNCATED.value)


def _run(one: Check, facts: Facts, findings: dict[str, Finding]) -> Outcome:
    for name in one.requires:
        required = findings[name]
        if required.status is FindingStatus.SKIPPED:
            return skipped(required.because or name)
        if required.status is FindingStatus.FAIL and required.effect is Effect.BLOCKS:
            return skipped(name)
        if required.status is FindingStatus.BY_DESIGN:
            return skipped(name)
        if required.status in (FindingStatus.UNKNOWN, FindingStatus.ERROR):
            return unknown(f"It cannot be judged while this is open: {required.title}", because=name)
    try:
        return one.judge(facts)
    except UnseenError as unseen:
        because = f"{unseen.unavailable.reason.value}: {unseen.unavailable.source}".rstrip(": ")
        return unknown(unseen.unavailable.detail, because=because)
    except Exception as bug:  # noqa: BLE001 - the one broad except: a bug in a check must not end a diagnosis
        where = traceback.extract_tb(bug.__traceback__)[-1]
        text = f"{type(bug).__name__}: {bug} ({where.name}, line {where.lineno})"
        return Outcome(FindingStatus.ERROR, f"Our own bug in this check: {text}"[:300])


def _finding(one: Check, outcome: Outcome) -> Finding:
    return Finding(
        check=one.name,
        hop=one.hop,
        title=one.title,
        status=outcome.status,
        fault=outcome.fault,
        reason=outcome.reason,
        effect=outcome.effect,
        confidence=outcome.confidence,
        because=outcome.because,
        by_hand=one.by_hand(outcome.fault, outcome.evidence) if outcome.fault else None,
        evidence=outcome.evidence,
    )


def conclude(findings: Sequence[Finding], proof: Reachability) -> Verdict:
    """The verdict by the table of DESIGN section 4: the first row that applies."""
    blocks = [f for f in findings if f.status is FindingStatus.FAIL and f.effect is Effect.BLOCKS and f.fault]
    confirmed = [f for f in blocks if f.confidence is Confidence.CONFIRMED]
    closed = [f for f in findings if f.status is FindingStatus.BY_DESIGN]
    if confirmed:
        causes = _causes([*confirmed, *(f for f in closed if f.fault)])
        first = _first(confirmed)
        more = len(causes) - 1
        rest = f" ({more} more cause{'s' if more > 1 else ''})" if more else ""
        against = contradiction(first, proof)
        rest += f" - {against}" if against else ""
        return Verdict(
            status="broken",
            hop=first.hop,
            headline=f"RDP is broken at {first.hop.value}: {first.reason}{rest}",
            causes=causes,
        )
    likely = [f for f in blocks if f.confidence is Confidence.LIKELY]
    if likely:
        first = _first(likely)
        against = contradiction(first, proof)
        return Verdict(
            status="broken",
            hop=first.hop,
            headline=f"RDP is most likely broken at {first.hop.value}: {first.reason}{f' - {against}' if against else ''}",
            causes=_causes([*likely, *(f for f in closed if f.fault)]),
        )
    if closed:
        first = _first(closed)
        return Verdict(
            status="by_design",
            hop=first.hop,
            headline=f"RDP is closed on purpose: {first.reason}",
            causes=_causes(closed),
        )
    refused = any(f.status is FindingStatus.UNKNOWN and f.effect is Effect.BLOCKS for f in findings)
    if proof.proof is not Proof.NONE and not refused:
        return Verdict(
            status="reachable",
            headline=f"RDP is reachable: {proof.detail}",
            proof=proof.proof,
            proof_detail=proof.detail,
        )
    apart = isolate(proof.probes)
    said = f" By vantage: {apart.said}." if apart.said else ""
    headline = f"{_not_proven(findings, proof)}{said}"
    return Verdict(status="not_proven", hop=None, headline=headline, proof_detail=proof.detail)


def contradiction(cause: Finding, proof: Reachability) -> str | None:
    """That a probe got through where this cause says that none can, or None.

    The cause stands: a probe may be older than the fault. But nobody should read the one without the other.
    """
    if cause.fault in _ELSEWHERE:
        return None
    whole = next((one for one in proof.probes if one.proves == "end_to_end"), None)
    shut = cause.fault in (*_SHUTS, *_OFF)
    met = next((one for one in proof.probes if shut and one.proves in ("answered", "engine_disagrees")), None)
    probe = whole if cause.hop in _DOOR or shut else None
    probe = probe or met
    if probe is None:
        return None
    return (
        f"but a probe ({probe.vantage}) got {probe.outcome} from {probe.address}:{probe.port}, which contradicts it: what was "
        "read and what answered are of different times, or one of them is wrong"
    )


def _not_proven(findings: Sequence[Finding], proof: Reachability) -> str:
    names = {f.check for f in findings}
    unseen = [
        f for f in findings if f.status in (FindingStatus.UNKNOWN, FindingStatus.ERROR) and f.because not in names
    ]
    if not unseen:
        return f"No cause was found, but RDP is not proven: {proof.detail}"
    unseen.sort(key=lambda f: f.effect is not Effect.BLOCKS)
    reasons = list(dict.fromkeys(f.reason or f.title for f in unseen))
    more = f"; and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return f"No cause was found, but not everything could be seen: {reasons[0].rstrip('.')}{more}. {proof.detail}"


def _first(findings: Sequence[Finding]) -> Finding:
    return min(findings, key=lambda f: (f.fault not in _OFF, HOPS.index(f.hop)))


def _causes(findings: Sequence[Finding]) -> list[str]:
    ordered = sorted(findings, key=lambda f: (f.fault not in _OFF, HOPS.index(f.hop)))
    return list(dict.fromkeys(f.fault for f in ordered if f.fault))
