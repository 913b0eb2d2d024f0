"""Does the certificate that policy demands arrive?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop

TEMPLATE = r"POL\CertTemplateName"
RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("cert-template-renewal-failed",), requires=("vm_is_running",))
def certificate_template_enrols(facts: Facts) -> Outcome:
    r"""The certificate that policy demands from a template can be enrolled.

    Why: until enrolment works the self-signed or the old certificate serves; a template by itself is normal.
    Evidence: the policy's CertTemplateName; events 1064 and 1065 of the last days.
    By hand:
        * cert-template-renewal-failed: `certutil -ping` and `certutil -template` show whether the CA answers and the template
          <template> is published for this computer; the PKI team mends it. Afterwards `gpupdate /force; Restart-Service SessionEnv`.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/remote-desktop-listener-certificate-configurations
    """
    template = need(facts.guest.registry_value(TEMPLATE))
    if not template:
        return passed("no policy demands a certificate from a template")
    events = need(facts.guest.logged(RCM, 1064, 1065))
    if not events:
        return passed("enrolment has not failed in the last days", template=str(template))
    return failed(
        "cert-template-renewal-failed",
        f"The certificate from the template {template} cannot be enrolled (event {events[-1].id}).",
        Effect.DEGRADES,
        template=str(template),
    )
