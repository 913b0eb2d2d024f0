"""Let the agent reach the platform past the machine's proxy."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_words import WIRESERVER
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("winhttp-proxy-blocks-wireserver",), layer="guest", order=29, permissions=RUN_COMMAND)
def spare_the_platform(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Add 168.63.129.16 to the bypass list of the WinHTTP proxy; the proxy stays.

    Changes: the bypass list.
    Undo: sets the recorded proxy and list.
    Refuses when: the proxy or its list holds blanks, which cannot be put back exactly.
    """
    del facts
    for finding in findings:
        server, bypass = str(finding.evidence.get("server")), str(finding.evidence.get("bypass") or "")
        if any(character in text for text in (server, bypass) for character in ' "'):
            yield Refused("by_hand", f"The proxy {server!r} with its list cannot be set again exactly.")
            continue
        yield Draft(
            kind="winhttp_proxy",
            target={"setting": "winhttp"},
            expected=f"{server} {bypass}".rstrip(),
            desired=f"{server} {';'.join(part for part in (bypass, WIRESERVER) if part)}",
            title=f"Add {WIRESERVER} to the bypass list of the WinHTTP proxy {server}",
            postcondition=f"the proxy {server} spares {WIRESERVER}",
            risk=Risk.SENSITIVE,
            opens=False,
            always_ask="the proxy was set on purpose",
        )
