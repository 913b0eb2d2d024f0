"""A run as one small event for an Event Grid custom topic."""

from typing import Any

from rdp_remediate.models.report import Report
from rdp_remediate.report.wording import changed, plain

DATA_VERSION = "1"


def event(report: Report) -> dict[str, Any]:
    """The arguments of `azure.eventgrid.EventGridEvent`, without its id and time, which the publisher adds.

    The data stays small: whoever wants more asks for the report by its run id.
    """
    return {
        "event_type": f"RdpRemediate.{'RunWaiting' if report.waiting else 'RunCompleted'}",
        "subject": report.target.vm_id or report.vm_name,
        "data_version": DATA_VERSION,
        "data": {
            "run_id": report.run_id,
            "verdict": report.verdict.status,
            "verdict_before": report.verdict_before.status,
            "hop": report.verdict.hop.value if report.verdict.hop else None,
            "headline": plain(report.verdict.headline, 500),
            "causes": report.verdict.causes[:20],
            "proof": report.verdict.proof.value,
            "actions": len(changed(report)),
            "waiting": report.waiting[:20],
            "mode": report.mode.value,
        },
    }
