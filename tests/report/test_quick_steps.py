"""Microsoft's quick list: eight steps in order, nothing called done that was not, nothing offered without a reason."""

import json
from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.bundle import Mode
from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.models.report import Finding, FindingStatus, Hop, QuickStep, Report
from rdp_remediate.models.run import Phase, Run, Wait
from rdp_remediate.planning import plan
from rdp_remediate.report import card
from rdp_remediate.report.build import build
from rdp_remediate.report.html import page
from rdp_remediate.report.text import lines
from rdp_remediate.report.wording import plain
from rdp_remediate.settings import Settings
from rdp_remediate.worker import new_run
from tests import factories as f
from tests.factories import Change, healthy_bundle, hide
from tests.stage import incident
from tests.store.memory import FakeClock

ORDER = [
    "reset_rdp_configuration", "check_nsg_rules", "boot_diagnostics", "reset_nic", "resource_health", "reset_password",
    "restart_vm", "redeploy_vm",
]  # fmt: skip
UPDATING = f.policy(boot_screen="windows-update")


def reported(*changes: Change, actions: list[JournalEntry] | None = None, extra: list[Finding] | None = None) -> Report:
    """The report of one pass over the healthy VM with these changes, every step with a reason waiting."""
    bundle = healthy_bundle(*changes)
    found = diagnose_bundle(bundle)
    if extra:
        found = found.model_copy(update={"findings": [*found.findings, *extra]})
    made = plan(read_facts(bundle), found.findings)
    clock = FakeClock()
    run = new_run(incident(), Settings(max_mode="auto", untagged="auto", sources={"/": (f.SOURCES,)}), clock)
    asks = [step.step_id for step in made.steps if step.approval]
    if asks:
        run = run.model_copy(update={"phase": Phase.WAIT, "wait": Wait(kind="approval", step_ids=asks)})
    run = run.model_copy(update={"plan": made, "mode": Mode.AUTO, "policy": bundle.policy})
    return build(run, [bundle], [found], actions or [], clock.now())


def quick(report: Report, step: str) -> QuickStep:
    return next(one for one in report.quick_steps if one.step == step)


def statuses(report: Report) -> dict[str, str]:
    return {one.step: one.status for one in report.quick_steps}


def fault(hop: Hop, name: str) -> Finding:
    return Finding(
        check=name, hop=hop, title="It is well.", status=FindingStatus.FAIL, fault=name, reason=f"{name} it is."
    )


def done(report: Report, outcome: Outcome = Outcome.APPLIED) -> list[JournalEntry]:
    clock = FakeClock()
    return [
        JournalEntry(
            run_id=report.run_id,
            vm_id=f.VM,
            number=number,
            pass_number=1,
            step=step,
            outcome=outcome,
            detail="the answer was lost" if outcome is Outcome.OUTCOME_UNKNOWN else None,
            started_at=clock.now(),
            ended_at=clock.now(),
            approved_by="ada@example.com",
        )
        for number, step in enumerate(report.plan.steps, 1)
    ]


def test_the_eight_steps_in_microsofts_order() -> None:
    assert [one.step for one in reported().quick_steps] == ORDER


def test_nothing_is_offered_for_a_healthy_vm() -> None:
    found = statuses(reported())
    assert "offered" not in found.values()
    assert {found[step] for step in ("reset_nic", "reset_password", "restart_vm", "redeploy_vm")} == {"not_needed"}
    assert found["reset_rdp_configuration"] == "not_needed"
    assert found["check_nsg_rules"] == "done"


def test_nothing_is_said_before_anything_was_judged() -> None:
    run = new_run(incident(), Settings(), FakeClock())
    assert build(run, [], [], [], FakeClock().now()).quick_steps == []


def test_what_was_not_read_is_not_done() -> None:
    unread = reported(f.silent, hide("resource_health", f.VM))
    assert quick(unread, "resource_health").status == "refused"
    assert quick(unread, "boot_diagnostics").status != "done"


def test_a_picture_that_a_person_described_was_looked_at() -> None:
    assert quick(reported(f.silent), "boot_diagnostics").status == "offered"
    assert quick(reported(f.silent, f.policy(boot_screen="login")), "boot_diagnostics").status == "done"


def test_a_repair_is_offered_then_done_and_never_before() -> None:
    broken = (f.silent, f.listens(), f.registry(f.DENY_LOCAL, 1))
    offered = reported(*broken)
    assert quick(offered, "reset_rdp_configuration").status == "offered"
    assert (
        quick(reported(*broken, actions=done(offered, Outcome.FAILED)), "reset_rdp_configuration").status == "refused"
    )
    first, second = healthy_bundle(*broken), healthy_bundle()
    run = new_run(incident(), Settings(), FakeClock())
    both = [diagnose_bundle(first), diagnose_bundle(second)]
    one = quick(build(run, [first, second], both, done(offered), FakeClock().now()), "reset_rdp_configuration")
    assert one.status == "done"
    assert one.evidence == [plain(step.title) for step in offered.plan.steps]
    assert quick(build(run, [first, second], both, [], FakeClock().now()), "reset_rdp_configuration").status != "done"


def test_windows_that_could_not_be_seen_is_not_reset_on_suspicion() -> None:
    one = quick(reported(f.silent, f.agent_not_ready), "reset_rdp_configuration")
    assert one.status == "refused"
    assert "suspicion" in one.why


def test_what_group_policy_owns_is_refused() -> None:
    one = quick(reported(f.silent, f.listens(), f.registry(f.DENY_POLICY, 1)), "reset_rdp_configuration")
    assert one.status == "refused"
    assert one.command is None


def test_a_restart_is_offered_with_its_cost_and_the_yes_that_it_needs() -> None:
    one = quick(reported(f.silent, f.agent_not_ready), "restart_vm")
    assert one.status == "offered"
    assert "session" in (one.cost or "")
    assert (one.command or "").startswith("rdp-remediate approve ")


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.APPLIED, "done"),
        (Outcome.OUTCOME_UNKNOWN, "refused"),
        (Outcome.FAILED, "refused"),
        (Outcome.NOT_STARTED, "refused"),
    ],
)
def test_a_restart_is_done_only_if_it_was_applied(outcome: Outcome, status: str) -> None:
    offered = reported(f.silent, f.agent_not_ready)
    assert quick(reported(f.silent, f.agent_not_ready, actions=done(offered, outcome)), "restart_vm").status == status


def test_a_vm_whose_rdp_answers_is_not_restarted_for_its_agent() -> None:
    assert quick(reported(f.agent_not_ready), "restart_vm").status == "not_needed"


def test_nothing_restarts_the_vm_while_windows_updates() -> None:
    broken = [fault(Hop.PLATFORM, "platform-degraded-hardware"), fault(Hop.GUEST_NETWORK, "nic-disabled")]
    found = statuses(reported(f.silent, f.agent_not_ready, UPDATING, extra=broken))
    assert {found[step] for step in ("reset_nic", "restart_vm", "redeploy_vm")} == {"refused"}


def test_a_failing_host_offers_the_redeploy_and_names_the_temporary_disk() -> None:
    one = quick(reported(extra=[fault(Hop.PLATFORM, "platform-degraded-hardware")]), "redeploy_vm")
    assert one.status == "offered"
    assert "D: is lost" in (one.cost or "")
    assert one.command is not None
    assert one.command.startswith("rdp-remediate approve")
    assert "redeploy_virtual_machine" in one.command


def test_a_disabled_adapter_offers_the_nic_reset_and_names_the_address() -> None:
    one = quick(reported(f.silent, extra=[fault(Hop.GUEST_NETWORK, "nic-disabled")]), "reset_nic")
    assert one.status == "offered"
    assert "address" in (one.cost or "")


@pytest.mark.parametrize(
    ("user", "role", "status"),
    [("opsuser", 2, "offered"), ("ada@example.com", 2, "refused"), ("opsuser", 5, "refused")],
)
def test_a_password_is_a_command_for_the_owner_and_nothing_else(user: str, role: int, status: str) -> None:
    changes = (f.target(user=user), f.guest("os", "domain_role", value=role))
    one = _with_user(reported(*changes, extra=[fault(Hop.GUEST_AUTH, "auth-password-expired")]), user, changes)
    assert one.status == status
    if status == "offered":
        assert "-p NEW_PASSWORD" in (one.command or "")


def _with_user(report: Report, user: str, changes: tuple[Change, ...]) -> QuickStep:
    """The same report for the run of this user."""
    bundle = healthy_bundle(*changes)
    found = diagnose_bundle(bundle)
    found = found.model_copy(update={"findings": [*found.findings, fault(Hop.GUEST_AUTH, "auth-password-expired")]})
    run: Run = new_run(incident(user=user), Settings(), FakeClock()).model_copy(update={"plan": report.plan})
    return quick(build(run, [bundle], [found], [], FakeClock().now()), "reset_password")


def test_every_form_says_them() -> None:
    report = reported(f.silent, f.agent_not_ready)
    text = "\n".join(lines(report))
    html = page(report)
    message = card.message(report)
    for one in report.quick_steps:
        assert one.title in text
        assert one.title in html
        assert one.title in message.decode()
    assert len(message) < 20_000
    document: Any = json.loads(report.model_dump_json(by_alias=True))
    assert [one["step"] for one in document["quick_steps"]] == ORDER
