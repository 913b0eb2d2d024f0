"""Makes docs/az-transcript.md: the genuine az against the lab, following the exports of `rdp-remediate lab start`.

    make az-transcript        installs azure-cli (about 730 MB) into .venv-az, runs this, and keeps what az printed

It is not part of CI for its size. Paths and ports of the machine do not get into the transcript.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = "termservice-stopped+nsg-no-allow-rule"
GROUP, VM, NIC, NSG = "rg-app", "vm1", "vm1-nic", "vm1-nsg"

SETUP = (
    "az cloud register -n lab --endpoint-resource-manager $RDP_REMEDIATE_ARM_URL",
    "az cloud set -n lab",
    'az login --identity --query "[].{name:name, state:state}" -o table',
)
COMMANDS = (
    f"az vm show -d -g {GROUP} -n {VM} --query '{{name:name, power:powerState, public:publicIps, private:privateIps}}' -o table",
    f"az vm get-instance-view -g {GROUP} -n {VM} --query instanceView.statuses[].code -o tsv",
    f"az network nic list-effective-nsg -g {GROUP} -n {NIC} "
    "--query 'value[].effectiveSecurityRules[].{name:name, access:access, priority:priority, port:destinationPortRange}' -o table",
    f"az vm run-command invoke -g {GROUP} -n {VM} --command-id RunPowerShellScript --scripts '(Get-Service TermService).Status' "
    "--query value[0].message -o tsv",
    f"az vm run-command invoke -g {GROUP} -n {VM} --command-id RunPowerShellScript --scripts 'Start-Service TermService; "
    "(Get-Service TermService).Status' --query value[0].message -o tsv",
    f"az network nsg rule create -g {GROUP} --nsg-name {NSG} -n by-hand --priority 400 --access Allow --direction Inbound "
    "--protocol Tcp --source-address-prefixes 203.0.113.7 --destination-port-ranges 3389 "
    "--query '{name:name, state:provisioningState, priority:priority}' -o table",
    f"az network nic list-effective-nsg -g {GROUP} -n {NIC} "
    "--query \"value[].effectiveSecurityRules[] | [?contains(name, 'by-hand')].{name:name, access:access}\" -o table",
)


def main() -> int:
    """Starts the lab, runs the commands and writes the transcript."""
    az = shutil.which("az")
    if az is None:
        sys.stderr.write("az is not on the PATH; make az-transcript installs it.\n")
        return 2
    command = [str(ROOT / ".venv" / "bin" / "rdp-remediate"), "lab", "start", SCENARIO, "--guest", "winps"]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as lab:
        try:
            exports = read_exports(lab)
            environment = {**os.environ, **exports, "HOME": folder}
            environment["AZURE_CORE_ONLY_SHOW_ERRORS"] = "true"
            parts = [run(line, environment) for line in (*SETUP, *COMMANDS)]
            parts.append(run(last_words(exports), environment))
        finally:
            lab.terminate()
    version = subprocess.run(
        [az, "version", "--query", '"azure-cli"', "-o", "tsv"], check=True, capture_output=True, text=True
    )
    (ROOT / "docs" / "az-transcript.md").write_text(
        f"# The genuine az against the lab\n\nMade by `make az-transcript` with azure-cli {version.stdout.strip()}; the scenario is "
        f"`{SCENARIO}` on the genuine PowerShell engine, after the exports of\n`rdp-remediate lab start {SCENARIO} --guest winps`.\n\n"
        + "\n".join(parts),
        encoding="utf-8",
    )
    return 0


def read_exports(lab: "subprocess.Popen[str]") -> dict[str, str]:
    """The exports that lab start prints, once it is ready."""
    found: dict[str, str] = {}
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


def last_words(exports: dict[str, str]) -> str:
    """What our own command says of the VM after the repairs by hand."""
    subscription = exports["AZURE_SUBSCRIPTION_ID"]
    ours = str(ROOT / ".venv" / "bin" / "rdp-remediate")
    return f"{ours} diagnose {VM} -g {GROUP} -S {subscription} --client 203.0.113.7 --output text | head -3"


def run(line: str, environment: dict[str, str]) -> str:
    """One command with what it printed, as the transcript shows it."""
    sys.stderr.write(f"$ {line}\n")
    done = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    said = done.stdout.rstrip() or (done.stderr.strip() if done.returncode else "(no output)")
    status = "" if done.returncode == 0 else f"\n(exit code {done.returncode})"
    return f"```\n$ {clean(line)}\n{clean(said)}{status}\n```\n"


def clean(text: str) -> str:
    """Text without the machine's paths and the ports of this run."""
    shorter = text.replace(f"{ROOT}/.venv/bin/", "").replace(str(ROOT), ".")
    return re.sub(r"(localhost|127\.0\.0\.1):\d+", r"\1:PORT", shorter)


if __name__ == "__main__":
    raise SystemExit(main())
