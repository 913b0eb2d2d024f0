"""The step boot_ems on simulated Windows: set, again without a change, taken back, refused."""

import pytest

from tests.guest.on_winps import Op, Step, changes_but_record, comparable, repair, step, undo_of
from tests.winps import Winps

pytestmark = pytest.mark.slow

OFF: Op = {"path": ["boot", "ems"], "value": "No"}
ABSENT: Op = {"path": ["boot", "ems"], "remove": True}
CASES = [
    ("server2022", [OFF], "No"),
    ("server2022", [ABSENT], None),
    ("server2022-de", [ABSENT], None),
    pytest.param("server2022-core", [OFF], "No", marks=pytest.mark.slow),
    *(pytest.param(base, [OFF], "No", marks=pytest.mark.slow) for base in ("server2016", "server2022-domain", "win11")),
]


def ems(expected: str | None, desired: str | None) -> Step:
    return step("boot_ems", {"entry": "current"}, expected, desired)


@pytest.mark.parametrize(("base", "ops", "before"), CASES)
def test_ems_is_switched_on_once_and_taken_back(winps: Winps, base: str, ops: list[Op], before: str | None) -> None:
    broken = {"base": base, "ops": ops}
    steps = [ems(before, "Yes")]
    first = repair(winps, broken, steps)
    assert first.outcomes == ["applied"]
    assert changes_but_record(first) == [("boot.set", "ems")]
    assert first.answer["system"]["ems"] == "Yes"
    again = repair(winps, first.state, steps)
    assert again.outcomes == ["already_true"]
    assert changes_but_record(again) == []
    undone = repair(winps, first.state, undo_of(steps))
    assert undone.outcomes == ["applied"]
    assert undone.answer["system"]["ems"] == (before or "absent")
    assert comparable(undone.state)["boot"].get("ems") == before


def test_what_is_no_setting_or_not_as_expected_changes_nothing(winps: Winps) -> None:
    state = {"base": "server2022", "ops": [OFF]}
    for asked, outcome in ((ems("No", "Auto"), "refused"), (ems(None, "Yes"), "stale")):
        ran = repair(winps, state, [asked])
        assert ran.outcomes == [outcome]
        assert changes_but_record(ran) == []
