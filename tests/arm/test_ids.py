"""ARM ids: parts, and what is refused before it could change a URL."""

import pytest

from rdp_remediate.arm.ids import parse
from tests.arm.fake_arm import GROUP, NSG, SUBSCRIPTION, VM


def test_parts_of_a_child_resource() -> None:
    arm = parse(f"{NSG.upper()}/securityRules/Allow-RDP/")
    assert arm is not None
    assert arm.type == "microsoft.network/networksecuritygroups/securityrules"
    assert arm.names == ("NSG1", "Allow-RDP")
    assert arm.group == "RG-APP"
    assert arm.key == f"{NSG}/securityrules/allow-rdp".lower()


def test_scopes_are_ids_too() -> None:
    subscription, group = parse(f"/subscriptions/{SUBSCRIPTION}"), parse(GROUP)
    assert subscription is not None
    assert group is not None
    assert (subscription.group, subscription.type, subscription.name) == (None, "", SUBSCRIPTION)
    assert (group.group, group.type, group.name) == ("rg-app", "", "rg-app")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vm1",
        "/subscriptions/not-a-guid/resourceGroups/rg",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups",
        f"{GROUP}/providers/Microsoft.Compute/virtualMachines",
        f"{VM}/../../x/y",
        f"{VM}?api-version=1",
        f"{VM}%2f..",
        f"{VM}#x",
        f"{VM}'",
        f"{VM} or 1",
        f"{GROUP}/providers/Microsoft.Compute/virtualMachines/.",
        f"https://evil.example{VM}",
        f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{'x' * 2100}",
        f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm\u0131",
    ],
)
def test_what_no_resource_can_have_is_no_id(text: str) -> None:
    assert parse(text) is None
