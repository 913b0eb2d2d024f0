"""What repair.ps1 would do to a guest state: compare and set, step by step, with undo by group.

Written from the guest contract, not from the script; a test compares both under winps.
"""

import json
from typing import Any

from rdp_remediate.lab.guest_runtime import GuestState
from rdp_remediate.lab.guests import registry
from rdp_remediate.lab.guests.dynamics import next_pid, settle
from rdp_remediate.lab.guests.listener import find_service
from rdp_remediate.lab.guests.surface import BUILT_IN_RULES, RECORD_FOLDER, SERVICES, full_key

Step = dict[str, Any]
_DOMAIN_CONTROLLERS = {4, 5}
_DWORDS = {
    "TS": {"fDenyTSConnections", "TSEnabled", "TSUserEnabled", "TSServerDrainMode", "fSingleSessionPerUser"},
    "RT": {
        "fEnableWinStation", "fLogonDisabled", "PortNumber", "LanAdapter", "SecurityLayer", "MinEncryptionLevel",
        "fAllowSecProtocolNegotiation", "MaxInstanceCount", "KeepAliveTimeout", "MaxIdleTime", "MaxConnectionTime",
        "MaxDisconnectionTime", "fInheritMaxIdleTime", "fInheritMaxSessionTime", "fInheritMaxDisconnectionTime",
        "fQueryUserConfigFromLocalMachine", "fQueryUserConfigFromDC",
    },
}  # fmt: skip
_CHANGEABLE_SERVICES = {
    "TermService", "UmRdpService", "SessionEnv", "CertPropSvc", "KeyIso", "CryptSvc", "RpcSs", "RpcEptMapper", "Dhcp",
    "Dnscache", "nsi", "BFE", "mpssvc", "IKEEXT", "iphlpsvc", "Netlogon", "LanmanWorkstation", "W32Time",
}  # fmt: skip
# What Windows lets SYSTEM stop, and what hangs on it, is modelled for these only.
_STOPPABLE_SERVICES = {"TermService", "UmRdpService", "SessionEnv"}
_START_WORDS = {"Auto": "auto start", "Manual": "demand start", "Disabled": "disabled"}
_POLICY_KEYS = {
    "Domain": ("DomainProfile",),
    "Private": ("PrivateProfile", "StandardProfile"),
    "Public": ("PublicProfile",),
}
_FIREWALL_LOG = "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"


class StepFailedError(Exception):
    """Windows would refuse the change."""


class NotModelledError(Exception):
    """What Windows would do about a step is known to winps only."""


def repair(state: GuestState, request: dict[str, Any]) -> tuple[GuestState, dict[str, Any]]:
    """Returns the state after a request's steps and the `repair` section of the answer.

    Raises:
        NotModelledError: a step concerns something that only winps plays.
    """
    run = _Run(settle(state), request)
    run.all_steps()
    return run.state, {"run_id": request["run_id"], "steps": [run.outcomes[step["id"]] for step in request["steps"]]}


class _Run:
    def __init__(self, state: GuestState, request: dict[str, Any]) -> None:
        self.state = state
        self.request = request
        self.outcomes: dict[str, dict[str, Any]] = {}
        self._restarted = False

    def all_steps(self) -> None:
        """Runs every step; a group that fails is undone, the next groups still run."""
        role = self.state["os"]["domain_role"]
        if role in _DOMAIN_CONTROLLERS and not self.request.get("allow_domain_controller"):
            for step in self.request["steps"]:
                self._tell(step, "refused", detail="this computer is a domain controller")
            return
        applied: dict[str, list[Step]] = {}
        stopped: set[str] = set()
        for step in self.request["steps"]:
            group = step["group"]
            if group in stopped:
                self._tell(step, "not_started", detail="an earlier step of the group did not succeed")
                continue
            if self.request.get("deadline_s", 60) <= 0:
                self._tell(step, "not_started", detail="the deadline has passed")
                continue
            outcome = self._one(step)
            if outcome == "applied":
                self._record(event="outcome", **self.outcomes[step["id"]])
                applied.setdefault(group, []).append(step)
            elif outcome != "already_true":
                stopped.add(group)
                if outcome == "failed":
                    self._record(event="outcome", **self.outcomes[step["id"]])
                self._undo(applied.pop(group, []))

    def _one(self, step: Step) -> str:
        if (why := self._refusal(step)) is not None:
            return self._tell(step, "refused", detail=why)
        before = self._read(step)
        restart = step["kind"] == "service_restart"
        if not restart and _same(before, step["desired"]):
            return self._tell(step, "already_true", before, before)
        if not _same(before, step["expected"]):
            return self._tell(step, "stale", before, before, "it is no longer what the plan expected")
        if step.get("sessions") is not None and sorted(step["sessions"]) != self._people():
            return self._tell(step, "stale", before, before, "the sessions of people are others now")
        self._record(event="before", id=step["id"], kind=step["kind"], before=before, desired=step["desired"])
        self._restarted = self._restarted or restart
        try:
            self._write(step, step["desired"])
        except StepFailedError as error:
            detail: str | None = str(error)
            reached = False
        else:
            after = self._read(step)
            reached = after not in {0, before} if restart else _same(after, step["desired"])
            detail = None if reached else "it was set, but did not become that"
        if not reached and not restart and not _same(self._read(step), before):
            self._write(step, before)
        return self._tell(step, "applied" if reached else "failed", before, self._read(step), detail)

    def _undo(self, steps: list[Step]) -> None:
        for step in reversed(steps):
            before = self.outcomes[step["id"]]["before"]
            if step["kind"] != "service_restart" and not _same(self._read(step), before):
                self._write(step, before)
            self._tell(step, "undone", before, self._read(step), "a later step of its group did not succeed")

    def _refusal(self, step: Step) -> str | None:
        target, desired = step["target"], step["desired"]
        match step["kind"]:
            case "registry":
                return self._registry_refusal(str(target.get("path", "")), desired)
            case "firewall_rule":
                known = target.get("rule") in BUILT_IN_RULES and isinstance(desired, bool)
                return None if known else "this rule is not ours to switch"
            case "firewall_profile":
                known = target.get("profile") in _POLICY_KEYS and target.get("setting") == "allow_inbound_rules"
                if not known or not isinstance(desired, bool):
                    return "this setting is not changed here"
                for key in _POLICY_KEYS[target["profile"]]:
                    path = rf"{registry.FIREWALL_POLICY}\{key}"
                    if registry.read_value(self.state, path, "DoNotAllowExceptions") is not None:
                        return "a policy decides this profile"
                return None
            case "service_start" | "service_state" | "service_restart":
                return self._service_refusal(step["kind"], target.get("service"), desired)
        return "this kind of step is not known"

    def _registry_refusal(self, path: str, desired: Any) -> str | None:
        short_key, _, name = path.rpartition("\\")
        is_text = path in (r"TS\WinStations\SelfSignedCertStore", r"CV\Winlogon\WinStationsDisabled")
        if not is_text and name not in _DWORDS.get(short_key, set()):
            return f"{path} is not a value that is written here"
        if desired is not None:
            right = isinstance(desired, str) if is_text else type(desired) is int and 0 <= desired <= 0xFFFFFFFF
            if not right:
                return f"{path} is of another type"
        policy = registry.read_value(self.state, registry.TERMINAL_SERVICES_POLICY, name)
        return f"a policy decides {name}" if policy is not None and not _same(policy[1], desired) else None

    def _service_refusal(self, kind: str, service: str | None, desired: Any) -> str | None:
        if kind == "service_start" and desired not in _START_WORDS:
            return f"{desired} is no start type"
        if kind == "service_state" and desired not in {"Running", "Stopped"}:
            return f"{desired} is no state"
        if kind == "service_restart":
            if service != "TermService":
                return "only TermService is restarted"
            if self._restarted:
                return "one restart per request"
        if service not in _CHANGEABLE_SERVICES:
            return f"{service} is not ours to change"
        if service not in SERVICES or (desired == "Stopped" and service not in _STOPPABLE_SERVICES):
            raise NotModelledError(f"what a change of the service {service} does")
        return None

    def _tell(self, step: Step, outcome: str, before: Any = None, after: Any = None, detail: str | None = None) -> str:
        self.outcomes[step["id"]] = {
            "id": step["id"],
            "outcome": outcome,
            "before": before,
            "after": after,
            "detail": detail,
        }
        return outcome

    def _people(self) -> list[int]:
        return sorted(session["id"] for session in self.state["sessions"] if session.get("user"))

    def _read(self, step: Step) -> Any:
        target = step["target"]
        match step["kind"]:
            case "registry":
                short_key, _, name = target["path"].rpartition("\\")
                entry = registry.read_value(self.state, full_key(short_key), name)
                return None if entry is None else entry[1]
            case "service_start":
                return self._service(target["service"])["start_type"]
            case "service_state":
                return self._service(target["service"])["state"]
            case "service_restart":
                return self._service(target["service"])["pid"]
            case "firewall_rule":
                rule = self._rule(target["rule"])
                return None if rule is None else rule["enabled"]
            case _:
                return self.state["firewall"]["profiles"][target["profile"]][target["setting"]]

    def _write(self, step: Step, value: Any) -> None:
        target = step["target"]
        match step["kind"]:
            case "registry":
                short_key, _, name = target["path"].rpartition("\\")
                kind = "DWord" if isinstance(value, int) else "String"
                registry.write_value(self.state, full_key(short_key), name, None if value is None else [kind, value])
            case "service_start":
                self._set_start_type(target["service"], value)
            case "service_state":
                if value == "Running":
                    self._start(target["service"])
                elif self._running_dependents(target["service"]):
                    raise StepFailedError("services that depend on it are running")
                else:
                    self._stop(target["service"])
            case "service_restart":
                dependents = self._stop(target["service"])
                for name in (target["service"], *dependents):
                    self._start(name)
            case "firewall_rule":
                rule = self._rule(target["rule"])
                if rule is not None:
                    rule["enabled"] = value
                    self._log_firewall(2005, {"RuleId": rule["name"], "RuleName": rule.get("display_name", "")})
            case _:
                profile = self.state["firewall"]["profiles"][target["profile"]]
                profile[target["setting"]] = value
                explicit = profile.setdefault("explicit", [])
                if target["setting"] not in explicit:
                    explicit.append(target["setting"])
                self._log_firewall(2003, {"Profiles": target["profile"]})
        self.state = settle(self.state)

    def _service(self, name: str) -> dict[str, Any]:
        service = find_service(self.state, name)
        if service is None:
            raise StepFailedError(f"there is no service {name}")
        return service

    def _rule(self, name: str) -> dict[str, Any] | None:
        return next((rule for rule in self.state["firewall"]["rules"] if rule["name"] == name), None)

    def _set_start_type(self, name: str, start_type: str) -> None:
        service = self._service(name)
        words = (_START_WORDS.get(service["start_type"], "disabled"), _START_WORDS[start_type])
        service["start_type"] = start_type
        self._log_service(
            7040,
            {"param1": service["display_name"], "param2": words[0], "param3": words[1], "param4": name},
        )

    def _start(self, name: str) -> None:
        service = self._service(name)
        if service["state"] == "Running":
            return
        if service["start_type"] == "Disabled":
            raise StepFailedError(f"the service {name} is disabled (1058)")
        for dependency in service.get("depends_on", []):
            if find_service(self.state, dependency) is not None:
                self._start(dependency)
        service["state"] = "Running"
        service["exit_code"] = 0
        service["pid"] = next_pid(self.state)
        self.state["processes"].append(
            {"pid": service["pid"], "name": "svchost", "path": r"C:\Windows\System32\svchost.exe", "session_id": 0,
             "services": [name], "working_set_mb": 12, "start_time": self.state["now"]}
        )  # fmt: skip
        self._log_service(7036, {"param1": service["display_name"], "param2": "running"})

    def _running_dependents(self, name: str) -> list[str]:
        return [
            other
            for other, service in self.state["services"].items()
            if service["state"] == "Running" and name.lower() in {item.lower() for item in service["depends_on"]}
        ]

    def _stop(self, name: str) -> list[str]:
        """Stops a service and, before it, what depends on it; returns those dependents."""
        dependents = self._running_dependents(name)
        for other in dependents:
            self._stop(other)
        service = self._service(name)
        if service["state"] == "Running":
            service["state"] = "Stopped"
            self._log_service(7036, {"param1": service["display_name"], "param2": "stopped"})
            if name == "TermService":
                self._end_remote_sessions()
            self.state = settle(self.state)
        return dependents

    def _end_remote_sessions(self) -> None:
        for session in self.state["sessions"]:
            if session["name"].startswith("rdp-tcp#"):
                session.update(name="", state="Disc")

    def _log_service(self, event_id: int, data: dict[str, str]) -> None:
        self._log("System", "Service Control Manager", event_id, data)

    def _log_firewall(self, event_id: int, data: dict[str, str]) -> None:
        self._log(_FIREWALL_LOG, _FIREWALL_LOG.split("/", maxsplit=1)[0], event_id, data)

    def _log(self, log: str, provider: str, event_id: int, data: dict[str, str]) -> None:
        records = [event.get("record_id", 0) for event in self.state["events"] if event["log"] == log]
        self.state["events"].append(
            {
                "log": log,
                "provider": provider,
                "id": event_id,
                "level": 4,
                "time": self.state["now"],
                "record_id": max([0, *records]) + 1,
                "message": "",
                "data": data,
                "user_sid": None,
            }
        )

    def _record(self, **entry: Any) -> None:
        """Adds one JSON line to the record of the run, which only administrators may read."""
        files = self.state.setdefault("files", {})
        files.setdefault(RECORD_FOLDER, {"type": "dir", "sddl": "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"})
        record = files.setdefault(f"{RECORD_FOLDER}\\{self.request['run_id']}.json", {"type": "file", "text": ""})
        record["text"] += json.dumps({**entry, "at": self.state["now"]}, sort_keys=True) + "\r\n"


def _same(left: Any, right: Any) -> bool:
    """True if equal and of one type: an absent value is not 0, 1 is not true."""
    return type(left) is type(right) and bool(left == right)
