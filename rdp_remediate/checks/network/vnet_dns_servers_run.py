"""Do the DNS servers run that the VNet names?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.arm_names import name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.facts.network_addresses import address_text
from rdp_remediate.facts.network_model import Nic, Vm
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.owners import machine_of, owner_of

_AZURE_DNS = 0xA83F8110  # 168.63.129.16


@check(hop=Hop.NETWORK, faults=("vnet-custom-dns-broken",), requires=("vm_is_running",))
def vnet_dns_servers_run(facts: Facts) -> Outcome:
    """A DNS server that the VM's network names is running.

    Why: with no DNS server a domain member finds no domain controller, so domain accounts cannot sign in; local ones can.
    Evidence: dnsServers of the NIC or else of its VNet, the VMs that hold these addresses. What answers on port 53 is not to be
    seen in Azure Resource Manager.
    By hand:
        * vnet-custom-dns-broken: start the server with its owner's consent: `az vm start -g <server_group> -n <server>`. If it is
          gone for good, name another one in the VNet's Bicep: `dhcpOptions: { dnsServers: [ 'ADDRESS' ] }`; at once
          `az network vnet update -g <vnet_group> -n <vnet> --dns-servers ADDRESS`. VMs take it over at `ipconfig /renew` or restart.
    See: https://learn.microsoft.com/azure/virtual-network/virtual-networks-name-resolution-for-vms-and-role-instances
    """
    need(facts.vm)
    nic = _primary(facts)
    vnet_key = next((one.subnet.rsplit("/subnets/", 1)[0] for one in nic.ip_configurations), "")
    servers = nic.dns_servers
    if not servers:
        if vnet_key not in facts.network.vnets:
            raise UnseenError(facts.network.why("resource", vnet_key))
        servers = facts.network.vnets[vnet_key].dns_servers
    if not servers or _AZURE_DNS in servers:
        return passed("Azure's own DNS is used")
    off: list[Vm] = []
    elsewhere: list[str] = []
    for server in servers:
        holder = owner_of(facts, server)
        if holder is None or not holder.vm:
            elsewhere.append(address_text(server))
            continue
        machine = machine_of(facts, holder)
        if machine.power == "running":
            return passed(f"the DNS server {name_of(machine.arm_id)} ({address_text(server)}) is running")
        off.append(machine)
    if elsewhere:
        return unknown(
            f"The DNS server {', '.join(elsewhere)} is no VM that this subscription shows; whether it answers is not to be seen.",
            because="dns server",
        )
    said = ", ".join(f"{name_of(one.arm_id)} is {one.power}" for one in off)
    vnet = facts.network.vnets.get(vnet_key)
    return failed(
        "vnet-custom-dns-broken",
        f"None of the DNS servers that this VM is given is running: {said}.",
        Effect.BLOCKS if _domain_user(facts) else Effect.DEGRADES,
        servers=", ".join(address_text(one) for one in servers),
        **named(server=off[0].arm_id, vnet=vnet.arm_id if vnet else ""),
    )


def _primary(facts: Facts) -> Nic:
    vm = facts.target.vm_id.lower()
    mine = sorted((nic for nic in facts.network.nics.values() if nic.vm == vm), key=lambda nic: not nic.primary)
    if not mine:
        nics = need(facts.vm).nic_ids
        raise UnseenError(facts.network.why("resource", nics[0].lower() if nics else ""))
    return mine[0]


def _domain_user(facts: Facts) -> bool:
    """Whether the asked account is one of a domain, by the way it is written."""
    user = (facts.target.user or "").strip()
    domain = user.partition("\\")[0].lower() if "\\" in user else ""
    own = (need(facts.vm).computer_name or "").lower()
    return bool(domain) and domain not in (".", "azuread", own, need(facts.vm).name.lower())
