"""Outbound NSG rules that keep the agent from Azure."""

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import Effect, FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import diagnosis, faults, finding

CHECK = "agent_reaches_azure"


def nsg(*outbound: JsonObject) -> f.Change:
    """Adds outbound rules to the NIC's NSG."""
    return f.security_rules(f.NIC_NSG, f.NIC_ALLOW, *outbound)


DENY = s.outbound("DenyInternetOut", 4000, "Deny", "Internet")


def test_a_deny_of_the_internet_blinds_but_does_not_block() -> None:
    one = finding(CHECK, nsg(DENY))
    assert (one.status, one.fault, one.effect) == (FindingStatus.FAIL, "egress-blocked-for-agent", Effect.BLINDS)
    assert "DenyInternetOut" in (one.reason or "")
    assert "az network nsg rule create -g rg-app --nsg-name vm1-nsg" in (one.by_hand or "")
    assert diagnosis(nsg(DENY)).verdict.causes == []


def test_a_deny_of_everything_counts() -> None:
    assert finding(CHECK, nsg(s.outbound("No", 4000, "Deny", "*"))).fault == "egress-blocked-for-agent"


def test_an_allow_for_azure_above_the_deny_is_healthy() -> None:
    allow = s.outbound("Azure", 3000, "Allow", "AzureCloud", "443")
    assert "egress-blocked-for-agent" not in faults(nsg(DENY, allow))
    part = s.outbound("Part", 3000, "Allow", "Storage.WestEurope", "443")
    assert "egress-blocked-for-agent" not in faults(nsg(DENY, part))


def test_an_allow_below_the_deny_does_not_help() -> None:
    late = s.outbound("Azure", 4050, "Allow", "AzureCloud", "443")
    assert finding(CHECK, nsg(DENY, late)).status is FindingStatus.FAIL


def test_a_deny_of_other_ports_is_healthy() -> None:
    assert finding(CHECK, nsg(s.outbound("NoMail", 4000, "Deny", "Internet", "25"))).status is FindingStatus.PASS


def test_an_nsg_that_could_not_be_read_is_unknown() -> None:
    hidden = (f.hide("resource", f.NIC_NSG), f.hide("effective_security_rules", f.NIC))
    assert finding(CHECK, *hidden).status is FindingStatus.UNKNOWN
