"""Is RDP open to the whole Internet?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.arm_names import name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.decision import Verdict
from rdp_remediate.network.denials import nsg_of_id
from rdp_remediate.network.entries import entries
from rdp_remediate.network.exposure import MOST_OF_THE_INTERNET, admits_outside, nsg_rule_of
from rdp_remediate.network.question import ask


@check(hop=Hop.NETWORK, faults=("nsg-open-to-internet",), requires=("vm_takes_direct_rdp",))
def rdp_is_closed_to_the_internet(facts: Facts) -> Outcome:
    """The RDP port is not open to the whole Internet.

    Why: an open RDP port is found within minutes and guessed at without end; accounts get locked by it.
    Evidence: every public way in to the VM, judged for every Internet address by admin rules, NSGs, routes and platform.
    By hand:
        * nsg-open-to-internet: name who may come in where the rule is declared: in Bicep `sourceAddressPrefixes: [ 'CIDR' ]` in
          place of the open `sourceAddressPrefix` for the rule `<rule>`; at once `az network nsg rule update -g <nsg_group>
          --nsg-name <nsg> -n <rule> --source-address-prefixes CIDR`, with the ranges of everybody who works on this VM; or use
          just-in-time access or Bastion. Sessions that are open stay open. Test with a new connection afterwards.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-internal-error
    """
    need(facts.vm)
    question = ask(facts)
    port = question.port
    doors = [one for one in entries(facts.network, facts.target.vm_id, port) if one.public]
    exposure = admits_outside(facts.network, doors, port, ())
    wide = [one for one in exposure.internet if one.addresses >= MOST_OF_THE_INTERNET]
    for one in wide:
        if one.verdict is Verdict.ALLOW:
            decider = nsg_rule_of(one.deciders)
            nsg_id = nsg_of_id(decider.resource_id) if decider else ""
            by = f"the rule {decider.rule} of {name_of(nsg_id)}" if decider else "the want of any NSG"
            return failed(
                "nsg-open-to-internet",
                f"{one.entry.address}:{one.entry.port} is open to {one.addresses} Internet addresses by {by}.",
                Effect.RISK,
                rule=decider.rule if decider else "",
                nsg_id=nsg_id,
                **named(nsg=nsg_id),
            )
    if wide or exposure.unclear:
        said = "; ".join(exposure.unclear) or "rules that cannot be judged decide about the Internet"
        return unknown(f"Whether the Internet gets in cannot be told: {said}", because="path")
    if question.unread_entry is not None:
        raise UnseenError(question.unread_entry)
    return passed("no public way in admits the whole Internet to the RDP port")
