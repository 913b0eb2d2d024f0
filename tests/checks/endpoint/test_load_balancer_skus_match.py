"""Basic and Standard on one path."""

from rdp_remediate.models.report import Effect, FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import faults, finding

CHECK = "load_balancer_skus_match"


def test_a_basic_load_balancer_with_a_standard_address_is_a_mismatch() -> None:
    one = finding(CHECK, s.behind_load_balancer(sku="Basic"))
    assert (one.status, one.fault, one.effect) == (FindingStatus.FAIL, "lb-public-ip-sku-mismatch", Effect.BLOCKS)
    assert "--sku Standard" in (one.by_hand or "")


def test_one_sku_on_both_is_healthy() -> None:
    assert finding(CHECK, s.behind_load_balancer()).status is FindingStatus.PASS
    assert "lb-public-ip-sku-mismatch" not in faults(s.behind_load_balancer(sku="Basic", address_sku="Basic"))


def test_an_address_that_could_not_be_read_is_no_mismatch() -> None:
    hidden = f.hide("resource", f"{s.NET}/publicIPAddresses/lb-pip")
    assert finding(CHECK, s.behind_load_balancer(sku="Basic"), hidden).status is FindingStatus.UNKNOWN
