"""Does the name that the user dials lead to the address that the VM has now?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.client_vantage import (
    NO_CHECK,
    client_vantage,
    is_address,
    names_the_vm,
    not_given,
    own_addresses,
)


@check(hop=Hop.CLIENT, faults=("client-stale-dns", "client-name-not-found"), requires=("vm_is_running",))
def dialled_name_leads_to_the_vm(facts: Facts) -> Outcome:
    r"""The name that the user dials leads to the VM's address.

    Why: a dynamic public address changes when the VM is deallocated; DNS caches, own DNS records and the hosts file of the user's
        computer keep the old one.
    Evidence: the client check's resolution and hosts file against the addresses that Azure shows now.
    By hand:
        * client-stale-dns: on the user's computer `ipconfig /flushdns`, and take the line of the name out of
          C:\Windows\System32\drivers\etc\hosts if it is there. If the name still leads elsewhere, whoever owns the DNS record sets
          it to <address>. Until then connect with `mstsc /v:<address>:<port>`. A static public address does not change again.
        * client-name-not-found: connect with `mstsc /v:<address>:<port>`, or download a new .rdp file from the portal. Then correct the
          DNS record, or give the public address a name: `az network public-ip update -g GROUP -n PUBLIC_IP --dns-name NAME`.
    See: https://learn.microsoft.com/azure/virtual-network/ip-services/public-ip-addresses
    """
    if not_given(facts):
        return skipped(NO_CHECK)
    client = need(facts.client)
    check = client.check
    if is_address(check.host):
        return passed("the user dials an address and no name")
    seen = need(client.part("resolution", check.resolution))
    need(facts.vm)
    own = own_addresses(facts)
    state = client_vantage(facts, client)
    if state.entry is None:
        return unknown("The VM shows no address of an entry that the name could be compared with.", because="no entry")
    if seen.not_found and not seen.addresses:
        return failed(
            "client-name-not-found",
            f"The user's computer finds no address for {check.host}; the VM has {state.entry}.",
            confidence=Confidence.LIKELY,
            address=state.entry,
            port=check.port,
            name=check.host,
        )
    if not seen.addresses:
        return unknown("The client check holds no address of the name.", because="resolution")
    if set(seen.addresses) & own:
        return passed(f"{check.host} leads to {', '.join(seen.addresses)}")
    by_hosts = bool(set(seen.hosts_file) & set(seen.addresses))
    attempt = None if isinstance(state.tried, Unavailable) else state.tried.value
    if not by_hosts and not names_the_vm(facts, check.host) and attempt is not None and attempt.answered:
        return unknown(
            f"{check.host} is no name of Azure's and leads to {', '.join(seen.addresses)}, where RDP answers: it may be a gateway.",
            because="another machine answers",
        )
    where = "its hosts file" if by_hosts else "DNS as this computer sees it"
    return failed(
        "client-stale-dns",
        f"On the user's computer {check.host} leads to {', '.join(seen.addresses)} ({where}); the VM has {state.entry}.",
        confidence=Confidence.LIKELY,
        seen=", ".join(seen.addresses),
        address=state.entry,
        port=check.port,
        name=check.host,
    )
