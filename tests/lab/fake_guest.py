"""A guest runtime for tests of the lab alone: echoes scripts, no Windows behind it."""

import json
from typing import Any

from rdp_remediate.lab.guest_runtime import Admission, GuestState, RdpListener, ScriptResult


def small_state() -> GuestState:
    return {
        "schema": "winps/state/1",
        "now": "2026-01-15T10:00:00Z",
        "os": {
            "caption": "Microsoft Windows Server 2022 Datacenter",
            "version": "10.0.20348",
            "computer_name": "RDPVM01",
            "last_boot": "2026-01-12T03:04:05Z",
        },
        "registry": {},
        "services": {"TermService": {"state": "Running", "start_type": "Manual"}},
        "firewall": {"rules": [{"name": "RemoteDesktop-UserMode-In-TCP", "enabled": True}]},
        "sessions": [],
        "certificates": {
            "LocalMachine\\Remote Desktop": [
                {
                    "thumbprint": "3828F284EE2737C9A2E283B43C4C513D31EC151B",
                    "subject": "CN=RDPVM01",
                    "issuer": "CN=RDPVM01",
                    "not_before": "2026-01-09T08:02:10Z",
                    "not_after": "2026-07-11T08:02:10Z",
                    "has_private_key": True,
                    "eku": ["1.3.6.1.5.5.7.3.1"],
                    "dns_names": ["RDPVM01"],
                }
            ]
        },
    }


class FakeGuest:
    """Understands `set PATH VALUE` lines and echoes parameters; everything else is printed back."""

    def __init__(self) -> None:
        self.scripts: list[str] = []
        self.closed = False

    def healthy_state(self, base: str) -> GuestState:
        return small_state()

    def settle(self, state: GuestState) -> GuestState:
        return state

    def rdp_listener(self, state: GuestState) -> RdpListener | None:
        if state["services"]["TermService"]["state"] != "Running":
            return None
        entry = state["certificates"]["LocalMachine\\Remote Desktop"][0]
        return RdpListener(3389, 2, True, entry["thumbprint"], state["os"]["computer_name"])

    def admits(self, state: GuestState, client: str, port: int) -> Admission:
        rule = state["firewall"]["rules"][0]
        if not rule["enabled"]:
            return Admission.SILENT
        return Admission.ACCEPT if self.rdp_listener(state) else Admission.SILENT

    async def run_script(
        self, state: GuestState, script: str, parameters: dict[str, str], *, timeout_s: float
    ) -> ScriptResult:
        self.scripts.append(script)
        changed: dict[str, Any] = json.loads(json.dumps(state))
        if script == "disable-rule":
            changed["firewall"]["rules"][0]["enabled"] = False
        if script == "flood":
            return ScriptResult("ä" * 3000 + "end", "", changed)
        out = json.dumps({"script": script, "parameters": parameters, "now": state["now"]})
        return ScriptResult(out, "", changed)

    async def close(self) -> None:
        self.closed = True
