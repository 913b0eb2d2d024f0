"""Plans for the healthy VM with changes: what the tests of planning ask for."""

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.plan import Plan, Step
from rdp_remediate.planning import History, plan
from tests import factories as f
from tests.factories import Change, healthy_bundle

PERSON = "operator@example.com"
PERSON_SID = "S-1-5-21-1111111111-2222222222-3333333333-1001"
SYSTEM_SID = "S-1-5-18"
STOPPED = (f.silent, f.listens(), f.service("Stopped", "Manual"))
NO_RULE = (f.silent, f.security_rules(f.NIC_NSG))
RULE_WRITE = "Microsoft.Network/networkSecurityGroups/securityRules/write"
DEALLOCATE = "Microsoft.Compute/virtualMachines/deallocate/action"

NONE = History()


def planned(*changes: Change, history: History = NONE) -> Plan:
    """The plan for the healthy VM with these changes."""
    facts = read_facts(healthy_bundle(*changes))
    return plan(facts, diagnose(facts).findings, history)


def only_step(made: Plan) -> Step:
    """The one step of a plan."""
    assert len(made.steps) == 1, made
    return made.steps[0]


def why_it_waits(*changes: Change, history: History = NONE) -> str | None:
    """Why the one step waits for a person, or None when it runs by itself."""
    return only_step(planned(*changes, history=history)).approval


def refusal_codes(made: Plan) -> list[str]:
    """The codes of a plan's refusals, in order."""
    return [refusal.code for refusal in made.refusals]
