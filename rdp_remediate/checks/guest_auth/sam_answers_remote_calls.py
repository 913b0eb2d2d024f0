"""Were remote calls to the account database refused?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import DOMAIN_CONTROLLER_ROLES
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_AUTH, faults=("sam-remote-call-denied",), requires=("vm_is_running",))
def sam_answers_remote_calls(facts: Facts) -> Outcome:
    """The domain controller refused no remote call to its account database.

    Why: some servers ask the controller for a user's Remote Desktop settings. RestrictRemoteSam by itself is recommended.
    Evidence: event 16965 of Directory-Services-SAM; only a domain controller logs it.
    By hand:
        * sam-remote-call-denied: on the server that asked, set `fQueryUserConfigFromDC` as KB3200967 says and restart TermService;
          or let the security team admit that server in `Network access: Restrict clients allowed to make remote calls to SAM`.
    See: https://learn.microsoft.com/windows-server/remote/remote-desktop-services/troubleshoot-remote-desktop-connections
    """
    if need(facts.guest.os).domain_role not in DOMAIN_CONTROLLER_ROLES:
        return skipped("only a domain controller logs it")
    denied = need(facts.guest.logged("Microsoft-Windows-Directory-Services-SAM", 16965))
    if not denied:
        return passed("no remote call to the account database was refused in seven days")
    return failed(
        "sam-remote-call-denied",
        f"This domain controller refused {sum(one.count for one in denied)} remote calls to its account database.",
        Effect.DEGRADES,
        last=denied[-1].at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
