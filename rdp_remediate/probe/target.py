"""What to probe, and which machine should answer there."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from rdp_remediate.errors import UsageError
from rdp_remediate.probe.certificate import normalise_thumbprint

RDP_PORT = 3389
_PORT_DIGITS_MAX = 5

_NEVER_IN_A_HOST = frozenset(" \t/\\@?#[]\"'<>")

ConnectTo = Mapping[tuple[str, int], tuple[str, int]]
"""Host and port as asked for, to the address and port that are really connected to. Only the lab wires one."""


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """One endpoint, with the identity that is expected behind it.

    Attributes:
        host: Name or address.
        port: TCP port.
        expected_thumbprints: SHA-1 or SHA-256 thumbprints of certificates that are the machine's own.
        expected_computer_names: Names of the machine, NetBIOS or DNS.
        ask_nla_required: Whether a second connection asks if the server insists on NLA.
    """

    host: str
    port: int = RDP_PORT
    expected_thumbprints: tuple[str, ...] = ()
    expected_computer_names: tuple[str, ...] = ()
    ask_nla_required: bool = False

    def __post_init__(self) -> None:
        """Checks the words and normalises the thumbprints.

        Raises:
            UsageError: The host is none or does not print, the port is outside 1 to 65535, or a thumbprint is none.
        """
        if not self.host or not self.host.isprintable() or set(self.host) & _NEVER_IN_A_HOST:
            raise UsageError(f"{self.host!r} is no host to probe; give a name or an address.")
        if not 1 <= self.port <= 65535:
            raise UsageError(f"The port {self.port} of {self.host} is outside 1 to 65535.")
        try:
            thumbprints = tuple(normalise_thumbprint(text) for text in self.expected_thumbprints)
        except ValueError as error:
            raise UsageError(f"The expected identity of {self.host} is wrong: {error}") from error
        object.__setattr__(self, "expected_thumbprints", thumbprints)

    @classmethod
    def parse(cls, text: str) -> "ProbeTarget":
        """Reads HOST, HOST:PORT, an IPv6 address or [IPv6]:PORT.

        Raises:
            UsageError: The text is none of these.
        """
        host, port = split_endpoint(text)
        return cls(host, RDP_PORT if port is None else port)


def split_endpoint(text: str) -> tuple[str, int | None]:
    """Splits HOST[:PORT]; an IPv6 address with a port needs brackets.

    Raises:
        UsageError: The port is no number, or the brackets do not match.
    """
    text = text.strip()
    if "//" in text:
        raise UsageError(f"{text!r} is an address of the web; give HOST or HOST:PORT, no URL.")
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or rest == ":" or (rest and not rest.startswith(":")) or not _is_ipv6(host):
            raise UsageError(f"{text!r} is no endpoint; write an IPv6 address with a port as [2001:db8::1]:3389.")
        port = rest[1:]
    elif text.count(":") > 1:
        host, port = text, ""
        if not _is_ipv6(text):
            raise UsageError(f"{text!r} is neither HOST:PORT nor an IPv6 address.")
    else:
        host, colon, port = text.partition(":")
        if colon and not port:
            raise UsageError(f"The port after {host!r} is missing; write HOST or HOST:PORT.")
    if not port:
        return host, None
    if not (port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS_MAX):
        raise UsageError(f"The port {port[:40]!r} of {host!r} is no number from 1 to 65535.")
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def parse_connect_to(text: str) -> tuple[tuple[str, int], tuple[str, int]]:
    """Reads one mapping HOST:PORT:ADDR:PORT, as curl's --connect-to writes it; IPv6 addresses stand in brackets.

    Raises:
        UsageError: A part is missing or no port.
    """
    parts: list[str] = []
    rest = text.strip()
    while rest:
        end = rest.find("]") + 1 if rest.startswith("[") else 0
        colon = rest.find(":", end)
        parts.append(rest if colon < 0 else rest[:colon])
        rest = "" if colon < 0 else rest[colon + 1 :]
    if len(parts) != 4 or not all(parts):
        raise UsageError(f"{text!r} is no mapping; write HOST:PORT:ADDR:PORT.")
    asked, real = split_endpoint(f"{parts[0]}:{parts[1]}"), split_endpoint(f"{parts[2]}:{parts[3]}")
    if asked[1] is None or real[1] is None:
        raise UsageError(f"{text!r} is no mapping; write HOST:PORT:ADDR:PORT.")
    return (asked[0].lower(), asked[1]), (real[0], real[1])
