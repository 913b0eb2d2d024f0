"""A Windows that does not start: from the serial log or from what a person saw, without a change and without a signed URL."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.playing import Played, play_scenario, remedy

pytestmark = pytest.mark.slow

SILENT = [
    {"code": "ProvisioningState/Unavailable", "level": "Warning", "displayStatus": "Not Ready", "message": "gone"}
]
BLUE = (
    "Computer is booting, SAC started and initialized.\r\nEVENT: The CMD command is now available.\r\n"
    '<INSTANCE CLASSNAME="BLUESCREEN">\r\n<PROPERTY NAME="STOPCODE" TYPE="string"><VALUE>"0xD1"</VALUE></PROPERTY>\r\n'
)


async def _played(folder: Path, **fields: Any) -> Played:
    scenario = {
        "schema": "rdp-remediate/scenario/1",
        "name": "boot",
        "title": "Windows does not start.",
        "base": "server2022",
        "guest": [
            {"path": ["services", "TermService", "state"], "value": "Stopped"},
            {"path": ["services", "TermService", "pid"], "value": 0},
        ],
        "arm": {"instance_view": [{"path": ["vmAgent", "statuses"], "value": SILENT}]},
        "guest_readable": False,
        "ask": {"client": "203.0.113.7"},
        "expect": {"status": ["broken"]},
        **fields,
    }
    file = folder / "boot.json"
    file.write_text(json.dumps(scenario), encoding="utf-8")
    return await play_scenario("boot", "modelled", folder, file=file)


@pytest.mark.parametrize(
    ("fields", "fault", "handled"),
    [
        ({"boot_log": BLUE}, "bsod", "manual"),
        ({"screenshot_class": "windows-update"}, "windows-update-in-progress", "safe"),
        ({"screenshot_class": "getting-ready"}, "getting-windows-ready-stuck", "manual"),
    ],
)
async def test_the_screen_is_named_and_nothing_is_restarted(
    fields: dict[str, Any], fault: str, handled: str, tmp_path: Path
) -> None:
    one = await _played(tmp_path, **fields)
    assert one.diagnoses[-1].verdict.causes == [fault]
    assert remedy(one, fault) == handled
    assert one.writes() == []
    assert one.journal == []
    kept = "".join(bundle.model_dump_json() for bundle in one.bundles) + one.report.model_dump_json()
    assert "sig=" not in kept
    assert "bootdiagnostics/" not in kept.lower()


async def test_a_silent_windows_without_a_picture_is_not_guessed_at(tmp_path: Path) -> None:
    one = await _played(tmp_path)
    assert one.diagnoses[0].verdict.causes == []
    assert one.diagnoses[0].verdict.status == "not_proven"
    asked = [finding for finding in one.diagnoses[0].findings if "--boot-screen" in (finding.reason or "")]
    assert {finding.status.value for finding in asked} == {"unknown"}
