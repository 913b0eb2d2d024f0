"""A script as an administrator would write it: the genuine, synchronous Azure SDK and nothing of this project.

It follows the exports of `rdp-remediate lab start`: the endpoint and the sign-in come from the environment. What it saw
is printed as one JSON document.
"""

import json
import os
import socket
import sys
from typing import Any

from azure.identity import DefaultAzureCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute.models import RunCommandInput
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.network.models import SecurityRule

GROUP, VM, NIC, NSG, PUBLIC = "rg-app", "vm1", "vm1-nic", "vm1-nsg", "20.50.1.4"
ARM = os.environ["RDP_REMEDIATE_ARM_URL"]
RULE: dict[str, Any] = {
    "properties": {
        "protocol": "Tcp",
        "sourcePortRange": "*",
        "destinationPortRange": "3389",
        "sourceAddressPrefix": "203.0.113.0/24",
        "destinationAddressPrefix": "10.0.0.4",
        "access": "Allow",
        "priority": 250,
        "direction": "Inbound",
    }
}


def endpoint_connects() -> bool:
    """Whether the VM's public RDP port takes a TCP connection, through the lab's mapping."""
    for mapping in os.environ["RDP_REMEDIATE_CONNECT_TO"].split(","):
        dialled, port, address, mapped = mapping.split(":")
        if (dialled, port) == (PUBLIC, "3389"):
            try:
                with socket.create_connection((address, int(mapped)), timeout=2):
                    return True
            except OSError:
                return False
    raise LookupError(f"the lab maps no {PUBLIC}:3389")


def main(scripts: list[str]) -> dict[str, Any]:
    """Reads the VM, runs the scripts, opens the NSG and looks at what each of them shows."""
    common: dict[str, Any] = {"base_url": ARM, "credential_scopes": [f"{ARM}/.default"]}
    subscription = os.environ["AZURE_SUBSCRIPTION_ID"]
    seen: dict[str, Any] = {"connected_before": endpoint_connects()}
    with (
        DefaultAzureCredential() as credential,
        ComputeManagementClient(credential, subscription, **common) as compute,
        NetworkManagementClient(credential, subscription, **common) as network,
    ):
        view = compute.virtual_machines.get(GROUP, VM, expand="instanceView").instance_view
        assert view is not None
        seen["power"] = [status.code for status in view.statuses or []]
        agent = view.vm_agent
        seen["agent"] = [status.display_status for status in (agent.statuses if agent else None) or []]
        seen["effective_before"] = effective(network)
        seen["answers"] = []
        for script in scripts:
            body = RunCommandInput(command_id="RunPowerShellScript", script=[script])
            result = compute.virtual_machines.begin_run_command(GROUP, VM, body).result()
            seen["answers"].append([status.message for status in result.value or []])
        poller = network.security_rules.begin_create_or_update(GROUP, NSG, "office", SecurityRule(RULE))
        seen["written"] = poller.result().provisioning_state
        seen["read"] = network.security_rules.get(GROUP, NSG, "office").as_dict()["properties"]
        seen["effective_after"] = effective(network)
    seen["connected_after"] = endpoint_connects()
    return seen


def effective(network: NetworkManagementClient) -> list[str]:
    """The names of the rules that apply to the NIC."""
    result = network.network_interfaces.begin_list_effective_network_security_groups(GROUP, NIC).result()
    return [str(rule.name) for group in result.value or [] for rule in group.effective_security_rules or []]


if __name__ == "__main__":
    json.dump(main(sys.argv[1:]), sys.stdout)
