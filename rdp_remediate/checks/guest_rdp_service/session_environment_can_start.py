"""Can the service that makes the RDP certificate start?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import effect_on_certificate
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("sessionenv-disabled",), requires=("vm_is_running",))
def session_environment_can_start(facts: Facts) -> Outcome:
    r"""Remote Desktop Configuration (SessionEnv) can start when it is needed.

    Why: it makes the self-signed certificate and renews it; without it the next renewal fails, and without a certificate TLS
    cannot be offered. Stopped with start type Manual is normal.
    Evidence: guest services; the certificate tells whether it matters already.
    By hand:
        * sessionenv-disabled: `sc.exe config SessionEnv start= demand`, then `Start-Service SessionEnv`; it needs the
          service LanmanWorkstation. If no certificate is in Cert:\LocalMachine\Remote Desktop afterwards restart TermService.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/internal-error-has-occurred-connecting-remote-machine
    """
    service = need(facts.guest.service("SessionEnv"))
    if service is None:
        return unknown("SessionEnv is not installed on this Windows.", because="guest.services.SessionEnv")
    if service.start_type != "Disabled":
        return passed(f"SessionEnv has start type {service.start_type}")
    return failed(
        "sessionenv-disabled",
        f"SessionEnv is disabled ({service.state.lower()}): it cannot make or renew the RDP certificate.",
        effect_on_certificate(facts),
        state=service.state,
        start_type=service.start_type,
    )
