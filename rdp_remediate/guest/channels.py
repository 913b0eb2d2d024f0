"""Which way into Windows is taken: the action Run Command, else a managed Run Command, and why.

Both need the agent, so an agent that is not Ready, a stopped VM and forbidden extensions stop both (`preflight`). A busy
VM is waited for. Only a reason that the managed kind does not share lets it take over, and a script that may have
changed something is never sent a second time.
"""

from dataclasses import asdict, replace
from typing import Any

from rdp_remediate.guest.managed_run_command import ManagedRunCommandChannel
from rdp_remediate.guest.run_command import FAILED, RunCommandChannel
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Reason, Unavailable
from rdp_remediate.ports import GuestRequest, Rejected, Started, WriteOutcome

_BUSY_PAUSE_S = 30.0
_EXTENSION_FAILED = ("vmextensionprovisioningerror", "vmextensionhandlernontransienterror")
_ACTION_EXTENSION = "runcommandwindows"


class ChannelPolicy:
    """When the managed Run Command may take over from the action, and the reason that the report gives."""

    def after_refusal(self, refused: Rejected) -> str | None:
        """Why the managed kind may be tried although the action was refused, or None.

        A role that lacks the action's right says nothing about runCommands/write. A deny assignment, a policy or a lock
        is somebody's decision that nothing runs here, and is not gone around.
        """
        if refused.status == 403 and refused.code.lower() == "authorizationfailed":
            return f"the action Run Command is not allowed to this identity ({refused.detail})"
        return None

    def after_failure(self, failed: Unavailable) -> str | None:
        """Why the managed kind may be tried although the action's script was accepted and failed, or None.

        Only when the extension of the action itself is named as failed: the managed kind has another one. A time-out or a
        silent agent would stop both.
        """
        said = failed.detail.lower()
        if not said.startswith(FAILED.lower()):
            return None
        if _ACTION_EXTENSION in said and any(code in said for code in _EXTENSION_FAILED):
            return f"the extension of the action Run Command fails by itself ({failed.detail})"
        return None


class GuestChannels:
    """Both kinds of Run Command as one `rdp_remediate.ports.GuestChannel`.

    A stored operation of the managed kind holds `managed_because`; the pipeline keeps it with the run.
    """

    def __init__(
        self,
        action: RunCommandChannel,
        managed: ManagedRunCommandChannel,
        policy: ChannelPolicy | None = None,
    ) -> None:
        self._action = action
        self._managed = managed
        self._policy = policy or ChannelPolicy()

    def preflight(self, vm: JsonObject) -> Unavailable | None:
        """Returns why no Run Command of either kind can be used now, or None."""
        return self._action.preflight(vm)

    async def start(self, vm_id: str, request: GuestRequest) -> WriteOutcome:
        """Sends the script by the action, or by the managed kind when the run already had to."""
        if request.managed_because:
            return await self._start_managed(vm_id, request, request.managed_because)
        outcome = await self._action.start(vm_id, request)
        if isinstance(outcome, Started):
            # A collector may be asked for again in the other way; a repair never is.
            again = {"vm_id": vm_id, "request": asdict(request)} if request.script == "collect" else None
            return replace(outcome, operation={**outcome.operation, "again": again})
        because = self._policy.after_refusal(outcome) if isinstance(outcome, Rejected) else None
        if because is None or not isinstance(outcome, Rejected):
            return outcome
        managed = await self._start_managed(vm_id, request, because)
        if isinstance(managed, Rejected) and managed.reason is not Reason.BUSY:
            detail = f"{outcome.detail} The managed Run Command was refused too: {managed.detail}"
            return replace(outcome, detail=detail)
        return managed

    async def poll(self, operation: JsonObject) -> Started | Fact[JsonObject]:
        """Returns how the script stands, in whichever way it was sent."""
        if "managed_because" in operation:
            polled = await self._managed.poll(operation["managed"])
            if isinstance(polled, Started):
                return replace(polled, operation={**operation, "managed": polled.operation})
            return polled
        polled = await self._action.poll(operation)
        if not isinstance(polled, Unavailable):
            return polled
        because, again = self._policy.after_failure(polled), operation.get("again")
        if because is None or not again:
            return polled
        managed = await self._start_managed(again["vm_id"], GuestRequest(**again["request"]), because)
        if isinstance(managed, Started):
            return managed
        if isinstance(managed, Rejected) and managed.reason is Reason.BUSY and _tries(operation) < 3:
            return Started({**operation, "tries": _tries(operation) + 1}, managed.retry_after_s or _BUSY_PAUSE_S)
        detail = f"{polled.detail} The managed Run Command did not start either: {getattr(managed, 'detail', '')}"
        return Unavailable(polled.reason, detail, polled.source)

    async def _start_managed(self, vm_id: str, request: GuestRequest, because: str) -> WriteOutcome:
        started = await self._managed.start(vm_id, request)
        if isinstance(started, Started):
            return replace(started, operation={"managed_because": because, "managed": started.operation})
        return started


def _tries(operation: JsonObject) -> Any:
    return operation.get("tries", 0)
