"""Names what listens on a port that is not RDP, from its first bytes."""

from rdp_remediate.probe.outcome import Outcome

BANNER_BYTES_MAX = 64

_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")


def name_listener(received: bytes) -> Outcome:
    """Names the listener that sent these bytes in place of an RDP answer."""
    start = received.lstrip()[:16].lower()
    if start.startswith((b"http/", b"<html", b"<!doctype", b"<head")):
        return Outcome.NOT_RDP_HTTP
    if received.startswith(b"SSH-"):
        return Outcome.NOT_RDP_SSH
    if received.startswith(_TLS_RECORDS):
        return Outcome.NOT_RDP_TLS
    return Outcome.NOT_RDP_OTHER
