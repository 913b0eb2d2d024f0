"""Did the last reset through the VMAccess extension fail?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop

_CAUSES = (
    ("0x800708c5", "the new password breaks the password policy"),
    ("cannotmodifyextensionswhenvmnotrunning", "the VM was not running"),
    ("multipleextensionsperhandlernotallowed", "another instance of the extension is there under another name"),
    ("domain controller", "it does not work on a domain controller"),
)


@check(hop=Hop.PLATFORM, faults=("vmaccess-extension-broken",), requires=("vm_is_running",))
def vmaccess_extension_works(facts: Facts) -> Outcome:
    """The VMAccess extension, where it is there, did not fail.

    Why: it resets passwords and the RDP settings; that it failed is no fault of RDP, only of the tool.
    Evidence: instance view, extensions of type VMAccessAgent with their status.
    By hand:
        * vmaccess-extension-broken: it said: <said>. Start the VM first; choose a password that meets the policy; remove the
          old VMAccessAgent extension (<extension>), then try again with a new forceUpdateTag. It does not work on a domain
          controller. A misspelt user name makes a new administrator: check the name first.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/reset-rdp
    """
    own = [one for one in need(facts.vm).extensions if "vmaccessagent" in one.type.lower().replace(" ", "")]
    broken = [one for one in own if one.code.lower().startswith("provisioningstate/failed")]
    if not broken:
        return passed(f"{own[0].name}: {own[0].code}" if own else "the extension is not installed")
    text = broken[0].message
    cause = next((words for sign, words in _CAUSES if sign in text.lower()), "its own text says why")
    return failed(
        "vmaccess-extension-broken",
        f"The last reset through VMAccess failed: {cause}.",
        Effect.RISK,
        extension=broken[0].name,
        said=text[:200],
    )
