"""What may be behind an outcome when the target is an Azure VM, likeliest first.

An outcome names what was seen, never why: a rule that drops, a VM that is off and a stopped service behind Windows Firewall
all look the same from here. Sources: Windows Firewall's stealth mode (https://learn.microsoft.com/troubleshoot/windows-server/
networking/disable-stealth-mode), MS-RDPBCGR 2.2.1.2.2 for the negotiation failures, and measurements with packet filters for
the rest (tests/probe/test_filtering.py).
"""

from collections.abc import Mapping
from types import MappingProxyType

from rdp_remediate.probe.outcome import Outcome, ProbeVerdict

_MIDDLEBOX = "a firewall or inspection device lets the connection through and then drops or cuts its data"
_HUNG = "the Remote Desktop service (TermService) hangs or has no room for more connections"
_KEY = "Windows cannot use the certificate's private key, or its TLS settings have nothing in common with the client's"

_NO_ANSWER = (
    _MIDDLEBOX,
    "a proxy or load balancer answers for a machine that is not there",
    _HUNG,
    "another kind of server listens on this port",
)
_NLA = (
    _HUNG,
    "Windows cannot sign users in: its security authority (LSASS) is short of resources or waits for a domain controller",
    _MIDDLEBOX,
)

CAUSES: Mapping[Outcome, tuple[str, ...]] = MappingProxyType(
    {
        Outcome.DNS_ERROR: (
            "the name is misspelled or was deleted",
            "the DNS servers of this computer do not know it, as with private zones, or do not answer",
        ),
        Outcome.TCP_TIMEOUT: (
            "a network security group or another rule on the way drops it",
            "the VM is off, or its public address moved",
            "Windows Firewall drops it",
            "nothing listens there: behind Windows Firewall a closed port is silent, too (stealth mode)",
            "a route leads elsewhere",
            "the firewall of the network that this computer is in drops it",
        ),
        Outcome.TCP_REFUSED: (
            "nothing listens on this port and Windows Firewall is off, or the machine is not Windows",
            "a firewall on the way rejects the connection",
        ),
        Outcome.TCP_UNREACHABLE: (
            "a router on the way has no route, or forbids the connection",
            "nobody has this address in the network of this computer",
            "this computer has no route, or no IPv6, to the address",
        ),
        Outcome.TCP_RESET: (
            "a firewall or a limit of connections resets it",
            "the server ends connections as soon as they are made",
        ),
        Outcome.TCP_LOCAL_DENIED: (
            "a firewall or security product on this computer forbids the connection",
            "this computer has no files or ports left for more connections; lower --concurrency",
        ),
        Outcome.X224_TIMEOUT: (*_NO_ANSWER[:3], "a server of another kind waits for a line of text"),
        Outcome.X224_CLOSED: _NO_ANSWER,
        Outcome.X224_RESET: _NO_ANSWER,
        Outcome.X224_MALFORMED: (
            "a device on the way changes or cuts the answer",
            "another kind of server listens on this port",
        ),
        Outcome.X224_REFUSED: ("the server supports none of TLS and NLA, or is closing down",),
        Outcome.NOT_RDP_HTTP: ("the port is another one than RDP's", "a proxy or sign-in page answers for the VM"),
        Outcome.NOT_RDP_TLS: (
            "the port is another one than RDP's, such as that of a web server or an RD Gateway",
            "a TLS proxy stands before the VM",
        ),
        Outcome.NOT_RDP_SSH: ("the port is another one than RDP's", "the machine is not Windows"),
        Outcome.NOT_RDP_OTHER: ("the port is another one than RDP's", "a device on the way answers for the VM"),
        Outcome.STANDARD_RDP: (
            "the listener's SecurityLayer is 0 (RDP)",
            "the server is not Windows, or older than Windows Vista",
        ),
        Outcome.NEG_FAILURE_CERT: ("the certificate of the listener is missing, or its private key cannot be read",),
        Outcome.NEG_FAILURE_OTHER: ("the listener demands a protocol that was not offered",),
        Outcome.TLS_TIMEOUT: (
            "packets too large for the path are lost (path MTU): the TLS answer is larger than all before it",
            _MIDDLEBOX,
            _HUNG,
        ),
        Outcome.TLS_CLOSED: (_KEY, _MIDDLEBOX),
        Outcome.TLS_RESET: (_KEY, _MIDDLEBOX),
        Outcome.TLS_ERROR: (_KEY, "something other than RDP's TLS answers behind the negotiation"),
        Outcome.CREDSSP_TIMEOUT: _NLA,
        Outcome.CREDSSP_CLOSED: _NLA,
        Outcome.CREDSSP_RESET: _NLA,
        Outcome.CREDSSP_MALFORMED: ("something other than Windows answers behind TLS",),
    }
)
"""The causes of every outcome whose verdict is not ok; a test asserts that none is missing."""

CAVEATS: Mapping[ProbeVerdict, str] = MappingProxyType(
    {
        ProbeVerdict.FILTERED: "Silence does not tell these apart; it is no proof of a network security group.",
        ProbeVerdict.REFUSED: "The refusal may come from the machine or from a device before it.",
        ProbeVerdict.UNREACHABLE: "It was seen from this computer; another one may have a way.",
        ProbeVerdict.ERROR: "This says nothing about the target.",
    }
)
"""What an outcome does not prove."""
