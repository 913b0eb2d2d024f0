"""What clients need to sign in: cloud metadata, OpenID Connect, tokens, subscriptions and tenants."""

from typing import Any
from urllib.parse import parse_qs

from rdp_remediate.lab import tokens
from rdp_remediate.lab.arm_http import SUB, Call, Reply, Route
from rdp_remediate.lab.healthy import stable_guid
from rdp_remediate.lab.rbac import Assignment, Principal


async def metadata_endpoints(call: Call) -> Reply:
    """GET /metadata/endpoints: one object since 2022-09-01 (az cloud register), a list before."""
    origin = call.origin
    cloud: dict[str, Any] = {
        "name": "lab",
        "portal": f"{origin}/portal",
        "authentication": {
            "loginEndpoint": origin,
            "audiences": [origin, "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graphAudience": f"{origin}/",
        "graph": f"{origin}/",
        "resourceManager": f"{origin}",
        "suffixes": {
            "acrLoginServer": "azurecr.lab",
            "keyVaultDns": "vault.lab",
            "storage": "core.lab",
            "sqlServerHostname": "database.lab",
            "storageSyncEndpointSuffix": "afs.lab",
        },
        "batch": origin,
        "gallery": f"{origin}/",
        "logAnalyticsResourceId": "https://api.loganalytics.io",
        "microsoftGraphResourceId": f"{origin}/",
    }
    return Reply(200, cloud if call.api_version >= "2022" else [cloud])


async def openid_configuration(call: Call) -> Reply:
    """GET of a tenant's OpenID Connect metadata."""
    base = f"{call.origin}/{call.params['tenant']}"
    return Reply(
        200,
        {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token"],
            "scopes_supported": ["openid", "profile", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": None,
            "cloud_instance_name": "localhost",
        },
    )


async def token(call: Call) -> Reply:
    """POST of the token endpoint: any client secret is accepted and becomes an owner of the lab's subscription."""
    form = {k: v[0] for k, v in parse_qs(call.raw_body.decode(errors="replace")).items()}
    client = form.get("client_id", "lab-client")
    principal = Principal(stable_guid(f"principal {client}"), client)
    if principal.object_id not in call.world.principals:
        call.world.principals[principal.object_id] = principal
        call.world.assignments.append(Assignment(principal.object_id, call.world.names.subscription_id))
    audience = form.get("scope", call.origin).split(" ")[0].removesuffix("/.default")
    text, expires = tokens.issue(principal, call.world.names.tenant, audience, f"{call.origin}/{call.params['tenant']}")
    body = {"token_type": "Bearer", "expires_in": tokens.LIFETIME_S, "ext_expires_in": tokens.LIFETIME_S}
    return Reply(200, {**body, "expires_on": str(expires), "access_token": text})


def _subscription(call: Call) -> dict[str, Any]:
    names = call.world.names
    return {
        "id": names.subscription_id,
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": names.subscription,
        "tenantId": names.tenant,
        "displayName": "Lab",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Internal_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


async def list_subscriptions(call: Call) -> Reply:
    """GET /subscriptions."""
    return Reply(200, {"value": [_subscription(call)], "count": {"type": "Total", "value": 1}})


async def get_subscription(call: Call) -> Reply:
    """GET of the subscription; its tags are read from Microsoft.Resources/tags."""
    tags = call.world.resources.get(call.path.rstrip("/").lower(), {}).get("tags")
    return Reply(200, {**_subscription(call), **({"tags": tags} if tags else {})})


async def list_tenants(call: Call) -> Reply:
    """GET /tenants."""
    tenant = call.world.names.tenant
    entry = {"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Lab", "tenantCategory": "Home"}
    return Reply(200, {"value": [entry]})


def routes() -> list[Route]:
    """The routes of this area."""
    return [
        Route("GET", "/metadata/endpoints", None, metadata_endpoints),
        Route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", None, openid_configuration),
        Route("GET", "/{tenant}/.well-known/openid-configuration", None, openid_configuration),
        Route("POST", "/{tenant}/oauth2/v2.0/token", None, token),
        Route("GET", "/subscriptions", None, list_subscriptions),
        Route("GET", SUB, "Microsoft.Resources/subscriptions/read", get_subscription),
        Route("GET", "/tenants", None, list_tenants),
    ]
