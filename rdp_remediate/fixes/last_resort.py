"""The reset through the VMAccess extension: the last way into Windows, for a cause that nobody could see.

It enables Remote Desktop, sets the port to 3389, creates and enables the firewall rule for 3389, and turns the firewall on
in every profile; what was there before is not known and cannot be put back. It needs the agent, so it is planned only where
the agent is Ready, both kinds of Run Command are refused or fail by themselves, the network lets the client through, and a
probe that should have been answered was not. A user name or a password is never sent: with one, it makes an administrator.

Source: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/reset-rdp
"""

from collections.abc import Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import Draft, Refused, locked
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Effect, Finding, FindingStatus
from rdp_remediate.network.proof import reachability
from rdp_remediate.network.question import DEFAULT_PORT, ask

NAME = "reset_rdp_configuration"
KIND = "vm_access"
EXTENSION = "enablevmaccess"
"""The name that the portal and the Azure CLI use, so that ours is never the second one of its handler."""

PERMISSIONS = ("Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/virtualMachines/extensions/write")
DOMAIN_CONTROLLER_TAG = "rdp-remediate-domain-controller"

_SIDE_EFFECTS = (
    "the cause was not seen; it turns the firewall on in every profile, sets the RDP port to 3389 and lets RDP in; what was "
    "there before cannot be put back; a group policy may set it otherwise again; never approve it for a domain controller, "
    "whose role could not be read"
)


def last_resort(facts: Facts, findings: Sequence[Finding]) -> Draft | Refused | None:
    """The reset as a step for a person to decide, why it is refused, or None where it is not the question."""
    vm = facts.vm
    if isinstance(vm, Unavailable) or isinstance(facts.vm_access, Unavailable):
        return None
    if not vm.value.running or vm.value.agent is None or not vm.value.agent.ready or not _no_run_command(facts):
        return None
    if any(f.status in (FindingStatus.FAIL, FindingStatus.BY_DESIGN) and f.effect in _CLOSED for f in findings):
        return None
    if (refused := locked(facts)) is not None:
        return refused
    question = ask(facts)
    proof = reachability(facts)
    unanswered = [one for one in proof.probes if one.proves == "nothing"]
    if not question.allowed or not unanswered or len(unanswered) < len(proof.probes):
        return None
    if DOMAIN_CONTROLLER_TAG in {tag.lower() for tag in (*vm.value.tags, *facts.policy.tags)}:
        return Refused("domain_controller", "VMAccess does not work on domain controllers.", "the directory team")
    if question.port != DEFAULT_PORT or question.unsure_port is not None:
        return Refused(
            "port", f"The network leads to port {question.port}, and VMAccess sets 3389.", "the owner of the VM"
        )
    others = [one for one in facts.vm_access.value if one.name.lower() != EXTENSION]
    if others:
        return Refused(
            "extension_exists",
            f"An extension of VMAccessAgent is there under the name {others[0].name}; Azure refuses a second one "
            "(MultipleExtensionsPerHandlerNotAllowed). Delete it first, if nobody needs it.",
            "the owner of the VM",
        )
    if any(one.domain_controller for one in facts.vm_access.value):
        return Refused(
            "domain_controller", "VMAccess said before that this is a domain controller.", "the directory team"
        )
    return Draft(
        kind=KIND,
        target={"vm_id": vm.value.vm_id, "extension": EXTENSION},
        expected=None,
        desired={
            "location": vm.value.location,
            "properties": {
                "publisher": "Microsoft.Compute",
                "type": "VMAccessAgent",
                "typeHandlerVersion": "2.4",
                "autoUpgradeMinorVersion": True,
                # The same run never makes the extension run a second time, whatever became of the first answer.
                "forceUpdateTag": facts.run_id,
                "settings": {},
            },
        },
        title="Reset the RDP configuration of Windows through the VMAccess extension",
        postcondition="the extension has ended well, then RDP answers",
        risk=Risk.SENSITIVE,
        always_ask=_SIDE_EFFECTS,
        undoable=False,
    )


_EXTENSION_FAILED = ("vmextensionprovisioningerror", "vmextensionhandlernontransienterror")
_CLOSED = (Effect.BLOCKS, None)


def _no_run_command(facts: Facts) -> bool:
    """Whether both kinds were refused for want of a right, or failed by themselves; a decision against them is kept."""
    missing = facts.guest.os
    if not isinstance(missing, Unavailable):
        return False
    said = missing.detail.lower()
    if "managed run command" not in said:
        return False
    if missing.reason is Reason.FORBIDDEN:
        return "authorizationfailed" in said and "denyassignment" not in said and "policy" not in said
    return missing.reason is Reason.SERVER_ERROR and any(code in said for code in _EXTENSION_FAILED)
