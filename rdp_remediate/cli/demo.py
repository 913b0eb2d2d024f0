"""demo: the main job on the lab, from the alert to the posted summary."""

import argparse
import importlib.util
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import rdp_remediate
from rdp_remediate import worker
from rdp_remediate.cli.exit_codes import ExitCode, of_report
from rdp_remediate.cli.lab_services import add_lab_options, environment_of, open_lab
from rdp_remediate.cli.output import add_output, show
from rdp_remediate.cli.progress import LiveProgress
from rdp_remediate.errors import NotApplicableError, UsageError
from rdp_remediate.lab.build import placeholders
from rdp_remediate.lab.json_ops import substitute
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.report import Report
from rdp_remediate.models.run import Phase, Run, RunMessage
from rdp_remediate.pipeline import report_of
from rdp_remediate.ports import Services
from rdp_remediate.settings import Settings
from rdp_remediate.wiring import WallClock, open_services


def add_commands(commands: Any) -> None:
    """Adds demo."""
    command = commands.add_parser(
        "demo",
        help="show the whole job on a simulated Azure",
        description="Starts the lab with a broken VM, lets a failed-RDP alert arrive at the function code, and shows the "
        "diagnosis, the plan, the fixes, the proof and the summary as it would be posted. Needs no Azure.",
        allow_abbrev=False,
    )
    add_lab_options(command)
    add_output(command, "text", "json", "html")
    command.set_defaults(run=run)


async def run(options: argparse.Namespace) -> ExitCode:
    """Runs the command; the exit code is that of the last verdict."""
    with LiveProgress(quiet=options.output != "text") as progress, tempfile.TemporaryDirectory() as folder:
        async with open_lab(options) as lab, environment_of(lab, str(Path(folder) / "runs.sqlite3")) as environment:
            settings = Settings.from_environment(environment)
            scenario = lab.scenario
            progress.heading(f"Scenario {scenario.name}: {scenario.title}")
            sources = ", ".join(scenario.sources)
            progress.heading(
                f"Mode {settings.max_mode}; configured sources {sources}; the client is {scenario.ask.client}."
            )
            async with open_services(settings, vantage="app", progress=progress) as services:
                run_, report = await play(lab, services, settings)
            posted = lab.receivers.of("teams")
    if report is None:
        raise NotApplicableError(str(run_.done.reason if run_.done else "the run did not get as far as a report"))
    code = show(report, options.output)
    if options.output == "text" and posted:
        card = posted[-1]
        sys.stdout.write(f"\nPosted to Teams: {len(json.dumps(card.body))} bytes, answered 2xx.\n")
    return code if options.output != "text" else of_report(report)


async def play(lab: Lab, services: Services, settings: Settings) -> tuple[Run, Report | None]:
    """Sends the alert to the function code and works on the run as the queue would."""
    messages = await deliver_alert(lab, services, settings)
    run_id = messages[0].run_id
    if lab.scenario.screenshot_class or lab.scenario.client_check or lab.scenario.ask.principal_id:
        messages = [await _tell(run_id, lab, services)]
    while messages:
        message = messages.pop(0)
        messages += await worker.advance_one(message, _ready(services))
        if not messages:
            current = await services.ledger.load(run_id)
            if current is None or current.phase is Phase.DONE or _waits_for_person(current):
                break
            if current.due_at is not None:
                await services.clock.sleep((current.due_at - services.clock.now()).total_seconds())
            messages = [RunMessage(run_id=run_id, seq=current.seq)]
    ended = await services.ledger.load(run_id)
    if ended is None:
        raise UsageError(f"run {run_id} is gone from the store")
    return ended, await report_of(ended, services) if ended.bundles else None


async def _tell(run_id: str, lab: Lab, services: Services) -> RunMessage:
    """Says what a person brings, which an alert cannot know: --boot-screen, --client-check and --principal-id."""
    run = await services.ledger.claim(run_id, services.clock.now() + timedelta(seconds=10))
    if run is None:
        raise UsageError(f"run {run_id} is taken by somebody else")
    policy, incident = run.policy, run.incident
    if lab.scenario.screenshot_class:
        policy = policy.model_copy(update={"boot_screen": lab.scenario.screenshot_class})
    if lab.scenario.client_check:
        made_at = services.clock.now().isoformat().replace("+00:00", "Z")
        check = {**substitute(lab.scenario.client_check, placeholders(lab.names)), "made_at": made_at}
        incident = incident.model_copy(update={"client_check": check})
    target = run.target.model_copy(update={"principal_id": lab.scenario.ask.principal_id})
    told = {"policy": policy, "incident": incident, "target": target}
    saved = await services.ledger.save(run.model_copy(update=told))
    return RunMessage(run_id=run_id, seq=saved.seq)


def _waits_for_person(run: Run) -> bool:
    return run.wait is not None and run.wait.kind == "approval"


def _ready(services: Services) -> worker.OpenServices:
    async def opened() -> Services:
        return services

    return opened


async def deliver_alert(lab: Lab, services: Services, settings: Settings) -> list[RunMessage]:
    """Posts the failed-RDP alert to the function `alerts` itself where the checkout has it, else to what it calls."""
    body = json.dumps(alert_of(lab)).encode()
    module = function_module()
    if module is None:
        received = await worker.receive("alert", body, settings, services.ledger, WallClock())
        return received.messages
    import azure.functions as func  # noqa: PLC0415 - only where the function code runs

    request = func.HttpRequest("POST", "https://localhost/api/alerts", body=body)
    output: Any = _Output()
    answer = (
        await module.alerts.build().get_user_function()(request, output) if hasattr(module.alerts, "build") else None
    )
    if answer is None or answer.status_code != 202:
        raise UsageError(f"the function alerts answered {getattr(answer, 'status_code', 'nothing')}: {answer}")
    return [RunMessage.model_validate_json(text) for text in output.value]


class _Output:
    """Stands for the queue that the Functions host would write to."""

    def __init__(self) -> None:
        self.value: list[str] = []

    def set(self, value: list[str]) -> None:
        """Keeps the messages."""
        self.value = value


def function_module() -> ModuleType | None:
    """The function app of this checkout, or None where the package was installed without it."""
    path = Path(rdp_remediate.__file__).resolve().parent.parent / "function_app.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("rdp_remediate_function_app", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def alert_of(lab: Lab) -> dict[str, Any]:
    """A failed-RDP alert in the common alert schema: a log alert whose dimensions name the VM and the client."""
    ask = lab.scenario.ask
    now = WallClock().now().isoformat().replace("+00:00", "Z")
    dimensions = [{"name": "_ResourceId", "value": lab.vm_id.lower()}]
    if ask.client:
        dimensions.append({"name": "ClientIP", "value": ask.client})
    dimensions.append({"name": "DestPort", "value": str(ask.dialled_port)})
    if ask.dialled_address:
        dialled = substitute(ask.dialled_address, placeholders(lab.names))
        dimensions.append({"name": "DialledAddress", "value": dialled})
    if ask.user:
        dimensions.append({"name": "TargetAccount", "value": ask.user})
    workspace = f"{lab.names.group_id}/providers/Microsoft.OperationalInsights/workspaces/law-app".lower()
    return {
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": f"{lab.names.subscription_id}/providers/Microsoft.AlertsManagement/alerts/demo-{now}",
                "alertRule": "failed-rdp",
                "alertRuleID": f"{lab.names.group_id}/providers/Microsoft.Insights/scheduledQueryRules/failed-rdp",
                "severity": "Sev2",
                "signalType": "Log",
                "monitorCondition": "Fired",
                "monitoringService": "Log Alerts V2",
                "alertTargetIDs": [workspace],
                "configurationItems": [lab.vm_id],
                "originAlertId": "demo",
                "firedDateTime": now,
                "essentialsVersion": "1.0",
                "alertContextVersion": "1.0",
            },
            "alertContext": {
                "properties": {"rdp-remediate": "failed-rdp"},
                "conditionType": "LogQueryCriteria",
                "condition": {
                    "windowSize": "PT5M",
                    "allOf": [{"dimensions": dimensions, "metricValue": 3.0, "threshold": "0"}],
                },
            },
            "customProperties": {"rdp-remediate": "failed-rdp"},
        },
    }
