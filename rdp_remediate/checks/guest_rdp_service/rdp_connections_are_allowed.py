"""Does Windows accept Remote Desktop at all?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import REGISTRY_DENY_LOCAL, REGISTRY_DENY_POLICY
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=("rdp-disabled-local", "rdp-disabled-policy", "gpo-refresh-flaps-rdp"),
    requires=("vm_is_running",),
)
def rdp_connections_are_allowed(facts: Facts) -> Outcome:
    r"""Windows accepts Remote Desktop connections.

    Why: fDenyTSConnections=1 makes TermService close its listener; the policy copy wins over the local one.
    Evidence: guest registry, local and policy keys.
    By hand:
        * rdp-disabled-local: `Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server' fDenyTSConnections 0`.
        * rdp-disabled-policy: in the group policy `Allow users to connect remotely by using Remote Desktop Services` choose
          Enabled or Not configured, then `gpupdate /force`; `gpresult /scope computer /r` names the policy. A local write is undone.
        * gpo-refresh-flaps-rdp: set the local value to 0 as well, or sessions drop at every policy refresh.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-general-error
    """
    policy = need(facts.guest.registry_number(REGISTRY_DENY_POLICY))
    local = need(facts.guest.registry_number(REGISTRY_DENY_LOCAL))
    evidence: dict[str, Any] = {"local": local, "policy": policy}
    if policy == 1:
        return failed(
            "rdp-disabled-policy", "Group policy disables Remote Desktop (policy fDenyTSConnections=1).", **evidence
        )
    if policy == 0:
        if local == 1:
            return failed(
                "gpo-refresh-flaps-rdp",
                "Group policy allows Remote Desktop, but the local value denies it: sessions drop at each policy refresh.",
                Effect.DEGRADES,
                **evidence,
            )
        return passed("allowed by group policy", **evidence)
    if local == 1:
        return failed(
            "rdp-disabled-local", "Remote Desktop is switched off in Windows (fDenyTSConnections=1).", **evidence
        )
    if local == 0:
        return passed("fDenyTSConnections=0 and no policy copy", **evidence)
    return unknown(
        f"fDenyTSConnections is {'absent' if local is None else local}, which is no known setting.",
        "guest.registry",
        **evidence,
    )
