"""Did somebody write a deny that catches the client?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.denials import confidence_of, denials, judged
from rdp_remediate.network.question import ask


@check(hop=Hop.NETWORK, faults=("nsg-explicit-deny-wins",), requires=("just_in_time_access_is_open",))
def written_denies_spare_client(facts: Facts) -> Outcome:
    """No written deny rule of an NSG catches the client.

    Why: the rule with the lower number wins; a deny that somebody wrote may be meant.
    Evidence: NSG rules of both layers.
    By hand:
        * nsg-explicit-deny-wins: ask who wrote the deny; with consent add a narrow allow at a lower number. Do not delete the deny.
    See: https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview
    """
    question = ask(facts)
    decisions = dict(judged(question))
    if question.entry is not None and question.entry.kind is EntryKind.BASTION:
        return passed("what denies a Bastion session is judged by itself")
    for denial in denials(facts):
        if not denial.by_default and not denial.jit:
            return failed(
                "nsg-explicit-deny-wins",
                f"The rule {denial.rule} (priority {denial.priority}) of {_name(denial.nsg_id)} on the {denial.layer.value} "
                f"denies {denial.client}.",
                confidence=confidence_of(decisions[denial.client]),
                rule=denial.rule,
                nsg_id=denial.nsg_id,
            )
    return passed("no written deny decides")


def _name(nsg_id: str) -> str:
    return nsg_id.rsplit("/", 1)[-1]
