"""What a check says in plain words, before anybody has looked at Azure. Pure."""

import ipaddress

from rdp_remediate.models.client_check import Attempt, ClientCheck

_SAID = {
    "open": "connects",
    "answered": "answers RDP",
    "handshake": "answers RDP with TLS",
    "timeout": "does not answer",
    "refused": "refuses the connection",
    "unreachable": "cannot be reached: a router says so",
    "reset": "connects, then the connection is reset",
    "closed": "connects, then closes at once",
    "no_answer": "connects, but RDP gives no answer",
    "not_rdp": "answers, but not with RDP",
    "tls_failed": "answers RDP, then the TLS handshake fails",
    "local_denied": "was not tried: this computer refused to open the connection",
    "not_resolved": "has no address here",
    "error": "could not be tried",
}


def conclude(check: ClientCheck, thumbprint: str | None = None) -> tuple[str, bool | None]:
    """One or two sentences, and whether RDP answers this computer; None: that was not shown."""
    seen = check.resolution
    here = check.target
    if seen is not None and seen.not_found:
        return f"This computer finds no address for {check.host}. Use the VM's address, or a new .rdp file.", False
    if (
        check.expected_address
        and seen is not None
        and seen.addresses
        and not _holds(seen.addresses, check.expected_address)
    ):
        where = "its hosts file" if set(seen.hosts_file) & set(seen.addresses) else "DNS as this computer sees it"
        return (
            f"{check.host} leads to {', '.join(seen.addresses)} here ({where}), but Azure shows {check.expected_address}. "
            f"Connect to {check.expected_address}:{check.port}, or have the name corrected.",
            False,
        )
    if here is None:
        return "The connection was not tried.", None
    if here.outcome == "local_denied":
        return "A firewall or security product of this computer stops the connection.", False
    if here.answered:
        if thumbprint and here.thumbprint and here.thumbprint != thumbprint:
            return (
                f"RDP answers with another certificate ({here.thumbprint}) than the VM's own: something in between inspects TLS, or "
                "another computer answers. Do not enter a password.",
                False,
            )
        tls = here.outcome == "handshake"
        said = "RDP answers this computer. What fails later is the sign-in." if tls else "RDP answers, but without TLS."
        return said, True if tls else None
    if here.connected:
        return f"{check.host}:{check.port} {_SAID[here.outcome]}: something in between may take RDP apart.", False
    return _silent(check, here), False


def _silent(check: ClientCheck, here: Attempt) -> str:
    said = f"{here.address or check.host}:{check.port} {_SAID[here.outcome]}."
    if check.local_firewall is not None and check.local_firewall.outbound_blocks:
        return (
            f"{said} This computer's own firewall blocks the port outwards: {check.local_firewall.outbound_blocks[0]}."
        )
    others = [one for one in (check.second_rdp, check.control_rdp) if one is not None]
    if any(one.connected for one in others):
        return f"{said} RDP gets out to another computer, so the fault is on the way to this VM or in the VM."
    if others and check.control_https is not None:
        if check.control_https.connected:
            return f"{said} Web traffic gets out, RDP does not to anywhere: the network that you sit in most likely blocks RDP."
        return (
            f"{said} Web traffic does not get out either: this computer has no Internet, or a proxy is needed for it."
        )
    return f"{said} With --control and --second-rdp this computer's network can be told from the VM."


def lines(check: ClientCheck, thumbprint: str | None = None) -> list[str]:
    """The check as text: the verdict, then what was seen, then what could not be seen."""
    found = [conclude(check, thumbprint)[0], "", f"You dial      {check.host}:{check.port}"]
    if check.rdp_file is not None and check.rdp_file.gateway_host and check.rdp_file.gateway_usage in (1, 2, 3):
        found.append(
            f"Gateway       the .rdp file goes through {check.rdp_file.gateway_host}; the gateway was not tried"
        )
    if check.resolution is not None:
        found.append(f"Addresses     {', '.join(check.resolution.addresses) or 'none'}")
        if check.resolution.hosts_file:
            found.append(f"Hosts file    {', '.join(check.resolution.hosts_file)}")
    tried = (("VM", check.target), ("Control 443", check.control_https), ("Control RDP", check.control_rdp))
    for name, one in (*tried, ("Second RDP", check.second_rdp), ("Bastion", check.bastion)):
        if one is not None:
            found.append(f"{name:<13} {one.host}:{one.port} {_SAID[one.outcome]}")
    if check.target is not None and check.target.thumbprint:
        found.append(f"Certificate   {check.target.thumbprint} of {check.target.issuer or 'an unreadable issuer'}")
    if check.proxy is not None and check.proxy.settings:
        found.append(f"Proxy         {'; '.join(check.proxy.settings)} (RDP itself uses none)")
    if check.local_firewall is not None:
        for name, rows in (
            ("Blocks", check.local_firewall.outbound_blocks),
            ("Products", check.local_firewall.products),
        ):
            if rows:
                found.append(f"{name:<13} {'; '.join(rows)}")
    found += [f"Not seen      {item.fact}: {item.detail} ({item.reason})" for item in check.unavailable]
    return found


def _holds(addresses: list[str], expected: str) -> bool:
    return any(ipaddress.ip_address(one) == ipaddress.ip_address(expected) for one in addresses)
