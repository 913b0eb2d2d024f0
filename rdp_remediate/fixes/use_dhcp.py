"""Let Windows take its address from Azure."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding
from rdp_remediate.network.guest_addresses import ipv4_of


@fix(
    faults=("static-ip-in-guest-mismatch", "default-gateway-missing"),
    layer="guest",
    order=25,
    permissions=RUN_COMMAND,
)
def use_dhcp(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Set the adapter with the wrong address, or without a gateway, to DHCP.

    Changes: how that adapter gets its IPv4 address; the network drops for a moment.
    Undo: the recorded address, mask and gateway.
    Refuses when: the adapter asks by DHCP already, or has several addresses, which Azure's DHCP does not hand out.
    """
    nics, addresses = need(facts.guest.nics()), need(facts.guest.addresses)
    for name in dict.fromkeys(str(finding.evidence.get("adapter")) for finding in findings):
        nic = next((one for one in nics if one.name == name), None)
        own = ipv4_of(addresses, name)
        if nic is None or nic.dhcp is not False or not own:
            yield Refused("by_hand", f"{name} asks for its address by DHCP already: what is wrong lies elsewhere.")
            continue
        if len(own) > 1:
            yield Refused(
                "by_hand",
                f"{name} has {len(own)} typed-in addresses; DHCP hands out the primary one only.",
                "whoever set them",
            )
            continue
        listed = ",".join(sorted(f"{one.address}/{one.prefix_length}" for one in own))
        gateways = ",".join(sorted(nic.gateways)) or "-"
        yield Draft(
            kind="adapter_ipv4",
            target={"adapter": name},
            expected=f"static {listed} {gateways}",
            desired="dhcp",
            title=f"Set the adapter {name} to DHCP",
            postcondition=f"{name} has the address that Azure gave the NIC",
            risk=Risk.DISRUPTIVE,
            drops_sessions=True,
            always_ask="the network drops for a moment, and the answer of this step may be lost with it",
        )
