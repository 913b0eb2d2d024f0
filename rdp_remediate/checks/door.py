"""How the checks of the endpoint hop report a door that does not lead to the VM."""

from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.network.doors import wrong_door
from rdp_remediate.network.question import ask


def door_outcome(facts: Facts, faults: tuple[str, ...], healthy: str) -> Outcome:
    """Fails with the wrong door if its fault is one of these, else passes with the healthy words.

    Raises:
        UnseenError: The VM, or an entry that it may have, could not be read.
    """
    need(facts.vm)
    unread = ask(facts).unread_entry
    if unread is not None:
        raise UnseenError(unread)
    found = wrong_door(facts)
    if found is None or found.fault not in faults:
        return passed(healthy)
    return failed(found.fault, found.reason, confidence=found.confidence, **found.evidence)
