"""Does Windows use the address that Azure gave the NIC?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop
from rdp_remediate.network.guest_addresses import ipv4_of, private_address, unassigned


@check(
    hop=Hop.GUEST_NETWORK,
    faults=("static-ip-in-guest-mismatch", "duplicate-or-conflicting-ip"),
    requires=("network_adapter_is_enabled", "dhcp_client_runs"),
)
def guest_has_the_nic_address(facts: Facts) -> Outcome:
    """Windows has the address that Azure gave the NIC, and no other.

    Why: Azure drops packets from and to any other address; a typed-in address that equals the NIC's works (trap 13).
    Evidence: guest addresses and adapters against the NIC's IP configurations, System Tcpip 4199.
    By hand:
        * static-ip-in-guest-mismatch: in the serial console `netsh interface ip set address name="<adapter>" source=dhcp` and
          `netsh interface ip set dnsservers name="<adapter>" source=dhcp`; a fixed address belongs to the NIC in Azure.
        * duplicate-or-conflicting-ip: remove <address> from Windows if Azure did not assign it to this NIC; if it is the NIC's own,
          find the other machine that uses it.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-static-ip
    """
    wanted = need(private_address(facts))
    nics = need(facts.guest.nics())
    addresses = need(facts.guest.addresses)
    have = [one.address for nic in nics for one in ipv4_of(addresses, nic.name)]
    conflicts = need(facts.guest.logged("Tcpip", 4199))
    if wanted not in have:
        static = [nic for nic in nics if nic.dhcp is False and ipv4_of(addresses, nic.name)]
        if static:
            found = ipv4_of(addresses, static[0].name)[0].address
            return failed(
                "static-ip-in-guest-mismatch",
                f"{static[0].name} has the typed-in address {found}; the NIC's address is {wanted}.",
                adapter=static[0].name,
                address=found,
                wanted=wanted,
            )
        return unknown(
            f"Windows does not have the NIC's address {wanted} ({', '.join(have) or 'no address'}), though it asks by DHCP.",
            because="guest.addresses",
        )
    for event in conflicts:
        hit = next((text for text in event.data if text in have), None)
        if hit is not None and (facts.at - event.at).total_seconds() < _RECENT_S:
            return failed(
                "duplicate-or-conflicting-ip",
                f"Windows saw another machine with its address {hit} at {event.at:%Y-%m-%d %H:%M}Z.",
                Effect.BLOCKS if hit == wanted else Effect.DEGRADES,
                address=hit,
                assigned=hit not in need(unassigned(facts, have)),
            )
    # One address for one host (/32) is a cluster's behind a load balancer; it is there on purpose.
    shared = {one.address for one in addresses if one.prefix_length == 32}
    extra = [text for text in need(unassigned(facts, have)) if text not in shared]
    if extra:
        return failed(
            "duplicate-or-conflicting-ip",
            f"Windows uses {', '.join(extra)}, which Azure did not assign to this VM.",
            Effect.DEGRADES,
            Confidence.LIKELY,
            address=extra[0],
            adapter=next(nic.name for nic in nics if extra[0] in {o.address for o in ipv4_of(addresses, nic.name)}),
            assigned=False,
        )
    return passed(f"Windows has {wanted}")


_RECENT_S = 24 * 3600
