"""Managed Run Commands: child resources of a VM that hold one script and, in their instance view, what it answered.

Source: learn.microsoft.com/azure/virtual-machines/windows/run-command-managed. Nothing is written over one that is there,
and an answer that is lost loses nothing: the name is ours alone, so the resource itself is asked.
"""

from rdp_remediate.arm.answers import FAILURES, Answer, read_failure, refusal, write_failure
from rdp_remediate.arm.clients import ArmClients
from rdp_remediate.arm.ids import ArmId, parse
from rdp_remediate.arm.polling import Ended, Polled, PollState, Running, begin
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason
from rdp_remediate.ports import OutcomeUnknown, Rejected

API_VERSION = "2024-07-01"
EXISTS = "RunCommandExists"
_TYPE = "microsoft.compute/virtualmachines/runcommands"


def resource_of(vm_id: str, name: str) -> ArmId | None:
    """The id of a VM's managed Run Command, or None when it is none."""
    arm = parse(f"{vm_id.rstrip('/')}/runCommands/{name}")
    return arm if arm is not None and arm.type == _TYPE and arm.group is not None else None


async def create(clients: ArmClients, arm: ArmId, body: JsonObject) -> Polled | Rejected:
    """Creates one that is not there yet; its end is the resource with its instance view."""
    asked = f"managed Run Command {arm.name} on VM {arm.names[0]}"
    there = await _absent(clients, arm, asked)
    if there is not None:
        return there
    # Only the resource's own address holds the instance view; the operation and the PUT's answer do not.
    url = f"{clients.endpoint.base_url}{arm.text}?api-version={API_VERSION}&$expand=instanceView"
    ask_resource = Running(PollState("resource", url, asked, resource=url), None)
    try:
        answer = await clients.send("PUT", arm.text, params={"api-version": API_VERSION}, json=body)
    except FAILURES as error:
        failed = write_failure(error, asked)
        return failed if isinstance(failed, Rejected) else ask_resource
    if answer.status >= 300:
        failed = _refused(answer, asked)
        return failed if isinstance(failed, Rejected) else ask_resource
    begun = begin(answer, method="PUT", url=url, asked=asked)
    return ask_resource if isinstance(begun, Ended) else begun


async def delete(clients: ArmClients, arm: ArmId) -> Polled | Rejected | OutcomeUnknown:
    """Deletes one; ended only when there is none any more."""
    asked = f"DELETE managed Run Command {arm.name} of VM {arm.names[0]}"
    try:
        answer = await clients.send("DELETE", arm.text, params={"api-version": API_VERSION})
    except FAILURES as error:
        return write_failure(error, asked)
    if answer.status == 404:
        return Ended(None)
    if answer.status >= 300:
        return _refused(answer, asked)
    return begin(answer, method="DELETE", url=arm.text, asked=asked, wants_result=False)


async def _absent(clients: ArmClients, arm: ArmId, asked: str) -> Rejected | None:
    """Why nothing is created: one of this name is there, or that cannot be looked at."""
    try:
        answer = await clients.send("GET", arm.text, params={"api-version": API_VERSION})
    except FAILURES as error:
        unread = read_failure(error, asked, arm.text)
        return Rejected(unread.reason, 0, "NotRead", unread.detail)
    if answer.status == 404:
        return None
    if answer.status < 300:
        return Rejected(Reason.BUSY, 409, EXISTS, f"{asked}: one of this name is still there.")
    told = refusal(answer, asked)
    return Rejected(told.reason, told.status, told.code, told.detail, told.retry_after_s)


def _refused(answer: Answer, asked: str) -> Rejected | OutcomeUnknown:
    told = refusal(answer, asked)
    if answer.status == 408 or not 400 <= answer.status <= 499:
        return OutcomeUnknown(told.detail)
    return Rejected(told.reason, told.status, told.code, told.detail, told.retry_after_s)
