"""What a load balancer makes of a dialled frontend: NAT rules of both versions, balancing rules, floating IP, probes.

Source: network-semantics §3 (DOC S2, S12, S13, S22).
"""

from rdp_remediate.facts.network_model import (
    BalancingRule,
    Frontend,
    IpConfiguration,
    LoadBalancer,
    NatRule,
    Nic,
    Pool,
    PublicIp,
)
from rdp_remediate.facts.network_words import Sku, Transport
from rdp_remediate.network.arrival import (
    NO_RULE_ON_PORT,
    PROTOCOL,
    UNATTACHED,
    Arrival,
    Blocked,
    EntryKind,
    no_path,
    unclear,
)

Member = tuple[Nic, IpConfiguration]
_FRONTEND_PORTS = range(1, 65_535)


def frontend_sku(balancer: LoadBalancer, public_ip: PublicIp | None) -> Sku:
    """The SKU that decides whether the frontend is open without an NSG."""
    if balancer.sku is Sku.UNKNOWN and public_ip is not None:
        return public_ip.sku
    return balancer.sku


def listens(rule: NatRule | BalancingRule, port: int) -> bool | None:
    """Whether a rule takes packets for this frontend port; None when its ports could not be read."""
    if isinstance(rule, NatRule) and (rule.first_port is not None or rule.last_port is not None):
        if rule.first_port is None or rule.last_port is None:
            return None
        return rule.first_port <= port <= rule.last_port
    if rule.frontend_port is None:
        return None
    if isinstance(rule, BalancingRule) and rule.frontend_port == 0:
        return rule.transport is Transport.ANY
    return rule.frontend_port == port


def in_pool(pool: Pool | None, key: str, member: IpConfiguration) -> bool:
    """Whether an IP configuration belongs to a pool, by the pool's or by its own account."""
    if key in member.pools:
        return True
    return pool is not None and any(
        one.ip_configuration == member.key
        or (not one.ip_configuration and one.address is not None and one.address == member.private_address)
        for one in pool.members
    )


class _Frontends:
    """One frontend of one load balancer, asked for one port on behalf of some IP configurations."""

    def __init__(self, balancer: LoadBalancer, frontend: Frontend, public_ip: PublicIp | None) -> None:
        self.balancer = balancer
        self.public_ip = public_ip
        self.address = frontend.private_address if public_ip is None else public_ip.address
        self.pools = {pool.key: pool for pool in balancer.pools}

    def arrival(self, rule: NatRule | BalancingRule, member: Member, port: int) -> Arrival:
        nic, one = member
        probe = rule.probe if isinstance(rule, BalancingRule) else ""
        gaps: tuple[str, ...] = ()
        if probe and self.balancer.probes.get(probe) is None:
            gaps = (f"the probe of load-balancing rule {rule.name} could not be read",)
        return Arrival(
            EntryKind.LB,
            nic,
            one,
            self.address if rule.floating else one.private_address,
            port,
            rule.arm_id,
            public=self.public_ip is not None,
            sku=frontend_sku(self.balancer, self.public_ip),
            floating=rule.floating,
            gated=bool(probe),
            probe_port=self.balancer.probes.get(probe) if probe else None,
            assumptions=("the load balancer may choose another member of the pool",)
            if isinstance(rule, BalancingRule)
            else (),
            gaps=gaps,
        )

    def nat(self, rule: NatRule, port: int, members: list[Member]) -> Arrival | Blocked:
        if rule.backend_port is None:
            return unclear(f"the backend port of NAT rule {rule.name} could not be read")
        if rule.pool:
            return self.nat_pool(rule, port, members)
        for member in members:
            if rule.ip_configuration == member[1].key or (
                not rule.ip_configuration and rule.key in member[1].nat_rules
            ):
                return self.arrival(rule, member, rule.backend_port)
        return no_path(NO_RULE_ON_PORT if rule.ip_configuration else UNATTACHED, rule.arm_id)

    def nat_pool(self, rule: NatRule, port: int, members: list[Member]) -> Arrival | Blocked:
        """V2: the mapping is allocated by Azure, so it is read, never computed, unless only one is possible."""
        pool = self.pools.get(rule.pool)
        mine = [member for member in members if in_pool(pool, rule.pool, member[1])]
        if not mine:
            return no_path(NO_RULE_ON_PORT, rule.arm_id)
        known = False
        for member in mine:
            for listed in pool.members if pool else ():
                by_id = listed.ip_configuration == member[1].key
                by_address = not listed.ip_configuration and listed.address == member[1].private_address
                for mapping in listed.mappings if by_id or by_address else ():
                    if mapping.rule_name == rule.name.lower():
                        known = True
                        if mapping.frontend_port == port:
                            return self.arrival(rule, member, mapping.backend_port)
        if known:
            return no_path(NO_RULE_ON_PORT, rule.arm_id)
        names = {listed.ip_configuration or str(listed.address) for listed in pool.members} if pool else set()
        if rule.first_port == rule.last_port and len(names) == 1 and rule.backend_port is not None:
            return self.arrival(rule, mine[0], rule.backend_port)
        return unclear(f"which VM NAT rule {rule.name} gave frontend port {port} to was not read")

    def balance(self, rule: BalancingRule, port: int, members: list[Member]) -> Arrival | Blocked:
        if rule.backend_port is None:
            return unclear(f"the backend port of load-balancing rule {rule.name} could not be read")
        for member in members:
            if any(in_pool(self.pools.get(pool), pool, member[1]) for pool in rule.pools):
                return self.arrival(rule, member, rule.backend_port or port)
        return no_path(NO_RULE_ON_PORT, rule.arm_id)


def through_frontend(
    balancer: LoadBalancer, frontend: Frontend, public_ip: PublicIp | None, port: int, members: list[Member]
) -> Arrival | Blocked:
    """What happens to a TCP packet for this frontend and port, on behalf of these IP configurations."""
    asked = _Frontends(balancer, frontend, public_ip)
    wrong_protocol: list[str] = []
    blocked: list[Blocked] = []
    rules: tuple[NatRule | BalancingRule, ...] = (*balancer.nat_rules, *balancer.rules)
    for rule in rules:
        if rule.frontend != frontend.key:
            if not rule.frontend:
                blocked.append(unclear(f"the frontend of rule {rule.name} could not be read"))
            continue
        takes = listens(rule, port)
        if takes is False:
            continue
        if rule.transport is Transport.OTHER:
            wrong_protocol.append(rule.arm_id)
            continue
        if takes is None or rule.transport is Transport.UNKNOWN:
            blocked.append(unclear(f"port or protocol of rule {rule.name} could not be read"))
            continue
        found = asked.nat(rule, port, members) if isinstance(rule, NatRule) else asked.balance(rule, port, members)
        if isinstance(found, Arrival):
            return found
        blocked.append(found)
    if blocked:
        return min(blocked, key=lambda one: one.verdict != "INDETERMINATE")
    if wrong_protocol:
        return no_path(PROTOCOL, wrong_protocol[0])
    return no_path(NO_RULE_ON_PORT, balancer.arm_id)


def frontend_ports(balancer: LoadBalancer, frontend: Frontend, member: IpConfiguration) -> list[int]:
    """Frontend ports through which some rule may lead to this IP configuration."""
    ports: list[int] = []
    pools = {pool.key: pool for pool in balancer.pools}
    for rule in balancer.nat_rules:
        if rule.frontend != frontend.key or rule.transport is Transport.OTHER:
            continue
        if rule.pool and in_pool(pools.get(rule.pool), rule.pool, member):
            pool = pools.get(rule.pool)
            mapped = [m.frontend_port for one in (pool.members if pool else ()) for m in one.mappings]
            span = range(rule.first_port or 0, (rule.last_port or -1) + 1)
            ports.extend(mapped or (span if len(span) <= 1000 else ()))
        elif rule.frontend_port and (
            rule.ip_configuration == member.key or (not rule.ip_configuration and rule.key in member.nat_rules)
        ):
            ports.append(rule.frontend_port)
    for balancing in balancer.rules:
        if (
            balancing.frontend == frontend.key
            and balancing.transport is not Transport.OTHER
            and any(in_pool(pools.get(pool), pool, member) for pool in balancing.pools)
        ):
            ports.append(balancing.frontend_port or 0)
    return sorted({port for port in ports if port in _FRONTEND_PORTS or port == 0})
