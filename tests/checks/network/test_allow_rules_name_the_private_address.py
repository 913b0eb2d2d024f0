"""Allow rules whose destination the VM does not have."""

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import Confidence, FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import faults, finding

CHECK = "allow_rules_name_the_private_address"
PLAIN = f.drop("operations", "effective_security_rules")
GROUP = f"{s.NET}/applicationSecurityGroups/asg-rdp"


def for_group() -> JsonObject:
    """An allow rule for the members of a group."""
    rule = f.rule("Allow-RDP", 300)
    del rule["properties"]["destinationAddressPrefix"]
    rule["properties"]["destinationApplicationSecurityGroups"] = [{"id": GROUP}]
    return rule


def member(data: JsonObject) -> None:
    """Puts the VM's IP configuration into the group."""
    inner = data["resources"][f.NIC.lower()]["properties"]["ipConfigurations"][0]["properties"]
    inner["applicationSecurityGroups"] = [{"id": GROUP}]


def test_a_public_destination_never_matches() -> None:
    broken = (f.silent, f.security_rules(f.NIC_NSG, f.rule("R1", 300, destination=f.PUBLIC_ADDRESS)))
    one = finding(CHECK, *broken)
    assert (one.status, one.fault) == (FindingStatus.FAIL, "nsg-destination-is-public-ip")
    assert "--destination-address-prefixes 10.0.0.4" in (one.by_hand or "")
    assert faults(*broken) == {"nsg-destination-is-public-ip"}


def test_a_private_destination_is_healthy() -> None:
    near = f.security_rules(f.NIC_NSG, f.rule("R1", 300, destination=f.PRIVATE_ADDRESS))
    assert finding(CHECK, near).status is FindingStatus.PASS


def test_a_rule_for_another_machine_is_no_mistake_about_this_one() -> None:
    other = (f.silent, f.security_rules(f.NIC_NSG, f.rule("R1", 300, destination="10.0.0.77")))
    assert faults(*other) == {"nsg-no-allow-rule"}


def test_a_rule_for_a_group_that_the_vm_is_not_in() -> None:
    broken = (f.silent, f.security_rules(f.SUBNET_NSG, f.SUBNET_ALLOW), _rules(for_group()), PLAIN)
    one = finding(CHECK, *broken)
    assert (one.fault, one.confidence) == ("nsg-asg-membership-missing", Confidence.LIKELY)
    assert "--application-security-groups" in (one.by_hand or "")
    assert faults(*broken) == {"nsg-asg-membership-missing"}


def test_a_member_of_the_group_is_admitted() -> None:
    assert finding(CHECK, _rules(for_group()), member, PLAIN).status is FindingStatus.PASS
    assert faults(_rules(for_group()), member, PLAIN) == set()


def test_an_nsg_that_could_not_be_read_is_unknown() -> None:
    hidden = (f.silent, f.hide("resource", f.NIC_NSG), f.hide("effective_security_rules", f.NIC))
    assert finding(CHECK, *hidden).status is FindingStatus.UNKNOWN


def _rules(rule: JsonObject) -> f.Change:
    """Sets the rules of the NIC's NSG in the plain resource alone."""
    return f.resource(f.NIC_NSG, "properties", "securityRules", value=[{**rule, "id": f"{f.NIC_NSG}/securityRules/x"}])
