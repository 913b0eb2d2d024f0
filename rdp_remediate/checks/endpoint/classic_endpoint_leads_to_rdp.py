"""Does a classic VM's input endpoint lead the client to RDP?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.arm_names import name_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError
from rdp_remediate.facts.network_addresses import address_text
from rdp_remediate.facts.network_classic import ClassicVm
from rdp_remediate.facts.network_words import Transport
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.classic import is_classic
from rdp_remediate.network.decision import Decision, Flow, Layer, Verdict
from rdp_remediate.network.path import decide
from rdp_remediate.network.question import DEFAULT_PORT, ask

_FREE_PORTS = range(49152, 65536)


@check(
    hop=Hop.ENDPOINT,
    faults=("classic-endpoint-missing", "classic-endpoint-wrong-port", "classic-acl-denies"),
)
def classic_endpoint_leads_to_rdp(facts: Facts) -> Outcome:
    """The classic VM's input endpoint leads the dialled port to RDP and its ACL permits the client.

    Why: a cloud service passes on only what an endpoint names; an ACL with one permit denies everybody else, and the row with the
    lowest order wins.
    Evidence: the classic VM's input endpoints and ACLs, from Azure or an exported Get-AzureEndpoint and Get-AzureAclConfig.
    By hand:
        * classic-endpoint-missing: migrate the VM to Azure Resource Manager; the platform is retired. Where it still answers:
          `Get-AzureVM -ServiceName SERVICE -Name <vm> | Add-AzureEndpoint -Name RDP -Protocol tcp -LocalPort <rdp_port>
          -PublicPort <free_port> | Update-AzureVM`, and connect with `mstsc /v:SERVICE.cloudapp.net:<free_port>`.
        * classic-endpoint-wrong-port: if only the client's port is wrong, `mstsc /v:SERVICE.cloudapp.net:<public_port>`. Else
          `Get-AzureVM -ServiceName SERVICE -Name <vm> | Set-AzureEndpoint -Name <endpoint> -Protocol tcp -LocalPort <rdp_port>
          -PublicPort <free_port> | Update-AzureVM`; <free_port> is a free public port of 49152-65535.
        * classic-acl-denies: permit the client's public address, or that of its proxy: `$acl = New-AzureAclConfig`,
          `Set-AzureAclConfig -AddRule -ACL $acl -Order 0 -Action permit -RemoteSubnet <client>/32`, the rows that are there after
          it, then `Get-AzureVM -ServiceName SERVICE -Name <vm> | Set-AzureEndpoint -Name <endpoint> -ACL $acl | Update-AzureVM`.
    See: https://learn.microsoft.com/previous-versions/azure/virtual-network/virtual-networks-acl
    """
    vm = facts.target.vm_id.rstrip("/").lower()
    if not is_classic(facts.network, vm):
        return skipped("no classic VM")
    machine = facts.network.classic_vms.get(vm)
    if machine is None:
        raise UnseenError(facts.network.why("resource", vm))
    question = ask(facts)
    if not question.clients:
        why = "neither the client's address nor any source is known"
        raise UnseenError(Unavailable(Reason.NOT_COLLECTED, why, "target.client_address"))
    guest = facts.guest.rdp_port()
    expected, sure = (
        (DEFAULT_PORT, Confidence.LIKELY) if isinstance(guest, Unavailable) else (guest.value, Confidence.CONFIRMED)
    )
    for client in question.clients:
        address = facts.target.dialled_address or next((address_text(one) for one in machine.public_addresses), "")
        decision = decide(facts.network, Flow(client, address, question.dialled_port, vm_id=facts.target.vm_id))
        if decision.verdict is Verdict.INDETERMINATE:
            raise UnseenError(
                Unavailable(Reason.NOT_COLLECTED, "; ".join(decision.data_gaps) or "open", "classic endpoints")
            )
        known: dict[str, Any] = {
            "vm": name_of(facts.target.vm_id),
            "client": client,
            "dialled_port": question.dialled_port,
            "rdp_port": expected,
            "free_port": _free_port(machine),
        }
        outcome = _judge(machine, decision, known, sure=sure)
        if outcome is not None:
            return outcome
    return passed("the input endpoint leads to the RDP port and its ACL permits the client")


def _judge(machine: ClassicVm, decision: Decision, known: dict[str, Any], *, sure: Confidence) -> Outcome | None:
    port, expected = known["dialled_port"], known["rdp_port"]
    decider = decision.deciders[0] if decision.deciders else None
    name = name_of(decider.resource_id) if decider and "/inputendpoints/" in decider.resource_id.lower() else ""
    if decision.verdict is Verdict.NO_PATH:
        if decider is None or decider.layer is not Layer.CLASSIC:
            return None
        other = next(
            (
                one
                for one in machine.endpoints
                if one.private_port == expected and one.transport in (Transport.TCP, Transport.ANY) and one.public_port
            ),
            None,
        )
        if other is None:
            return failed(
                "classic-endpoint-missing",
                f"No input endpoint of the cloud service leads port {port}, or any other, to port {expected} of this VM.",
                **known,
            )
        return failed(
            "classic-endpoint-wrong-port",
            f"The client dials port {port}, but the endpoint {other.name} offers RDP on public port {other.public_port}.",
            **{**known, "public_port": other.public_port, "endpoint": other.name},
        )
    if decision.port and decision.port != expected and name:
        return failed(
            "classic-endpoint-wrong-port",
            f"The endpoint {name} leads port {port} to port {decision.port} of this VM, but RDP is on port {expected}.",
            confidence=sure,
            **{**known, "public_port": port, "endpoint": name},
        )
    if decision.verdict is Verdict.DENY and decider is not None and decider.layer is Layer.ACL:
        return failed(
            "classic-acl-denies",
            f"The ACL of the endpoint {name} denies {known['client']} ({decider.rule}).",
            **{**known, "endpoint": name, "acl_order": decider.rule},
        )
    return None


def _free_port(machine: ClassicVm) -> int:
    """The lowest public port of Azure's range for endpoints that no endpoint of this VM uses."""
    used = {one.public_port for one in machine.endpoints}
    return next(port for port in _FREE_PORTS if port not in used)
