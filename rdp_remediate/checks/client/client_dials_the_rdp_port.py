"""Does the client dial the port on which RDP answers?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.report import Hop
from rdp_remediate.network.question import ask


@check(hop=Hop.CLIENT, faults=("client-wrong-port",), requires=("vm_is_running",))
def client_dials_the_rdp_port(facts: Facts) -> Outcome:
    r"""The client dials the port on which RDP is offered.

    Why: a VM whose RDP lives on another port, with every layer open for it, is healthy; it is the client that must change.
    Evidence: the dialled port, RT\PortNumber, the path decision and the guest firewall.
    By hand:
        * client-wrong-port: connect with `mstsc /v:HOST:PORT`; do not change the VM.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/remote-desktop-cannot-connect-remote-computer
    """
    question = ask(facts)
    need(question.guest_port)
    if question.unsure_port is not None:
        raise UnseenError(question.unsure_port)
    if question.wrong_port:
        host = question.entry.address if question.entry else "HOST"
        return failed(
            "client-wrong-port",
            f"The client dialled port {facts.target.dialled_port}, but RDP is offered on port {question.port}, which is open "
            f"all the way: use mstsc /v:{host}:{question.port}.",
            dialled_port=facts.target.dialled_port,
            address=question.entry.address if question.entry else None,
            rdp_port=question.port,
        )
    return passed(f"the client dials port {question.dialled_port}")
