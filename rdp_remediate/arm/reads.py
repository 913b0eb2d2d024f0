"""Reads of Azure Resource Manager: an observed value, or the reason why there is none. They change nothing."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from rdp_remediate.arm.answers import FAILURES, read_failure, sentence
from rdp_remediate.arm.boot_picture import read_boot_picture
from rdp_remediate.arm.clients import ArmClients, correlated
from rdp_remediate.arm.ids import ArmId, parse
from rdp_remediate.arm.operations import OPERATIONS
from rdp_remediate.arm.polling import PollTimes
from rdp_remediate.arm.reading import Reading, UnreadError
from rdp_remediate.arm.redaction import redact
from rdp_remediate.arm.resource_types import GENUINE, PLAIN
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable, derive
from rdp_remediate.ports import ArmReads, Operation

RESOURCE_DEADLINE_S = 25.0
PICTURE_DEADLINE_S = 45.0

_T = TypeVar("_T")

#: The longest that one source may take. Diagnostics are long-running operations of some 10 s each.
DEADLINES_S: Mapping[Operation, float] = {
    Operation.EFFECTIVE_SECURITY_RULES: 75.0,
    Operation.EFFECTIVE_ROUTES: 75.0,
    Operation.EFFECTIVE_ADMIN_RULES: 45.0,
    Operation.IP_FLOW: 40.0,
    Operation.NEXT_HOP: 40.0,
    Operation.SERVICE_TAGS: 45.0,
    Operation.BOOT_LOG: 45.0,
    Operation.ACTIVITY: 60.0,
    Operation.FIND_VM: 60.0,
}
_DEFAULT_DEADLINE_S = 30.0


class AzureReads(ArmReads):
    """`ArmReads` over the genuine Azure clients."""

    def __init__(
        self,
        clients: ArmClients,
        *,
        correlation_id: str | None = None,
        poll_times: PollTimes | None = None,
        deadline_factor: float = 1.0,
    ) -> None:
        """Reads with the given clients.

        Args:
            clients: The clients of this event loop.
            correlation_id: GUID that Azure's logs show with every request; see `clients.correlation_id`.
            poll_times: Waits between the polls of a long-running read.
            deadline_factor: Scales every deadline.
        """
        self._clients = clients
        self._correlation_id = correlation_id
        self._poll_times = poll_times or PollTimes()
        self._deadline_factor = deadline_factor

    async def resource(self, resource_id: str) -> Fact[JsonObject]:
        """One resource as ARM returns it (a VM with its instance view), without secrets."""
        arm = parse(resource_id)
        if arm is None:
            return Unavailable(Reason.MALFORMED, "This is no ARM resource id.", resource_id)
        asked = f"GET {arm.type or 'scope'} {arm.name}"
        reader, api_version = GENUINE.get(arm.type), PLAIN.get(arm.type)
        if arm.group is None or (reader is None and api_version is None):
            return Unavailable(Reason.NOT_SUPPORTED, f"{asked}: this type is not read.", arm.text)

        async def read(reading: Reading) -> JsonObject:
            if reader is not None:
                async with reading.slot():
                    return await reader(self._clients, arm)
            return reading.object(await reading.send("GET", arm.text, {"api-version": str(api_version)}))

        return await self._read(arm, asked, RESOURCE_DEADLINE_S, read)

    async def operation(self, operation: Operation, resource_id: str, **arguments: str) -> Fact[JsonObject]:
        """One of the reads that are no plain resource, without secrets."""
        arm = parse(resource_id)
        if arm is None:
            return Unavailable(Reason.MALFORMED, "This is no ARM resource id.", resource_id)
        source, asked = OPERATIONS[operation], f"{operation.value} of {arm.name}"
        deadline_s = DEADLINES_S.get(operation, _DEFAULT_DEADLINE_S)
        return await self._read(arm, asked, deadline_s, lambda reading: source(reading, arm, arguments))

    async def boot_picture(self, vm_id: str) -> Fact[bytes]:
        """The picture of the VM's console, a BMP, PNG or JPEG file."""
        arm = parse(vm_id)
        if arm is None:
            return Unavailable(Reason.MALFORMED, "This is no ARM resource id.", vm_id)
        asked = f"boot_picture of {arm.name}"
        return await self._attempt(arm, asked, PICTURE_DEADLINE_S, lambda reading: read_boot_picture(reading, arm))

    async def _read(
        self, arm: ArmId, asked: str, deadline_s: float, read: Callable[[Reading], Awaitable[JsonObject]]
    ) -> Fact[JsonObject]:
        return derive(await self._attempt(arm, asked, deadline_s, read), redact)

    async def _attempt(
        self, arm: ArmId, asked: str, deadline_s: float, read: Callable[[Reading], Awaitable[_T]]
    ) -> Fact[_T]:
        deadline_s *= self._deadline_factor
        try:
            # The clock starts with the first request: waiting for a slot behind other reads is no fault of this source.
            async with asyncio.timeout(None) as timeout:
                reading = Reading(
                    self._clients, arm, asked, timeout=timeout, deadline_s=deadline_s, poll_times=self._poll_times
                )
                with correlated(self._correlation_id):
                    value = await read(reading)
        except UnreadError as unread:
            return Unavailable(unread.reason, sentence(unread.detail), arm.text)
        except TimeoutError:
            return Unavailable(Reason.TIMEOUT, f"{asked}: no answer within {deadline_s:.0f} s.", arm.text)
        except json.JSONDecodeError:
            return Unavailable(Reason.MALFORMED, f"{asked}: the answer is no JSON.", arm.text)
        except FAILURES as error:
            return read_failure(error, asked, arm.text)
        return Observed(value, arm.text, datetime.now(UTC))
