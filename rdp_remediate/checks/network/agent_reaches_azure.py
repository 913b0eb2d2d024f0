"""Do the NSGs let the VM's agent out?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.arm_names import name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.facts.network_model import Nic, Rule
from rdp_remediate.facts.network_words import Access, Direction, Transport
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.prefixes import contains

_HTTPS = 443
_NEEDED = ("internet", "azurecloud")
_PART = ("azureresourcemanager", "storage", "guestandhybridmanagement", "azureactivedirectory", "azuremonitor")
_WIDE = 1 << 31


@check(hop=Hop.NETWORK, faults=("egress-blocked-for-agent",), requires=("vm_is_running",))
def agent_reaches_azure(facts: Facts) -> Outcome:
    """The outbound NSG rules let the VM reach Azure on TCP 443.

    Why: extensions, Run Command with scripts or outputs in storage, and the Entra sign-in need it; RDP itself does not.
    Evidence: outbound rules of the NSGs of subnet and NIC. A proxy or firewall further on is not to be seen here.
    By hand:
        * egress-blocked-for-agent: ask whoever wrote the deny; then declare a rule above it:
          `resource azure 'Microsoft.Network/networkSecurityGroups/securityRules@2024-05-01' = { parent: nsg,
          name: 'Allow-AzureCloud-Out', properties: { priority: 200, direction: 'Outbound', access: 'Allow', protocol: 'Tcp',
          sourceAddressPrefix: 'VirtualNetwork', sourcePortRange: '*', destinationAddressPrefix: 'AzureCloud',
          destinationPortRange: '443' } }`; at once `az network nsg rule create -g <nsg_group> --nsg-name <nsg>
          -n Allow-AzureCloud-Out --priority 200 --direction Outbound --access Allow --protocol Tcp
          --source-address-prefixes VirtualNetwork --destination-address-prefixes AzureCloud --destination-port-ranges 443`,
          with a free priority below that of the deny. Never block 168.63.129.16.
    See: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    """
    need(facts.vm)
    unseen: str | None = None
    for nic in _nics(facts):
        for nsg in _groups(facts, nic):
            found = facts.network.nsgs.get(nsg)
            rules = found.rules if found is not None else _effective(facts, nic, nsg)
            if rules is None:
                unseen = unseen or nsg
                continue
            deny = _denies(nic, rules)
            if deny is not None:
                arm_id = found.arm_id if found is not None else nsg
                return failed(
                    "egress-blocked-for-agent",
                    f"The rule {deny.name} (priority {deny.priority}) of {name_of(arm_id)} keeps the VM from Azure on TCP 443; "
                    "extensions and Run Command may never return.",
                    Effect.BLINDS,
                    rule=deny.name,
                    nsg_id=arm_id,
                    **named(nsg=arm_id),
                )
    if unseen is not None:
        raise UnseenError(facts.network.why("resource", unseen))
    return passed("the outbound rules admit TCP 443 to Azure, or a part of it that somebody chose")


def _nics(facts: Facts) -> list[Nic]:
    """The NIC that the agent uses: the primary one.

    Raises:
        UnseenError: A NIC of the VM could not be read.
    """
    vm = need(facts.vm)
    for nic_id in vm.nic_ids:
        if nic_id.lower() not in facts.network.nics:
            raise UnseenError(facts.network.why("resource", nic_id.lower()))
    nics = [facts.network.nics[one.lower()] for one in vm.nic_ids]
    return sorted(nics, key=lambda nic: not nic.primary)[:1]


def _groups(facts: Facts, nic: Nic) -> list[str]:
    found = [nic.nsg]
    for one in nic.ip_configurations:
        subnet = facts.network.subnets.get(one.subnet)
        if subnet is None and nic.key not in facts.network.effective_rules:
            raise UnseenError(facts.network.why("resource", one.subnet.rsplit("/subnets/", 1)[0]))
        found.append(subnet.nsg if subnet else "")
    found += [one.nsg_id.lower() for one in facts.network.effective_rules.get(nic.key, ()) if not one.is_admin]
    return [key for key in dict.fromkeys(found) if key]


def _effective(facts: Facts, nic: Nic, nsg: str) -> tuple[Rule, ...] | None:
    groups = facts.network.effective_rules.get(nic.key, ())
    return next((one.rules for one in groups if one.nsg_id.lower() == nsg), None)


def _denies(nic: Nic, rules: tuple[Rule, ...]) -> Rule | None:
    """The rule that drops TCP 443 to all of Azure; None when a rule admits it, or a part of Azure that somebody chose."""
    own = [one.private_address for one in nic.ip_configurations if one.private_address is not None]
    outbound = [one for one in rules if one.direction is Direction.OUTBOUND and one.priority is not None]
    for rule in sorted(outbound, key=lambda one: one.priority or 0):
        tcp = rule.transport in (Transport.TCP, Transport.ANY)
        from_vm = "virtualnetwork" in rule.source.tags or any(contains(rule.source.ranges, one) for one in own)
        if not tcp or not from_vm or not contains(rule.destination_ports.ranges, _HTTPS):
            continue
        wide = sum(last - first + 1 for first, last in rule.destination.ranges) >= _WIDE
        tags = [tag.split(".", 1)[0] for tag in rule.destination.tags]
        whole = wide or any(tag in _NEEDED for tag in tags)
        if rule.access is Access.ALLOW and (whole or any(tag in _PART for tag in tags)):
            return None
        if rule.access is Access.DENY and whole:
            return rule
    return None
