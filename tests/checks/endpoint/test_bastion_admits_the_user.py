"""What can be said about a Bastion user from Azure Resource Manager, and what cannot."""

import pytest

from rdp_remediate.checks.check import all_checks
from rdp_remediate.models.report import Confidence, FindingStatus
from tests import factories as f
from tests.checks.endpoint.test_bastion_reaches_the_vm import BEHIND
from tests.checks.judging import diagnosis, finding

CHECK = "bastion_admits_the_user"


def test_a_down_level_account_is_a_possible_mistake_and_no_cause() -> None:
    asked = f.target(user="CONTOSO\\jdoe", entry="bastion")
    one = finding(CHECK, *BEHIND, asked)
    assert (one.fault, one.confidence) == ("bastion-user-format-or-entra", Confidence.POSSIBLE)
    assert diagnosis(*BEHIND, asked).verdict.causes == []


def test_a_local_account_is_written_right() -> None:
    assert finding(CHECK, *BEHIND, f.target(user=".\\admin1")).status is FindingStatus.UNKNOWN


@pytest.mark.parametrize("fault", ["bastion-rbac-or-jit", "bastion-websocket-blocked"])
def test_what_cannot_be_proven_is_named_and_not_called_detected(fault: str) -> None:
    one = finding(CHECK, *BEHIND)
    assert one.status is FindingStatus.UNKNOWN
    assert fault in (one.reason or "")
    check = next(c for c in all_checks() if c.name == CHECK)
    assert fault not in check.faults
    assert fault in check.not_provable
    assert check.by_hand(fault)


def test_the_gateways_limit_is_listed_as_not_provable() -> None:
    check = next(c for c in all_checks() if "rdgateway-max-connections" in c.not_provable)
    assert "MaxConnections" in check.by_hand("rdgateway-max-connections")
    assert finding(check.name).status is FindingStatus.SKIPPED
