"""Findings to a plan: which steps, in which order, at what risk, and which of them wait for a person. Pure.

The safety rules of DESIGN section 4 are applied here and nowhere else; a fix only says what it would change.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from rdp_remediate.facts.accounts import DOMAIN_CONTROLLER_ROLES
from rdp_remediate.facts.attack import attack_in_progress, attack_possible
from rdp_remediate.facts.closings import together
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE, GuestFacts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.fixes import last_resort
from rdp_remediate.fixes.fix import Draft, Fix, Refused, Yielded, all_fixes
from rdp_remediate.models.bundle import Mode
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.plan import RESTARTS, WAIT, Plan, Refusal, Risk, Step
from rdp_remediate.models.report import Confidence, Finding, FindingStatus
from rdp_remediate.network.cross_check import azure_disagrees
from rdp_remediate.network.entries import entries
from rdp_remediate.network.exposure import admits_outside
from rdp_remediate.network.proof import reachability
from rdp_remediate.network.question import ask
from rdp_remediate.obstacles import policy_owner, safe_mode, waiting_updates
from rdp_remediate.restarting import RESTART_GROUP, with_one_restart

DOMAIN_CONTROLLER_TAG = "rdp-remediate-domain-controller"


@dataclass(frozen=True)
class History:
    """What earlier passes and runs did, as far as it matters for this plan.

    Attributes:
        done_fixes: Fixes whose steps were already applied in this run; a fault that returns is refused as came_back.
        restarted: This run has restarted the VM, or may have; a second restart is never planned.
        reopenings: How often each rule name was opened in the last seven days.
    """

    done_fixes: frozenset[str] = frozenset()
    restarted: bool = False
    reopenings: tuple[tuple[str, int], ...] = ()


def plan(facts: Facts, findings: Sequence[Finding], history: History = History()) -> Plan:
    """Makes the plan for what the checks found.

    Nothing is planned on the strength of an unknown, an error, or a fault that is only possible.
    """
    steps: list[Step] = []
    refusals: list[Refusal] = []
    for one in all_fixes():
        reasons = [f for f in findings if f.fault in one.faults and _actionable(f)]
        if not reasons:
            continue
        made, refused = _apply(one, facts, reasons, history)
        steps += made
        refusals += refused
    handled = {fault for one in all_fixes() for fault in one.faults}
    refusals += [
        Refusal(fault=f.fault, code="by_hand", why=f.by_hand or "There is no automatic fix for this.")
        for f in findings
        if f.fault and _actionable(f) and f.fault not in handled
    ]
    reset = last_resort.last_resort(facts, findings)
    if isinstance(reset, Draft) and last_resort.NAME in history.done_fixes:
        reset = Refused("came_back", "It was sent in this run already, and RDP still does not answer.")
    if isinstance(reset, Draft):
        reset = _under_attack(reset, facts, _RESET) or reset
    if isinstance(reset, Refused):
        refusals.append(_refusal(last_resort.NAME, reset))
    elif reset is not None:
        steps.append(_step(_RESET, reset, facts, [], history))
    return Plan(steps=with_one_restart(steps, facts.guest), refusals=refusals)


def _nothing(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Reset the RDP configuration through the VMAccess extension."""
    del facts, findings
    yield from ()


_RESET = Fix(last_resort.NAME, (), "platform", 85, (), last_resort.PERMISSIONS, _nothing)
"""Answers no fault, because it is for a cause that could not be seen; so it is not among the fixes."""


def _actionable(finding: Finding) -> bool:
    return (
        finding.status in (FindingStatus.FAIL, FindingStatus.BY_DESIGN)
        and finding.fault is not None
        and finding.confidence is not Confidence.POSSIBLE
    )


def _apply(one: Fix, facts: Facts, findings: list[Finding], history: History) -> tuple[list[Step], list[Refusal]]:
    faults = _faults(one, findings)
    if one.name in history.done_fixes and not (history.restarted and one.layer == "platform"):
        return [], [_refusal(fault, Refused("came_back", _CAME_BACK)) for fault in faults]
    if one.layer == "guest" and (reason := _domain_controller(facts.guest, facts.policy.tags)):
        return [], [_refusal(fault, reason) for fault in faults]
    if one.layer == "network" and (said := _engine_disagrees(facts)):
        return [], [_refusal(fault, Refused("engine_disagrees", said)) for fault in faults]
    if one.layer == "guest" and (reason := _setup_under_way(facts.guest) or safe_mode(facts.guest)):
        return [], [_refusal(fault, reason) for fault in faults]
    steps: list[Step] = []
    refusals: list[Refusal] = []
    try:
        for yielded in one.generate(facts, findings):
            if isinstance(yielded, Draft) and (owned := policy_owner(yielded, facts.guest)):
                refusals += [_refusal(fault, owned) for fault in faults]
            elif isinstance(yielded, Refused):
                refusals += [_refusal(fault, yielded) for fault in faults]
            elif yielded.kind in RESTARTS and history.restarted:
                # What would follow it in its group goes with it.
                return [], [_refusal(fault, Refused("restarted_once", _RESTARTED)) for fault in faults]
            elif reason := _under_attack(yielded, facts, one):
                return [], [_refusal(fault, reason) for fault in faults]
            else:
                steps.append(_step(one, yielded, facts, findings, history))
    except UnseenError as unseen:
        why = f"What the fix must compare with could not be read: {unseen.unavailable.detail}"
        return [], [_refusal(fault, Refused("unseen", why)) for fault in faults]
    return steps, refusals


_CAME_BACK = (
    "This was repaired in this run and the fault came back; something else sets it. Find out what before trying again."
)


_RESTARTED = (
    "The VM was restarted once in this run, and it is not restarted again: the agent may need some minutes more; "
    "otherwise look at the boot picture and the serial log."
)


def _faults(one: Fix, findings: list[Finding]) -> list[str]:
    return sorted({f.fault for f in findings if f.fault}, key=one.faults.index)


def _refusal(fault: str, refused: Refused) -> Refusal:
    return Refusal(fault=fault, code=refused.code, why=refused.why, owner=refused.owner)


def _domain_controller(guest: GuestFacts, tags: dict[str, str]) -> Refused | None:
    if isinstance(guest.os, Unavailable):
        return Refused("unseen", f"The domain role could not be read: {guest.os.detail}")
    if guest.os.value.domain_role in DOMAIN_CONTROLLER_ROLES and tags.get(DOMAIN_CONTROLLER_TAG) != "allow":
        return Refused(
            "domain_controller",
            f"This is a domain controller; nothing inside it is changed unless it is tagged {DOMAIN_CONTROLLER_TAG}=allow.",
            "the directory team",
        )
    return None


def _engine_disagrees(facts: Facts) -> str | None:
    """Why the path engine may be wrong about this VM: Azure says otherwise, or a probe got through where it says it cannot."""
    probes = (view.detail for view in reachability(facts).probes if view.proves == "engine_disagrees")
    return azure_disagrees(facts) or next(probes, None)


def _setup_under_way(guest: GuestFacts) -> Refused | None:
    """A Windows that is not set up is not repaired: a service that is started there only hides what is wrong."""
    for name in ("SystemSetupInProgress", "OOBEInProgress"):
        value = guest.registry_number(f"SETUP\\{name}")
        if not isinstance(value, Unavailable) and value.value not in (None, 0):
            return Refused(
                "setup_unfinished", f"Windows' setup is not finished ({name}={value.value}).", "the image's owner"
            )
    return None


def _step(one: Fix, draft: Draft, facts: Facts, findings: list[Finding], history: History) -> Step:
    if draft.restart:
        need(facts.guest.service(TERM_SERVICE))
        draft = replace(draft, drops_sessions=True, risk=Risk.DISRUPTIVE if draft.risk is Risk.SAFE else draft.risk)
    risk, risk_why = _risk(draft, facts, one)
    asks = [
        draft.always_ask,
        *_deliberate(one, facts),
        _people(draft, facts),
        attack_possible(facts) if draft.opens else None,
        waiting_updates(draft, facts.guest),
        _likely(findings),
        _reopened(draft, history),
    ]
    if risk is not Risk.SAFE and risk.value not in facts.policy.auto_risks:
        asks.append(risk_why)
    if risk is not Risk.EXPOSING and Risk.EXPOSING.value not in facts.policy.auto_risks:
        # A disruptive or sensitive step may expose as well; leave for the one is no leave for the other.
        asks.append(_exposed(facts) if _lets_in(draft, one) else None)
    if facts.policy.mode is Mode.APPROVE:
        asks.append("mode approve: a person decides every change")
    people = facts.guest.people()
    sessions = None
    if draft.drops_sessions and not isinstance(people, Unavailable):
        sessions = sorted(one_session.id for one_session in people.value)
    # Waiting changes nothing, so nobody has to be asked.
    why = "" if draft.kind == WAIT else "; ".join(dict.fromkeys(reason for reason in asks if reason))
    return Step(
        step_id=step_id(one.name, draft),
        fix=one.name,
        faults=_faults(one, findings),
        group=RESTART_GROUP if draft.restart else one.name,
        layer=one.layer,
        kind=draft.kind,
        target=draft.target,
        expected=draft.expected,
        desired=draft.desired,
        sessions=sessions,
        title=draft.title,
        postcondition=draft.postcondition,
        risk=risk,
        permissions=list(one.permissions),
        approval=why or None,
        undoable=draft.undoable,
    )


def step_id(fix_name: str, draft: Draft) -> str:
    """A stable id: the same fix, kind and target give the same id in every pass."""
    text = json.dumps([fix_name, draft.kind, draft.target], sort_keys=True)
    return f"{fix_name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _risk(draft: Draft, facts: Facts, one: Fix) -> tuple[Risk, str]:
    if draft.risk is not Risk.SAFE:
        return draft.risk, _RISK_WHY[draft.risk]
    if _lets_in(draft, one):
        exposure = _exposed(facts)
        if exposure is not None:
            return Risk.EXPOSING, exposure
    return Risk.SAFE, ""


def _lets_in(draft: Draft, one: Fix) -> bool:
    """Whether a step makes Windows accept RDP; what the network lets through then gets in."""
    return draft.opens and (one.layer == "guest" or draft.kind == last_resort.KIND)


def _exposed(facts: Facts) -> str | None:
    """Why making Windows accept RDP would expose it, or None when no Internet address outside the sources gets in."""
    port = ask(facts).port
    doors = entries(facts.network, facts.target.vm_id, port)
    outside = admits_outside(facts.network, doors, port, facts.policy.sources)
    if outside.safe:
        return None
    if outside.internet:
        first = outside.internet[0]
        rules = ", ".join(one.rule for one in first.deciders) or "no rule"
        return (
            f"exposing: {first.entry.address}:{first.entry.port} is open to {first.addresses} Internet addresses outside the "
            f"configured sources ({', '.join(first.sources[:3])}; {rules})"
        )
    return f"exposing: who else could get in is not clear ({'; '.join(outside.unclear[:2])})"


_RISK_WHY = {
    Risk.DISRUPTIVE: "disruptive: it drops sessions, restarts something or costs money",
    Risk.EXPOSING: "exposing: it admits an address outside the configured sources",
    Risk.SENSITIVE: "sensitive: it overrides a setting that somebody may have chosen",
}


def _deliberate(one: Fix, facts: Facts) -> list[str]:
    """Why the closing may be deliberate; unread logs count, because unseen is not absent."""
    policy, network = facts.policy, facts.network
    reasons: list[str] = []
    if not isinstance(facts.vm, Unavailable):
        marked = {tag.lower() for tag in policy.isolation_tags} & {tag.lower() for tag in facts.vm.value.tags}
        if marked:
            reasons.append(f"the VM carries the isolation tag {', '.join(sorted(marked))}")
    nsg_ids = ask(facts).nsg_ids
    isolating = {one_id.lower() for one_id in policy.isolation_nsgs} & {one_id.lower() for one_id in nsg_ids}
    if isolating:
        reasons.append(f"the isolation NSG {', '.join(sorted(isolating))} is attached")
    del network
    closings = facts.closings(nsg_ids)
    if isinstance(closings, Unavailable):
        return [*reasons, f"who closed it could not be read ({closings.detail})"]
    if one.closed_by and isinstance(facts.guest.changes, Unavailable):
        reasons.append(f"who closed it inside Windows could not be read ({facts.guest.changes.detail})")
    recent = [c for c in closings.value if facts.at - c.at <= timedelta(days=7)]
    pair = together(recent)
    if pair:
        reasons.append(f"two closing changes within 30 minutes look like a quarantine: {pair[0].text}; {pair[1].text}")
    authored = [c for c in recent if c.kind in one.closed_by and c.author]
    if authored:
        reasons.append(f"it may have been closed on purpose: {authored[-1].text}")
    elif not reasons and policy.unknown_author == "ask":
        reasons.append("author unknown, and this installation asks in that case")
    return reasons


def _people(draft: Draft, facts: Facts) -> str | None:
    if not draft.drops_sessions:
        return None
    people = facts.guest.people()
    if isinstance(people, Unavailable):
        return f"whether people are signed in could not be read ({people.detail})"
    if people.value:
        return f"people are signed in: {', '.join(f'{s.user} ({s.state})' for s in people.value)}"
    return None


_OF_ONE_PERSON = ("account_enabled", "account_expires", "account_locked", "group_member", "user_right")
"""Steps on one account: they open no door, and a person decides them anyway."""


def _under_attack(draft: Draft, facts: Facts, one: Fix) -> Refused | None:
    """Nothing lets in an address outside the sources while passwords are being guessed, whoever approves."""
    if not draft.opens or draft.kind in _OF_ONE_PERSON:
        return None
    seen = attack_in_progress(facts)
    if seen is None or (draft.risk is not Risk.EXPOSING and not (_lets_in(draft, one) and _exposed(facts))):
        return None
    return Refused(
        "brute_force",
        f"Somebody is guessing passwords ({seen}), and this would let in addresses outside the configured sources. Use Bastion, "
        "just-in-time access or the VPN; or let the NSG's rule admit the configured sources only and run this again.",
        "the owner of the NSG",
    )


def _likely(findings: list[Finding]) -> str | None:
    if any(f.confidence is Confidence.LIKELY for f in findings):
        return "the cause is likely, not confirmed"
    return None


def _reopened(draft: Draft, history: History) -> str | None:
    count = dict(history.reopenings).get(str(draft.target.get("name")), 0)
    if draft.kind == "security_rule" and count >= 3:
        return f"this rule was opened {count} times in seven days; a permanent rule is the better answer"
    return None
