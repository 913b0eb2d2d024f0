"""Can the service that redirects drives, printers and the clipboard start?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("umrdpservice-disabled",), requires=("vm_is_running",))
def port_redirector_can_start(facts: Facts) -> Outcome:
    """The port redirector of Remote Desktop (UmRdpService) can start when a session needs it.

    Why: sessions come up without it, but have no redirected drives, printers or clipboard. Stopped with start type Manual is
    how it should be while nobody is signed in; only Disabled keeps it from starting.
    Evidence: guest services.
    By hand:
        * umrdpservice-disabled: `sc.exe config UmRdpService start= demand`, then `Start-Service UmRdpService`.
    See: https://learn.microsoft.com/windows-server/remote/remote-desktop-services/troubleshoot/rdp-error-general-troubleshooting
    """
    service = need(facts.guest.service("UmRdpService"))
    if service is None:
        return unknown("UmRdpService is not installed on this Windows.", because="guest.services.UmRdpService")
    if service.start_type != "Disabled":
        return passed(f"UmRdpService has start type {service.start_type}")
    return failed(
        "umrdpservice-disabled",
        f"UmRdpService is disabled ({service.state.lower()}): sessions have no redirection.",
        Effect.DEGRADES,
        state=service.state,
        start_type=service.start_type,
    )
