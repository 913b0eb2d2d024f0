"""Microsoft.Security: just-in-time policies, and the request that really opens the NSG (network-semantics.md 5)."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

from rdp_remediate.lab.arm_http import GROUP, SUB, ArmError, Call, Reply, Route, not_found
from rdp_remediate.lab.arm_nsg import stored_rule
from rdp_remediate.lab.build import complete_rule
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.time_shift import parse_moment
from rdp_remediate.lab.world import Opening, utc_now

POLICIES = f"{GROUP}/providers/Microsoft.Security/locations/{{location}}/jitNetworkAccessPolicies"
_DURATION = re.compile(r"^PT(?:(\d+)H)?(?:(\d+)M)?$")


async def list_policies(call: Call) -> Reply:
    """Lists the policies of a subscription, group or location."""
    scope = re.split("/providers/", call.path, flags=re.IGNORECASE)[0].lower()
    found = [p for p in call.world.jit_policies if p["id"].lower().startswith(f"{scope}/")]
    return Reply(200, {"value": found})


def _policy(call: Call, policy_id: str) -> dict[str, Any]:
    policy = next((p for p in call.world.jit_policies if p["id"].lower() == policy_id.lower()), None)
    if policy is None:
        raise not_found(policy_id)
    return policy


async def get_policy(call: Call) -> Reply:
    """GET of one policy."""
    return Reply(200, _policy(call, call.path))


def _longest(text: str) -> timedelta:
    match = _DURATION.match(text)
    return timedelta(hours=int(match.group(1) or 0), minutes=int(match.group(2) or 0)) if match else timedelta(hours=3)


def _checked(policy: dict[str, Any], vm_id: str, wanted: dict[str, Any]) -> dict[str, Any]:
    machines = policy["properties"].get("virtualMachines", [])
    machine = next((m for m in machines if m["id"].lower() == vm_id.lower()), None)
    if machine is None:
        raise ArmError(400, "BadRequest", f"Virtual machine {vm_id} is not part of the policy {policy['name']}.")
    port = next((p for p in machine["ports"] if p["number"] == wanted.get("number")), None)
    if port is None:
        raise ArmError(400, "BadRequest", f"Port {wanted.get('number')} of {vm_id} is not part of the policy.")
    try:
        end = parse_moment(str(wanted.get("endTimeUtc")))
    except ValueError as error:
        raise ArmError(400, "BadRequest", f"endTimeUtc is no time: {wanted.get('endTimeUtc')!r}.") from error
    if end <= utc_now() or end > utc_now() + _longest(port["maxRequestAccessDuration"]) + timedelta(minutes=1):
        raise ArmError(400, "BadRequest", f"endTimeUtc must lie within {port['maxRequestAccessDuration']} from now.")
    return {"port": port, "end": end}


def _groups_of(call: Call, vm_id: str) -> list[tuple[Resource, str]]:
    found: dict[str, tuple[Resource, str]] = {}
    for nic in call.world.nics_of(vm_id):
        configuration = nic["properties"]["ipConfigurations"][0]["properties"]
        subnet = call.world.find(configuration.get("subnet", {}).get("id", "")) or {}
        for holder in (nic, subnet):
            group = call.world.find(holder.get("properties", {}).get("networkSecurityGroup", {}).get("id", ""))
            if group is not None:
                found[group["id"].lower()] = (group, configuration["privateIPAddress"])
    return list(found.values())


def _open(call: Call, vm_id: str, number: int, source: str, end: Any) -> None:
    """Adds the allow rule that Defender adds: from priority 100 on, destination the private address."""
    for group, address in _groups_of(call, vm_id):
        rules = group["properties"]["securityRules"]
        used = {r["properties"]["priority"] for r in rules if r["properties"]["direction"].lower() == "inbound"}
        name = f"SecurityCenter-JITRule-{int(uuid4()) % 2_000_000_000}-{uuid4().hex.upper()}"
        rule = stored_rule(
            name,
            {
                "description": "ASC JIT Network Access rule created by an initiation request",
                "protocol": "*",
                "sourcePortRange": "*",
                "destinationPortRange": str(number),
                "sourceAddressPrefix": source,
                "destinationAddressPrefix": address,
                "access": "Allow",
                "priority": next(p for p in range(100, 4097) if p not in used),
                "direction": "Inbound",
            },
            "Succeeded",
        )
        complete_rule(group, rule)
        rules.append(rule)
        call.world.renew_etag(group)
        call.world.openings.append(Opening(group["id"], name, end))


async def initiate(call: Call) -> Reply:
    """POST initiate: opens the asked ports until endTimeUtc; without a source address the caller's own is opened."""
    policy = _policy(call, call.parent())
    body = call.json()
    machines = body.get("virtualMachines") or []
    granted = [
        (str(machine.get("id")), wanted, _checked(policy, str(machine.get("id")), wanted))
        for machine in machines
        for wanted in machine.get("ports") or []
    ]
    if not granted:
        raise ArmError(400, "BadRequest", "The request names no virtual machine and port.")
    request: dict[str, Any] = {
        "virtualMachines": [
            {
                "id": vm_id,
                "ports": [{**wanted, "status": "Initiated", "statusReason": "UserRequested"}],
            }
            for vm_id, wanted, _ in granted
        ],
        "startTimeUtc": utc_now().isoformat(),
        "requestor": call.principal.caller,
        "justification": body.get("justification") or "-",
    }
    for vm_id, wanted, checked in granted:
        source = str(wanted.get("allowedSourceAddressPrefix") or "198.51.100.250")
        _open(call, vm_id, int(wanted["number"]), source, checked["end"])
    policy["properties"].setdefault("requests", []).append(request)
    action = "Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action"
    call.world.record(action, policy["id"], call.principal, "Succeeded", call.correlation)
    await call.world.changed()
    return Reply(202, request)


def routes() -> list[Route]:
    """The routes of this area."""
    base = "Microsoft.Security/locations/jitNetworkAccessPolicies"
    return [
        Route("GET", f"{SUB}/providers/Microsoft.Security/jitNetworkAccessPolicies", f"{base}/read", list_policies, 3),
        Route(
            "GET", f"{GROUP}/providers/Microsoft.Security/jitNetworkAccessPolicies", f"{base}/read", list_policies, 3
        ),
        Route(
            "GET",
            f"{SUB}/providers/Microsoft.Security/locations/{{location}}/jitNetworkAccessPolicies",
            f"{base}/read",
            list_policies,
            5,
        ),
        Route("GET", POLICIES, f"{base}/read", list_policies, 5),
        Route("GET", f"{POLICIES}/{{name}}", f"{base}/read", get_policy),
        Route("POST", f"{POLICIES}/{{name}}/initiate", f"{base}/initiate/action", initiate, drop=1),
    ]
