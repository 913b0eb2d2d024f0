"""The steps of certificates and farms on simulated Windows: repair, repeat, undo, refuse."""

from typing import Any

import pytest

from tests.guest.on_winps import RT, TS, changes_but_record, comparable, repair, set_, step, undo_of
from tests.winps import Winps

pytestmark = pytest.mark.slow

THUMBPRINT = "A94B7E01D35C8F2290E6B4417D0C9A3356F1E288"
BOUND = set_(["Binary", "qUt+AdNcjyKQ5rRBfQyaM1bx4og="], "registry", RT, "SSLCertificateSHA1Hash")
STALE = set_(["String", "10.0.0.99"], "registry", f"{TS}\\ClusterSettings", "SessionDirectoryRedirectionIP")
BROKER = {
    "display_name": "Remote Desktop Connection Broker", "state": "Stopped", "start_type": "Auto", "pid": 0,
    "account": "NT AUTHORITY\\NetworkService", "depends_on": ["RPCSS"], "path_name": "C:\\Windows\\System32\\tssdis.exe",
    "exit_code": 0, "can_stop": True, "type": "Win32OwnProcess",
}  # fmt: skip
BROKEN = set_(BROKER, "services", "TSSDis")
UNBIND = step("listener_certificate", {"listener": "RDP-Tcp"}, THUMBPRINT, None)
REDIRECTION = {"path": "TS\\ClusterSettings\\SessionDirectoryRedirectionIP"}


@pytest.mark.parametrize(
    "base", ["server2022", "server2022-de", "server2022-core", "server2022-domain", "server2016", "win11"]
)
@pytest.mark.parametrize(
    ("op", "asked", "touched"),
    [
        (BOUND, UNBIND, ("registry.remove", f"{RT}\\SSLCertificateSHA1Hash")),
        (STALE, step("registry", REDIRECTION, "10.0.0.99", None), None),
        (BROKEN, step("service_state", {"service": "TSSDis"}, "Stopped", "Running"), ("service.start", "TSSDis")),
    ],
    ids=["bound", "stale", "broker"],
)
def test_repair_repeat_and_undo(winps: Winps, base: str, op: Any, asked: Any, touched: Any) -> None:
    before = winps.prepare(base, [op])
    repaired = repair(winps, before, [asked])
    assert repaired.outcomes == ["applied"]
    changed = changes_but_record(repaired)
    assert len(changed) == 1
    assert touched is None or changed[0][1] == touched[1]
    assert repair(winps, repaired.state, [asked]).mutations == []
    undone = repair(winps, repaired.state, undo_of([asked]))
    assert undone.outcomes == ["applied"]
    assert comparable(undone.state) == comparable(before)


def test_a_binding_is_left_on_a_broker_and_where_it_is_another(winps: Winps) -> None:
    on_broker = repair(winps, winps.prepare("server2022", [BOUND, BROKEN]), [UNBIND])
    assert on_broker.outcomes == ["refused"]
    other = repair(winps, winps.prepare("server2022", [BOUND]), [{**UNBIND, "expected": "BB" * 20}])
    assert other.outcomes == ["stale"]
    wrong = repair(winps, winps.prepare("server2022", [BOUND]), [{**UNBIND, "desired": "zz"}])
    assert wrong.outcomes == ["refused"]
    assert [changes_but_record(ran) for ran in (on_broker, other, wrong)] == [[], [], []]
