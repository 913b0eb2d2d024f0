"""Requests, answers, errors and routes of the simulated Azure Resource Manager."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rdp_remediate.lab.guest_runtime import GuestRuntime
from rdp_remediate.lab.latency import Latency
from rdp_remediate.lab.rbac import Principal
from rdp_remediate.lab.world import World

if TYPE_CHECKING:
    from rdp_remediate.lab.operations import Operations

NOTHING = object()
"""An answer without a body, as opposed to one whose body is `null`."""


class ArmError(Exception):
    """An error answer in ARM's envelope."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message = status, code, message
        self.headers = dict(headers or {})
        self.body: dict[str, Any] = {"error": {"code": code, "message": message}}
        if details is not None:
            self.body["error"]["details"] = details


@dataclass(slots=True)
class Reply:
    """An answer; `body` is JSON, bytes are sent as they are."""

    status: int = 200
    body: Any = NOTHING
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"


@dataclass(slots=True)
class Context:
    """What handlers work with besides the request."""

    world: World
    runtime: GuestRuntime
    latency: Latency
    operations: "Operations"
    guest_certificates: Callable[[dict[str, Any]], dict[str, Any]]
    """Gives the listener's certificate in guest state a genuine counterpart."""
    busy: set[str] = field(default_factory=set)
    """Lower-case ids of VMs on which a command runs right now."""
    refuse_parallel_writes: bool = False
    """Answer 409 AnotherOperationInProgress while a write to the same NSG has not ended."""
    writing: dict[str, str] = field(default_factory=dict)
    """The newest operation on an NSG by lower-case id."""


@dataclass(slots=True)
class Call:
    """One request to a route."""

    method: str
    path: str
    query: dict[str, str]
    raw_body: bytes
    headers: Mapping[str, str]
    origin: str
    params: dict[str, str]
    principal: Principal
    context: Context
    correlation: str

    @property
    def world(self) -> World:
        """The state to answer from."""
        return self.context.world

    @property
    def api_version(self) -> str:
        """The api-version of the request."""
        return self.query.get("api-version", "")

    def parent(self, drop: int = 1) -> str:
        """Returns the path without its last segments: the resource on which an action was called."""
        return "/".join(self.path.rstrip("/").split("/")[:-drop])

    def json(self) -> dict[str, Any]:
        """Returns the body as a JSON object; an empty body is an empty object.

        Raises:
            ArmError: the body is no JSON object.
        """
        if not self.raw_body.strip():
            return {}
        try:
            value = json.loads(self.raw_body)
        except ValueError as error:
            raise ArmError(400, "InvalidRequestContent", f"The request content was invalid: {error}.") from error
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ArmError(
                400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
            )
        return value


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API."""

    method: str
    template: str
    action: str | None
    """Azure permission; None = no permission needed."""
    handler: Handler
    drop: int = 0
    """How many trailing path segments are no part of the scope."""
    kind: str = "read"
    """Latency class of the synchronous part."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """The path as a regular expression; `{name}` is one segment, `{name*}` any number."""
        parts = re.split(r"(\{[a-z_]+\*?\})", self.template)
        regex = ""
        for part in parts:
            if part.startswith("{"):
                name = part.strip("{}")
                regex += f"(?P<{name[:-1]}>.+)" if name.endswith("*") else f"(?P<{name}>[^/]+)"
            else:
                regex += re.escape(part)
        return re.compile(f"^{regex}/?$", re.IGNORECASE)

    def scope(self, path: str) -> str:
        """Returns the scope to which the permission applies."""
        segments = path.rstrip("/").split("/")
        return "/".join(segments[: len(segments) - self.drop]) if self.drop else "/".join(segments)


GROUP = "/subscriptions/{sub}/resourceGroups/{rg}"
SUB = "/subscriptions/{sub}"


def not_found(resource_id: str) -> ArmError:
    """The gateway's 404 for a resource that does not exist (err-resourcenotfound-404)."""
    match = re.match(r"^/subscriptions/[^/]+/resourceGroups/([^/]+)/providers/(.+)$", resource_id, re.IGNORECASE)
    group, rest = (match.group(1), match.group(2)) if match else ("", resource_id)
    segments = rest.split("/")
    types, names = segments[:1] + segments[1::2], segments[2::2]
    where = "/".join([*types, *names])
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{where}' under resource group '{group}' was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix",
        headers={"x-ms-failure-cause": "gateway"},
    )


def network_child_not_found(resource_id: str) -> ArmError:
    """The network provider's 404 for a missing child such as a security rule (err-notfound-404-nrp)."""
    return ArmError(404, "NotFound", f"Resource {resource_id} not found.", details=[])


def group_not_found(group: str) -> ArmError:
    """The gateway's 404 for a resource group that does not exist."""
    return ArmError(
        404,
        "ResourceGroupNotFound",
        f"Resource group '{group}' could not be found.",
        headers={"x-ms-failure-cause": "gateway"},
    )
