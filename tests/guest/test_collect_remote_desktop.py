"""The section remote_desktop of the collector's answer, on simulated Windows."""

import pytest

from tests.guest.on_winps import POL, RT, TS, Op, collect, set_
from tests.winps import BASES, Winps, vectors

pytestmark = pytest.mark.slow

SIGNED = "C:\\Windows\\System32\\termsrv.dll"
LSM = "Microsoft-Windows-TerminalServices-LocalSessionManager"


def told(winps: Winps, base: str, ops: list[Op]) -> dict[str, object]:
    answer = collect(winps, winps.prepare(base, ops)).answer
    assert answer["unavailable"] == []
    return {name: value for name, value in answer["remote_desktop"].items() if value not in (None, [])}


@pytest.mark.parametrize("base", BASES)
def test_a_healthy_answer_hardly_grows(winps: Winps, base: str) -> None:
    ran = collect(winps, winps.state(base))
    assert len(ran.stdout.strip()) < 2_800
    section = {name: value for name, value in ran.answer["remote_desktop"].items() if value not in (None, [])}
    assert section.pop("display_name", "Remotedesktopdienste") == "Remotedesktopdienste"
    assert section == {"session_host": False}


def test_what_is_wrong_with_term_service_is_told(winps: Winps) -> None:
    ops = [
        set_(["RPCSS", "TermDD2", "KeyIso"], "services", "TermService", "depends_on"),
        set_("Stopped", "services", "TermService", "state"),
        set_(".\\svc-rdp", "services", "TermService", "account"),
        set_(True, "files", SIGNED, "corrupt"),
    ]
    assert told(winps, "server2022", ops) == {
        "session_host": False,
        "file_signature": "HashMismatch",
        "missing_dependencies": ["TermDD2"],
        "account_sid": "none",
    }


def test_a_translated_account_is_still_the_default_one(winps: Winps) -> None:
    ops = [set_("NT-AUTORIT\u00c4T\\NETZWERKDIENST", "services", "TermService", "account")]
    assert told(winps, "server2022-de", ops)["account_sid"] == "S-1-5-20"


def test_listener_port_and_limits(winps: Winps) -> None:
    ended = {"log": f"{LSM}/Operational", "provider": LSM, "level": 4, "message": "", "user_sid": "S-1-5-18", "id": 40}
    ops: list[Op] = [
        set_(["DWord", 2], "registry", RT, "LanAdapter"),
        set_(["DWord", 2], "registry", f"{TS}\\lanatable\\{{0C7E5B1A-93D4-4F5E-8B60-2E7D1A9C4F10}}", "LanaId"),
        set_(["DWord", 300000], "registry", POL, "MaxIdleTime"),
    ]
    for number, reason in enumerate(("3", "3", "4", "11")):
        event = {
            **ended,
            "time": "2026-01-15T09:25:00Z",
            "record_id": 91 + number,
            "data": {"Session": "2", "Reason": reason},
        }
        ops.append({"path": ["events"], "append": event})
    seen = told(winps, "server2022", ops)
    assert (seen["listener_adapter"], seen["limit_drops"]) == ("missing", {"idle": 2, "time": 1})


def test_the_role_of_a_session_host(winps: Winps) -> None:
    one = next((vector for vector in vectors("traps") if vector["name"] == "TR25"), None)
    if one is None:
        pytest.skip("the shared vectors are not there: put them at ../shared/vectors beside the checkout")
    assert told(winps, one["base"], one["guest"])["session_host"] is True
