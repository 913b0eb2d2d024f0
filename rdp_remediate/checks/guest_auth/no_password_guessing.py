"""Is somebody guessing passwords?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.accounts import attacked_from_many, under_attack
from rdp_remediate.facts.attack import workspace_attack
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_AUTH, faults=("brute-force-in-progress",), requires=("vm_is_running",))
def no_password_guessing(facts: Facts) -> Outcome:
    """Nobody is guessing passwords from many addresses.

    Why: an attack locks accounts, uses up the processor and may end in a break-in. A few failures are the Internet's background
        and no fault. While it lasts nothing is opened and nobody is unlocked without a person.
    Evidence: Security 4625 of the last 15 minutes: how many guessed a name or a password, from how many addresses; where the
        guest could not be asked, the workspace's SecurityEvent if it shows an attack. A quiet workspace proves nothing.
    By hand:
        * brute-force-in-progress: let the NSG admit the addresses of the people who work on this VM only, or use just-in-time access
          or Bastion; watch the failures end; then unlock accounts, and look for a sign-in that succeeded among the failures.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/cannot-rdp-azure-vm-brute-force
    """
    if isinstance(facts.guest.sign_ins, Unavailable) and (logged := workspace_attack(facts)):
        return failed(
            "brute-force-in-progress", f"Somebody is guessing passwords: {logged}.", Effect.RISK, workspace=logged
        )
    seen = need(facts.guest.sign_ins)
    minutes = seen.window_s // 60
    if attacked_from_many(seen):
        return failed(
            "brute-force-in-progress",
            f"{seen.failed} sign-ins failed in {minutes} minutes from {seen.sources} addresses: somebody is guessing passwords.",
            Effect.RISK,
            failed=seen.failed,
            sources=seen.sources,
        )
    if under_attack(seen):
        return passed(
            f"{seen.failed} failures in {minutes} minutes from {seen.sources} addresses: rather an old password in use"
        )
    return passed(f"{seen.failed} failed sign-ins in {minutes} minutes", failed=seen.failed)
