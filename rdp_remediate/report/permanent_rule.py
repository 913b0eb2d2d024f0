"""The lasting form of an expiring NSG rule, as Bicep and as an az command, for whoever owns the NSG.

It takes the name and the priority of the temporary rule and so replaces it: two rules of one priority cannot stand in one
NSG. Without our marker in the description the reaper leaves it alone.

Sources: https://learn.microsoft.com/azure/templates/microsoft.network/networksecuritygroups/securityrules and
https://learn.microsoft.com/cli/azure/network/nsg/rule#az-network-nsg-rule-create
"""

import shlex
from typing import Any

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.plan import Step
from rdp_remediate.report.wording import last_name

_DESCRIPTION = "Permanent RDP access"
_API_VERSION = "2024-05-01"


def bicep_lines(step: Step) -> list[str]:
    """The rule without an end, as Bicep for a deployment into the NSG's resource group."""
    rule = _properties(step)
    sources = _sources(rule)
    source = (
        f"    sourceAddressPrefix: {_quoted(sources[0])}"
        if len(sources) == 1
        else f"    sourceAddressPrefixes: [ {', '.join(_quoted(one) for one in sources)} ]"
    )
    name = f"{last_name(str(step.target.get('nsg_id', '')))}/{_name(step)}"
    return [
        f"resource rdp 'Microsoft.Network/networkSecurityGroups/securityRules@{_API_VERSION}' = {{",
        f"  name: {_quoted(name)}",
        "  properties: {",
        f"    description: {_quoted(_DESCRIPTION)}",
        "    direction: 'Inbound'",
        "    access: 'Allow'",
        "    protocol: 'Tcp'",
        f"    priority: {_number(rule.get('priority'))}",
        source,
        "    sourcePortRange: '*'",
        f"    destinationAddressPrefix: {_quoted(str(rule.get('destinationAddressPrefix', '')))}",
        f"    destinationPortRange: {_quoted(str(rule.get('destinationPortRange', '')))}",
        "  }",
        "}",
    ]


def az_line(step: Step) -> str:
    """The rule without an end, as one az command."""
    rule = _properties(step)
    nsg_id = str(step.target.get("nsg_id", ""))
    parts = nsg_id.split("/")
    named = {parts[i].lower(): parts[i + 1] for i in range(1, len(parts) - 1, 2)}
    words = ["az", "network", "nsg", "rule", "create"]
    if "subscriptions" in named:
        words += ["--subscription", named["subscriptions"]]
    words += ["--resource-group", named.get("resourcegroups", ""), "--nsg-name", last_name(nsg_id)]
    words += [
        "--name",
        _name(step),
        "--description",
        _DESCRIPTION,
        "--direction",
        "Inbound",
        "--access",
        "Allow",
        "--protocol",
        "Tcp",
    ]
    words += ["--priority", str(_number(rule.get("priority"))), "--source-address-prefixes", *_sources(rule)]
    words += ["--destination-address-prefixes", str(rule.get("destinationAddressPrefix", ""))]
    words += ["--destination-port-ranges", str(rule.get("destinationPortRange", ""))]
    return shlex.join(words)


def _properties(step: Step) -> JsonObject:
    desired = step.desired if isinstance(step.desired, dict) else {}
    found = desired.get("properties")
    return found if isinstance(found, dict) else {}


def _sources(rule: JsonObject) -> list[str]:
    many = rule.get("sourceAddressPrefixes")
    if isinstance(many, list) and many:
        return [str(one) for one in many]
    return [str(rule.get("sourceAddressPrefix", ""))]


def _name(step: Step) -> str:
    return str(step.target.get("name", ""))


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _quoted(text: str) -> str:
    """A Bicep string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return f"'{escaped}'"
