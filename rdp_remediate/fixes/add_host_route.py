"""Send the replies to one client straight back to the Internet; always a person's decision."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.arm_names import name_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import Draft, Refused, Yielded, fix, locked
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding
from rdp_remediate.network.host_route import HostRoute, plan_host_route
from rdp_remediate.network.rule_request import Refused as RuleRefused

_MOST_NAMES = 5


@fix(
    faults=("udr-default-route-asymmetric",),
    layer="network",
    order=92,
    permissions=(
        "Microsoft.Network/routeTables/read",
        "Microsoft.Network/routeTables/routes/read",
        "Microsoft.Network/routeTables/routes/write",
        "Microsoft.Network/routeTables/routes/delete",
    ),
)
def add_host_route(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Add one route for the client's address alone, with the next hop Internet, to the subnet's route table.

    Changes: one child route CLIENT/32 to the Internet; what else the table sends to the appliance stays there.
    Undo: deletes the route, if it is still exactly as it was written.
    Refuses when: the client is not known, outside the configured sources or no public address, the deciding route stands in no
    route table that could be read, the table belongs to a service or is full, or a read-only lock forbids it.
    """
    del findings
    lock = locked(facts)
    if lock is not None:
        yield lock
        return
    planned = plan_host_route(facts)
    if isinstance(planned, RuleRefused):
        yield Refused(planned.code.value, planned.why, "the owner of the route table")
        return
    table = name_of(planned.table_id)
    yield Draft(
        kind="host_route",
        target={"route_table_id": planned.table_id, "name": planned.name, "prefix": planned.prefix},
        expected=None,
        desired=planned.body,
        title=f"Add the route {planned.prefix} to the Internet to the route table {table}",
        postcondition=f"the next hop to {planned.prefix} is the Internet; every other route is unchanged",
        risk=Risk.SENSITIVE,
        always_ask=_ask(planned),
    )


def _ask(planned: HostRoute) -> str:
    subnets = ", ".join(name_of(one) for one in planned.subnets[:_MOST_NAMES])
    return (
        f"everything that goes to {planned.prefix} bypasses the inspection behind the route {planned.instead_of}, for every VM "
        f"of the subnets that use the table ({subnets}), until somebody removes it; whoever owns the inspection must agree"
    )
