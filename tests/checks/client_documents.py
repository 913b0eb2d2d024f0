"""Client checks for tests: what the user's computer saw, beside the healthy VM of the factories."""

from typing import Any

from rdp_remediate.models.base import JsonObject
from tests import factories as f

NAME = "vm1-app.westeurope.cloudapp.azure.com"
SECOND = "198.51.100.20"
CONTROL = "198.51.100.10"


def attempt(
    outcome: str, host: str = NAME, address: str = f.PUBLIC_ADDRESS, port: int = 3389, **more: Any
) -> JsonObject:
    """One connection that was tried."""
    return {"host": host, "port": port, "address": address, "outcome": outcome, **more}


def document(**parts: Any) -> JsonObject:
    """A check that reaches the VM, with other parts; None takes one out."""
    made = {
        "schema": "rdp-remediate/client-check/1",
        "made_at": f.healthy_json()["collected_at"],
        "made_by": "python",
        "system": {"os": "windows", "version": "10.0.22631"},
        "host": NAME,
        "port": 3389,
        "resolution": {"addresses": [f.PUBLIC_ADDRESS]},
        "target": attempt("open"),
        "proxy": {"settings": []},
        "local_firewall": {"active": ["Windows Firewall"], "outbound_blocks": []},
        **parts,
    }
    return {key: value for key, value in made.items() if value is not None}


def checked(**parts: Any) -> f.Change:
    """Gives the bundle a client check."""
    return f.put("client_check", value=document(**parts))
