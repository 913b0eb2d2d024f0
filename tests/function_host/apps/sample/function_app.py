"""A small app with one function per kind of trigger, to try the test host on."""

import asyncio
import json
import logging
import os

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="echo", methods=["POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Answer with what arrived."""
    logging.getLogger("sample").info("echo of %d bytes", len(req.get_body()))
    content = {
        "method": req.method,
        "url": req.url,
        "params": dict(req.params),
        "header": req.headers.get("x-sample"),
        "body": req.get_body().decode(),
        "setting": os.environ.get("SAMPLE_SETTING"),
    }
    return func.HttpResponse(
        json.dumps(content), status_code=202, headers={"Retry-After": "5"}, mimetype="application/json"
    )


@app.route(route="runs/{run_id}", methods=["GET"])
async def status(req: func.HttpRequest) -> str:
    """Answer with the route parameter as plain text."""
    return str(req.route_params["run_id"])


@app.route(route="runs/latest", methods=["GET"])
async def latest(req: func.HttpRequest) -> str:
    """Win over the parameter route, as a literal does."""
    return "latest"


@app.route(route="start", methods=["POST"])
@app.queue_output(arg_name="work", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def start(req: func.HttpRequest, work: func.Out[str]) -> func.HttpResponse:
    """Put the body on the queue."""
    work.set(req.get_body().decode())
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="message", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="done", queue_name="done", connection="AzureWebJobsStorage")
async def work(message: func.QueueMessage, done: func.Out[str]) -> None:
    """Do as the message says: fail, fail until a dequeue count, hang, or pass it on."""
    task = json.loads(message.get_body())
    logging.info("work %s, dequeue count %d", task, message.dequeue_count)
    if message.dequeue_count is not None and message.dequeue_count <= task.get("fail_times", 0):
        raise RuntimeError(f"failing as told, attempt {message.dequeue_count}")
    if task.get("hang"):
        await asyncio.sleep(3600)
    done.set(json.dumps({"task": task, "attempt": message.dequeue_count, "inserted": str(message.insertion_time)}))


@app.event_grid_trigger(arg_name="event")
@app.queue_output(arg_name="seen", queue_name="seen", connection="AzureWebJobsStorage")
async def on_event(event: func.EventGridEvent, seen: func.Out[str]) -> None:
    """Pass on the type of the object that the runtime makes of the event, and the event's id."""
    seen.set(json.dumps([type(event).__name__, event.id]))


@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%", run_on_startup=False)
def tick(timer: func.TimerRequest) -> None:
    """Log whether the timer was late."""
    logging.warning("past due: %s", timer.past_due)


@app.route(route="exit", methods=["POST"])
async def leave(req: func.HttpRequest) -> func.HttpResponse:
    """End the worker process, as SystemExit does."""
    print("leaving")
    raise SystemExit(3)
