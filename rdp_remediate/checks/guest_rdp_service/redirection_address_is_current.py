"""Does a session host of a farm send clients to itself?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Reason
from rdp_remediate.models.report import Confidence, Effect, Hop

REDIRECTION = r"TS\ClusterSettings\SessionDirectoryRedirectionIP"


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("rds-redirection-ip-stale",), requires=("vm_is_running",))
def redirection_address_is_current(facts: Facts) -> Outcome:
    r"""The address to which a farm redirects clients is one of this computer.

    Why: after a change of address the connection broker sends clients to the old one; they read that their credentials did not work.
    Evidence: SessionDirectoryRedirectionIP and the addresses of Windows; absent is no redirection address.
    By hand:
        * rds-redirection-ip-stale: `Remove-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server\ClusterSettings'
          SessionDirectoryRedirectionIP`; the value was <redirection>.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/rds-client-not-connect-to-rd-session-host-server
    """
    value = need(facts.guest.registry_value(REDIRECTION))
    if value is None or value == "":
        return passed("no redirection address is set")
    if not isinstance(value, str):
        return unknown(f"The redirection address is no text: {value!r}"[:160], Reason.MALFORMED)
    own = sorted(row.address for row in need(facts.guest.addresses))
    if value.strip().lower() in [address.lower() for address in own]:
        return passed("the redirection address is one of this computer", redirection=value)
    return failed(
        "rds-redirection-ip-stale",
        f"The farm's redirection address {value} is none of this computer.",
        Effect.BLOCKS,
        Confidence.LIKELY,
        redirection=value,
        addresses=",".join(own),
    )
