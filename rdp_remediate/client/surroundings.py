"""What stands on this computer itself: its name resolution, proxy settings and firewall, as far as any user may read them."""

import asyncio
import os
import platform
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from rdp_remediate.models.client_check import ClientSystem, LocalFirewall, Proxy, Resolution, UnavailableItem

COMMAND_S = 5.0
RESOLVE_S = 8.0
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_FIREWALL_UNITS = ("nftables", "ufw", "firewalld", "iptables")


def system() -> ClientSystem:
    """This computer."""
    names: dict[str, Literal["windows", "linux"]] = {"win32": "windows", "linux": "linux"}
    version = platform.version() if sys.platform == "win32" else platform.release()
    return ClientSystem(os=names.get(sys.platform, "other"), version=version[:100])


async def resolve(host: str, port: int) -> Resolution | UnavailableItem:
    """All addresses of a name, and what the hosts file says of it."""
    listed = hosts_file_addresses(host, hosts_file())
    try:
        async with asyncio.timeout(RESOLVE_S):
            rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return UnavailableItem(
            fact="resolution", reason="timeout", detail=f"no answer for {host} within {RESOLVE_S:.0f} s"
        )
    except socket.gaierror as failed:
        if failed.errno in (socket.EAI_NONAME, 11001):
            return Resolution(addresses=[], not_found=True, hosts_file=listed)
        return UnavailableItem(fact="resolution", reason="server_error", detail=f"{failed.strerror}"[:300])
    addresses = dict.fromkeys(str(row[4][0]).partition("%")[0] for row in rows)
    return Resolution(addresses=list(addresses)[:32], hosts_file=listed)


def hosts_file() -> Path:
    """Where this system keeps its hosts file."""
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "drivers" / "etc" / "hosts"
    return Path("/etc/hosts")


def hosts_file_addresses(host: str, path: Path) -> list[str]:
    """The addresses that a hosts file gives a name; an unreadable file gives none: the resolver's answer still stands."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:1_000_000]
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if host.lower() in (name.lower() for name in names) and set(address) <= set("0123456789abcdefABCDEF:."):
            found.append(address)
    return found[:32]


def proxy(environment: Mapping[str, str]) -> Proxy | UnavailableItem:
    """Proxy settings of the environment and, on Windows, of the user and of WinHTTP; never their user names and passwords."""
    found = [
        f"{name}={without_login(value)}"[:300]
        for name, value in sorted(environment.items())
        if name.lower() in _PROXIES and value.isprintable()
    ]
    try:
        found += _windows_proxy()
    except OSError as failed:
        return UnavailableItem(fact="proxy", reason="forbidden", detail=str(failed)[:300])
    return Proxy(settings=found[:16])


def without_login(url: str) -> str:
    """A proxy's address without what stands before an @ in it."""
    if "@" not in url:
        return url
    scheme, _, _ = url.rpartition("://")
    parts = urlsplit(url if scheme else f"//{url}")
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}" if scheme else parts.netloc.rpartition("@")[2]


def _windows_proxy() -> list[str]:
    found: list[str] = []
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415 - Windows only

        path = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, path) as key:
            for name in ("ProxyEnable", "ProxyServer", "AutoConfigURL"):
                try:
                    found.append(f"{name}={without_login(str(winreg.QueryValueEx(key, name)[0]))}"[:300])
                except FileNotFoundError:
                    continue
    return found


async def local_firewall() -> LocalFirewall | UnavailableItem:
    """Which firewall services run here. Their rules are for administrators; on Windows client-check.ps1 reads them."""
    if sys.platform == "win32":
        detail = "run client-check.ps1 on Windows: it reads the firewall's rules and the security products"
        return UnavailableItem(fact="local_firewall", reason="not_supported", detail=detail)
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        detail = "there is no systemctl here, and firewall rules are for root"
        return UnavailableItem(fact="local_firewall", reason="not_supported", detail=detail)
    try:
        process = await asyncio.create_subprocess_exec(
            systemctl, "is-active", *_FIREWALL_UNITS,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as failed:
        return UnavailableItem(fact="local_firewall", reason="server_error", detail=str(failed)[:300])
    try:
        async with asyncio.timeout(COMMAND_S):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return UnavailableItem(fact="local_firewall", reason="timeout", detail="systemctl gave no answer")
    states = out.decode(errors="replace").split()
    if len(states) != len(_FIREWALL_UNITS):
        detail = "systemctl did not say which firewall services run"
        return UnavailableItem(fact="local_firewall", reason="server_error", detail=detail)
    active = [unit for unit, state in zip(_FIREWALL_UNITS, states, strict=True) if state == "active"]
    if active:
        detail = f"{', '.join(active)} runs; its rules can be read by root only"
        return UnavailableItem(fact="local_firewall", reason="forbidden", detail=detail)
    return UnavailableItem(
        fact="local_firewall", reason="forbidden", detail="no firewall service runs; rules of the kernel are for root"
    )
