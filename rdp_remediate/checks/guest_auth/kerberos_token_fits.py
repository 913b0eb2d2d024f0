"""Does Windows have room for the user's Kerberos token?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import Kind, asked_sign_ins, domain_effect, kind_of
from rdp_remediate.facts.domain import DEFAULT_TOKEN_SIZE
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop


@check(hop=Hop.GUEST_AUTH, faults=("kerberos-token-too-large",), requires=("vm_is_running",))
def kerberos_token_fits(facts: Facts) -> Outcome:
    r"""Kerberos tokens fit into MaxTokenSize.

    Why: the token of a user in hundreds of groups is large; one that does not fit ends the sign-in with `Access is denied`.
    Evidence: event 6 of Security-Kerberos with the size that was needed, MaxTokenSize now.
    By hand:
        * kerberos-token-too-large: `reg add HKLM\SYSTEM\CurrentControlSet\Control\Lsa\Kerberos\Parameters /v MaxTokenSize /t
          REG_DWORD /d 48000 /f` where it is lower, then restart; otherwise take the user out of groups (`whoami /groups`).
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-access-denied
    """
    if not need(facts.guest.os).part_of_domain:
        return skipped("this computer belongs to no domain")
    size = need(facts.guest.registry_number(r"LSA\Kerberos\Parameters\MaxTokenSize"))
    room = DEFAULT_TOKEN_SIZE if size is None else size
    logged = need(facts.guest.logged("Microsoft-Windows-Security-Kerberos", 6))
    wanted = [int(one.data[0]) for one in logged if one.data and one.data[0].isdigit()]
    if not wanted or max(wanted) <= room:
        return passed("every Kerberos token of the last seven days fits", room=room)
    effect = domain_effect(facts)
    if kind_of(facts) is Kind.DOMAIN and asked_sign_ins(facts).signed_in is not None:
        effect = Effect.DEGRADES
    return failed(
        "kerberos-token-too-large",
        f"A Kerberos token of {max(wanted)} bytes did not fit into {room} (MaxTokenSize).",
        effect,
        Confidence.LIKELY,
        needed=max(wanted),
        room=room,
    )
