"""Bulk reads through Azure Resource Graph: pages of 1,000 resources, whole subscriptions at once.

Resource Graph lags minutes behind ARM and shows only what the caller may read; it never feeds a decision to write or a
verification. Source: learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data (paging needs the
column `id`) and .../guidance-for-throttled-requests (the quota headers).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions, ResultFormat

from rdp_remediate.arm.answers import FAILURES, read_failure, sentence
from rdp_remediate.arm.clients import ArmClients, correlated
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.models.inventory import InventoryKind, InventoryPage
from rdp_remediate.ports import Inventory

PAGE_SIZE = 1_000
PAGE_DEADLINE_S = 90.0
AT_ONCE = 4
_LONGEST_QUOTA_WAIT_S = 15.0
_TOP_LEVEL = frozenset({"id", "name", "type", "location", "sku", "subscriptionId"})
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class _Query:
    """One kind as Resource Graph has it; `properties` are the only ones that are read."""

    table: str
    type: str
    top: tuple[str, ...] = ("id", "type", "location")
    properties: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    def text(self, kind: InventoryKind) -> str:
        """The query; its first line names it."""
        columns = [*self.top, *(f"{name} = properties.{name}" for name in self.properties), *self.more]
        return (
            f"// rdp-remediate:inventory-{kind.value}/1\n{self.table}\n| where type =~ '{self.type}'\n"
            f"| order by id asc\n| project {', '.join(columns)}"
        )


_WITH_SKU = ("id", "type", "location", "sku")
_QUERIES: Mapping[InventoryKind, _Query] = {
    InventoryKind.SUBSCRIPTIONS: _Query("resourcecontainers", "microsoft.resources/subscriptions", ("id", "name")),
    InventoryKind.VIRTUAL_MACHINES: _Query(
        "resources",
        "microsoft.compute/virtualmachines",
        properties=("networkProfile",),
        more=("osType = properties.storageProfile.osDisk.osType",),
    ),
    InventoryKind.NETWORK_INTERFACES: _Query(
        "resources",
        "microsoft.network/networkinterfaces",
        properties=("ipConfigurations", "networkSecurityGroup", "virtualMachine", "primary", "enableIPForwarding"),
    ),
    InventoryKind.NETWORK_SECURITY_GROUPS: _Query(
        "resources",
        "microsoft.network/networksecuritygroups",
        properties=("provisioningState", "securityRules", "defaultSecurityRules"),
    ),
    InventoryKind.VIRTUAL_NETWORKS: _Query(
        "resources",
        "microsoft.network/virtualnetworks",
        properties=("addressSpace", "subnets", "virtualNetworkPeerings"),
    ),
    InventoryKind.PUBLIC_IP_ADDRESSES: _Query(
        "resources",
        "microsoft.network/publicipaddresses",
        _WITH_SKU,
        ("ipAddress", "ipConfiguration", "dnsSettings", "publicIPAllocationMethod"),
    ),
    InventoryKind.LOAD_BALANCERS: _Query(
        "resources",
        "microsoft.network/loadbalancers",
        _WITH_SKU,
        ("frontendIPConfigurations", "backendAddressPools", "loadBalancingRules", "probes", "inboundNatRules"),
    ),
    InventoryKind.ROUTE_TABLES: _Query(
        "resources", "microsoft.network/routetables", properties=("disableBgpRoutePropagation", "routes")
    ),
}


def resource_of(row: Mapping[str, Any]) -> JsonObject:
    """A row of ours in ARM's own shape."""
    resource: JsonObject = {key: value for key, value in row.items() if key in _TOP_LEVEL}
    inner = {key: value for key, value in row.items() if key not in _TOP_LEVEL and key != "osType"}
    if row.get("osType") is not None:
        inner["storageProfile"] = {"osDisk": {"osType": row["osType"]}}
    resource["properties"] = inner
    return resource


def quota_wait_s(headers: Mapping[str, str]) -> float:
    """How long Resource Graph asks to wait before the next request; 0 while quota is left."""
    if headers.get("x-ms-user-quota-remaining", "").strip() != "0":
        return 0.0
    clock = _CLOCK.fullmatch(headers.get("x-ms-user-quota-resets-after", "").strip())
    if clock is None:
        return _LONGEST_QUOTA_WAIT_S
    hours, minutes, seconds = (int(part or 0) for part in clock.groups())
    return min(_LONGEST_QUOTA_WAIT_S, hours * 3600.0 + minutes * 60 + seconds)


@dataclass(slots=True)
class _Answer:
    """What counts of one answer."""

    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class ResourceGraphInventory(Inventory):
    """`Inventory` over the genuine Resource Graph client. At most four requests are under way at once."""

    def __init__(self, clients: ArmClients, *, correlation_id: str | None = None, page_size: int = PAGE_SIZE) -> None:
        """Reads with the given clients.

        Args:
            clients: The clients of this event loop.
            correlation_id: GUID that Azure's logs show with every request.
            page_size: Resources per request, at most 1,000.
        """
        self._clients = clients
        self._correlation_id = correlation_id
        self._page_size = page_size
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._not_before = 0.0

    async def pages(self, kind: InventoryKind, subscriptions: Sequence[str]) -> AsyncIterator[Fact[InventoryPage]]:
        """Every page of one kind; a failed page is `Unavailable` and the last one, for its successor can't be named."""
        asked, source = f"Resource Graph {kind.value}", f"resource-graph/{kind.value}"
        token: str | None = None
        seen, tokens = 0, set[str]()
        while True:
            found = await self._page(kind, subscriptions, token, asked, source)
            if isinstance(found, Unavailable):
                yield found
                return
            page, token, truncated = found
            seen += len(page.resources)
            yield Observed(page, source, datetime.now(UTC))
            if token is None:
                if truncated or (page.total is not None and seen < page.total):
                    of = f" of {page.total}" if page.total is not None else ""
                    detail = f"{asked}: {seen}{of} resources were given and no way to read the rest."
                    yield Unavailable(Reason.TRUNCATED, detail, source)
                return
            if token in tokens:
                yield Unavailable(Reason.MALFORMED, f"{asked}: the same page was offered again.", source)
                return
            tokens.add(token)

    async def _page(
        self, kind: InventoryKind, subscriptions: Sequence[str], token: str | None, asked: str, source: str
    ) -> tuple[InventoryPage, str | None, bool] | Unavailable:
        query = QueryRequest(
            query=_QUERIES[kind].text(kind),
            subscriptions=list(subscriptions),
            options=QueryRequestOptions(top=self._page_size, skip_token=token, result_format=ResultFormat.OBJECT_ARRAY),
        )
        try:
            async with self._slots, asyncio.timeout(PAGE_DEADLINE_S):
                await self._wait_for_quota()
                with correlated(self._correlation_id):
                    answer: Any = await self._clients.graph().resources(query, cls=_answer)
        except TimeoutError:
            return Unavailable(Reason.TIMEOUT, f"{asked}: no answer within {PAGE_DEADLINE_S:.0f} s.", source)
        except FAILURES as error:
            return read_failure(error, asked, source)
        except ValueError as error:  # a body that is no JSON where the SDK expects some
            return Unavailable(Reason.MALFORMED, sentence(f"{asked}: the answer can't be read: {error}"), source)
        self._not_before = max(self._not_before, _now() + quota_wait_s(answer.headers))
        return _read(answer.body, asked, source)

    async def _wait_for_quota(self) -> None:
        while (wait_s := self._not_before - _now()) > 0:
            await asyncio.sleep(wait_s)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _answer(response: Any, body: Any, _: Any) -> Any:
    headers = {str(name).lower(): str(value) for name, value in response.http_response.headers.items()}
    return _Answer(body, headers)


def _read(body: Any, asked: str, source: str) -> tuple[InventoryPage, str | None, bool] | Unavailable:
    rows = body.data
    if not isinstance(rows, list) or not all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows):
        return Unavailable(Reason.MALFORMED, f"{asked}: the answer holds no list of resources with ids.", source)
    total = body.total_records if isinstance(body.total_records, int) else None
    page = InventoryPage([resource_of(row) for row in rows], total)
    # resultTruncated is a string; the SDK makes an enum of it.
    truncated = str(getattr(body.result_truncated, "value", body.result_truncated)).lower() == "true"
    return page, body.skip_token or None, truncated
