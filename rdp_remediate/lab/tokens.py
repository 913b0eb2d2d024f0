"""Access tokens of the lab: parseable JWTs without a signature that anybody checks."""

import base64
import binascii
import json
import time

from rdp_remediate.lab.rbac import LAB_IDENTITY, Principal

LIFETIME_S = 3600


def _part(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def issue(principal: Principal, tenant: str, audience: str, issuer: str) -> tuple[str, int]:
    """Returns a token and the epoch second at which it expires."""
    now = int(time.time())
    claims: dict[str, object] = {
        "aud": audience,
        "iss": issuer,
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME_S,
        "appid": principal.app_id,
        "oid": principal.object_id,
        "sub": principal.object_id,
        "tid": tenant,
        "idtyp": "user" if principal.name else "app",
        "ver": "1.0",
    }
    if principal.name:
        claims["upn"] = principal.name
    return f"{_part({'typ': 'JWT', 'alg': 'none'})}.{_part(claims)}.", now + LIFETIME_S


def caller(authorization: str, known: dict[str, Principal]) -> Principal:
    """Returns who a bearer token stands for; a token that the lab did not issue stands for the lab's identity.

    Tests of single adapters use static tokens: what matters to them is the answer, not who asks.
    """
    token = authorization.partition(" ")[2].strip()
    parts = token.split(".")
    if len(parts) != 3:
        return LAB_IDENTITY
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        object_id = str(claims["oid"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        return LAB_IDENTITY
    return known.get(object_id, Principal(object_id, str(claims.get("appid", object_id)), claims.get("upn")))
