"""What the tests of intake share: hand-written payloads in the shapes that Azure sends."""

import json
from pathlib import Path
from typing import Any

from rdp_remediate.intake.ignored import Ignored, IgnoredReason
from rdp_remediate.models.incident import Incident

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = Path(__file__).parents[2].parent / "shared" / "payloads"

SUBSCRIPTION = "5e1f0c2a-8a54-4f4e-9a0b-1d2c3b4a5f60"
NET = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net-rg/providers/Microsoft.Network"
RULE_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ops/providers/microsoft.insights/scheduledQueryRules/failed-rdp"
)


def vm_id(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Shop-RG/providers/Microsoft.Compute/virtualMachines/{name}"


def text(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def load(name: str) -> Any:
    return json.loads(text(name))


def alert(context: dict[str, Any], custom: Any = None, **essentials: Any) -> str:
    """A common-schema alert with this context; by default a fired metric alert on Web01."""
    fixed = {
        "alertId": f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/a1",
        "alertRule": "rule",
        "severity": "Sev2",
        "signalType": "Metric",
        "monitorCondition": "Fired",
        "monitoringService": "Platform",
        "alertTargetIDs": [vm_id("Web01")],
        "originAlertId": "origin-1",
        "firedDateTime": "2026-05-04T08:15:00Z",
    }
    data = {"essentials": fixed | essentials, "alertContext": context}
    if custom is not None:
        data["customProperties"] = custom
    return json.dumps({"schemaId": "azureMonitorCommonAlertSchema", "data": data})


def only(outcomes: list[Incident | Ignored]) -> Incident:
    assert len(outcomes) == 1, outcomes
    assert isinstance(outcomes[0], Incident), outcomes[0]
    return outcomes[0]


def reasons(outcomes: list[Incident | Ignored]) -> list[IgnoredReason]:
    assert all(isinstance(outcome, Ignored) for outcome in outcomes), outcomes
    return [outcome.reason for outcome in outcomes if isinstance(outcome, Ignored)]
