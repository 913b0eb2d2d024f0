"""DNS servers of the VNet that are VMs."""

import pytest

from rdp_remediate.models.report import Effect, FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import diagnosis, faults, finding

CHECK = "vnet_dns_servers_run"
DC = "10.0.0.10"
OFF = (s.dns_servers(DC), s.machine("dc1", DC, "deallocated"))


@pytest.mark.parametrize(
    ("user", "effect"), [("CONTOSO\\jdoe", Effect.BLOCKS), (".\\admin1", Effect.DEGRADES), (None, Effect.DEGRADES)]
)
def test_a_domain_user_needs_the_server_and_a_local_one_does_not(user: str | None, effect: Effect) -> None:
    one = finding(CHECK, *OFF, f.target(user=user))
    assert (one.status, one.fault, one.effect) == (FindingStatus.FAIL, "vnet-custom-dns-broken", effect)
    assert "az vm start -g rg-app -n dc1" in (one.by_hand or "")


def test_a_server_that_is_off_does_not_stop_local_users() -> None:
    assert diagnosis(*OFF).verdict.status == "reachable"


def test_one_running_server_is_enough() -> None:
    two = (
        s.dns_servers(DC, "10.0.0.11"),
        s.machine("dc1", DC, "deallocated"),
        s.machine("dc2", "10.0.0.11", "running"),
    )
    assert finding(CHECK, *two).status is FindingStatus.PASS
    assert "vnet-custom-dns-broken" not in faults(*two)


def test_azures_own_dns_is_healthy() -> None:
    assert finding(CHECK).status is FindingStatus.PASS
    assert finding(CHECK, s.dns_servers("168.63.129.16")).status is FindingStatus.PASS


def test_a_server_elsewhere_is_unknown() -> None:
    one = finding(CHECK, s.dns_servers("10.99.0.1"), s.nobody_holds)
    assert one.status is FindingStatus.UNKNOWN
    assert "10.99.0.1" in (one.reason or "")


def test_an_owner_that_was_not_looked_up_is_unknown() -> None:
    assert finding(CHECK, s.dns_servers(DC)).status is FindingStatus.UNKNOWN
    assert finding(CHECK, *OFF, f.hide("resource", f.VNET)).status is FindingStatus.UNKNOWN
