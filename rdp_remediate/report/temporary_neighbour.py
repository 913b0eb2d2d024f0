"""A temporary VM beside the target, as commands for a person: where no neighbour could be asked. Nothing here runs them.

It gets its own resource group, no public address and no NSG of its own, and is deleted with that group. The probe is the one
of a neighbour: TCP and an X.224 Connection Request (rdp-probe.md 1.1). /dev/tcp belongs to bash, so no tool is installed.
"""

import hashlib
import shlex

from rdp_remediate.facts import references
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.report import PasteBlock
from rdp_remediate.network.question import ask

SIZE = "Standard_B1s"
COST = (
    "estimate: below 0.05 USD for one hour, on the assumption of about 0.01 USD an hour for Standard_B1s and a standard "
    "disk of 30 GB; prices differ by region and contract"
)
_CONNECTION_REQUEST = "AwAAEw7gAAAAAAABAAgACwAAAA=="
_FACT = "probes.neighbour"
_NOBODY = ("not_configured", "not_running")


def temporary_neighbour(bundle: Bundle) -> list[PasteBlock]:
    """The block, where a neighbour was looked for and there is none that may be asked."""
    missing = next((one for one in bundle.unavailable if one.fact == _FACT), None)
    machine = bundle.resources.get(bundle.target.vm_id.lower(), {})
    nics = [nic for one in references.next_resources(machine) if (nic := bundle.resources.get(one.lower()))]
    subnets = [subnet for nic in nics for subnet in sorted(references.subnets_of(nic))]
    addresses = [one for nic in nics for one in references.private_addresses(nic)]
    location = references.location(machine)
    if missing is None or missing.reason not in _NOBODY or not (subnets and addresses and location):
        return []
    subscription = bundle.target.vm_id.split("/")[2]
    group = group_name(bundle.target.vm_id)
    port = ask(read_facts(bundle)).port
    return [
        PasteBlock(
            title=f"A temporary VM in the same subnet that tries {addresses[0]}:{port}, deleted afterwards",
            prompt="azure_cli",
            only_if="whoever owns the subscription agrees to a new VM for some minutes",
            note=f"{COST}. The answer begins with `open` where TCP connects, and RDP answers where `03 00 00 13 0e d0` or "
            "`03 00 00 0b 06 d0` follows. Without a way out to Azure the probe returns nothing. The last line deletes the VM; "
            "look whether the group is gone",
            lines=_lines(subscription, group, location, subnets[0], probe_line(addresses[0], port)),
        )
    ]


def _lines(subscription: str, group: str, location: str, subnet: str, probe: str) -> list[str]:
    of_group = f"--subscription {shlex.quote(subscription)} --resource-group {group} --name rdp-probe"
    of_itself = f"--subscription {shlex.quote(subscription)} --name {group}"
    return [
        f"az group create {of_itself} --location {shlex.quote(location)}",
        f"az vm create {of_group} --image Ubuntu2204 --size {SIZE} --subnet {shlex.quote(subnet)} "
        "--public-ip-address '' --nsg '' --admin-username probe --generate-ssh-keys",
        f"az vm run-command invoke {of_group} --command-id RunShellScript --scripts {shlex.quote(probe)}",
        f"az group delete {of_itself} --yes",
    ]


def group_name(vm_id: str) -> str:
    """The group's name, the same for the same VM: a second try finds the first one's leftovers."""
    return f"rg-rdp-remediate-probe-{hashlib.sha256(vm_id.lower().encode()).hexdigest()[:10]}"


def probe_line(address: str, port: int) -> str:
    """The probe as one line of shell."""
    return (
        f'timeout 9 bash -c "exec 3<>/dev/tcp/{address}/{port} && echo open && echo {_CONNECTION_REQUEST} | base64 -d >&3 && '
        'timeout 4 dd bs=64 count=1 <&3 2>/dev/null | od -An -tx1"'
    )
