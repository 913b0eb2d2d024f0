"""The https endpoint of the simulated Azure: requests are logged, made to fail, authorised and answered."""

import asyncio
import json
import re
from urllib.parse import unquote
from uuid import uuid4

from aiohttp import web

from rdp_remediate.lab import (
    arm_compute,
    arm_effective,
    arm_login,
    arm_monitor,
    arm_network,
    arm_nsg,
    arm_operations,
    arm_queries,
    arm_resources,
    arm_routes,
    arm_run_command,
    arm_security,
    arm_vm_access,
    arm_watcher,
    tokens,
)
from rdp_remediate.lab.arm_http import NOTHING, ArmError, Call, Context, Reply, Route
from rdp_remediate.lab.rbac import Principal, allowed, grants, locking_scopes
from rdp_remediate.lab.request_log import Failures, FailureSwitch, LoggedRequest, RequestLog

MAX_BODY_BYTES = 4 * 1024 * 1024
_AREAS = (
    arm_login,
    arm_operations,
    arm_monitor,
    arm_compute,
    arm_run_command,
    arm_vm_access,
    arm_nsg,
    arm_routes,
    arm_effective,
    arm_watcher,
    arm_network,
    arm_security,
    arm_queries,
    arm_resources,
)
_NO_VERSION_NEEDED = re.compile(
    r"^/(v1/workspaces/|bootdiagnostics/|[^/]+/(v2\.0/)?\.well-known/|[^/]+/oauth2/)", re.IGNORECASE
)


def _unauthorised(action: str, scope: str, principal: Principal) -> ArmError:
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{principal.name or principal.app_id}' with object id '{principal.object_id}' does not have "
        f"authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials.",
        headers={"x-ms-failure-cause": "gateway"},
    )


class ArmApp:
    """Answers requests from the world; one per lab."""

    def __init__(self, context: Context, log: RequestLog, failures: Failures) -> None:
        self.context, self.log, self.failures = context, log, failures
        self._routes = [(route, route.pattern) for area in _AREAS for route in area.routes()]
        self.application = web.Application(client_max_size=MAX_BODY_BYTES)
        self.application.router.add_route("*", "/{tail:.*}", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers one request."""
        body = await request.read()
        entry = LoggedRequest(
            request.method,
            unquote(request.path),
            request.query_string,
            None,
            request.headers.get("x-ms-client-request-id", ""),
            request.headers.get("User-Agent", ""),
            request.headers.get("CommandName", ""),
            "" if "oauth2" in request.path else body.decode(errors="replace"),
        )
        self.log.entries.append(entry)
        switch = self.failures.take(request.method, request.path_qs, entry.body)
        if switch is not None and not switch.after:
            return await self._fail(request, switch, entry)
        reply = await self._answer(request, body)
        if switch is not None:
            return await self._fail(request, switch, entry)
        entry.status = reply.status
        return _response(reply, request)

    async def _fail(self, request: web.Request, switch: FailureSwitch, entry: LoggedRequest) -> web.StreamResponse:
        if switch.delay_s:
            await asyncio.sleep(switch.delay_s)
        if switch.drop:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError  # the connection is gone: nothing is left to answer to
        entry.status = switch.status
        reply = Reply(switch.status, switch.body if switch.body is not None else NOTHING, dict(switch.headers))
        return _response(reply, request)

    async def _answer(self, request: web.Request, body: bytes) -> Reply:
        try:
            return await self._dispatch(request, body)
        except ArmError as error:
            return Reply(error.status, error.body, error.headers)

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        methods: set[str] = set()
        for route, pattern in self._routes:
            match = pattern.match(path)
            if match and route.method == method:
                return route, match.groupdict()
            if match:
                methods.add(route.method)
        if methods:
            raise ArmError(405, "MethodNotAllowed", f"The HTTP method {method} is not supported for {path}.")
        raise ArmError(
            404,
            "InvalidResourceType",
            f"The resource type could not be found for the path '{path}'; the lab does not simulate it.",
        )

    async def _dispatch(self, request: web.Request, body: bytes) -> Reply:
        path = re.sub("/+", "/", unquote(request.path)).rstrip("/") or "/"
        query = {k.lower(): v for k, v in request.query.items()}
        if "api-version" not in query and not _NO_VERSION_NEEDED.match(path):
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        route, params = self._find(request.method, path)
        seconds = self.context.latency.seconds(route.kind)
        if seconds:
            await asyncio.sleep(seconds)
        await self.context.world.expire()
        principal = self._principal(request, route)
        self._authorise(request.method, path, params, route, principal)
        correlation = request.headers.get("x-ms-correlation-request-id") or str(uuid4())
        origin = f"{request.scheme}://{request.host}"
        call = Call(
            request.method, path, query, body, request.headers, origin, params, principal, self.context, correlation
        )
        return await route.handler(call)

    def _principal(self, request: web.Request, route: Route) -> Principal:
        authorization = request.headers.get("Authorization", "")
        if not authorization.lower().startswith("bearer ") and route.action is not None:
            raise ArmError(
                401,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing or invalid.",
                headers={"WWW-Authenticate": f'Bearer authorization_uri="{request.scheme}://{request.host}/"'},
            )
        return tokens.caller(authorization, self.context.world.principals)

    def _authorise(self, method: str, path: str, params: dict[str, str], route: Route, principal: Principal) -> None:
        world = self.context.world
        wanted = params.get("sub")
        if wanted is not None and wanted.lower() != world.names.subscription.lower():
            raise ArmError(
                404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.",
                headers={"x-ms-failure-cause": "gateway"},
            )  # fmt: skip
        if route.action is None:
            return
        scope = route.scope(path) if path.lower().startswith("/subscriptions/") else world.names.subscription_id
        denied = grants(route.action, world.denied_actions)
        if denied or not allowed(world.assignments, principal.object_id, route.action, scope):
            raise _unauthorised(route.action, scope, principal)
        locked = locking_scopes(world.locks, scope, method)
        if locked:
            verb = "delete" if method == "DELETE" else "write"
            raise ArmError(
                409,
                "ScopeLocked",
                f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are locked: "
                f"'{','.join(locked)}'. Please remove the lock and try again.",
                headers={"x-ms-failure-cause": "gateway"},
            )


def _response(reply: Reply, request: web.Request) -> web.Response:
    headers = {
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
        "x-ms-request-id": str(uuid4()),
        "x-ms-correlation-request-id": request.headers.get("x-ms-correlation-request-id") or str(uuid4()),
        "x-ms-routing-request-id": "WESTEUROPE:20260115T100000Z:lab",
        "x-content-type-options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    }
    bucket = "reads" if request.method == "GET" else "writes"
    headers[f"x-ms-ratelimit-remaining-subscription-global-{bucket}"] = "3749" if bucket == "reads" else "2999"
    lowered = {k.lower() for k in reply.headers}
    headers = {k: v for k, v in headers.items() if k.lower() not in lowered} | reply.headers
    if reply.body is NOTHING:
        return web.Response(status=reply.status, headers=headers)
    if isinstance(reply.body, bytes):
        headers["Content-Type"] = reply.content_type
        return web.Response(status=reply.status, headers=headers, body=reply.body)
    headers["Content-Type"] = reply.content_type
    if isinstance(reply.body, str):
        return web.Response(status=reply.status, headers=headers, body=reply.body.encode())
    text = json.dumps(reply.body, ensure_ascii=False, separators=(",", ":"))
    return web.Response(status=reply.status, headers=headers, body=text.encode())
