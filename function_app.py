"""Azure Functions: binds triggers to `rdp_remediate.worker` and adds nothing.

HTTP functions answer 202 with a status URL; the work is done by `run`, one advance of a run per queue message.
"""

import json
import logging
import math
import typing

import azure.functions as func

from rdp_remediate import worker
from rdp_remediate.errors import PayloadError, RdpRemediateError, StoreError, UsageError
from rdp_remediate.models.run import RunMessage
from rdp_remediate.wiring import App

STORAGE = "AzureWebJobsStorage"
MOST_WAIT_S = 200
"""Azure cuts an HTTP answer off at 230 s."""

Runs = func.Out[typing.List[str]]  # noqa: UP006 - the indexer knows typing.List only
"""Messages for the queue `runs`."""

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
here = App()
log = logging.getLogger("rdp_remediate")


def _json(body: object, status: int) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json")


def _texts(messages: typing.Sequence[RunMessage]) -> list[str]:
    return [message.model_dump_json() for message in messages]


async def _take(
    req: func.HttpRequest,
    door: worker.Door,
    runs: Runs,
) -> func.HttpResponse:
    """Takes one HTTP payload in; with ?wait=SECONDS works on it at once, within limits."""
    try:
        wait_s = min(float(req.params.get("wait", "0")), MOST_WAIT_S)
    except ValueError:
        wait_s = math.nan
    if not wait_s >= 0:
        return _json({"error": "wait is no number of seconds"}, 400)
    try:
        received = await worker.receive(
            door,
            req.get_body(),
            here.settings,
            await here.ledger(),
            here.clock,
            request_id=req.headers.get("x-request-id"),
            requested_by=req.headers.get("x-ms-client-principal-name"),
        )
    except PayloadError as refused:
        return _json({"error": str(refused)}, 400)
    except StoreError as failed:
        log.exception("the store failed, nothing was started")
        return _json({"error": f"{failed} Nothing was started; send it again."}, 503)
    messages = received.messages
    if wait_s > 0:
        messages = [
            later
            for message in messages
            for later in await worker.advance_one(message, here.services, advance_s=wait_s)
        ]
    runs.set(_texts(messages))
    base = req.url.split("/api/", 1)[0]
    shown = []
    for run in received.runs:
        row: dict[str, object] = {"run_id": run.run_id, "status_url": f"{base}/api/runs/{run.run_id}"}
        if wait_s > 0:
            row["status"] = await worker.status(here.services, run.run_id)
        shown.append(row)
    ignored = [{"reason": one.reason.value, "detail": one.detail} for one in received.ignored]
    for one in received.ignored:
        log.info("ignored (%s): %s", one.reason.value, one.detail)
    return _json({"runs": shown, "ignored": ignored}, 200 if wait_s > 0 else 202)


@app.function_name("alerts")
@app.route(route="alerts", methods=["POST"])
@app.queue_output(arg_name="runs", queue_name="runs", connection=STORAGE)
async def alerts(req: func.HttpRequest, runs: Runs) -> func.HttpResponse:
    """An Azure Monitor action group posts an alert."""
    return await _take(req, "alert", runs)


@app.function_name("diagnose")
@app.route(route="diagnose", methods=["POST"])
@app.queue_output(arg_name="runs", queue_name="runs", connection=STORAGE)
async def diagnose(req: func.HttpRequest, runs: Runs) -> func.HttpResponse:
    """A person or a script asks for a diagnosis."""
    return await _take(req, "manual", runs)


@app.function_name("event_grid")
@app.event_grid_trigger(arg_name="event")
@app.queue_output(arg_name="runs", queue_name="runs", connection=STORAGE)
async def event_grid(event: str, runs: Runs) -> None:
    """Event Grid delivers an event directly."""
    await _event(event, runs)


@app.function_name("events")
@app.queue_trigger(arg_name="msg", queue_name="events", connection=STORAGE)
@app.queue_output(arg_name="runs", queue_name="runs", connection=STORAGE)
async def events(msg: func.QueueMessage, runs: Runs) -> None:
    """An Event Grid subscription has put an event into the storage queue."""
    await _event(msg.get_body(), runs)


async def _event(body: bytes | str, runs: Runs) -> None:
    received = await worker.receive("event_grid", body, here.settings, await here.ledger(), here.clock)
    for one in received.ignored:
        log.info("ignored (%s): %s", one.reason.value, one.detail)
    runs.set(_texts(received.messages))


@app.function_name("run")
@app.queue_trigger(arg_name="msg", queue_name="runs", connection=STORAGE)
@app.queue_output(arg_name="runs", queue_name="runs", connection=STORAGE)
async def run(msg: func.QueueMessage, runs: Runs) -> None:
    """Works on one run for one message."""
    message = RunMessage.model_validate_json(msg.get_body())
    runs.set(_texts(await worker.advance_one(message, here.services)))


@app.function_name("due")
@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
@app.queue_output(arg_name="runs", queue_name="runs", connection=STORAGE)
async def due(timer: func.TimerRequest, runs: Runs) -> None:
    """Every minute: runs that are due and that nobody works on are sent again."""
    del timer
    runs.set(_texts(await worker.sweep(await here.ledger(), here.clock)))


@app.function_name("expire")
@app.timer_trigger(arg_name="timer", schedule="30 */5 * * * *")
async def expire(timer: func.TimerRequest) -> None:
    """Every five minutes: NSG rules whose time is over are removed, if they are still exactly ours."""
    del timer
    for line in await worker.expire(await here.services()):
        log.info("expired %s", line)


@app.function_name("status")
@app.route(route="runs/{run_id}", methods=["GET"])
async def status(req: func.HttpRequest) -> func.HttpResponse:
    """How a run stands, with its report once there is one."""
    shown = await worker.status(here.services, req.route_params["run_id"])
    return _json({"error": "there is no such run"}, 404) if shown is None else _json(shown, 200)


@app.function_name("boot_picture")
@app.route(route="runs/{run_id}/boot-picture", methods=["GET"])
async def boot_picture(req: func.HttpRequest) -> func.HttpResponse:
    """The picture of the VM's console that a run kept, for a person to look at."""
    try:
        found = await worker.boot_picture(await here.ledger(), req.route_params["run_id"])
    except StoreError as failed:
        return _json({"error": str(failed)}, 503)
    if found is None:
        return _json({"error": "there is no such run, or it kept no boot picture"}, 404)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return func.HttpResponse(found.picture, status_code=200, mimetype=found.media_type, headers=headers)


@app.function_name("approve")
@app.route(route="runs/{run_id}/steps/{step_id}/approve", methods=["POST"])
@app.queue_output(arg_name="runs", queue_name="runs", connection=STORAGE)
async def approve(req: func.HttpRequest, runs: Runs) -> func.HttpResponse:
    """A person approves a waiting step."""
    person = req.headers.get("x-ms-client-principal-name") or "the holder of the function key"
    run_id, step_id = req.route_params["run_id"], req.route_params["step_id"]
    try:
        message = await worker.approve(await here.ledger(), run_id, step_id, person)
    except UsageError as refused:
        return _json({"error": str(refused)}, 409)
    except RdpRemediateError as failed:
        return _json({"error": str(failed)}, 503)
    runs.set(_texts([message]))
    return _json({"run_id": run_id, "approved": step_id, "by": person}, 202)
