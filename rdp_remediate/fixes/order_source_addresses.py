"""Let Windows send from the NIC's primary address."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("primary-ip-order-wrong",), layer="guest", order=26, permissions=RUN_COMMAND)
def order_source_addresses(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Mark the secondary addresses so that Windows opens no connection from them.

    Changes: SkipAsSource of each secondary address; the primary one stays as it is.
    Undo: takes the mark off again.
    Refuses when: never by itself.
    """
    del facts
    for address in dict.fromkeys(str(text) for finding in findings for text in finding.evidence.get("skip", ())):
        yield Draft(
            kind="skip_as_source",
            target={"address": address},
            expected=False,
            desired=True,
            title=f"Let Windows open no connection from {address}",
            postcondition=f"SkipAsSource of {address} is True",
            risk=Risk.SENSITIVE,
            opens=False,
            always_ask="something may be meant to send from this address",
        )
