"""Scenarios: files that say what was done to a healthy VM and which verdict is right (reference scenarios.md)."""

import json
from collections.abc import Sequence
from importlib.resources import files
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.json_ops import Op, conflicts

SCHEMA = "rdp-remediate/scenario/1"
HOPS = (
    "client", "edge", "endpoint", "network", "platform",
    "guest-network", "guest-firewall", "guest-rdp-service", "guest-auth", "guest-os",
)  # fmt: skip
ROLES = (
    "vm", "instance_view", "nic", "pip", "nic_nsg", "subnet_nsg", "vnet", "subnet", "route_table",
    "jit_policies", "admin_rules", "role_assignments",
)  # fmt: skip
T = TypeVar("T")
MAX_FILE_BYTES = 4 * 1024 * 1024


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Policy(_Part):
    """How a run over this scenario is configured."""

    sources: list[str] = Field(default_factory=list)
    mode: Literal["observe", "approve", "auto"] = "auto"
    auto_risks: list[str] = Field(default_factory=list)
    tags: dict[str, Any] = Field(default_factory=dict)
    isolation_tags: list[str] = Field(default_factory=list)
    isolation_nsgs: list[str] = Field(default_factory=list)


class Ask(_Part):
    """The question: who dials what."""

    client: str | None = None
    user: str | None = None
    dialled_port: int = 3389
    dialled_address: str | None = None
    principal_id: str | None = None


class Expect(_Part):
    """The verdict that an expert gives."""

    row: str | None = None
    kind: str = "fault"
    near_of: str | None = None
    status: list[str]
    hop: str | None = None
    hop_may: list[str] = Field(default_factory=list)
    causes: list[str] = Field(default_factory=list)
    not_causes: list[str] = Field(default_factory=list)
    may_also: list[str] = Field(default_factory=list)
    order: list[str] | None = None
    remedy: dict[str, Literal["safe", "approval", "manual", "none"]] = Field(default_factory=dict)
    after_auto: str | None = None
    changes_in_auto: int | None = None
    why: str = ""


class Scenario(_Part):
    """One VM that cannot be reached, or only looks so, as primitive state."""

    document: Literal["rdp-remediate/scenario/1"] = Field(alias="schema")
    name: str = Field(min_length=1)
    title: str = Field(min_length=1)
    base: str | None = None
    guest: list[Op] = Field(default_factory=list)
    arm: dict[str, list[Op]] = Field(default_factory=dict)
    extra: list[dict[str, Any]] = Field(default_factory=list)
    operations: dict[str, Any] = Field(default_factory=dict)
    policy: Policy | None = None
    health: dict[str, Any] | None = None
    annotations: list[dict[str, Any]] = Field(default_factory=list)
    activity: list[dict[str, Any]] = Field(default_factory=list)
    boot_log: str | None = None
    screenshot_class: str | None = None
    guest_readable: bool = True
    sight: str | None = None
    client_check: dict[str, Any] | None = Field(
        default=None, description="what the user's computer saw, rdp-remediate/client-check/1 without made_at"
    )
    ask: Ask
    expect: Expect

    @property
    def sources(self) -> list[str]:
        """The configured sources: the policy's, else the client's /24 or /64, else a documentation range."""
        if self.policy is not None and self.policy.sources:
            return list(self.policy.sources)
        return [_neighbourhood(self.ask.client or "203.0.113.7")]

    @property
    def running(self) -> bool:
        """False when the scenario's own operations put the VM out of PowerState/running."""
        codes = [s.get("code", "") for op in self.arm.get("instance_view", []) for s in _statuses(op.get("value"))]
        powers = [c for c in codes if c.casefold().startswith("powerstate/")]
        return not powers or powers[-1].casefold() == "powerstate/running"


def _statuses(value: Any) -> list[dict[str, Any]]:
    return [s for s in value if isinstance(s, dict)] if isinstance(value, list) else []


def _neighbourhood(address: str) -> str:
    parsed = ip_address(address)
    return str(ip_network(f"{address}/{24 if parsed.version == 4 else 64}", strict=False))


def parse(document: Any, origin: str) -> Scenario:
    """Returns a scenario from decoded JSON.

    Raises:
        UsageError: the document is no scenario; the text names the origin and the first thing that is wrong.
    """
    if not isinstance(document, dict):
        raise UsageError(f"{origin}: a scenario is a JSON object, this is {type(document).__name__}.")
    if document.get("schema") != SCHEMA:
        raise UsageError(f"{origin}: the schema is {document.get('schema')!r}; only {SCHEMA} can be read.")
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise UsageError(f"{origin}: {where}: {first['msg']} ({error.error_count()} problems).") from error
    unknown = [role for role in scenario.arm if role not in ROLES]
    if unknown:
        raise UsageError(f"{origin}: arm.{unknown[0]} is no role; the roles are {', '.join(ROLES)}.")
    for op in [*scenario.guest, *(op for ops in scenario.arm.values() for op in ops)]:
        if not isinstance(op.get("path"), list) or sum(verb in op for verb in ("value", "remove", "append")) != 1:
            raise UsageError(f"{origin}: an operation needs a path and one of value, remove and append: {op!r}.")
    return scenario


def load(path: Path) -> list[Scenario]:
    """Returns the scenarios of a file, which holds one or a list of them.

    Raises:
        UsageError: the file cannot be read, is no JSON or holds something else.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path} is larger than {MAX_FILE_BYTES} bytes; no scenario is.")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}.") from error
    entries = document if isinstance(document, list) else [document]
    return [parse(entry, f"{path} entry {i}" if len(entries) > 1 else str(path)) for i, entry in enumerate(entries)]


def built_in() -> dict[str, Scenario]:
    """Returns the built-in scenarios by name, in alphabetical order."""
    folder = files("rdp_remediate.lab") / "scenarios"
    found = [
        parse(json.loads(entry.read_text(encoding="utf-8")), f"built-in scenario {entry.name}")
        for entry in folder.iterdir()
        if entry.name.endswith(".json")
    ]
    return {s.name: s for s in sorted(found, key=lambda s: s.name)}


def by_name(expression: str) -> Scenario:
    """Returns the built-in scenario of a name, or several joined with `+`.

    Raises:
        UsageError: a name is unknown, or two of the scenarios contradict each other.
    """
    known = built_in()
    names = [part.strip() for part in expression.split("+")]
    for name in names:
        if name not in known:
            raise UsageError(f"There is no built-in scenario {name!r}; `lab list` shows them: {', '.join(known)}.")
    return combine([known[name] for name in names])


def combine(scenarios: Sequence[Scenario]) -> Scenario:
    """Returns one scenario in which everything of the given ones was done, in order.

    Raises:
        UsageError: none was given, or two of them set one path to different values.
    """
    if not scenarios:
        raise UsageError("Name at least one scenario.")
    result = scenarios[0]
    for following in scenarios[1:]:
        result = _join(result, following)
    return result if len(scenarios) == 1 else result.model_copy(update={"expect": _join_expects(scenarios)})


def _one(what: str, first: T | None, second: T | None, names: str) -> T | None:
    if first is None or second is None or first == second:
        return second if first is None else first
    raise UsageError(f"{names} cannot be combined: both set {what}, to different values.")


def _join(a: Scenario, b: Scenario) -> Scenario:
    names = f"{a.name} and {b.name}"
    clashes = [("guest", conflicts(a.guest, b.guest))]
    clashes += [(role, conflicts(a.arm[role], b.arm[role])) for role in a.arm.keys() & b.arm.keys()]
    for where, paths in clashes:
        for path in paths:
            raise UsageError(f"{names} cannot be combined: both change {where} / {path}.")
    operations = dict(a.operations)
    for key, value in b.operations.items():
        mine = operations.get(key)
        if isinstance(mine, dict) and isinstance(value, dict) and mine.keys() == value.keys() == {"value"}:
            operations[key] = {"value": [*mine["value"], *(v for v in value["value"] if v not in mine["value"])]}
        else:
            operations[key] = _one(f"operations.{key}", mine, value, names)
    return a.model_copy(
        update={
            "name": f"{a.name}+{b.name}",
            "title": f"{a.title} {b.title}",
            "base": _one("base", a.base, b.base, names),
            "guest": [*a.guest, *b.guest],
            "arm": {r: [*a.arm.get(r, []), *b.arm.get(r, [])] for r in ROLES if r in a.arm or r in b.arm},
            "extra": [*a.extra, *(e for e in b.extra if e not in a.extra)],
            "operations": operations,
            "policy": _one("policy", a.policy, b.policy, names),
            "health": _one("health", a.health, b.health, names),
            "annotations": [*a.annotations, *b.annotations],
            "activity": sorted([*a.activity, *b.activity], key=lambda e: str(e.get("eventTimestamp", ""))),
            "boot_log": _one("boot_log", a.boot_log, b.boot_log, names),
            "screenshot_class": _one("screenshot_class", a.screenshot_class, b.screenshot_class, names),
            "guest_readable": a.guest_readable and b.guest_readable,
            "sight": _one("sight", a.sight, b.sight, names),
            "client_check": _one("client_check", a.client_check, b.client_check, names),
            "ask": _join_ask(a.ask, b.ask, names),
        }
    )


def _join_ask(a: Ask, b: Ask, names: str) -> Ask:
    if a.dialled_port != b.dialled_port:
        # 3389 is what a scenario asks that has nothing to say about the port
        ports = {a.dialled_port, b.dialled_port} - {3389}
        if len(ports) > 1:
            raise UsageError(f"{names} cannot be combined: they dial the ports {a.dialled_port} and {b.dialled_port}.")
        port = ports.pop()
    else:
        port = a.dialled_port
    merged = {
        field: _one(f"ask.{field}", getattr(a, field), getattr(b, field), names)
        for field in ("client", "user", "dialled_address", "principal_id")
    }
    return Ask(dialled_port=port, **merged)


def _rank(scenario: Scenario) -> int:
    if not scenario.running:
        return -1
    hop = scenario.expect.hop
    return HOPS.index(hop) if hop in HOPS else len(HOPS)


def _join_expects(scenarios: Sequence[Scenario]) -> Expect:
    ordered = [s.expect for s in sorted(scenarios, key=_rank)]
    causes = list(dict.fromkeys(c for e in ordered for c in e.causes))
    statuses = {s for e in ordered for s in e.status}
    status = next(s for s in ("broken", "by_design", "not_proven", "reachable") if s in statuses or s == "reachable")
    # What is closed on purpose leads only where nothing is broken.
    leading = next((e for e in ordered if e.causes and status in e.status), ordered[0])
    afters = {e.after_auto for e in ordered}
    changes = [e.changes_in_auto for e in ordered]
    remedy: dict[str, Literal["safe", "approval", "manual", "none"]] = {}
    for one in ordered:
        remedy |= one.remedy
    return Expect(
        kind="compound",
        status=[status],
        hop=leading.hop,
        hop_may=[h for e in ordered for h in e.hop_may],
        causes=causes,
        not_causes=[c for c in dict.fromkeys(c for e in ordered for c in e.not_causes) if c not in causes],
        may_also=list(dict.fromkeys(c for e in ordered for c in e.may_also)),
        remedy=remedy,
        after_auto=ordered[0].after_auto if len(afters) == 1 else None,
        changes_in_auto=None if None in changes else sum(c for c in changes if c is not None),
        why=" ".join(e.why for e in ordered if e.why),
    )
