"""The outside world in memory, behind the ports: what is written is what the next read shows.

`World` holds ARM resources and one Windows guest as JSON. The fakes serve and change it; outcomes that Azure may give
instead of success are scripted per call, each used once.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from rdp_remediate.facts.facts import read_facts
from rdp_remediate.guest.run_command import preflight
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.models.report import Delivery
from rdp_remediate.network.guest_firewall import Admission
from rdp_remediate.network.question import ask, guest_admission
from rdp_remediate.ports import (
    Completed,
    GuestRequest,
    Operation,
    OutcomeUnknown,
    Rejected,
    Started,
    WriteOutcome,
)
from tests import factories as f
from tests.factories import Change, healthy_json
from tests.store.memory import FakeClock

LOST_DONE: Final = "lost after it took effect"
LOST_UNDONE: Final = "lost before it took effect"
Script = Rejected | Literal["lost after it took effect", "lost before it took effect"]

BUSY = Rejected(Reason.BUSY, 409, "Conflict", "Run command extension execution is in progress.", 1.0)
FORBIDDEN = Rejected(Reason.FORBIDDEN, 403, "AuthorizationFailed", "does not have authorization to perform action")
THROTTLED = Rejected(Reason.THROTTLED, 429, "RetryableError", "too many requests", 1.0)


class ManualClock(FakeClock):
    """A clock that moves when somebody sleeps, and a little whenever somebody looks, as clocks do."""

    def now(self) -> datetime:
        self.time += timedelta(microseconds=100)
        return self.time


@dataclass
class World:
    """One VM and its surroundings.

    Attributes:
        data: A bundle's JSON: resources, operations, guest and changes are the world's state.
        refused: Reads that fail, by operation word or lower-case resource id.
        calls: Every acting call in order: (kind, what).
    """

    data: JsonObject = field(default_factory=healthy_json)
    refused: dict[str, Reason] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    picture: bytes | None = None
    scripts: dict[str, list[Script]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    hooks: dict[str, Callable[[], None]] = field(default_factory=dict)

    def change(self, *changes: Change) -> "World":
        """Changes the world."""
        for change in changes:
            change(self.data)
        return self

    def script(self, kind: str, *outcomes: Script) -> None:
        """What the next calls of a kind end with instead of success."""
        self.scripts.setdefault(kind, []).extend(outcomes)

    def called(self, kind: str) -> list[str]:
        """The calls of one kind."""
        return [what for one, what in self.calls if one == kind]

    @property
    def acting(self) -> list[tuple[str, str]]:
        """The calls that change something."""
        return [call for call in self.calls if call[0] not in ("collect",)]

    def begin(self, kind: str, what: str) -> Script | None:
        """Notes a call; returns what it ends with instead of success."""
        self.calls.append((kind, what))
        if hook := self.hooks.pop(kind, None):
            hook()
        waiting = self.scripts.get(kind)
        return waiting.pop(0) if waiting else None

    def rules(self, nsg_id: str) -> list[JsonObject]:
        """The written rules of an NSG."""
        found: list[JsonObject] = self.data["resources"][nsg_id.lower()]["properties"]["securityRules"]
        return found

    def bundle(self) -> Bundle:
        """The world as a bundle."""
        return Bundle.model_validate(copy.deepcopy(self.data))

    @property
    def running(self) -> bool:
        """The VM is on."""
        view = self.data["resources"][f.VM.lower()]["properties"]["instanceView"]
        return any(status["code"] == "PowerState/running" for status in view["statuses"])

    def listening(self) -> bool:
        """TermService listens: it runs and nothing denies connections."""
        guest = self.data["guest"]
        if guest is None:
            return True  # nobody can look, and nothing says otherwise
        denied = 1 in (guest["registry"][f.DENY_LOCAL], guest["registry"][f.DENY_POLICY])
        return bool(guest["services"]["TermService"]["state"] == "Running" and not denied)

    def answer(self) -> JsonObject:
        """What the collector says now."""
        guest: JsonObject = copy.deepcopy(self.data["guest"])
        probe = guest["self_probe"]
        probe["port"] = guest["registry"][f.PORT]
        if self.listening():
            probe.update(tcp="open", x224="answered", selected_protocol=2)
        else:
            probe.update(tcp="refused", x224=None, selected_protocol=None)
        return guest

    def reachable(self) -> bool:
        """RDP answers the client, all the way."""
        if not self.running or not self.listening():
            return False
        facts = read_facts(self.bundle())
        admission = guest_admission(facts)
        admitted = not isinstance(admission, Unavailable) and admission.value.admission is Admission.ALLOW
        return ask(facts).allowed and admitted


class FakeReads:
    """ARM reads over a world."""

    def __init__(self, world: World, clock: FakeClock) -> None:
        self._world = world
        self._clock = clock

    async def resource(self, resource_id: str) -> Fact[JsonObject]:
        """One resource, or one rule of an NSG."""
        key = resource_id.lower()
        if key in self._world.refused:
            return self._no(self._world.refused[key], resource_id)
        parent, _, child = key.partition("/securityrules/")
        table, _, route = key.partition("/routes/")
        if child:
            rules = self._world.data["resources"].get(parent, {}).get("properties", {}).get("securityRules", [])
            found = next((rule for rule in rules if rule["name"].lower() == child), None)
            found = found and {"etag": 'W/"1"', **found}
        elif route:
            routes = self._world.data["resources"].get(table, {}).get("properties", {}).get("routes", [])
            found = next((one for one in routes if one["name"].lower() == route), None)
        else:
            found = self._world.data["resources"].get(key)
        return self._no(Reason.NOT_FOUND, resource_id) if found is None else self._yes(found, resource_id)

    async def operation(self, operation: Operation, resource_id: str, **arguments: str) -> Fact[JsonObject]:
        """One of the other reads; what the world does not hold is empty."""
        if operation.value in self._world.refused:
            return self._no(self._world.refused[operation.value], operation.value)
        if operation in (Operation.IP_FLOW, Operation.NEXT_HOP):
            return self._yes(self._watched(operation, arguments), resource_id)
        if operation is Operation.TAGS:
            return self._yes(self._world.tags.get(resource_id.lower(), {}), resource_id)
        if operation is Operation.ACTIVITY:
            if resource_id.lower() in self._world.refused:
                return self._no(self._world.refused[resource_id.lower()], resource_id)
            below = f"{resource_id.lower()}/"
            mine = [row for row in self._world.data["changes"] if str(row["resourceId"]).lower().startswith(below)]
            return self._yes({"value": mine}, resource_id)
        if operation is Operation.FIND_VM:
            machines = self._world.data.get("machines", {}).get(resource_id.lower(), [])
            return self._yes({"value": machines}, resource_id)
        by_id = self._world.data["operations"].get(operation.value, {})
        return self._yes(by_id.get(resource_id.lower(), {"value": []}), resource_id)

    def _watched(self, operation: Operation, arguments: dict[str, str]) -> JsonObject:
        """Network Watcher, which agrees with the path engine and sends replies to the Internet."""
        if operation is Operation.NEXT_HOP:
            asked = {"sourceIPAddress": arguments["local"], "destinationIPAddress": arguments["remote"]}
            return {"asked": asked, "answer": {"nextHopType": "Internet", "routeTableId": "System Route"}}
        port = arguments["port"]
        asked = {"localIPAddress": arguments["local"], "localPort": port, "remoteIPAddress": arguments["remote"]}
        allowed = ask(read_facts(self._world.bundle())).allowed
        return {"asked": asked, "answer": {"access": "Allow" if allowed else "Deny", "ruleName": "", "ruleId": ""}}

    async def boot_picture(self, vm_id: str) -> Fact[bytes]:
        """The picture that the world holds, if any."""
        if "boot_picture" in self._world.refused:
            return self._no(self._world.refused["boot_picture"], "boot_picture")
        picture = self._world.picture
        return self._no(Reason.NOT_FOUND, vm_id) if picture is None else Observed(picture, vm_id, self._clock.now())

    def _yes(self, value: JsonObject, source: str) -> Fact[JsonObject]:
        return Observed(copy.deepcopy(value), source, self._clock.now())

    def _no(self, reason: Reason, source: str) -> Unavailable:
        return Unavailable(reason, f"{source}: {reason.value}", source)


class FakeWrites:
    """ARM writes into a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def put_security_rule(self, nsg_id: str, name: str, body: JsonObject, *, etag: str | None) -> WriteOutcome:
        """Adds or replaces a rule."""
        instead = self._world.begin("put_rule", name)
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            kept = [rule for rule in self._world.rules(nsg_id) if rule["name"] != name]
            assert (etag is None) is (len(kept) == len(self._world.rules(nsg_id))), "create or replace, as it was read"
            f.security_rules(nsg_id, *kept, {**_whole(body), "name": name})(self._world.data)
        return OutcomeUnknown(instead) if instead else Completed(body)

    async def delete_security_rule(self, nsg_id: str, name: str, *, etag: str | None) -> WriteOutcome:
        """Removes a rule."""
        instead = self._world.begin("delete_rule", name)
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            kept = [rule for rule in self._world.rules(nsg_id) if rule["name"] != name]
            f.security_rules(nsg_id, *kept)(self._world.data)
        return OutcomeUnknown(instead) if instead else Completed(None)

    async def put_route(self, route_table_id: str, name: str, body: JsonObject, *, etag: str | None) -> WriteOutcome:
        """Adds or replaces a route."""
        instead = self._world.begin("put_route", name)
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            table = self._world.data["resources"][route_table_id.lower()]["properties"]
            table["routes"] = [*(one for one in table["routes"] if one["name"] != name), {**body, "name": name}]
        return OutcomeUnknown(instead) if instead else Completed(body)

    async def delete_route(self, route_table_id: str, name: str, *, etag: str | None) -> WriteOutcome:
        """Removes a route."""
        instead = self._world.begin("delete_route", name)
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            table = self._world.data["resources"][route_table_id.lower()]["properties"]
            table["routes"] = [one for one in table["routes"] if one["name"] != name]
        return OutcomeUnknown(instead) if instead else Completed(None)

    async def restart_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Restarts the VM: the agent reports again."""
        instead = self._world.begin("restart_vm", vm_id)
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            view = healthy_json()["resources"][f.VM.lower()]["properties"]["instanceView"]
            self._world.data["resources"][f.VM.lower()]["properties"]["instanceView"] = view
            self._world.data["guest"] = self._world.data["guest"] or healthy_json()["guest"]
        return OutcomeUnknown(instead) if instead else Started({"poll": "restart_vm"}, 1.0)

    async def redeploy_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Moves the VM to another host: what Azure said of the old one is over."""
        instead = self._world.begin("redeploy_vm", vm_id)
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            operations = self._world.data["operations"]
            for name in ("resource_health", "resource_annotations"):
                operations[name] = healthy_json()["operations"].get(name, {})
        return OutcomeUnknown(instead) if instead else Started({"poll": "redeploy_vm"}, 1.0)

    async def reapply_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Applies the VM's state again: the provisioning state is succeeded."""
        instead = self._world.begin("reapply_vm", vm_id)
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            self._world.data["resources"][f.VM.lower()]["properties"]["provisioningState"] = "Succeeded"
        return OutcomeUnknown(instead) if instead else Started({"poll": "reapply_vm"}, 1.0)

    async def deallocate_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Stops the VM."""
        instead = self._world.begin("deallocate_vm", vm_id)
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            f.powered("deallocated")(self._world.data)
        return OutcomeUnknown(instead) if instead else Started({"poll": "deallocate_vm"}, 1.0)

    async def start_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Starts the VM."""
        instead = self._world.begin("start_vm", vm_id)
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            fresh = healthy_json()
            view = fresh["resources"][f.VM.lower()]["properties"]["instanceView"]
            self._world.data["resources"][f.VM.lower()]["properties"]["instanceView"] = view
            for part in ("guest", "operations", "unavailable"):
                self._world.data[part] = fresh[part]
        return OutcomeUnknown(instead) if instead else Started({"poll": "start_vm"}, 1.0)

    async def run_command(self, vm_id: str, body: JsonObject) -> WriteOutcome:
        """Not used: the guest has a fake of its own."""
        raise AssertionError(f"Run Command on {vm_id} beside the guest channel: {body}")

    async def put_run_command(self, vm_id: str, name: str, body: JsonObject) -> WriteOutcome:
        """Not used: the guest has a fake of its own."""
        raise AssertionError(f"managed Run Command {name} on {vm_id} beside the guest channel: {body}")

    async def delete_run_command(self, vm_id: str, name: str) -> WriteOutcome:
        """Deletes one, whether it is there or not."""
        instead = self._world.begin("delete_run_command", name)
        if isinstance(instead, Rejected):
            return instead
        return OutcomeUnknown(instead) if instead else Completed(None)

    async def delete_extension(self, vm_id: str, name: str) -> WriteOutcome:
        """Not used: no fake VM has an extension."""
        raise AssertionError(f"DELETE extension {name} of {vm_id}")

    async def put_extension(self, vm_id: str, name: str, body: JsonObject) -> WriteOutcome:
        """Lets RDP answer again, as the VMAccess extension does; with the same tag a second time it does nothing."""
        instead = self._world.begin("put_extension", f"{name} {body['properties']['forceUpdateTag']}")
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            f.registry(f.DENY_LOCAL, 0)(self._world.data)
        return OutcomeUnknown(instead) if instead else Started({"poll": "vm_access"}, 1.0)

    async def initiate_jit(self, policy_id: str, body: JsonObject) -> WriteOutcome:
        """Opens the port as Defender does: an allow rule of its own above its deny."""
        instead = self._world.begin("initiate_jit", policy_id)
        if isinstance(instead, Rejected):
            return instead
        if instead != LOST_UNDONE:
            port = body["virtualMachines"][0]["ports"][0]
            allow = f.rule("SecurityCenter-JITRule-allow", 1000, source=port["allowedSourceAddressPrefix"])
            f.security_rules(f.NIC_NSG, allow, *self._world.rules(f.NIC_NSG))(self._world.data)
        return OutcomeUnknown(instead) if instead else Completed(body)

    async def poll(self, operation: JsonObject) -> WriteOutcome:
        """Ends an operation."""
        return Completed({"operation": operation})


def _whole(body: JsonObject) -> JsonObject:
    """A rule as ARM shows what was written: empty plurals beside the singulars."""
    properties = {**f.rule("x", 0)["properties"], **body["properties"]}
    for side in ("source", "destination"):
        plural = properties.get(f"{side}AddressPrefixes")
        if plural:
            properties[f"{side}AddressPrefix"] = plural[0]
            properties[f"{side}AddressPrefixes"] = []
    return {"properties": properties}


class FakeGuest:
    """The guest channel over a world: scripts take effect when they are accepted, and answer after some polls."""

    def __init__(self, world: World, clock: FakeClock, polls: int = 1, pause_s: float = 5.0) -> None:
        self._world = world
        self._clock = clock
        self._answers: dict[int, Fact[JsonObject]] = {}
        self.polls = polls
        self.pause_s = pause_s
        self.requests: list[GuestRequest] = []
        self.fails: dict[str, str] = {}
        self.silent: set[str] = set()
        self.after_repair: Callable[[], object] = lambda: None

    def preflight(self, vm: JsonObject) -> Unavailable | None:
        """What the real channel sees in the VM."""
        return preflight(vm)

    async def start(self, vm_id: str, request: GuestRequest) -> WriteOutcome:
        """Runs a script."""
        instead = self._world.begin(request.script, request.run_id)
        if isinstance(instead, Rejected):
            return instead
        if instead == LOST_UNDONE:
            return OutcomeUnknown(instead)
        self.requests.append(request)
        repair = None
        if request.script == "repair":
            repair = self._repair(request)
            self.after_repair()
        answer = self._world.answer()
        if repair is not None:
            answer["repair"] = repair
        number = len(self._answers) + 1
        gone = Unavailable(Reason.UNREACHABLE, "the agent stopped answering", "guest")
        self._answers[number] = gone if request.script in self.silent else Observed(answer, "guest", self._clock.now())
        if instead == LOST_DONE:
            return OutcomeUnknown(instead)
        return Started({"number": number, "left": self.polls}, self.pause_s)

    async def poll(self, operation: JsonObject) -> Started | Fact[JsonObject]:
        """How a script stands."""
        if operation["left"] > 0:
            return Started({**operation, "left": operation["left"] - 1}, self.pause_s)
        return copy.deepcopy(self._answers[operation["number"]])

    def _repair(self, request: GuestRequest) -> JsonObject:
        rows: list[JsonObject] = []
        broken: set[str] = set()
        for step in request.steps:
            if step["group"] in broken:
                rows.append({"id": step["id"], "outcome": "not_started"})
                continue
            row = self._step(step)
            rows.append(row)
            if row["outcome"] not in ("applied", "already_true"):
                broken.add(step["group"])
        return {"run_id": request.run_id, "steps": rows}

    def _step(self, step: Mapping[str, Any]) -> JsonObject:
        holder, key = self._place(step)
        if step["kind"] == "service_restart":
            return {"id": step["id"], "outcome": "applied"}
        current = holder[key]
        if step["id"] in self.fails or step["kind"] in self.fails:
            word = self.fails.get(step["id"]) or self.fails[step["kind"]]
            return {"id": step["id"], "outcome": word, "before": current, "detail": "it did not work"}
        people = sorted(one["id"] for one in self._world.data["guest"]["sessions"] if one["user"])
        if current == step["desired"]:
            return {"id": step["id"], "outcome": "already_true", "before": current, "after": current}
        if current != step["expected"] or (step["sessions"] is not None and step["sessions"] != people):
            return {"id": step["id"], "outcome": "stale", "after": current, "detail": "it is not what was expected"}
        holder[key] = step["desired"]
        self._world.calls.append(("set", f"{step['kind']} {step['desired']}"))
        return {"id": step["id"], "outcome": "applied", "before": current, "after": step["desired"]}

    def _place(self, step: Mapping[str, Any]) -> tuple[JsonObject, str]:
        guest, target = self._world.data["guest"], step["target"]
        match step["kind"]:
            case "registry":
                return guest["registry"], target["path"]
            case "service_start":
                return guest["services"][target["service"]], "start_type"
            case "service_state" | "service_restart":
                return guest["services"][target["service"]], "state"
            case "firewall_rule":
                rules = guest["firewall"]["rules"]
                return next(rule for rule in rules if rule["name"] == target["rule"]), "enabled"
            case "firewall_profile":
                return guest["firewall"]["profiles"][target["profile"]], target["setting"]
            case kind:
                raise AssertionError(f"the guest's contract knows no step {kind}")


class FakeProber:
    """The probe: it answers as the snapshot did while the world's RDP answers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asked: list[tuple[str, int]] = []

    async def probe(self, address: str, port: int, *, computer_name: str | None = None) -> JsonObject:
        """One probe."""
        self.asked.append((address, port))
        data = healthy_json()
        if not self._world.reachable():
            f.silent(data)
        result: JsonObject = data["probes"][0]["result"]
        return {**result, "host": address, "port": port}


class NoLogs:
    """No workspace."""

    async def run(self, name: str, parameters: Mapping[str, str]) -> Fact[list[JsonObject]]:
        """Nothing is configured."""
        return Unavailable(Reason.NOT_CONFIGURED, f"{name}: no workspace is configured", f"logs.{name}")


@dataclass
class FakeSink:
    """A place that keeps what it gets."""

    name: str = "fake"
    renderer: Literal["card", "json", "event"] = "json"
    bodies: list[bytes] = field(default_factory=list)

    async def deliver(self, body: bytes) -> Delivery:
        """Keeps a summary."""
        self.bodies.append(body)
        return Delivery(sink=self.name, outcome="delivered", detail="202")
