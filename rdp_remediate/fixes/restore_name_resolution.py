"""Let Windows resolve names by the DNS servers of the VNet."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("guest-dns-broken",), layer="guest", order=28, permissions=RUN_COMMAND)
def restore_name_resolution(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Start the DNS client, or forget typed-in DNS servers that do not know the domain.

    Changes: the start type and state of Dnscache; or the DNS servers of one adapter back to those of DHCP.
    Undo: writes the recorded start type and servers back.
    Refuses when: never by itself.
    """
    del facts
    asks = "name resolution may have been set so on purpose"
    for finding in findings:
        evidence = finding.evidence
        if evidence.get("service"):
            if evidence.get("start_type") == "Disabled":
                yield Draft(
                    kind="service_start",
                    target={"service": "Dnscache"},
                    expected="Disabled",
                    desired="Auto",
                    title="Set the start type of Dnscache to Automatic, its default",
                    postcondition="Dnscache has start type Automatic",
                    opens=False,
                    always_ask=asks,
                )
            yield Draft(
                kind="service_state",
                target={"service": "Dnscache"},
                expected="Stopped",
                desired="Running",
                title="Start Dnscache",
                postcondition="Dnscache is running",
                opens=False,
                always_ask=asks,
            )
            continue
        yield Draft(
            kind="adapter_dns",
            target={"adapter": str(evidence.get("adapter"))},
            expected=",".join(evidence.get("typed", ())),
            desired=None,
            title=f"Let {evidence.get('adapter')} use the DNS servers of DHCP",
            postcondition="no DNS server is typed in",
            risk=Risk.SENSITIVE,
            opens=False,
            always_ask=asks,
        )
