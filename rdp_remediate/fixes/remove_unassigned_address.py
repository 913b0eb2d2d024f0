"""Take an address out of Windows that Azure did not give it."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("duplicate-or-conflicting-ip",), layer="guest", order=27, permissions=RUN_COMMAND)
def remove_unassigned_address(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Remove a secondary address that no IP configuration of the NIC has.

    Changes: that address.
    Undo: adds it again with its mask.
    Refuses when: Azure assigned the address in conflict; then the other machine has to go.
    """
    lengths = {one.address: one.prefix_length for one in need(facts.guest.addresses)}
    owners = {one.address: one.interface for one in need(facts.guest.addresses)}
    for finding in findings:
        address = str(finding.evidence.get("address"))
        if finding.evidence.get("assigned") is not False:
            yield Refused(
                "by_hand",
                f"Azure gave {address} to this VM: find the other machine that uses it.",
                "the owner of the VNet",
            )
            continue
        yield Draft(
            kind="unassigned_address",
            target={"adapter": owners[address], "address": address, "length": lengths[address]},
            expected=True,
            desired=False,
            title=f"Remove {address} from {owners[address]}",
            postcondition=f"Windows does not use {address} any more",
            risk=Risk.SENSITIVE,
            opens=False,
            always_ask="somebody typed it in; a cluster may need it",
        )
