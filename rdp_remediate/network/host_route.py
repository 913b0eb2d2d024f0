"""The one route that sends the replies to one client straight back to the Internet, past the appliance that drops them."""

import hashlib
import ipaddress
from dataclasses import dataclass, replace

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import network_range
from rdp_remediate.facts.network_model import Route, RouteTable
from rdp_remediate.facts.network_words import NextHop, RouteSource
from rdp_remediate.models.base import JsonObject
from rdp_remediate.network.decision import Verdict
from rdp_remediate.network.prefixes import is_public
from rdp_remediate.network.question import ask
from rdp_remediate.network.routes import route_word
from rdp_remediate.network.rule_request import Refusal, Refused

_MOST_ROUTES = 400
_FOREIGN = ("aks-agentpool-", "databricks-")


@dataclass(frozen=True, slots=True)
class HostRoute:
    """A route that would be added.

    Attributes:
        instead_of: The route that takes the replies away now.
        subnets: Every subnet whose replies to this client it changes.
    """

    table_id: str
    name: str
    prefix: str
    body: JsonObject
    instead_of: str
    subnets: tuple[str, ...]


def plan_host_route(facts: Facts) -> HostRoute | Refused:
    """The route, proven by simulation, or exactly one refusal."""
    question = ask(facts)
    if not question.client_known:
        return Refused(Refusal.NO_SOURCE, "a host route needs the address of the client; name it with --client")
    client = ipaddress.ip_address(question.clients[0])
    if not any(client.version == one.version and client in one for one in facts.sources):
        why = f"{client} is outside the configured sources; an address that was only claimed gets no way past the inspection"
        return Refused(Refusal.NO_SOURCE, why)
    if client.version != 4 or not is_public(int(client)):
        return Refused(Refusal.ROUTE, f"{client} is no public IPv4 address, so a route to the Internet is no way back")
    entry = question.entry
    if entry is None or not entry.public:
        return Refused(Refusal.ROUTE, "the client does not come in by a public address")
    table = _table(facts, entry.ip_configuration_id)
    words = {d.rule for _, decision in question.decisions for d in decision.deciders}
    taken = next((one for one in table.routes if route_word(one) in words), None) if table is not None else None
    if table is None or taken is None:
        return Refused(
            Refusal.ROUTE, "the route that decides stands in no route table of the subnet that could be read"
        )
    if table.key.rsplit("/", 1)[-1].startswith(_FOREIGN):
        return Refused(Refusal.FOREIGN_NSG, f"the route table {table.key.rsplit('/', 1)[-1]} is managed by a service")
    if len(table.routes) >= _MOST_ROUTES:
        return Refused(
            Refusal.RULE_LIMIT, f"the route table has {len(table.routes)} routes, the most that Azure allows"
        )
    prefix = f"{client}/32"
    span = (network_range(ipaddress.ip_network(prefix)),)
    same = next((one for one in table.routes if one.ranges == span), None)
    if same is not None:
        return Refused(Refusal.ROUTE, f"the route {same.name} for {prefix} is there already; look at it by hand")
    name = f"rdpr-{hashlib.sha256(f'{table.key}|{prefix}'.encode()).hexdigest()[:12]}"
    body: JsonObject = {"properties": {"addressPrefix": prefix, "nextHopType": "Internet"}}
    route = Route(name, f"{table.arm_id}/routes/{name}", prefix, span, "", RouteSource.USER, NextHop.INTERNET, ())
    if not _allowed_with(facts, table, route, entry.nic_id.lower()):
        return Refused(
            Refusal.INDETERMINATE, "the simulation does not hold: with the route the client would not get in"
        )
    return HostRoute(table.arm_id, name, prefix, body, taken.name, _subnets(facts, table))


def _table(facts: Facts, ip_configuration_id: str) -> RouteTable | None:
    wanted = ip_configuration_id.lower()
    for nic in facts.network.nics.values():
        for one in nic.ip_configurations:
            subnet = facts.network.subnets.get(one.subnet)
            if one.key == wanted and subnet is not None:
                return facts.network.route_tables.get(subnet.route_table)
    return None


def _subnets(facts: Facts, table: RouteTable) -> tuple[str, ...]:
    known = {one.key for one in facts.network.subnets.values() if one.route_table == table.key}
    return tuple(sorted({*table.subnets, *known}))


def _allowed_with(facts: Facts, table: RouteTable, route: Route, nic: str) -> bool:
    """Whether the client gets in and the replies back once the route stands."""
    shown = facts.network.effective_routes
    network = replace(
        facts.network,
        route_tables={**facts.network.route_tables, table.key: replace(table, routes=(*table.routes, route))},
        effective_routes={**shown, nic: (*shown[nic], route)} if nic in shown else shown,
    )
    decisions = ask(replace(facts, network=network)).decisions
    return bool(decisions) and all(decision.verdict is Verdict.ALLOW for _, decision in decisions)
