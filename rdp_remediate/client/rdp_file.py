"""Reads what a .rdp file dials. mstsc writes UTF-16 little-endian with a byte order mark; other tools write UTF-8.

Each line is name:type:value, type s for text and i for a number (Microsoft: "Supported RDP properties"). Everything but the
address, the port and the gateway is left alone, passwords above all.
"""

from pathlib import Path

from rdp_remediate.errors import UsageError
from rdp_remediate.models.client_check import RdpFile
from rdp_remediate.probe.target import split_endpoint

MOST_BYTES = 256 * 1024
RDP_PORT = 3389


def read_rdp_file(path: Path) -> RdpFile:
    """Reads a .rdp file.

    Raises:
        UsageError: It cannot be read, is too large, is no text, or names no address.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as failed:
        raise UsageError(f"{path} cannot be read: {failed.strerror}.") from failed
    if len(raw) > MOST_BYTES:
        raise UsageError(f"{path} is larger than {MOST_BYTES // 1024} KiB; a .rdp file is not.")
    return parse_rdp(raw, str(path))


def parse_rdp(raw: bytes, origin: str) -> RdpFile:
    """Takes the bytes of a .rdp file apart.

    Raises:
        UsageError: They are no text, or name no address.
    """
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as refused:
        raise UsageError(f"{origin} is no .rdp file: it is neither UTF-16 nor UTF-8 text.") from refused
    if any(ord(character) < 32 and character not in "\r\n\t" for character in text):
        raise UsageError(f"{origin} is no .rdp file: it holds bytes that are no text.")
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, first, rest = line.partition(":")
        kind, second, value = rest.partition(":")
        if first and second and kind.strip().lower() in ("s", "i"):
            values[name.strip().lower()] = value.strip()
    address = values.get("full address", "")
    if not address:
        raise UsageError(f"{origin} names no computer: the line `full address:s:` is missing or empty.")
    for text_value in (address, values.get("alternate full address", ""), values.get("gatewayhostname", "")):
        if len(text_value) > 300 or any(ord(character) < 33 for character in text_value):
            raise UsageError(f"{origin}: {text_value[:60]!r} is no address of a computer.")
    usage = _number(values, "gatewayusagemethod", origin, 4)
    return RdpFile(
        full_address=address,
        alternate_full_address=values.get("alternate full address") or None,
        server_port=_number(values, "server port", origin, 65535) or None,
        gateway_host=values.get("gatewayhostname") or None,
        gateway_usage=usage,
    )


def dialled(file: RdpFile) -> tuple[str, int]:
    """Host and port that mstsc dials: the alternate address if there is one; a port in the address wins over `server port`.

    Raises:
        UsageError: The address is none.
    """
    host, port = split_endpoint(file.alternate_full_address or file.full_address)
    return host, port or file.server_port or RDP_PORT


def _number(values: dict[str, str], name: str, origin: str, most: int) -> int | None:
    text = values.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= most):
        raise UsageError(f"{origin}: `{name}` is {text[:20]!r}, which is no number up to {most}.")
    return int(text)
