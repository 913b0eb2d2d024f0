"""Does Windows send from the address that Azure calls the primary one?"""

import ipaddress

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.guest_addresses import ipv4_of, primary_address


@check(hop=Hop.GUEST_NETWORK, faults=("primary-ip-order-wrong",), requires=("guest_has_the_nic_address",))
def primary_address_is_the_source(facts: Facts) -> Outcome:
    """Windows opens connections from the NIC's primary address.

    Why: of several addresses Windows takes the numerically lowest one without SkipAsSource; from a secondary one the VM may have no
    way out, and the agent stops to report. RDP itself answers from the address that was dialled.
    Evidence: guest addresses and SkipAsSource against the NIC's IP configurations.
    By hand:
        * primary-ip-order-wrong: `Set-NetIPAddress -IPAddress <primary> -SkipAsSource $false`, and `-SkipAsSource $true` on the
          others (<source> comes first now).
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/no-internet-access-multi-ip
    """
    primary = need(primary_address(facts))
    addresses = need(facts.guest.addresses)
    for nic in need(facts.guest.nics()):
        own = {one.address for one in ipv4_of(addresses, nic.name)}
        if primary not in own or nic.sources is None:
            continue
        usable = sorted((a for a in nic.sources if a in own), key=ipaddress.ip_address)
        if usable and usable[0] != primary:
            lower = [a for a in usable if a != primary]
            return failed(
                "primary-ip-order-wrong",
                f"Windows sends from {usable[0]}; the primary address of the NIC is {primary}.",
                Effect.DEGRADES,
                source=usable[0],
                primary=primary,
                skip=lower,
                adapter=nic.name,
            )
    return passed(f"Windows sends from {primary}")
