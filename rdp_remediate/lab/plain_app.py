"""The plain http endpoint: managed identity, and receivers that record what the product delivers."""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from rdp_remediate.lab import tokens
from rdp_remediate.lab.rbac import LAB_IDENTITY, Principal
from rdp_remediate.lab.request_log import Failures
from rdp_remediate.lab.world import World

IDENTITY_SECRET = "lab-identity-header"  # noqa: S105 (a fixed value on loopback, as App Service has it)


@dataclass(slots=True)
class Delivery:
    """One request that a receiver got."""

    receiver: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class Receivers:
    """Everything that was delivered, in order of arrival."""

    deliveries: list[Delivery] = field(default_factory=list)

    def of(self, receiver: str) -> list[Delivery]:
        """Returns the deliveries to one receiver: events, teams or webhook."""
        return [d for d in self.deliveries if d.receiver == receiver]

    def clear(self) -> None:
        """Forgets all deliveries."""
        self.deliveries.clear()


class PlainApp:
    """Answers the plain http side of the lab."""

    def __init__(self, world: World, receivers: Receivers, failures: Failures) -> None:
        self.world, self.receivers, self.failures = world, receivers, failures
        self.identity: Principal = LAB_IDENTITY
        self.application = web.Application(client_max_size=2 * 1024 * 1024)
        router = self.application.router
        router.add_get("/msi/token", self.app_service_token)
        router.add_get("/metadata/identity/oauth2/token", self.imds_token)
        router.add_post("/api/events", self.event_grid)
        router.add_post("/teams", self.teams)
        router.add_post("/webhook", self.webhook)

    def _token(self, resource: str, request: web.Request) -> tuple[str, int]:
        names = self.world.names
        return tokens.issue(self.identity, names.tenant, resource, f"{request.scheme}://{request.host}/{names.tenant}")

    async def app_service_token(self, request: web.Request) -> web.Response:
        """GET of IDENTITY_ENDPOINT; expires_on is a string of epoch seconds, as App Service writes it."""
        if request.headers.get("X-IDENTITY-HEADER") != IDENTITY_SECRET:
            return web.json_response({"statusCode": 401, "message": "Unauthorized"}, status=401)
        text, expires = self._token(request.query.get("resource", ""), request)
        return web.json_response(
            {
                "access_token": text,
                "expires_on": str(expires),
                "resource": request.query.get("resource", ""),
                "token_type": "Bearer",
                "client_id": self.identity.app_id,
            }
        )

    async def imds_token(self, request: web.Request) -> web.Response:
        """GET of the instance metadata token; demands the header Metadata: true."""
        if request.headers.get("Metadata", "").lower() != "true":
            return web.json_response(
                {"error": "invalid_request", "error_description": "Required metadata header not specified"}, status=400
            )
        text, expires = self._token(request.query.get("resource", ""), request)
        return web.json_response(
            {
                "access_token": text,
                "client_id": self.identity.app_id,
                "expires_in": str(tokens.LIFETIME_S),
                "expires_on": str(expires),
                "ext_expires_in": str(tokens.LIFETIME_S),
                "not_before": str(expires - tokens.LIFETIME_S),
                "resource": request.query.get("resource", ""),
                "token_type": "Bearer",
            }
        )

    async def _keep(self, receiver: str, request: web.Request, status: int, answer: str = "") -> web.Response:
        switch = self.failures.take(request.method, request.path_qs)
        raw = await request.text()
        try:
            body: Any = json.loads(raw)
        except ValueError:
            body = raw
        hidden = ("authorization", "aeg-sas-key", "aeg-sas-token")
        headers = {k: v for k, v in request.headers.items() if k.lower() not in hidden}
        self.receivers.deliveries.append(Delivery(receiver, headers, body))
        if switch is not None:
            text = switch.body if isinstance(switch.body, str) else json.dumps(switch.body)
            return web.Response(status=switch.status, headers=switch.headers, text=text)
        return web.Response(status=status, text=answer)

    async def event_grid(self, request: web.Request) -> web.Response:
        """POST to the Event Grid topic: 401 without a key or token."""
        if not any(h in request.headers for h in ("aeg-sas-key", "aeg-sas-token", "Authorization")):
            return web.json_response(
                {"error": {"code": "Unauthorized", "message": "The request has no credential."}}, status=401
            )
        return await self._keep("events", request, 200)

    async def teams(self, request: web.Request) -> web.Response:
        """POST to the Teams Workflows webhook: 202, as Workflows answers."""
        return await self._keep("teams", request, 202)

    async def webhook(self, request: web.Request) -> web.Response:
        """POST to the generic webhook."""
        return await self._keep("webhook", request, 200)
