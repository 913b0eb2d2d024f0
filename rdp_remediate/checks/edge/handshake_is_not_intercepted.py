"""Does something between the user and the VM take the RDP handshake apart?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unexplained
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.client_vantage import NO_CHECK, client_vantage, not_given


@check(hop=Hop.EDGE, faults=("edge-proxy-or-ids",), requires=("vm_is_running",))
def handshake_is_not_intercepted(facts: Facts) -> Outcome:
    """Nothing between the user and the VM takes the RDP handshake apart.

    Why: a device that inspects TLS shows a certificate of its own, and NLA then refuses the sign-in, because CredSSP binds it to the
        server's key (MS-CSSP 3.1.5); one that knows RDP resets the connection after TCP.
    Evidence: the certificate that the client check saw against the guest's own, and where its handshake ended.
    By hand:
        * edge-proxy-or-ids: ask the user's network team to exempt TCP <port> to <address> from TLS inspection, proxy and intrusion
          prevention, or connect through Azure Bastion (port 443). A phone's hotspot is the test.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/detailed-troubleshoot-rdp
    """
    if not_given(facts):
        return skipped(NO_CHECK)
    client = need(facts.client)
    state = client_vantage(facts, client)
    tried = need(state.tried)
    if not tried.connected:
        return skipped("no connection, so no handshake")
    address = tried.address or tried.host
    where = f"{address}:{tried.port}"
    if not state.same_entry:
        return unexplained(f"The user's computer connected to {where}, which is not the entry that was judged here.")
    if tried.thumbprint is not None:
        own = _own_thumbprint(facts, where)
        if own == tried.thumbprint:
            return passed("the user's computer saw the VM's own certificate")
        return failed(
            "edge-proxy-or-ids",
            f"At {where} the user's computer saw the certificate {tried.thumbprint[:8]}… of {tried.issuer or 'an unknown issuer'}, "
            f"not the VM's own ({own[:8]}…): something in between answers in its place.",
            confidence=Confidence.LIKELY,
            address=address,
            port=tried.port,
        )
    if tried.outcome in ("open", "answered"):
        return passed("the user's computer got an answer; it saw no certificate")
    if state.answers is None:
        return unexplained(
            f"The user's handshake with {where} ended as {tried.outcome}; nobody else's is shown to work."
        )
    return failed(
        "edge-proxy-or-ids",
        f"The user's computer connects to {where}, then the handshake ends as {tried.outcome}; {state.answers}.",
        confidence=Confidence.LIKELY,
        address=address,
        port=tried.port,
    )


def _own_thumbprint(facts: Facts, where: str) -> str:
    """The thumbprint of the guest's certificate, or the one that our own probe of the same endpoint saw.

    Raises:
        UnseenError: Neither is known.
    """
    seen = next(
        (one.thumbprint for one in facts.probes if f"{one.address}:{one.port}" == where and one.thumbprint), None
    )
    certificate = facts.guest.certificate
    if isinstance(certificate, Unavailable) and seen is not None:
        return seen
    own = need(certificate).bound_thumbprint or seen
    if own is None:
        raise UnseenError(
            Unavailable(Reason.NOT_FOUND, "no certificate of the VM's own was found", "guest.certificate")
        )
    return own.upper()
