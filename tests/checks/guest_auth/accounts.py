"""Changes of the healthy bundle: who was asked about, how the account stands, what Windows answered it."""

from typing import Any

from rdp_remediate.models.base import JsonObject
from tests import factories as f
from tests.factories import Change

LOCAL, DOMAIN, ENTRA = "opsuser", "CONTOSO\\jdoe", "AzureAD\\mia@contoso.com"
SID = "S-1-5-21-1-2-3-1004"
RDU, ADMINISTRATORS = "S-1-5-32-555", "S-1-5-32-544"
RIGHTS = {
    "SeRemoteInteractiveLogonRight": [ADMINISTRATORS, RDU],
    "SeDenyRemoteInteractiveLogonRight": [],
    "SeNetworkLogonRight": ["S-1-1-0", ADMINISTRATORS],
    "SeDenyNetworkLogonRight": ["S-1-5-32-546"],
}


def asked(user: str, client: str | None = f.CLIENT, **account: Any) -> Change:
    """Asks about a user whose account is as usual but for these fields."""

    def change(data: JsonObject) -> None:
        data["target"].update(user=user, client_address=client)
        local = "\\" not in user or user.startswith("RDPVM01\\")
        known: JsonObject = {"local": True, "sid": SID, "groups": [RDU]} if local else {"groups": []}
        data["guest"]["accounts"]["asked"] = known | account
        data["guest"]["sign_ins"]["asked"] = {"failures": []}

    return change


def refused(
    status: str, sub_status: str = "0", *, at: str = "09:50", type_: int = 3, address: str = f.CLIENT
) -> Change:
    """Windows refused the asked user once."""

    def change(data: JsonObject) -> None:
        data["guest"]["sign_ins"]["asked"]["failures"].append(
            {
                "status": status,
                "sub_status": sub_status,
                "type": type_,
                "address": address,
                "count": 1,
                "last": _time(at),
            }
        )

    return change


def ended(kind: str, at: str) -> Change:
    """The asked user got a desktop (signed_in), past NLA (authenticated) or was denied the desktop (denied)."""
    return f.guest("sign_ins", "asked", kind, value=_time(at))


def entra_answered(code: str, at: str = "09:50") -> Change:
    """Microsoft Entra ID answered the computer with an error."""
    return f.guest("sign_ins", "asked", "entra", value=[{"code": code, "last": _time(at)}])


def attack(sources: int = 20, failed: int = 100, not_guessed: int = 0) -> Change:
    """So many sign-ins failed."""
    return f.guest(
        "sign_ins", value={"window_s": 900, "failed": failed, "sources": sources, "not_guessed": not_guessed}
    )


def member(data: JsonObject) -> None:
    """Makes the computer a member of the domain contoso.com, with a running Netlogon and W32Time."""
    data["guest"]["os"].update(part_of_domain=True, domain="contoso.com", domain_role=3)
    data["guest"]["services"]["Netlogon"].update(state="Running", start_type="Auto", pid=700)


def controller(data: JsonObject) -> None:
    """Makes the computer a domain controller."""
    member(data)
    data["guest"]["os"].update(domain_role=5, product_type=2)


def of_domain(**fields: Any) -> Change:
    """Changes fields of the accounts section: controller_error, channel_error, offset_s."""

    def change(data: JsonObject) -> None:
        data["guest"]["accounts"].update(fields)

    return change


def logged(provider: str, number: int, *data: str) -> Change:
    """Adds a kind of event of the System log."""

    def change(bundle: JsonObject) -> None:
        bundle["guest"]["events"].append(
            {"at": _time("09:15"), "log": "System", "provider": provider, "id": number, "count": 1, "data": list(data)}
        )

    return change


def entra_extension(code: str) -> Change:
    """Gives the VM the Entra login extension in this state."""
    kind = "Microsoft.Azure.ActiveDirectory.AADLoginForWindows"

    def change(data: JsonObject) -> None:
        view = data["resources"][f.VM.lower()]["properties"]["instanceView"]
        view.setdefault("extensions", []).append({"name": "login", "type": kind, "statuses": [{"code": code}]})

    return change


def _time(at: str) -> str:
    return f"2026-01-15T{at}:00Z"
