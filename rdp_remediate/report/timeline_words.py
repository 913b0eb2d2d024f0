"""How the timeline says what a log holds."""

from rdp_remediate.facts.resource_changes import ResourceChange
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.guest import GuestChange
from rdp_remediate.models.report import TimelineEntry
from rdp_remediate.report.wording import REASON_WORDS, last_name, plain

_VERBS = {
    "deallocate": "deallocated",
    "poweroff": "stopped",
    "start": "started",
    "restart": "restarted",
    "redeploy": "redeployed",
    "initiate": "asked for just-in-time access by",
}
_KINDS = {
    "securityrules": "rule",
    "networksecuritygroups": "NSG",
    "networkinterfaces": "NIC",
    "publicipaddresses": "public IP address",
    "loadbalancers": "load balancer",
    "inboundnatrules": "inbound NAT rule",
    "routetables": "route table",
    "routes": "route",
    "virtualmachines": "VM",
    "extensions": "extension",
    "virtualnetworks": "VNet",
    "subnets": "subnet",
    "policyassignments": "policy assignment",
    "jitnetworkaccesspolicies": "JIT policy",
    "bastionhosts": "Bastion host",
}
_MOST_PROPERTIES = 3


def change_words(operation: str, resource_id: str, change: ResourceChange | None) -> str:
    """One change in a few words, with before and after where Resource Graph has them."""
    parts = resource_id.rstrip("/").split("/")
    kind = _KINDS.get(parts[-2].lower() if len(parts) > 1 else "", "")
    where = f" of {parts[-3]}" if len(parts) > 10 else ""
    thing = f"{kind} {parts[-1]}{where}".strip()
    verb = operation.lower().rsplit("/", 1)[-1]
    act = operation.lower().rsplit("/", 2)[-2] if verb == "action" and operation.count("/") > 1 else ""
    if verb == "delete":
        said = f"removed {thing}"
    elif verb == "create" or (verb == "write" and change is not None and change.kind.lower() == "create"):
        said = f"made {thing}"
    elif verb in ("write", "update"):
        said = f"changed {thing}"
    elif act in _VERBS:
        said = f"{_VERBS[act]} {thing}"
    else:
        said = f"{operation} on {thing}"
    shown = [
        f"{plain(one.path, 80)} {plain(one.before, 40)} → {plain(one.after, 40)}"
        for one in (change.properties if change else ())
    ]
    more = f" and {len(shown) - _MOST_PROPERTIES} more" if len(shown) > _MOST_PROPERTIES else ""
    return f"{said} ({', '.join(shown[:_MOST_PROPERTIES])}{more})" if shown else said


def guest_words(change: GuestChange) -> str:
    """One change inside Windows in a few words."""
    value = f" is now {plain(change.value, 80)}" if change.value else " changed"
    match change.what:
        case "service_start_type":
            return f"the start type of {plain(change.object)}{value}"
        case "service_state":
            return f"{plain(change.object)}{value}"
        case "firewall_rule":
            return f"the firewall rule {plain(change.object)}{value}"
        case "firewall_setting":
            return f"the firewall setting {plain(change.object)}{value}"
        case "shutdown":
            return f"Windows was shut down ({plain(change.object)})"
        case _:
            return f"{plain(change.what)} {plain(change.object)}{value}"


def nobody(entry: TimelineEntry) -> str:
    """What stands where a log names nobody."""
    return "author unknown" if entry.kind in ("change", "guest_event") else ""


def unread(name: str, fact: Unavailable) -> str:
    """A source that could not be read."""
    detail = f" ({plain(fact.detail, 160)})" if fact.detail else ""
    return f"{name} could not be read: {REASON_WORDS.get(fact.reason.value, fact.reason.value)}{detail}"


def line(entry: TimelineEntry) -> str:
    """One entry as one line, without its time."""
    by = f" by {plain(entry.by)}" if entry.by else f" ({nobody(entry)})" if nobody(entry) else ""
    where = last_name(entry.resource_id or "")
    told = "" if where and where in entry.what else f" [{plain(where)}]" if entry.kind == "change" else ""
    return f"{plain(entry.what)}{by}{told}"
