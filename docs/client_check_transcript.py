"""Makes docs/client-check.md: the client check run for real on this computer against a lab VM, and what diagnose makes of it.

    .venv/bin/python docs/client_check_transcript.py

The lab maps the VM's public address to loopback; nothing else is contacted. Paths and ports of the machine do not get in.
"""

import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOL = (sys.executable, "-m", "rdp_remediate")
ADDRESS = "20.50.1.4"
SECTIONS: tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...] = (
    (
        "RDP answers this computer",
        "healthy",
        (
            ("client-check", ADDRESS, "--save", "check.json"),
            ("client-check", ADDRESS, "--thumbprint", "5F1C9A7E20B34D6688A1C0DE99B7E3F4A2D51B06"),
        ),
    ),
    ("Nothing answers", "nsg-no-allow-rule", (("client-check", ADDRESS, "--save", "check.json"),)),
)


def main() -> int:
    """Starts a lab for each section, runs the commands and writes the transcript."""
    parts = [
        "# The client check against a lab VM\n\nMade by `docs/client_check_transcript.py`; do not edit. Each part runs after the exports "
        "of `rdp-remediate lab start SCENARIO`.\n"
    ]
    for title, scenario, commands in SECTIONS:
        parts.append(f"\n## {title} (`{scenario}`)\n")
        with tempfile.TemporaryDirectory() as folder:
            lab = subprocess.Popen([*TOOL, "lab", "start", scenario], stdout=subprocess.PIPE, text=True, cwd=ROOT)
            try:
                environment = read_exports(lab)
                parts += [run(words, environment, folder) for words in commands]
                vm = f"{environment['AZURE_SUBSCRIPTION_ID']}"
                diagnose = ("diagnose", "vm1", "-g", "rg-app", "-S", vm, "--client", "203.0.113.7")
                parts.append(run((*diagnose, "--client-check", "check.json"), environment, folder, most=4))
            finally:
                lab.terminate()
                lab.wait(timeout=20)
    (ROOT / "docs" / "client-check.md").write_text("\n".join(parts), encoding="utf-8")
    return 0


def read_exports(lab: "subprocess.Popen[str]") -> dict[str, str]:
    """The exports that lab start prints, over an environment of nothing but what Python needs."""
    found = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "110"}
    deadline = time.monotonic() + 60
    if lab.stdout is None:
        raise RuntimeError("the lab has no output")
    for line in lab.stdout:
        if line.startswith("export "):
            name, _, value = line[len("export ") :].strip().partition("=")
            found[name] = shlex.split(value)[0] if value else ""
        if line.startswith("# ready") or time.monotonic() > deadline:
            break
    return found


def run(words: Sequence[str], environment: dict[str, str], folder: str, most: int = 100) -> str:
    """One command with what it printed, as the transcript shows it."""
    done = subprocess.run(
        [*TOOL, *words], env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    said = "\n".join((done.stdout.rstrip() or done.stderr.strip()).splitlines()[:most])
    return f"```\n$ rdp-remediate {shlex.join(words)}\n{clean(said, folder)}\n(exit code {done.returncode})\n```\n"


def clean(text: str, folder: str) -> str:
    """Text without the machine's paths and the ports of this run."""
    shorter = text.replace(folder, ".").replace(str(ROOT), ".")
    return re.sub(r"(localhost|127\.0\.0\.1):\d+", r"\1:PORT", shorter)


if __name__ == "__main__":
    raise SystemExit(main())
