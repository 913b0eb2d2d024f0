"""Microsoft's quick list for RDP to an Azure VM in its order, and for each step whether it was done, is offered or is not.

Nothing here plans or judges anything: the statuses follow from findings, plan and journal. `refused` also covers what
could not be done or seen, with the reason; only what was really looked at or changed is `done`.
Source: learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-connection
"""

from collections.abc import Sequence

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.plan import JournalEntry, Outcome, Plan
from rdp_remediate.models.report import Diagnosis, FindingStatus, Hop, QuickStep
from rdp_remediate.models.run import Run
from rdp_remediate.report import deciding
from rdp_remediate.report.quick_actions import nic, password, redeploy, restart
from rdp_remediate.report.quick_evidence import (
    Seen,
    answer,
    approval,
    by_sight,
    missed,
    open_steps,
    refusal_of,
    unread,
    update_under_way,
)
from rdp_remediate.report.wording import plain

CONFIGURATION_HOPS = (Hop.GUEST_FIREWALL, Hop.GUEST_RDP_SERVICE)


def quick_steps(
    run: Run, bundles: Sequence[Bundle], diagnoses: Sequence[Diagnosis], journal: Sequence[JournalEntry]
) -> list[QuickStep]:
    """The eight steps in Microsoft's order; none before anything was judged."""
    if not bundles or not diagnoses:
        return []
    findings = tuple(one for diagnosis in diagnoses for one in diagnosis.findings)
    seen = Seen(
        run,
        bundles[-1],
        diagnoses[-1],
        findings,
        tuple(journal),
        run.plan or Plan(),
        update_under_way(bundles[-1], diagnoses[-1]),
        tuple(entry for entry in journal if entry.outcome is Outcome.APPLIED),
    )
    return [
        _configuration(seen),
        _nsg_rules(seen),
        _boot_diagnostics(seen),
        nic(seen),
        _health(seen),
        password(seen),
        restart(seen),
        redeploy(seen),
    ]


def _configuration(seen: Seen) -> QuickStep:
    title = "Reset the RDP configuration"
    faults = {
        f.fault for f in seen.findings if f.hop in CONFIGURATION_HOPS and f.status is FindingStatus.FAIL and f.fault
    }
    still = [f for f in seen.last.findings if f.hop in CONFIGURATION_HOPS and f.status is FindingStatus.FAIL]
    waiting = open_steps(seen, *faults)
    done = [e for e in seen.applied if e.step.layer == "guest" and faults & set(e.step.faults)]
    titles = [plain(e.step.title) for e in done]
    if waiting:
        return QuickStep(
            step="reset_rdp_configuration",
            title=title,
            status="offered",
            why="Only what differs would be set, value by value; VMAccess, which resets all of it, is not needed.",
            evidence=[*titles, *(plain(step.title) for step in waiting)],
            cost="; ".join(dict.fromkeys(plain(step.approval) for step in waiting if step.approval)) or None,
            command=approval(seen, waiting[0]),
        )
    if still:
        names = {f.fault for f in still}
        tried = [e for e in seen.journal if e.outcome is not Outcome.APPLIED and names & set(e.step.faults)]
        refusal = refusal_of(seen, *(f.fault for f in still if f.fault))
        why = f"{plain(still[0].reason or still[0].title)} It is mended by hand, not by a reset of everything."
        if refusal is not None and refusal.code != "by_hand":
            why = plain(refusal.why)
        elif tried:
            ended = plain(tried[-1].detail or tried[-1].outcome.value)
            why = f"{plain(tried[-1].step.title)} was tried and not done: {ended}"
        return QuickStep(step="reset_rdp_configuration", title=title, status="refused", why=why, evidence=titles)
    if done:
        return QuickStep(
            step="reset_rdp_configuration",
            title=title,
            status="done",
            why="What differed was set back, value by value; nothing else was reset, and VMAccess was not run.",
            evidence=titles,
        )
    return by_sight(
        seen,
        QuickStep(
            step="reset_rdp_configuration",
            title=title,
            status="not_needed",
            why="Service, listener, settings and guest firewall are as they should be.",
        ),
        CONFIGURATION_HOPS,
    )


def _nsg_rules(seen: Seen) -> QuickStep:
    title = "Check the NSG rules"
    views = seen.last.paths
    if not views:
        network = [f for f in seen.last.findings if f.hop in (Hop.ENDPOINT, Hop.NETWORK)]
        blind = next((f for f in network if f.status is FindingStatus.UNKNOWN), None)
        why = plain(blind.reason or blind.title) if blind else "There is no way in whose rules could be asked."
        return QuickStep(step="check_nsg_rules", title=title, status="refused", why=why)
    evidence = [line for view in views for line in (deciding.headline(view), *deciding.deciders(view))]
    if all(view.verdict == "INDETERMINATE" for view in views):
        gaps = "; ".join(plain(gap) for view in views for gap in view.data_gaps) or "not everything could be read"
        why = f"They could not be decided for certain: {gaps}"
        return QuickStep(step="check_nsg_rules", title=title, status="refused", why=why, evidence=evidence)
    return QuickStep(
        step="check_nsg_rules",
        title=title,
        status="done",
        why="Every rule on the client's way in was asked, and so was the route of the reply.",
        evidence=evidence,
    )


def _boot_diagnostics(seen: Seen) -> QuickStep:
    title = "Look at the boot diagnostics"
    vm_id = seen.run.target.vm_id
    command = f"az vm boot-diagnostics get-boot-log --ids {plain(vm_id)}"
    looked = seen.bundle.policy.boot_screen
    log = answer(seen, "boot_log")
    evidence = [f"the picture, as a person sees it: {plain(looked)}"] if looked else []
    if log is not None:
        evidence.append(f"serial log read: {len(str(log.get('text') or ''))} characters")
    kept = answer(seen, "boot_picture")
    if kept is not None:
        evidence.append(f"the boot picture is kept with the run ({kept.get('bytes')} bytes)")
        command = f"rdp-remediate history {seen.run.run_id} --picture boot-picture.bmp"
    if evidence:
        picture = "" if looked else " Nobody has looked at the picture: say what it shows with --boot-screen."
        return QuickStep(
            step="boot_diagnostics",
            title=title,
            status="done",
            why=f"{'What the VM shows at its console was taken into account.' if log or looked else ''}{picture}".strip(),
            evidence=evidence,
            command=command if kept is not None else None,
        )
    gone = missed(seen, "boot_log")
    if seen.reachable:
        return QuickStep(step="boot_diagnostics", title=title, status="not_needed", why="RDP answers.")
    if gone is not None:
        return QuickStep(step="boot_diagnostics", title=title, status="refused", why=unread(gone), command=command)
    return QuickStep(
        step="boot_diagnostics",
        title=title,
        status="offered",
        why="Nobody has looked at the boot picture in this run; say what it shows with --boot-screen.",
        command=command,
    )


def _health(seen: Seen) -> QuickStep:
    title = "Check the resource health"
    body = answer(seen, "resource_health")
    if body is not None:
        inner = body.get("properties")
        properties: JsonObject = inner if isinstance(inner, dict) else body
        state = plain(properties.get("availabilityState") or "no state")
        summary = plain(properties.get("summary") or properties.get("title") or "")
        return QuickStep(
            step="resource_health",
            title=title,
            status="done",
            why=f"Azure calls the VM {state}.",
            evidence=[summary] if summary else [],
        )
    gone = missed(seen, "resource_health")
    if gone is not None and gone.reason == "not_found":
        why = "Azure has no entry for this VM, which says nothing about its health."
        return QuickStep(step="resource_health", title=title, status="done", why=why)
    why = unread(gone) if gone is not None else "It was not read."
    return QuickStep(step="resource_health", title=title, status="refused", why=why)
