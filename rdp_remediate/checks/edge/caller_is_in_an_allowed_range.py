"""Did the caller's address leave the range that is allowed?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.denials import confidence_of, denials, judged, other_clients_allowed
from rdp_remediate.network.misfits import misfit_of
from rdp_remediate.network.question import ask


@check(hop=Hop.EDGE, faults=("edge-caller-ip-not-allowed",), requires=("just_in_time_access_is_open",))
def caller_is_in_an_allowed_range(facts: Facts) -> Outcome:
    """The caller's address lies inside a range that the NSG allows for RDP.

    Why: after a change of provider or with the VPN off, the caller's address is another one than the rule names.
    Evidence: NSG rules of both layers against the client's address.
    By hand:
        * edge-caller-ip-not-allowed: connect through the VPN or network that the rule names, or have the owner add the new
          address beside the old ones; never widen the rule to `*`.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-nsg-problem
    """
    question = ask(facts)
    decisions = dict(judged(question))
    if question.client_known:
        for denial in denials(facts):
            meant = denial.by_default and misfit_of(facts, denial) is None
            rule = other_clients_allowed(facts, denial) if meant else None
            if rule is not None:
                return failed(
                    "edge-caller-ip-not-allowed",
                    f"The rule {rule} allows RDP for other addresses; {denial.client} is not among them.",
                    confidence=confidence_of(decisions[denial.client]),
                    rule=rule,
                    nsg_id=denial.nsg_id,
                )
    return passed("no rule allows RDP to others and leaves this caller out")
