"""A fresh .rdp file where the user's own dials another address or port than the VM has now. Pure; holds no secret."""

from collections.abc import Sequence

from rdp_remediate.models.report import Finding, FindingStatus

_STALE = ("client-stale-dns", "client-name-not-found", "client-wrong-port", "public-ip-changed", "nic-ip-changed")


def fresh_rdp_file(findings: Sequence[Finding], port: int | None) -> str | None:
    """The text of a .rdp file for the right address and port, or None where the user's own is not known to be stale.

    Args:
        findings: Of the last pass.
        port: The port that is dialled, used where a finding names none.
    """
    for one in findings:
        if one.status is not FindingStatus.FAIL or one.fault not in _STALE:
            continue
        address = one.evidence.get("address")
        right = one.evidence.get("rdp_port") or one.evidence.get("port") or port or 3389
        if isinstance(address, str) and address and isinstance(right, int):
            host = f"[{address}]" if ":" in address else address
            lines = (f"full address:s:{host}:{right}", f"server port:i:{right}", "prompt for credentials:i:1")
            return "".join(f"{line}\r\n" for line in lines)
    return None
