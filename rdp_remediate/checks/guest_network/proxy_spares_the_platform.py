"""Does a proxy stand between the agent and the platform?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.network_words import WIRESERVER
from rdp_remediate.facts.wireserver import unanswered
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_NETWORK, faults=("winhttp-proxy-blocks-wireserver",), requires=("vm_is_running",))
def proxy_spares_the_platform(facts: Facts) -> Outcome:
    """A WinHTTP proxy of the machine, if there is one, spares 168.63.129.16.

    Why: the VM agent speaks to the platform's address directly; through a proxy it never gets there and stops to report. RDP does
    not need the agent (trap 16), but Run Command does.
    Evidence: guest WinHTTP proxy and its bypass list; TCP to that address without the proxy.
    By hand:
        * winhttp-proxy-blocks-wireserver: `netsh winhttp set proxy proxy-server="<server>" bypass-list="<bypass>;168.63.129.16"`,
          or `netsh winhttp reset proxy`.
    See: https://learn.microsoft.com/azure/virtual-machines/windows/prepare-for-upload-vhd-image
    """
    proxy = need(facts.guest.adapter_item("proxy")).proxy
    if proxy is None:
        return passed("no proxy")
    if any(_covers(token) for token in proxy.bypass.split(";")):
        return passed(f"the proxy {proxy.server} spares it")
    silent = unanswered(facts.guest)
    return failed(
        "winhttp-proxy-blocks-wireserver",
        f"The WinHTTP proxy {proxy.server} does not spare {WIRESERVER}" + (f"; {silent} either." if silent else "."),
        Effect.BLINDS,
        server=proxy.server,
        bypass=proxy.bypass,
    )


def _covers(token: str) -> bool:
    text = token.strip().lower().removeprefix("http://")
    return text in ("*", WIRESERVER) or (text.endswith("*") and WIRESERVER.startswith(text[:-1]))
