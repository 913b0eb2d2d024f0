"""The connections of the gateways by which other networks reach the VM."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rdp_remediate.facts.evidence import Evidence, objects, parsed
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.fact import Fact, Observed, Unavailable

NAME = "gateway_connections"


@dataclass(frozen=True)
class Connection:
    """One connection of a gateway.

    Attributes:
        kind: IPsec, ExpressRoute, Vnet2Vnet or VPNClient.
        status: Connected, Connecting, NotConnected or Unknown, as Azure says it; empty where it says nothing.
    """

    arm_id: str
    kind: str
    status: str

    @property
    def connected(self) -> bool | None:
        """Whether it stands; None: Azure does not know."""
        word = self.status.lower()
        return None if word in ("", "unknown") else word == "connected"


def read_connections(bundle: Bundle, evidence: Evidence) -> dict[str, Fact[tuple[Connection, ...]]]:
    """The connections by the lower-case id of their gateway; one that could not be read makes its gateway's unavailable."""
    missed = (one.resource_id or "" for one in bundle.unavailable if one.fact == NAME)
    gateways = {one.lower() for one in (*bundle.operations.get(NAME, {}), *missed) if one}
    return {gateway: _of(evidence, gateway) for gateway in sorted(gateways)}


def _of(evidence: Evidence, gateway: str) -> Fact[tuple[Connection, ...]]:
    listed = parsed(evidence.operation(NAME, gateway), lambda raw: [str(row["id"]) for row in objects(raw)])
    if isinstance(listed, Unavailable):
        return listed
    found = []
    for connection_id in listed.value:
        one = parsed(evidence.resource(connection_id), _connection)
        if isinstance(one, Unavailable):
            return one
        found.append(one.value)
    return Observed(tuple(found), listed.source, listed.at)


def _connection(raw: Mapping[str, Any]) -> Connection:
    properties = raw["properties"]
    return Connection(str(raw["id"]), str(properties["connectionType"]), str(properties.get("connectionStatus") or ""))


def read_private_dns(raw: Any) -> tuple[str, ...]:
    """The names of the private DNS zones that a VNet is linked to, lower case."""
    zones = []
    for row in objects(raw):
        _, marker, rest = str(row["id"]).lower().partition("/privatednszones/")
        if not marker:
            raise ValueError("a link names no private DNS zone")
        zones.append(rest.split("/", 1)[0])
    return tuple(sorted(set(zones)))
