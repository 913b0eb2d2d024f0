"""The filters in front of one NIC, compiled: security admin rules, the subnet's NSG, the NIC's NSG."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby

from rdp_remediate.facts.network_model import EffectiveNsg, NetworkFacts, Nic, Rule
from rdp_remediate.network.decision import Layer
from rdp_remediate.network.filters import Filtered
from rdp_remediate.network.scope import Scope
from rdp_remediate.network.tables import ADMIN_ACTIONS, RuleTable


@dataclass(frozen=True, slots=True, eq=False)
class NsgLayer:
    """The NSG of one layer.

    Attributes:
        present: None when it is not known whether there is one.
        table: None when there is none, or when it could not be read.
        nsg: Its key, or the reason why it can't be seen.
    """

    layer: Layer
    present: bool | None
    table: RuleTable | None = None
    nsg: str = ""

    @property
    def readable(self) -> bool:
        """Whether what it does with a packet can be told."""
        return self.present is False or self.table is not None


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """Both NSG layers, from plain resources or from effective rules."""

    subnet: NsgLayer
    nic: NsgLayer
    gaps: tuple[str, ...] = ()

    @property
    def has_nsg(self) -> bool:
        """Whether some NSG is certainly there."""
        return bool(self.subnet.present or self.nic.present)


@dataclass(frozen=True, slots=True, eq=False)
class Guarded:
    """Everything that filters packets to a NIC in one of its subnets.

    Attributes:
        admin: Tables in the order in which they are asked; several in one tuple are of equal standing.
        effective: The layers as Azure's effective rules show them, when they were read.
        memo: Verdicts by the rules that match; bounded by whoever fills it.
    """

    scope: Scope
    admin: tuple[tuple[RuleTable, ...], ...]
    admin_unread: bool
    plain: Filters
    effective: Filters | None
    gaps: tuple[str, ...]
    memo: dict[tuple[object, ...], Filtered] = field(default_factory=dict)


def _with_written_groups(rule: Rule, written: Rule | None) -> Rule:
    """An effective rule; a side that shows no address is the application security groups that the NSG's own rule names.

    Whether Azure prints the members of a group or nothing there is not settled (azure-facts section 2).
    """
    if written is None:
        return rule
    if rule.source.empty and written.source.groups:
        rule = replace(rule, source=written.source)
    if rule.destination.empty and written.destination.groups:
        rule = replace(rule, destination=written.destination)
    return rule


class Compiler:
    """Compiles each NSG once per meaning of VirtualNetwork: NICs of one VNet share the tables."""

    def __init__(self, facts: NetworkFacts) -> None:
        self.facts = facts
        self._tables: dict[object, RuleTable] = {}

    def nsg_table(self, key: str, scope: Scope) -> RuleTable:
        """The compiled rules of an NSG as they apply in this scope."""
        meaning = (key, scope.vnet, scope.virtual_network, scope.internet, scope.guess, self._printed(scope))
        found = self._tables.get(meaning)
        if found is None:
            found = self._tables[meaning] = RuleTable(scope.compile(rule) for rule in self.facts.nsgs[key].rules)
        return found

    def _printed(self, scope: Scope) -> str:
        return scope.nic if self.facts.effective_tags.get(scope.nic) else ""

    def plain(self, nic: Nic, scope: Scope) -> Filters:
        """Both layers from the NSG resources."""
        gaps: list[str] = []
        subnet = self.facts.subnets.get(scope.subnet)
        if subnet is None:
            gaps.append(f"{scope.subnet or 'the subnet'} could not be read")
            first = NsgLayer(Layer.SUBNET, None)
        else:
            first = self._layer(Layer.SUBNET, subnet.nsg, scope, gaps)
        return Filters(first, self._layer(Layer.NIC, nic.nsg, scope, gaps), tuple(gaps))

    def _layer(self, layer: Layer, key: str, scope: Scope, gaps: list[str]) -> NsgLayer:
        if not key:
            return NsgLayer(layer, False)
        if key not in self.facts.nsgs:
            why = self.facts.why("resource", key)
            gaps.append(f"{key} could not be read ({why.reason.value})")
            return NsgLayer(layer, True, None, key)
        return NsgLayer(layer, True, self.nsg_table(key, scope), key)

    def effective(self, nic: Nic, scope: Scope) -> Filters | None:
        """Both layers from the effective rules of the NIC, or None when those were not read."""
        found = self.facts.effective_rules.get(nic.key)
        if found is None:
            return None
        nsgs = [one for one in found if not one.is_admin]
        on_subnet = [one for one in nsgs if one.subnet in (scope.subnet, scope.subnet.rstrip("/")) and one.subnet]
        on_nic = [one for one in nsgs if one.network_interface]
        if len(nsgs) > len({id(one) for one in (*on_subnet, *on_nic)}) and not on_subnet:
            return None
        return Filters(self._listed(Layer.SUBNET, on_subnet, scope), self._listed(Layer.NIC, on_nic, scope))

    def _listed(self, layer: Layer, found: list[EffectiveNsg], scope: Scope) -> NsgLayer:
        if not found:
            return NsgLayer(layer, False)
        key = found[0].nsg_id.lower()
        nsg = self.facts.nsgs.get(key)
        written = {one.arm_id.lower(): one for one in nsg.rules} if nsg else {}
        rules = (_with_written_groups(rule, written.get(rule.arm_id.lower())) for rule in found[0].rules)
        return NsgLayer(layer, True, RuleTable(scope.compile(rule) for rule in rules), key)

    def admin(self, nic: Nic, scope: Scope) -> tuple[tuple[tuple[RuleTable, ...], ...], bool]:
        """The admin tables, and whether the admin rules could not be read."""
        rules: Iterable[Rule] | None = self.facts.admin_rules.get(scope.vnet)
        if rules is None:
            shown = [one for one in self.facts.effective_rules.get(nic.key, ()) if one.is_admin]
            if not shown:
                return (), True
            rules = [rule for one in shown for rule in one.rules]
        ordered = sorted(rules, key=lambda rule: (rule.scope_rank, rule.manager))
        standing = []
        for _, same_rank in groupby(ordered, key=lambda rule: rule.scope_rank):
            tables = [
                RuleTable((scope.compile(rule) for rule in of_manager), ADMIN_ACTIONS)
                for _, of_manager in groupby(same_rank, key=lambda rule: rule.manager)
            ]
            standing.append(tuple(table for table in tables if table.rules))
        return tuple(tables for tables in standing if tables), False

    def guarded(self, nic: Nic, scope: Scope) -> Guarded:
        """Everything in front of this NIC."""
        admin, unread = self.admin(nic, scope)
        plain, effective = self.plain(nic, scope), self.effective(nic, scope)
        gaps = [*scope.gaps]
        if effective is None or not plain.gaps:
            gaps += plain.gaps
        if unread:
            why = self.facts.why("effective_admin_rules", scope.vnet)
            gaps.append(f"security admin rules could not be read ({why.reason.value})")
        return Guarded(scope, admin, unread, plain, effective, tuple(gaps))
