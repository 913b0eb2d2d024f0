"""Would Azure start the VM if somebody asked for it?"""

from datetime import timedelta

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts, Lock
from rdp_remediate.facts.need import need
from rdp_remediate.facts.platform_health import Refusal
from rdp_remediate.models.report import Confidence, Hop

FRESH = timedelta(hours=24)
"""For how long a refused start says what the next one would meet."""

_START = "/virtualmachines/start/action"
_CAPACITY = ("allocationfailed", "zonalallocationfailed", "skunotavailable")
_SUBSCRIPTION = ("readonlydisabledsubscription", "subscriptiondisabled", "disabledsubscription", "quotaexceeded")
_GOVERNANCE = (
    "authorizationfailed",
    "linkedauthorizationfailed",
    "requestdisallowedbypolicy",
    "requestdisallowedbyazure",
)


@check(
    hop=Hop.PLATFORM,
    faults=(
        "vm-allocation-failed",
        "subscription-or-quota-disabled",
        "mgmt-lock-policy-or-rbac",
        "cmk-or-keyvault-unavailable",
    ),
    requires=("vm_state_is_settled",),
)
def azure_starts_the_vm(facts: Facts) -> Outcome:
    """Nothing in Azure refuses to start the VM.

    Why: a VM that is off and cannot be started stays off, whatever is right inside it and in front of it.
    Evidence: the last start in the activity log with its error code, the locks that apply now.
    By hand:
        * vm-allocation-failed: Azure had no capacity for this size (<code>). Try again later, or choose another size or zone
          with the owner; in an availability set deallocate all its VMs, then start them together.
        * subscription-or-quota-disabled: the owner of the subscription settles its billing or raises the quota (<code>).
        * mgmt-lock-policy-or-rbac: the owner of <what> decides (<code>). Never remove a lock, a policy or an assignment to
          get past it.
        * cmk-or-keyvault-unavailable: the security owner gives the disk encryption set (or disk encryption) its key back:
          key enabled and not expired, get, wrap and unwrap allowed, vault reachable. Then deallocate and start the VM.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/allocation-failure
    """
    vm = need(facts.vm)
    if vm.running:
        return passed("the VM runs")
    refusal = _last_refusal(facts)
    if refusal is not None and (named := _named(refusal)) is not None:
        fault, said = named
        age = facts.at - refusal.at
        sure = Confidence.CONFIRMED if age <= FRESH else Confidence.LIKELY
        return failed(
            fault,
            f"The last start was refused at {refusal.at:%Y-%m-%d %H:%M}Z: {said} ({refusal.code}).",
            confidence=sure,
            code=refusal.code,
            what=said,
        )
    lock = _read_only(need(facts.locks))
    if lock is not None:
        return failed(
            "mgmt-lock-policy-or-rbac",
            f"The read-only lock {lock.lock_id.rsplit('/', 1)[-1]} refuses every start.",
            code="ScopeLocked",
            what=f"the lock {lock.lock_id}",
        )
    return passed("no start was refused that would be refused now")


def _last_refusal(facts: Facts) -> Refusal | None:
    """The refusal of the last start, unless a later one succeeded."""
    own = facts.target.vm_id.lower()
    refused = [r for r in need(facts.refusals) if r.operation.lower().endswith(_START) and r.resource_id.lower() == own]
    started = [
        c.at for c in need(facts.changes) if c.operation.lower().endswith(_START) and c.resource_id.lower() == own
    ]
    if not refused or any(at > refused[-1].at for at in started):
        return None
    return refused[-1]


def _named(refusal: Refusal) -> tuple[str, str] | None:
    """The fault that an error code of Azure stands for; a lock is judged by the locks that are there now."""
    code = refusal.code.lower()
    if code in _CAPACITY or code.startswith("overconstrained"):
        return "vm-allocation-failed", "Azure has no capacity for it"
    if code in _SUBSCRIPTION or (code == "operationnotallowed" and "quota" in refusal.message.lower()):
        return "subscription-or-quota-disabled", "the subscription is disabled or its quota is used up"
    if code.startswith(("keyvault", "diskencryptionset")):
        return "cmk-or-keyvault-unavailable", "the disk's encryption key cannot be reached"
    if code in _GOVERNANCE:
        return "mgmt-lock-policy-or-rbac", "the caller has no right to it or a policy forbids it"
    return None


def _read_only(locks: list[Lock]) -> Lock | None:
    return next((lock for lock in locks if lock.level.lower() == "readonly"), None)
