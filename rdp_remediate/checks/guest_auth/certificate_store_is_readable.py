"""May users read the registry key of the RDP certificates?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.accounts import Kind, accounts, asked_account, asked_sign_ins, kind_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.user_rights import ADMINISTRATORS, REMOTE_DESKTOP_USERS
from rdp_remediate.models.report import Confidence, Effect, Hop


@check(
    hop=Hop.GUEST_AUTH,
    faults=("rdp-cert-registry-acl",),
    requires=("vm_is_running",),
    not_provable=("profile-load-error",),
)
def certificate_store_is_readable(facts: Facts) -> Outcome:
    r"""Remote Desktop users may read the registry key of the RDP certificates.

    Why: without it a user who is no administrator gets `Access is denied` after the password. The same text comes from a profile
        that cannot be loaded; its only trace is a value that is absent on every healthy server, so that is never reported.
    Evidence: the access list of SystemCertificates\Remote Desktop\Certificates; whether the asked user got further since.
    By hand:
        * rdp-cert-registry-acl: in an elevated PowerShell `$key = 'HKLM:\SOFTWARE\Microsoft\SystemCertificates\Remote
          Desktop\Certificates'; $acl = Get-Acl $key; $who = New-Object Security.Principal.SecurityIdentifier 'S-1-5-32-555';
          $acl.AddAccessRule((New-Object Security.AccessControl.RegistryAccessRule $who, 'ReadKey', 'ContainerInherit', 'None',
          'Allow')); Set-Acl $key $acl`. An administrator gets in meanwhile.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-access-denied
    """
    acl = need(accounts(facts, "certificate_store_acl")).certificate_store_acl
    if acl is None:
        return passed("users may read the registry key of the RDP certificates")
    effect = Effect.DEGRADES
    kind = kind_of(facts)
    if kind in (Kind.LOCAL, Kind.DOMAIN):
        groups = asked_account(facts, "groups").groups
        # An account of a domain may be an administrator by a group that only the domain knows.
        ordinary = ADMINISTRATORS not in groups and (kind is Kind.LOCAL or REMOTE_DESKTOP_USERS in groups)
        if ordinary and asked_sign_ins(facts).signed_in is None:
            effect = Effect.BLOCKS
    return failed(
        "rdp-cert-registry-acl",
        "Only administrators may read the registry key of the RDP certificates; others are told that access is denied.",
        effect,
        Confidence.LIKELY,
        acl=acl,
    )
