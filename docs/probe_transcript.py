"""Makes docs/probe-transcript.md: the probe against genuine RDP servers on loopback, next to nmap's reading of the same.

    make probe-transcript        needs xrdp, freerdp2-shadow-x11, xvfb and nmap; the command that installs them is printed

Ports and the name of the machine do not get into the transcript: as root it runs itself under another host name, in a UTS
namespace of its own.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.probe.certificates import make_identity  # noqa: E402 - found only after the path is set
from tests.probe.real_servers import INSTALL, LOOPBACK, free_port, shadow, x_display, xrdp  # noqa: E402

HOST = "rdp-host"
RENAMED = "--renamed"


def main() -> int:
    """Starts the servers, runs both programs against each, and writes the transcript."""
    programs = ("xrdp", "freerdp-shadow-cli", "Xvfb", "nmap")
    missing = [name for name in programs if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    if missing:
        sys.stderr.write(f"{', '.join(missing)} missing; {INSTALL}\n")
        return 2
    if socket.gethostname() != HOST:
        if os.geteuid() != 0 or RENAMED in sys.argv:
            sys.stderr.write(f"The servers show this machine's name; run it as root, or on a machine named {HOST}.\n")
            return 2
        rename = 'echo "$0" > /proc/sys/kernel/hostname && exec "$@"'
        again = [sys.executable, __file__, RENAMED]
        return subprocess.run(["unshare", "--uts", "sh", "-c", rename, HOST, *again], check=False).returncode
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        good = make_identity("rdp-host.contoso.example").write(folder, "good")
        old = make_identity("old-host", valid_from=timedelta(days=-400), valid_until=timedelta(days=-30)).write(
            folder, "old"
        )
        display = stack.enter_context(x_display(folder / "display"))
        ports = {
            "xrdp, TLS": stack.enter_context(xrdp(folder / "tls", *good)).port,
            "freerdp-shadow, Network Level Authentication": stack.enter_context(
                shadow(folder / "nla", display, "/sec:nla", "-auth")
            ).port,
            "xrdp, standard RDP security": stack.enter_context(xrdp(folder / "rdp", *good, security_layer="rdp")).port,
            "xrdp, an expired certificate and TLS 1.2": stack.enter_context(
                xrdp(folder / "old", *old, ssl_protocols="TLSv1.2")
            ).port,
            "nothing listens": free_port(),
        }
        shown = {port: 40001 + at for at, port in enumerate(ports.values())}
        parts = [part(title, port, shown) for title, port in ports.items()]
        every = " ".join(f"{LOOPBACK}:{port}" for port in ports.values())
        parts.append(
            f"## All of them at once\n\n{block(f'rdp-remediate probe {every}', shown, first_lines=len(ports) + 1)}"
        )
    version = said(["nmap", "--version"]).split(" (")[0].strip()
    (ROOT / "docs" / "probe-transcript.md").write_text(
        "# The probe and nmap against the same servers\n\n"
        f"Made by `make probe-transcript` with {version}; servers on loopback, the machine is called `{HOST}` here.\n"
        "nmap's script reads the same NTLM challenge; it prints nothing where there is none.\n\n" + "\n".join(parts),
        encoding="utf-8",
    )
    return 0


def part(title: str, port: int, shown: dict[int, int]) -> str:
    """One server: what each program says of it."""
    ours = block(f"rdp-remediate probe {LOOPBACK}:{port}", shown)
    theirs = block(f"nmap -Pn -n -p {port} --script +rdp-ntlm-info {LOOPBACK}", shown)
    return f"## {title}\n\n{ours}\n{theirs}"


def block(line: str, shown: dict[int, int], *, first_lines: int | None = None) -> str:
    """One command with what it printed and its exit code."""
    sys.stderr.write(f"$ {line}\n")
    program, *words = line.split()
    path = str(ROOT / ".venv" / "bin" / program) if program == "rdp-remediate" else program
    done = subprocess.run([path, *words], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    lines = clean(done.stdout.rstrip() or done.stderr.strip(), shown).splitlines()
    cut = [*lines[:first_lines], "..."] if first_lines is not None and len(lines) > first_lines else lines
    status = f"(exit code {done.returncode})" if done.returncode else ""
    return "\n".join(["```", f"$ {clean(line, shown)}", *cut, *filter(None, [status]), "```", ""])


def said(command: list[str]) -> str:
    """What a command printed."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def clean(text: str, shown: dict[int, int]) -> str:
    """Text without the ports of this run and nmap's times."""
    for port, number in shown.items():
        text = re.sub(rf"(?<!\d){port}(?!\d)", str(number), text)
    return re.sub(
        r"Starting Nmap .*|Nmap done: .*", lambda found: found.group().split(" at ")[0].split(" in ")[0], text
    )


if __name__ == "__main__":
    raise SystemExit(main())
