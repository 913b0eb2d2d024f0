"""Is the port behind just-in-time access?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, by_design, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Hop
from rdp_remediate.network.denials import connection, denials, judged
from rdp_remediate.network.question import ask


@check(hop=Hop.NETWORK, faults=("jit-closed",), requires=("vm_has_an_entry", "vnet_peering_is_connected"))
def just_in_time_access_is_open(facts: Facts) -> Outcome:
    """Just-in-time access does not hold the RDP port closed.

    Why: Defender for Cloud keeps the port closed until somebody asks; its deny is never deleted or overridden (trap 3).
    Evidence: NSG rules named SecurityCenter-JITRule, just-in-time policies.
    By hand:
        * jit-closed: ask for access in Defender for Cloud, or with `az rest --method post --url
          "https://management.azure.com<policy_id>/initiate?api-version=2020-01-01" --body '{"virtualMachines":[{"id":"<vm_id>",
          "ports":[{"number":<port>,"allowedSourceAddressPrefix":"<client>","endTimeUtc":"UTC_TIME"}]}],"justification":"WHY"}'`, for
          your own address and a short time. Nothing is changed in Bicep: Defender owns the rule and takes it back.
    See: https://learn.microsoft.com/azure/defender-for-cloud/just-in-time-access-usage
    """
    question = ask(facts)
    judged(question)
    for denial in denials(facts):
        if denial.jit:
            return by_design(
                "jit-closed",
                f"Just-in-time access is closed: {denial.rule} denies {denial.client} until somebody asks for access.",
                rule=denial.rule,
                nsg_id=denial.nsg_id,
                vm_id=facts.target.vm_id,
                policy_id=_policy_id(facts),
                **connection(question, denial),
            )
    return passed("no just-in-time rule denies the client")


def _policy_id(facts: Facts) -> str:
    ports = [] if isinstance(facts.jit_ports, Unavailable) else facts.jit_ports.value
    return next((one.policy_id for one in ports if one.port == ask(facts).port), "")
