"""While passwords are guessed nothing exposing is planned, approved or not; what could not be counted waits for a person."""

from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.plan import Risk
from tests import factories as f
from tests.checks.guest_auth.accounts import attack
from tests.factories import Change, hide
from tests.planned import NO_RULE, STOPPED, planned

OPEN_TO_ALL = (
    f.security_rules(f.NIC_NSG, f.rule("Allow-Any", 300, source="*")),
    f.security_rules(f.SUBNET_NSG, f.rule("Allow-Any", 300, source="*")),
)


def workspace(guesses: int, sources: int = 20, minutes_ago: int = 2, seen: int = 500) -> Change:
    def change(data: JsonObject) -> None:
        at = (f.at(data) - timedelta(minutes=minutes_ago)).strftime("%Y-%m-%dT%H:%M:%SZ") if guesses else None
        row: dict[str, Any] = {"Seen": seen, "Guesses": guesses, "Sources": sources, "LastAt": at}
        data.setdefault("logs", {})["brute_force"] = [row]

    return change


def no_workspace(data: JsonObject) -> None:
    data["unavailable"].append({"fact": "logs", "reason": "not_configured", "detail": "none is set"})


def forbidden(data: JsonObject) -> None:
    data["unavailable"].append({"fact": "logs.brute_force", "reason": "forbidden", "detail": "403"})


QUIET = f.failed_sign_ins(0)


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param((attack(),), id="the guest alone"),
        pytest.param((attack(), no_workspace), id="the guest, no workspace"),
        pytest.param((attack(), forbidden), id="the guest, logs forbidden"),
        pytest.param((attack(), workspace(0)), id="the guest, a quiet workspace"),
        pytest.param((hide("guest.sign_ins"), workspace(100)), id="the workspace, guest unread"),
        pytest.param((QUIET, workspace(100)), id="the workspace, a quiet guest"),
    ],
)
def test_an_attack_refuses_what_is_exposing_and_says_what_to_do(shown: tuple[Change, ...]) -> None:
    made = planned(*STOPPED, *OPEN_TO_ALL, *shown)
    assert [step for step in made.steps if step.layer == "guest"] == []
    (refused,) = [one for one in made.refusals if one.code == "brute_force"]
    assert refused.fault == "termservice-stopped"
    assert "Bastion" in refused.why
    assert "configured sources only" in refused.why


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        pytest.param((hide("guest.sign_ins"),), "could not be counted", id="guest unread, no logs"),
        pytest.param((hide("guest.sign_ins"), forbidden), "could not be counted", id="guest unread, logs forbidden"),
        pytest.param(
            (hide("guest.sign_ins"), workspace(0)), "could not be counted", id="guest unread, quiet workspace"
        ),
        pytest.param(
            (hide("guest.sign_ins"), workspace(0, seen=0)), "could not be counted", id="a VM that sends nothing"
        ),
        pytest.param((attack(sources=1),), "brute force may be going on", id="many failures from one address"),
        pytest.param((QUIET, workspace(100, minutes_ago=25)), "brute force may be going on", id="an attack that ended"),
        pytest.param(
            (QUIET, workspace(100, sources=1)), "brute force may be going on", id="one address in the workspace"
        ),
    ],
)
def test_what_is_not_known_for_sure_waits_for_a_person(shown: tuple[Change, ...], why: str) -> None:
    made = planned(*STOPPED, *OPEN_TO_ALL, *shown)
    (step,) = [step for step in made.steps if step.layer == "guest"]
    assert step.risk is Risk.EXPOSING
    assert why in (step.approval or "")
    assert [one for one in made.refusals if one.code == "brute_force"] == []


@pytest.mark.parametrize("logs", [(), (no_workspace,), (forbidden,), (workspace(0),), (workspace(5),)])
def test_the_guests_own_count_suffices_without_a_workspace(logs: tuple[Change, ...]) -> None:
    (step,) = planned(*STOPPED, QUIET, *logs).steps
    assert step.approval is None


@pytest.mark.parametrize("fault", [STOPPED, NO_RULE])
def test_what_admits_the_configured_sources_only_waits_and_is_not_refused(fault: tuple[Change, ...]) -> None:
    made = planned(*fault, attack())
    assert [one for one in made.refusals if one.code == "brute_force"] == []
    assert all("brute force" in (step.approval or "") for step in made.steps if step.kind != "narrow_nsg_rule")
    assert made.steps


def test_closing_the_open_door_is_never_refused() -> None:
    made = planned(*OPEN_TO_ALL, attack())
    assert [step.kind for step in made.steps] == ["narrow_nsg_rule"]
