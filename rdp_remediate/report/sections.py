"""What a person has to know, in the order of its weight, as data; text, card and page only lay it out."""

from rdp_remediate.models.bundle import UnavailableFact
from rdp_remediate.models.plan import JournalEntry, Outcome, Step
from rdp_remediate.models.report import Finding, FindingStatus, PasteBlock, Report
from rdp_remediate.network.isolation import vantage_line
from rdp_remediate.report.timeline_words import line
from rdp_remediate.report.wording import OUTCOME_WORDS, PROOF_WORDS, QUICK_WORDS, REASON_WORDS, clock, last_name, plain

_TROUBLE = (Outcome.FAILED, Outcome.OUTCOME_UNKNOWN, Outcome.STALE)


def proof_line(report: Report) -> str:
    """What shows that RDP answers, or that nothing does."""
    verdict = report.verdict
    word = PROOF_WORDS[verdict.proof.value]
    # A headline often is the proof already; nobody wants to read it twice.
    if not verdict.proof_detail or verdict.proof_detail in verdict.headline:
        return word
    return f"{word} - {plain(verdict.proof_detail)}"


def action_line(entry: JournalEntry) -> str:
    """One step of the journal: what, and how it ended."""
    who = f", approved by {plain(entry.approved_by)}" if entry.approved_by else ""
    spent = f", {(entry.ended_at - entry.started_at).total_seconds():.1f} s" if entry.ended_at else ""
    detail = f": {plain(entry.detail)}" if entry.detail and entry.outcome is not Outcome.APPLIED else ""
    return f"{plain(entry.step.title)} - {OUTCOME_WORDS[entry.outcome]}{spent}{who}{detail}"


def action_symbol(entry: JournalEntry) -> str:
    """A mark for how a step ended."""
    if entry.outcome in (Outcome.APPLIED, Outcome.ALREADY_TRUE):
        return "✓"
    return "✗" if entry.outcome is Outcome.FAILED else "?" if entry.outcome in _TROUBLE else "·"


def undo_line(entry: JournalEntry) -> str | None:
    """How a person takes one applied step back, or None when there is nothing to take back."""
    step = entry.step
    if entry.outcome is not Outcome.APPLIED:
        return None
    if step.kind in ("security_rule", "outbound_rule"):
        return f"az network nsg rule delete --ids {plain(step.target.get('nsg_id'))}/securityRules/{plain(step.target.get('name'))}"
    if step.kind == "narrow_nsg_rule":
        return _wide_again(step)
    if step.kind == "host_route":
        route = f"{plain(step.target.get('route_table_id'))}/routes/{plain(step.target.get('name'))}"
        return f"az network route-table route delete --ids {route}"
    if step.kind == "start_vm":
        return f"az vm deallocate --ids {plain(step.target.get('vm_id'))}"
    if step.kind == "jit_request":
        return "it ends by itself; earlier in Defender for Cloud"
    if not step.undoable or step.kind == "service_restart":
        return "cannot be taken back"
    before = entry.before if entry.before is not None else step.expected
    if command := _guest_command(step, before):
        return f"in Windows: {command}"
    what = ", ".join(plain(value) for value in step.target.values())
    return f"set {what} back to {plain(before)}" if before is not None else f"remove {what} again"


_START_TYPES = {"Auto": "auto", "AutoDelayed": "delayed-auto", "Manual": "demand", "Disabled": "disabled"}


def _guest_command(step: Step, before: object) -> str | None:
    """The one line of PowerShell that puts a rule or a service back, or None for other targets."""
    if step.kind == "firewall_rule" and isinstance(before, bool):
        return f"{'Enable' if before else 'Disable'}-NetFirewallRule -Name {plain(step.target.get('rule'))}"
    service = plain(step.target.get("service"))
    if step.kind == "service_state" and before in ("Running", "Stopped"):
        return f"{'Start' if before == 'Running' else 'Stop'}-Service -Name {service}"
    if step.kind == "service_start" and before in _START_TYPES:
        return f"sc.exe config {service} start= {_START_TYPES[str(before)]}"
    return None


def _wide_again(step: Step) -> str:
    """The command that gives a narrowed rule its old source again."""
    before = step.expected["properties"] if isinstance(step.expected, dict) else {}
    named = before.get("sourceAddressPrefixes") or [before.get("sourceAddressPrefix")]
    return (
        f"az network nsg rule update --ids {plain(step.target.get('nsg_id'))}/securityRules/{plain(step.target.get('name'))} "
        f"--source-address-prefixes {' '.join(repr(plain(one)) for one in named)}"
    )


def undo_command(report: Report) -> str | None:
    """The command that takes all of it back, or None when there is nothing to take back."""
    return f"rdp-remediate undo {plain(report.run_id)}" if any(undo_line(one) for one in report.actions) else None


def quick_steps(report: Report) -> list[str]:
    """Microsoft's quick list, a line a step; what a step would cost stands where it is offered."""
    out = []
    for number, one in enumerate(report.quick_steps, 1):
        cost = f" Cost: {plain(one.cost)}" if one.cost and one.status == "offered" else ""
        out.append(f"{number}. {plain(one.title)}: {QUICK_WORDS[one.status]} - {plain(one.why)}{cost}")
    return out


def waiting_steps(report: Report) -> list[Step]:
    """The steps that wait for a person, in plan order."""
    return [step for step in report.plan.steps if step.step_id in report.waiting]


def open_steps(report: Report) -> list[Step]:
    """Steps that were planned but neither wait nor were tried: what mode observe would have done."""
    tried = {entry.step.step_id for entry in report.actions}
    return [step for step in report.plan.steps if step.step_id not in report.waiting and step.step_id not in tried]


def causes(report: Report) -> list[Finding]:
    """The findings behind the verdict's causes, in the verdict's order."""
    named = {f.fault: f for f in reversed(report.findings) if f.status in (FindingStatus.FAIL, FindingStatus.BY_DESIGN)}
    return [named[fault] for fault in report.verdict.causes if fault in named]


def by_hand(report: Report) -> list[tuple[str, str]]:
    """Fault and steps for each cause that no step of the plan repairs."""
    covered = {fault for step in report.plan.steps for fault in step.faults}
    said = [(f.fault or f.check, plain(f.by_hand)) for f in causes(report) if f.by_hand and f.fault not in covered]
    known = {fault for fault, _ in said}
    refused = [
        r for r in report.plan.refusals if r.code == "by_hand" and r.fault not in known and r.fault not in covered
    ]
    return said + [(r.fault, plain(r.why)) for r in refused]


PROMPT_WORDS = {
    "cmd": "cmd or PowerShell in Windows",
    "powershell": "PowerShell",
    "azure_cli": "Azure CLI",
}


def paste_title(block: PasteBlock) -> str:
    """What a block of commands is for, where it is typed, and what has to be seen before."""
    only = f" ONLY IF {plain(block.only_if)}." if block.only_if else ""
    note = f" Note: {plain(block.note)}." if block.note else ""
    return f"{plain(block.title)} ({PROMPT_WORDS[block.prompt]}).{only}{note}"


def refusals(report: Report) -> list[str]:
    """Why a fault is not repaired, and whom to ask."""
    return [
        f"{plain(r.fault)}: {plain(r.why)}{f' Ask {plain(r.owner)}.' if r.owner else ''}"
        for r in report.plan.refusals
        if r.code != "by_hand"
    ]


def vantages(report: Report) -> list[str]:
    """Who reaches RDP and who does not; one vantage alone says nothing that the proof does not say already."""
    return [plain(vantage_line(one), 400) for one in report.vantages] if _several(report) else []


def _several(report: Report) -> bool:
    vantages_seen = {one.vantage for one in report.vantages}
    return len(vantages_seen) > 1 or bool(vantages_seen - {"app", "cli"})


def other_findings(report: Report) -> list[str]:
    """Failed checks that are no cause: risks, what is degraded, what limits our sight, what is only possible."""
    out = []
    for finding in report.findings:
        if finding.status is FindingStatus.FAIL and finding.fault not in report.verdict.causes:
            kind = finding.effect.value if finding.effect else "note"
            words = {"blocks": "possible cause", "degrades": "degraded", "blinds": "limits our sight"}
            out.append(f"{words.get(kind, kind)}: {plain(finding.reason or finding.title)}")
    return out


def probe_remarks(report: Report) -> list[str]:
    """What the latest probes saw of certificate, name, TLS and clock, each sentence once with the endpoints it is about."""
    latest = report.probes.get("after", report.probes.get("before", []))
    seen: dict[str, list[str]] = {}
    for one in latest:
        for said in one.findings:
            seen.setdefault(plain(said), []).append(f"{plain(one.address)}:{one.port}")
    return [f"{', '.join(dict.fromkeys(where))}: {said}" for said, where in seen.items()]


def unseen(report: Report) -> list[str]:
    """What could not be seen: checks without an answer, checks with a bug of ours, then reads that failed."""
    same: dict[str, list[str]] = {}
    for one in report.findings:
        if one.status is FindingStatus.UNKNOWN and not _follows(one, report):
            same.setdefault(plain(one.reason or "no reason is given"), []).append(plain(one.title).rstrip("."))
    out = [f"unknown: {'; '.join(titles)} - {reason}" for reason, titles in same.items()]
    out += [
        f"our own bug: {plain(f.title)} {plain(f.reason or '')}"
        for f in report.findings
        if f.status is FindingStatus.ERROR
    ]
    # That no workspace is set is said once, beside the timeline, where it would have helped.
    return out + [_unavailable(one) for one in report.unavailable if one.fact != "logs"]


def timeline(report: Report, most: int = 12) -> list[str]:
    """What changed since RDP worked: the headline, the newest entries and whatever explains the cause, what was not read.

    Empty where nothing was logged at all.
    """
    told = report.timeline
    if told is None or not told.entries:
        return []
    newest = told.entries[-most:]
    shown = [one for one in told.entries if one.explains or one.at == told.last_good or one in newest]
    out = [plain(told.headline)]
    for one in shown:
        mark = "▶ " if one.explains else ""
        out.append(f"{clock(one.at)} {mark}{line(one)}{f' - {plain(one.explains)}' if one.explains else ''}")
    return out + [plain(one) for one in told.unread]


def _follows(finding: Finding, report: Report) -> bool:
    """Whether a check is unknown only because another, listed check is."""
    return any(finding.because == other.check for other in report.findings)


def _unavailable(one: UnavailableFact) -> str:
    where = f" of {plain(last_name(one.resource_id))}" if one.resource_id else ""
    detail = f" - {plain(one.detail)}" if one.detail else ""
    return f"{plain(one.fact)}{where}: {REASON_WORDS.get(one.reason, plain(one.reason))}{detail}"


def risks_of(step: Step) -> str:
    """The risk of a step and why a person is asked."""
    why = plain(step.approval or "")
    if f"{step.risk.value}: " in why:
        return why
    return f"{step.risk.value}; {why}" if why else step.risk.value
