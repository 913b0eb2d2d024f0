"""Azure's own answer about the question's flow, held against the path engine's.

IP flow verify judges NSGs and, with them, admin rules; not routes, Azure Firewall, the guest or whether there is a way in.
"""

from dataclasses import dataclass

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.network_watcher import IpFlow
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.decision import Decision, Layer, Verdict
from rdp_remediate.network.question import ask

_COMPARED = (EntryKind.PUBLIC, EntryKind.PRIVATE, EntryKind.BASTION)
"""Doors where filters see the client's (or Bastion's) own address and the VM's private one."""


@dataclass(frozen=True)
class AskedFlow:
    """The flow that Azure is asked about: of several clients the first."""

    nic_id: str
    local: str
    port: int
    remote: str
    decision: Decision


def flow_to_ask(facts: Facts) -> AskedFlow | None:
    """The question's flow, or None where Azure cannot be asked: no client, no such door, the VM is not known to run."""
    question = ask(facts)
    if isinstance(facts.vm, Unavailable) or not facts.vm.value.running or not question.decisions:
        return None
    if question.entry is None or question.entry.kind not in _COMPARED:
        return None
    client, decision = question.decisions[0]
    return AskedFlow(question.entry.nic_id, question.entry.private_address, question.port, client, decision)


def compared(facts: Facts) -> tuple[IpFlow, bool | None] | None:
    """Azure's answer and what the engine's filters say (None: they do not say for certain); None: nothing was asked.

    Raises:
        UnseenError: Azure's answer is not there.
    """
    asked = flow_to_ask(facts)
    if asked is None:
        return None
    azure = need(facts.network_watcher.ip_flow(asked.nic_id))
    if (azure.local, azure.port, azure.remote) != (asked.local, asked.port, asked.remote):
        return azure, None
    return azure, _filters(asked.decision)


def azure_disagrees(facts: Facts) -> str | None:
    """The sentence that says how Azure and the engine differ; None where they agree or it cannot be told."""
    asked = flow_to_ask(facts)
    if asked is None or isinstance(facts.network_watcher.ip_flow(asked.nic_id), Unavailable):
        return None
    found = compared(facts)
    if found is None or found[1] is None or found[1] is found[0].allows:
        return None
    azure = found[0]
    ours = " and ".join(one.rule for one in asked.decision.deciders if one.rule) or "no rule"
    return (
        f"For {azure.remote} to {azure.local}:{azure.port} Azure's IP flow verify says {_word(azure.allows)} by "
        f"{azure.rule or 'no named rule'}, our engine says {_word(not azure.allows)} by {ours}."
    )


def _filters(decision: Decision) -> bool | None:
    """What the engine's NSG layers say; a deny by another layer is none that IP flow verify would see."""
    if decision.verdict is Verdict.ALLOW:
        return True
    layers = {one.layer for one in decision.deciders}
    if decision.verdict is Verdict.DENY and layers and layers <= {Layer.SUBNET, Layer.NIC}:
        return False
    return None


def _word(allows: bool) -> str:
    return "Allow" if allows else "Deny"
