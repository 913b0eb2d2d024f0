"""May the user sign in with NTLM, if that is the only way?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import NTLM_BLOCKED, Kind, asked_name, kind_of, last_refusal
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop


@check(hop=Hop.GUEST_AUTH, faults=("ntlm-restricted",), requires=("vm_is_running",))
def ntlm_is_accepted(facts: Facts) -> Outcome:
    r"""Windows accepts NTLM where the user cannot use Kerberos.

    Why: local accounts have nothing but NTLM, and domain users fall back to it when they dial an IP address.
    Evidence: Lsa\MSV1_0\RestrictReceivingNTLMTraffic (1 domain accounts, 2 all accounts), Security 4625 with C0000418.
    By hand:
        * ntlm-restricted: use a domain user and the computer's full name, so that Kerberos is used; or ask the security team for an
          exception to `Network security: Restrict NTLM: Incoming NTLM traffic`. It is not weakened here.
    See: https://learn.microsoft.com/windows/security/threat-protection/security-policy-settings/network-security-restrict-ntlm-incoming-ntlm-traffic
    """
    value = need(facts.guest.registry_number(r"LSA\MSV1_0\RestrictReceivingNTLMTraffic"))
    if value not in (1, 2):
        return passed("incoming NTLM is not restricted", value=value)
    kind = kind_of(facts)
    if kind is Kind.ENTRA:
        return skipped("an account of Microsoft Entra ID")
    refusal = last_refusal(facts) if asked_name(facts) else None
    blocked = refusal is not None and refusal.reason == NTLM_BLOCKED
    only_ntlm = kind is Kind.LOCAL or (kind is None and not need(facts.guest.os).part_of_domain)
    if value == 1 and only_ntlm:
        return passed("incoming NTLM is restricted for domain accounts only", value=value)
    return failed(
        "ntlm-restricted",
        f"Incoming NTLM is refused ({'all accounts' if value == 2 else 'domain accounts'}); only Kerberos gets in.",
        Effect.BLOCKS if blocked or only_ntlm else Effect.DEGRADES,
        Confidence.CONFIRMED if blocked else Confidence.LIKELY,
        value=value,
    )
