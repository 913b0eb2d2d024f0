"""Judges one Azure operation as events and activity-log alerts tell it: who did what, and whether it changed anything.

Event Grid gives `claims` as an object, alerts as JSON text; `authorization.evidence.principalId` is written without
dashes, the object id claim with them (reference: Azure activity log event schema,
https://learn.microsoft.com/azure/azure-monitor/platform/activity-log-schema).
"""

import re
from typing import Any

from rdp_remediate.errors import PayloadError
from rdp_remediate.intake.ignored import Ignored, IgnoredReason
from rdp_remediate.intake.payload import label, optional_object, optional_text, parse_json, plain
from rdp_remediate.models.base import JsonObject

# First-party application "Windows Azure Security Resource Provider": the same in every tenant, while its object id
# differs. It writes the rules of just-in-time access.
DEFENDER_APPLICATION_ID = "8edd93e1210340b4bd706e34e586362d"

_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_NAME_ID = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
_USER_NAMES = (
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
    "name",
)

_TWIN_STATES = frozenset({"accepted", "started", "start"})
_HEX32 = re.compile(r"[0-9a-f]{32}")

# Actions by POST that read. They come as ResourceActionSuccess like any other, our own reads among them.
_READING_ACTIONS = frozenset(
    {
        "effectivenetworksecuritygroups",
        "effectiveroutetable",
        "retrievebootdiagnosticsdata",
        "assesspatches",
        "join",
        "joinviaserviceendpoint",
        "listeffectivesecurityadminrules",
        "listnetworkmanagereffectivesecurityadminrules",
        "listnetworkmanagereffectiveconnectivityconfigurations",
        "login",
        "loginasadmin",
    }
)
# Their operations on a VM judge, advise or grant; none touches the path.
_BYSTANDERS = ("microsoft.authorization/", "microsoft.advisor/", "microsoft.policyinsights/", "microsoft.insights/")


def normal_guid(text: str) -> str | None:
    """A GUID without dashes and braces in lower case; None if the text is no GUID."""
    digits = text.strip().strip("{}").replace("-", "").lower()
    return digits if _HEX32.fullmatch(digits) else None


def normal_guids(texts: frozenset[str]) -> frozenset[str]:
    """The GUIDs among the texts, in one form."""
    return frozenset(guid for text in texts if (guid := normal_guid(text)) is not None)


class Operation:
    """One operation of the activity log or of an Event Grid resource event.

    Attributes:
        name: Such as Microsoft.Compute/virtualMachines/deallocate/action; empty if not given.
        status: Such as Succeeded; empty if not given.
        who: The person or application that called it, as far as the record tells.
    """

    def __init__(self, record: JsonObject, where: str) -> None:
        """Reads the record.

        Args:
            record: `data` of an event, or the alert context of an activity-log alert.
            where: Its place in the payload, for error texts.

        Raises:
            PayloadError: A part of it has a form that Azure never sends.
        """
        self.name = optional_text(record, "operationName", where) or ""
        self.status = optional_text(record, "status", where) or ""
        claims = _claims(record.get("claims"))
        authorization = optional_object(record, "authorization", where)
        evidence = optional_object(authorization, "evidence", f"{where}.authorization")
        caller = optional_text(record, "caller", where)
        stated = [evidence.get("principalId"), caller]
        stated += [claims.get(key) for key in (_OBJECT_ID, "oid", _NAME_ID, "appid")]
        self._principals = normal_guids(frozenset(value for value in stated if isinstance(value, str)))
        named = [caller, *(claims.get(key) for key in _USER_NAMES), evidence.get("principalId"), claims.get("appid")]
        self.who = next((plain(name) for name in named if isinstance(name, str) and name.strip()), "somebody")

    def unchanged(self, own_principal_ids: frozenset[str]) -> tuple[IgnoredReason, str] | None:
        """Why the operation is no reason to look at a VM, or None if it is one.

        Args:
            own_principal_ids: Object or application ids of this app's identity, with dashes or without.
        """
        name = plain(self.name) or "The operation"
        if self._principals & normal_guids(own_principal_ids):
            return IgnoredReason.OWN_CHANGE, f"{name} was called by this app itself."
        if DEFENDER_APPLICATION_ID in self._principals:
            return IgnoredReason.JUST_IN_TIME, f"{name} was called by Defender for just-in-time access."
        if self.status.lower() in _TWIN_STATES:
            return IgnoredReason.TWIN, f"{name} is only {plain(self.status)}; its outcome comes as an event of its own."
        if self._reads():
            return IgnoredReason.NO_CHANGE, f"{name} changes nothing on the way to a VM."
        return None

    def _reads(self) -> bool:
        parts = self.name.lower().split("/")
        if parts[-1] == "read" or self.name.lower().startswith(_BYSTANDERS):
            return True
        return parts[-1] == "action" and len(parts) >= 2 and parts[-2] in _READING_ACTIONS


def health_change(properties: JsonObject, where: str) -> tuple[IgnoredReason, str] | None:
    """Why a change of resource health is no reason to look at the VM, or None if it is one.

    A stop or restart that a user asked for is no fault. The cause is written `UserInitiated` in alerts and
    "Customer Initiated" in events.

    Raises:
        PayloadError: A part of it has a form that Azure never sends.
    """
    causes = {label(properties.get("cause")), label(properties.get("context"))}
    if causes & {"userinitiated", "customerinitiated"}:
        what = plain(optional_text(properties, "title", where) or optional_text(properties, "summary", where) or "")
        return IgnoredReason.USER_INITIATED, f"A user asked for it: {what or 'no details given'}"
    now = label(properties.get("availabilityState"))
    before = label(properties.get("previousAvailabilityState"))
    if now and now == before:
        return IgnoredReason.NO_CHANGE, f"The health state is {now} as before."
    if now == "available" and not before:
        return IgnoredReason.NO_CHANGE, "It is the first event of this VM, and it says available."
    return None


def ignored(reason: tuple[IgnoredReason, str], event_id: str) -> Ignored:
    """The reason as an outcome of this event."""
    return Ignored(reason[0], reason[1], event_id)


def _claims(value: Any) -> JsonObject:
    """The claims as an object; what cannot be read as claims names nobody."""
    if isinstance(value, str):
        try:
            value = parse_json(value, "claims")
        except PayloadError:
            return {}
    return value if isinstance(value, dict) else {}
