"""Finds who owns a dialled address, and resolves it to the IP configuration that the packet arrives at."""

from rdp_remediate.facts.network_addresses import Ranges, address_number
from rdp_remediate.facts.network_model import Firewall, Frontend, IpConfiguration, LoadBalancer, NetworkFacts
from rdp_remediate.facts.network_words import Transport
from rdp_remediate.network.arrival import (
    NO_PUBLIC_ENTRY,
    NO_RULE_ON_PORT,
    Arrival,
    Blocked,
    EntryKind,
    from_subnet,
    no_path,
    through_private_address,
    unclear,
)
from rdp_remediate.network.load_balancer import Member, through_frontend
from rdp_remediate.network.prefixes import contains, union


class Directory:
    """Every address of the evidence, indexed once."""

    def __init__(self, facts: NetworkFacts) -> None:
        self.facts = facts
        self.members: list[Member] = [(nic, one) for nic in facts.nics.values() for one in nic.ip_configurations]
        self.by_vm: dict[str, list[Member]] = {}
        listed = {nic: vm.key for vm in facts.vms.values() for nic in vm.nics}
        for nic, one in self.members:
            self.by_vm.setdefault(nic.vm or listed.get(nic.key, ""), []).append((nic, one))
        self.public = {ip.address: ip for ip in facts.public_ips.values() if ip.address is not None}
        self.names = {ip.fqdn: ip for ip in facts.public_ips.values() if ip.fqdn}
        self.frontends: dict[int, list[tuple[LoadBalancer, Frontend]]] = {}
        for balancer in facts.load_balancers.values():
            for frontend in balancer.frontends:
                address = self.frontend_address(frontend)
                if address is not None:
                    self.frontends.setdefault(address, []).append((balancer, frontend))
        self.firewalls: dict[int, Firewall] = {}
        for firewall in facts.firewalls.values():
            for address in (*firewall.private_addresses, *self._public_of(firewall.public_ips)):
                self.firewalls[address] = firewall

    def _public_of(self, keys: tuple[str, ...]) -> list[int]:
        found = (self.facts.public_ips[key].address for key in keys if key in self.facts.public_ips)
        return [address for address in found if address is not None]

    def frontend_address(self, frontend: Frontend) -> int | None:
        """The address of a frontend, public or private; None when it is not known."""
        if frontend.public_ip:
            public = self.facts.public_ips.get(frontend.public_ip)
            return public.address if public else None
        return frontend.private_address

    def dialled(self, text: str) -> int | None:
        """The number of a dialled address, or of the public IP that has this DNS name."""
        found = address_number(text)
        if found is None and text.rstrip(".").casefold() in self.names:
            return self.names[text.rstrip(".").casefold()].address
        return found

    def targets(self, vm: str, ip_configuration: str = "") -> list[Member]:
        """The IP configurations that are meant, primary ones first; of every VM when none is named."""
        found = self.by_vm.get(vm, []) if vm else self.members
        if ip_configuration:
            found = [member for member in found if member[1].key == ip_configuration]
        return sorted(found, key=lambda m: (not m[0].primary, not m[1].primary, m[1].key))

    def unread(self, targets: list[Member], vm: str) -> list[str]:
        """Resources that may own an address and could not be read, as sentences."""
        facts = self.facts
        out = []
        if vm and vm in facts.vms:
            out += [f"{nic} could not be read" for nic in facts.vms[vm].nics if nic not in facts.nics]
        if not targets:
            out.append("no IP configuration of the VM could be read")
        for _, one in targets:
            if one.public_ip and one.public_ip not in facts.public_ips:
                out.append(f"{one.public_ip} could not be read")
            for reference in (*one.nat_rules, *one.pools):
                balancer = reference.rsplit("/", 2)[0]
                if balancer not in facts.load_balancers:
                    out.append(f"{balancer} could not be read")
            if one.private_address is None:
                out.append(f"the private address of {one.key} is not known")
        for balancer_ in facts.load_balancers.values():
            out += [
                f"{frontend.public_ip} could not be read"
                for frontend in balancer_.frontends
                if frontend.public_ip and frontend.public_ip not in facts.public_ips
            ]
        for firewall in facts.firewalls.values():
            out += [f"{ip} could not be read" for ip in firewall.public_ips if ip not in facts.public_ips]
        return list(dict.fromkeys(out))

    def resolve(
        self, address: int, port: int, vm: str, ip_configuration: str = "", entry: str | None = None
    ) -> Arrival | Blocked:
        """Where a packet for this address and port arrives.

        Whether its client can get as far as a private address is judged later, it depends on the client.
        """
        targets = self.targets(vm, ip_configuration)
        if not 1 <= port <= 65535:
            return unclear(f"{port} is no TCP port")
        private = [(nic, one) for nic, one in targets if one.private_address == address]
        if entry == EntryKind.BASTION:
            return self._from_bastion(private or self._behind(address, targets) or targets[:1], port)
        if len({one.key for _, one in private}) > 1 and not vm:
            return unclear("several VMs of the evidence have the dialled address; name the VM")
        if private:
            return through_private_address(*private[0], port)
        behind = self._behind(address, targets)
        if behind:
            nic, one = behind[0]
            public = self.public[address]
            return Arrival(
                EntryKind.PUBLIC, nic, one, one.private_address, port, public.arm_id, public=True, sku=public.sku
            )
        if address in self.frontends:
            return self._frontend(address, port, targets)
        if address in self.firewalls:
            return self._dnat(self.firewalls[address], address, port, targets)
        missing = self.unread(targets, vm)
        if missing:
            return unclear(*missing)
        return no_path(
            NO_PUBLIC_ENTRY,
            "",
            "the dialled address belongs to no public IP, load balancer or firewall of the evidence",
        )

    def _frontend(self, address: int, port: int, targets: list[Member]) -> Arrival | Blocked:
        blocked: list[Blocked] = []
        for balancer, frontend in self.frontends[address]:
            public = self.facts.public_ips.get(frontend.public_ip) if frontend.public_ip else None
            found = through_frontend(balancer, frontend, public, port, targets)
            if isinstance(found, Arrival):
                return found
            blocked.append(found)
        return min(blocked, key=lambda one: one.verdict != "INDETERMINATE")

    def _behind(self, address: int, targets: list[Member]) -> list[Member]:
        """The IP configurations that a public address belongs to."""
        public = self.public.get(address)
        if public is None:
            return []
        return [m for m in targets if m[1].public_ip == public.key or (public.owner and public.owner == m[1].key)]

    def _ranges(self, subnets: tuple[str, ...]) -> Ranges:
        return union(*(self.facts.subnets[key].ranges for key in subnets if key in self.facts.subnets))

    def bastion_sources(self, member: IpConfiguration) -> tuple[Ranges, bool]:
        """Addresses that Bastion sessions to this IP configuration come from, and whether a Bastion was seen at all."""
        vnet = member.subnet.rsplit("/subnets/", 1)[0]
        reachable = {vnet}
        if vnet in self.facts.vnets:
            reachable |= {p.remote_vnet for p in self.facts.vnets[vnet].peerings if p.connected}
        subnets = [
            subnet.key
            for subnet in self.facts.subnets.values()
            if subnet.name.casefold() == "azurebastionsubnet" and subnet.vnet in reachable
        ]
        subnets += [s for b in self.facts.bastions.values() if b.vnet in reachable for s in b.subnets]
        seen = bool(subnets) or any(b.vnet in reachable for b in self.facts.bastions.values())
        return self._ranges(tuple(subnets)), seen

    def _from_bastion(self, targets: list[Member], port: int) -> Arrival | Blocked:
        if not targets:
            return unclear("no IP configuration of the VM could be read")
        ranges, seen = self.bastion_sources(targets[0][1])
        if not seen:
            return no_path("no-public-entry", "", "the evidence shows no Bastion host that reaches the VM")
        if not ranges:
            return unclear("the addresses of AzureBastionSubnet could not be read")
        return from_subnet(through_private_address(*targets[0], port), ranges, EntryKind.BASTION)

    def _dnat(self, firewall: Firewall, address: int, port: int, targets: list[Member]) -> Arrival | Blocked:
        """Azure Firewall rewrites the destination and shows an address of its own subnet as source (DOC B2, S24)."""
        unclear_rules = [] if firewall.policy_read else [f"{firewall.policy} could not be read"]
        for rule in firewall.dnat_rules:
            if not contains(rule.ports, port) or not contains(rule.destinations, address):
                continue
            if rule.transport is Transport.OTHER:
                continue
            if rule.translated_address is None or rule.translated_port is None or rule.transport is Transport.UNKNOWN:
                unclear_rules.append(f"where DNAT rule {rule.name} leads could not be read")
                continue
            for nic, one in targets:
                if one.private_address == rule.translated_address:
                    sources = self._ranges(firewall.subnets)
                    gaps = () if sources else ("the addresses of AzureFirewallSubnet could not be read",)
                    return Arrival(
                        EntryKind.DNAT, nic, one, one.private_address, rule.translated_port, rule.arm_id,
                        sources=sources, clients=rule.sources, through=firewall.private_addresses, gaps=gaps
                        if rule.sources is not None
                        else (*gaps, f"which clients DNAT rule {rule.name} admits could not be read"),
                    )  # fmt: skip
        if unclear_rules:
            return unclear(*unclear_rules)
        return no_path(NO_RULE_ON_PORT, firewall.arm_id)
