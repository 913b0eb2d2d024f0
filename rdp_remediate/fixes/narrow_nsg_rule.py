"""Let only the configured sources use the rule that opens RDP to the whole Internet; always a person's decision."""

import hashlib
import json
from collections.abc import Iterator, Sequence

from rdp_remediate.facts.arm_names import name_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import Draft, Refused, Yielded, fix, locked
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding
from rdp_remediate.network.narrowing import Narrowing, plan_narrowing
from rdp_remediate.network.rule_request import Refusal
from rdp_remediate.network.rule_request import Refused as RuleRefused

_OWNER = {
    Refusal.NO_SOURCE: "whoever configures the sources",
    Refusal.WIDE: "whoever configures the sources",
    Refusal.FOREIGN_NSG: "the service that manages this NSG",
    Refusal.USE_JIT: "the owner of Defender for Cloud",
    Refusal.CUTS_OTHERS: "the owner of the NSG",
    Refusal.NOT_NARROWABLE: "the owner of the NSG",
    Refusal.BLAST_RADIUS: "the owner of the NSG",
}
_MOST_NAMES = 5


@fix(
    faults=("nsg-open-to-internet", "brute-force-in-progress"),
    layer="network",
    order=15,
    permissions=(
        "Microsoft.Network/networkSecurityGroups/read",
        "Microsoft.Network/networkSecurityGroups/securityRules/read",
        "Microsoft.Network/networkSecurityGroups/securityRules/write",
    ),
)
def narrow_nsg_rule(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Replace the open source of the rule that lets the Internet in by the configured sources.

    Changes: the source of that one rule; its name, priority, port, destination and everything else stay as they were read.
    Undo: writes the recorded rule back, if the rule is still as it was narrowed.
    Refuses when: the configured sources are missing or wide, the client is outside them, the rule opens more than the RDP port,
    it is Defender's or another service's, somebody of the virtual network or a health probe would lose the way in, too many VMs
    share the NSG, or a read-only lock forbids it.
    """
    lock = locked(facts)
    if lock is not None:
        yield lock
        return
    planned = plan_narrowing(facts)
    if isinstance(planned, RuleRefused):
        yield Refused(planned.code.value, planned.why, _OWNER.get(planned.code))
        return
    if not planned:
        for finding in findings:
            yield Refused("by_hand", finding.by_hand or "No rule of an NSG here is open to the Internet.")
    for one in planned:
        nsg, sources = name_of(one.nsg_id), ", ".join(one.sources)
        yield Draft(
            kind="narrow_nsg_rule",
            target={"nsg_id": one.nsg_id, "name": one.name, "sources": list(one.sources), "seen": _seen(one)},
            expected=one.before,
            desired=one.after,
            title=f"Narrow the source of the rule {one.name} in the NSG {nsg} from {', '.join(one.removed)} to {sources}",
            postcondition=f"{one.name} admits {sources} alone; everything else of the rule is unchanged",
            risk=Risk.SENSITIVE,
            opens=False,
            always_ask=_ask(facts, one),
        )


def _seen(one: Narrowing) -> str:
    """The rule that a person decides about: another one of that name needs another yes."""
    return hashlib.sha256(json.dumps(one.before, sort_keys=True).encode()).hexdigest()[:8]


def _ask(facts: Facts, one: Narrowing) -> str:
    own = facts.target.vm_id.lower()
    vms = [name_of(vm) for vm in one.radius.vms if vm.lower() != own]
    said = [f"everybody outside {', '.join(one.sources)} is cut off at the next connection; open sessions go on"]
    if vms:
        more = f" and {len(vms) - _MOST_NAMES} more" if len(vms) > _MOST_NAMES else ""
        said.append(f"the NSG also guards {', '.join(vms[:_MOST_NAMES])}{more}, whose users are cut likewise")
    if one.radius.subnets:
        subnets = ", ".join(name_of(subnet) for subnet in one.radius.subnets[:_MOST_NAMES])
        said.append(f"it stands on the subnet {subnets}, so it decides for every VM there")
    elif len(one.radius.network_interfaces) > 1:
        said.append(f"it stands on {len(one.radius.network_interfaces)} NICs")
    return "; ".join(said)
