"""Does a policy value stand in the way of domain users?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import Kind, asked_sign_ins, domain_effect, kind_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop


@check(hop=Hop.GUEST_AUTH, faults=("domain-creds-disabled",), requires=("vm_is_running",))
def domain_credentials_are_accepted(facts: Facts) -> Outcome:
    r"""The value disabledomaincreds does not refuse the credentials of domain users.

    Why: Microsoft's page on RDP names it as a cause when domain users are always rejected. It is a security option: it forbids to
        store passwords for network sign-ins, so it is likely the cause, never surely.
    Evidence: Lsa\disabledomaincreds, domain membership, whether the asked domain user signed in.
    By hand:
        * domain-creds-disabled: with the security team's leave, `reg add HKLM\SYSTEM\CurrentControlSet\Control\Lsa /v
          disabledomaincreds /t REG_DWORD /d 0 /f` and a restart; a policy (Network access: Do not allow storage of passwords) is
          changed by its owner.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/cannot-connect-rdp-azure-vm
    """
    if not need(facts.guest.os).part_of_domain:
        return skipped("this computer belongs to no domain")
    value = need(facts.guest.registry_number(r"LSA\disabledomaincreds"))
    if value != 1:
        return passed("disabledomaincreds is not set", value=value)
    effect = domain_effect(facts)
    if kind_of(facts) is Kind.DOMAIN and asked_sign_ins(facts).signed_in is not None:
        effect = Effect.DEGRADES
    return failed(
        "domain-creds-disabled",
        "disabledomaincreds is 1: this computer keeps no domain credentials, for which domain users may be refused.",
        effect,
        Confidence.LIKELY,
        value=value,
    )
