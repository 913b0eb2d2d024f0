"""Do the guest, the network and the client speak of the same port?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.report import Hop
from rdp_remediate.network.doors import wrong_door
from rdp_remediate.network.question import ask


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("rdp-port-unmatched",), requires=("vm_is_running",))
def rdp_port_matches(facts: Facts) -> Outcome:
    r"""The RDP listener's port is the one that the network and the client expect.

    Why: a custom port is healthy as long as every layer follows it (trap 1); a listener that alone moved cannot be reached.
    Evidence: RT\PortNumber, the path decision and the guest firewall for both ports.
    By hand:
        * rdp-port-unmatched: if the move was not meant, set RT\PortNumber back and restart TermService; if it was, open the new
          port in the NSG and in the guest firewall and tell the users.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/detailed-troubleshoot-rdp
    """
    question = ask(facts)
    guest_port = need(question.guest_port)
    if guest_port == question.port:
        return passed(f"RDP is set to port {guest_port}", port=guest_port)
    if question.unsure_port is not None:
        raise UnseenError(question.unsure_port)
    door = wrong_door(facts)
    if door is not None and "guest_port" in door.evidence:
        return skipped(door.fault)
    return failed(
        "rdp-port-unmatched",
        f"RDP is set to port {guest_port}, but the client and the network lead to port {question.port}.",
        guest_port=guest_port,
        expected_port=question.port,
    )
