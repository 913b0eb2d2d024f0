"""Can the services start without which no certificate is made?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import effect_on_certificate
from rdp_remediate.models.report import Hop

SERVICES = ("CryptSvc", "KeyIso", "CertPropSvc")


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("crypto-services-down",), requires=("vm_is_running",))
def crypto_services_can_start(facts: Facts) -> Outcome:
    """The cryptographic services that an RDP certificate needs can start.

    Why: CryptSvc, KeyIso and CertPropSvc keep keys and certificates; with one of them disabled the self-signed certificate
    is not made (events 1057, 1058). Stopped with another start type than Disabled is normal: they start when they are asked.
    Evidence: guest services; the certificate tells whether it matters already.
    By hand:
        * crypto-services-down: give <services> their default start types (`sc.exe config CryptSvc start= auto`,
          `sc.exe config KeyIso start= demand`, `sc.exe config CertPropSvc start= demand`) and start them.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/internal-error-has-occurred-connecting-remote-machine
    """
    rows = {name: need(facts.guest.service(name)) for name in SERVICES}
    down = [name for name, row in rows.items() if row is not None and row.start_type == "Disabled"]
    if not down:
        return passed("none of them is disabled")
    return failed(
        "crypto-services-down",
        f"{', '.join(down)} {'is' if len(down) == 1 else 'are'} disabled: a certificate for RDP cannot be made.",
        effect_on_certificate(facts),
        services=", ".join(down),
    )
