"""Owner is not enough: signing in with Microsoft Entra ID is a data action of two roles."""

import pytest

from rdp_remediate.facts.roles import read_roles
from tests import factories as f
from tests.checks import roles as r
from tests.checks.guest_auth import accounts as a
from tests.checks.judging import diagnosis, finding
from tests.factories import Change

CHECK = "entra_user_has_a_login_role"
ASKED = (a.asked(a.ENTRA), f.guest("accounts", "entra_joined", value=True))
ADMIN = r.role("Admin login", dataActions=["Microsoft.Compute/virtualMachines/loginAsAdmin/action"])
WILD = r.role("All data", dataActions=["Microsoft.Compute/*"])
MINUS = r.role(
    "All data but signing in",
    dataActions=["*"],
    notDataActions=["Microsoft.Compute/virtualMachines/login*/action"],
)


@pytest.mark.parametrize("roles", [(), (r.OWNER,), (r.OWNER, r.READER), (MINUS,)])
def test_a_person_without_a_login_role_is_kept_out(roles: tuple[dict[str, object], ...]) -> None:
    found = diagnosis(*ASKED, r.has(*roles))
    assert found.verdict.causes == ["entra-role-missing"]
    assert (found.verdict.status, found.verdict.hop) == ("broken", "guest-auth")
    one = next(one for one in found.findings if one.check == CHECK)
    assert r.PERSON in (one.by_hand or "")


@pytest.mark.parametrize("roles", [(r.USER_LOGIN,), (ADMIN,), (WILD,), (r.OWNER, r.USER_LOGIN), (MINUS, r.USER_LOGIN)])
def test_a_role_with_the_data_action_is_enough(roles: tuple[dict[str, object], ...]) -> None:
    assert finding(CHECK, *ASKED, r.has(*roles)).status == "pass"


def test_a_condition_is_not_judged_and_said() -> None:
    one = finding(CHECK, *ASKED, r.has({**r.USER_LOGIN, "condition": "@Resource[...]"}))
    assert (one.status, "condition" in (one.reason or "")) == ("pass", True)


@pytest.mark.parametrize(
    "changes",
    [
        (*ASKED,),  # nobody said who the person is in Entra
        (*ASKED, r.has(r.OWNER), f.hide("role_assignments", f.VM)),
        (*ASKED, r.has(r.OWNER), f.operation("role_assignments", f.VM, {"value": [{"properties": {}}]})),
        (*ASKED, r.has(r.OWNER), f.hide("guest.accounts")),
    ],
)
def test_what_is_not_seen_is_unknown(changes: tuple[Change, ...]) -> None:
    assert finding(CHECK, *changes).status == "unknown"


def test_local_users_and_vms_that_do_not_sign_entra_users_in_need_no_role() -> None:
    assert finding(CHECK, a.asked(a.LOCAL), r.has(r.OWNER)).status == "skipped"
    assert finding(CHECK, a.asked(a.ENTRA), r.has(r.OWNER)).status == "skipped"


@pytest.mark.parametrize(
    "raw", [None, {}, {"value": 1}, {"value": [], "definitions": None}, {"value": [1], "definitions": {}}]
)
def test_an_answer_of_another_shape_is_refused(raw: object) -> None:
    with pytest.raises((TypeError, KeyError)):
        read_roles(raw)
