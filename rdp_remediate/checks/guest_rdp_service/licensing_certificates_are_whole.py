"""Do the licensing certificates of a session host cut connections?"""

from datetime import timedelta

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, passed, unexplained, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.session_host import is_session_host
from rdp_remediate.models.report import Hop

_LATELY = timedelta(hours=1)
_OFTEN = 3


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=(),
    requires=("vm_is_running", "tls_is_offered"),
    not_provable=("rds-license-cert-corrupt",),
)
def licensing_certificates_are_whole(facts: Facts) -> Outcome:
    r"""No client of a session host is cut by an error in the protocol stream.

    Why: corrupt licensing certificates end each connection with "Because of a security error". The four values that hold them
        are blobs without a documented form, so nothing that reads them can tell; TermDD 50 fits but has other causes too (a
        line that corrupts packets, a scanner). Therefore it is never reported as found; where it happens again and again to
        a host that a user was asked about, reachable is not claimed either.
    Evidence: the role of the host, TermDD 50 of the last hour.
    By hand:
        export HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\RCM, delete its values Certificate, X509 Certificate,
        X509 Certificate ID and X509 Certificate2, restart the server and activate the license server again; importing the
        export takes it back. It ends every session.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/troubleshoot-remote-desktop-disconnected-errors
    """
    if not is_session_host(facts.guest):
        return passed("no session host")
    cut = [event for event in need(facts.guest.logged("TermDD", 50)) if facts.at - event.at <= _LATELY]
    count = sum(event.count for event in cut)
    if count < _OFTEN:
        return passed("no connection was cut again and again within the hour")
    text = (
        f"{count} connections of this session host were cut by an error in the protocol stream (TermDD 50): corrupt licensing "
        "certificates are one cause, and cannot be proven by reading."
    )
    return unexplained(text) if facts.target.user else unknown(text, because="TermDD 50")
