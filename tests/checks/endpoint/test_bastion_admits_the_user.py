"""What can be said about a Bastion user from Azure Resource Manager, and what cannot."""

import pytest

from rdp_remediate.checks.check import all_checks
from rdp_remediate.models.report import Confidence, FindingStatus
from tests import factories as f
from tests.checks import roles as r
from tests.checks.endpoint.test_bastion_reaches_the_vm import BEHIND
from tests.checks.judging import diagnosis, finding
from tests.factories import Change

CHECK = "bastion_admits_the_user"


def test_a_down_level_account_is_a_possible_mistake_and_no_cause() -> None:
    asked = f.target(user="CONTOSO\\jdoe", entry="bastion")
    one = finding(CHECK, *BEHIND, asked)
    assert (one.fault, one.confidence) == ("bastion-user-format-or-entra", Confidence.POSSIBLE)
    assert diagnosis(*BEHIND, asked).verdict.causes == []


def test_a_local_account_is_written_right() -> None:
    assert finding(CHECK, *BEHIND, f.target(user=".\\admin1"), r.has(r.READER)).status is FindingStatus.PASS


@pytest.mark.parametrize("lost", [f.VM, f.NIC, r.BASTION])
def test_a_person_who_may_not_read_one_of_the_three_gets_no_session(lost: str) -> None:
    rest = tuple(scope for scope in r.SCOPES if scope != lost)
    one = finding(CHECK, *BEHIND, r.has(r.READER, at=rest))
    assert (one.fault, one.effect, one.confidence) == ("bastion-rbac-or-jit", "blocks", "confirmed")
    assert one.evidence["scope"] == lost
    assert lost in (one.by_hand or "")


def test_the_vnet_matters_only_where_bastion_stands_in_another_one() -> None:
    rest = tuple(scope for scope in r.SCOPES if scope != f.VNET)
    assert finding(CHECK, *BEHIND, r.has(r.READER, at=rest)).status is FindingStatus.PASS


def test_with_just_in_time_access_the_person_must_be_able_to_ask_for_it() -> None:
    guarded = (*BEHIND, f.jit_policy())
    asker = r.role("Asker", actions=["*/read", "Microsoft.Security/locations/jitNetworkAccessPolicies/*"])
    # The policy may keep the port closed, which another check says; this one is asked after it is open.
    judged = [finding(CHECK, *guarded, r.has(one)) for one in (r.READER, asker)]
    assert [one.fault for one in judged] == ["bastion-rbac-or-jit", None]


@pytest.mark.parametrize("change", [f.target(user="opsuser"), f.hide("role_assignments", f.NIC)])
def test_a_person_whose_roles_are_not_known_is_unknown(change: Change) -> None:
    roles = r.has(r.READER) if "hide" in change.__qualname__ else f.target()
    assert finding(CHECK, *BEHIND, roles, change).status is FindingStatus.UNKNOWN


def test_the_gateways_limit_is_listed_as_not_provable() -> None:
    check = next(c for c in all_checks() if "rdgateway-max-connections" in c.not_provable)
    assert "MaxConnections" in check.by_hand("rdgateway-max-connections")
    assert finding(check.name).status is FindingStatus.SKIPPED
