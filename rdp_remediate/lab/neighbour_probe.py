"""A VM beside the target that is asked to probe it: the lab's own packet walk decides whether its packet arrives.

Such a VM has no simulated guest: the lab answers for our two probe scripts, PowerShell and sh, known by their marker line.
winps has no peer that a script could talk to on another computer, so the scripts themselves run in tests of their own.
"""

import base64
import binascii
import json
import zlib
from typing import Any

from rdp_remediate.lab.arm_http import Call
from rdp_remediate.lab.guest_runtime import Admission
from rdp_remediate.lab.packets import LabPath, Verdict

MARK = "# rdp-remediate neighbour 1"
_TCP = {Admission.SILENT: "timeout", Admission.REFUSE: "refused", Admission.ACCEPT: "open"}


def asks_neighbour(script: str) -> bool:
    """Whether a script is one of our two probes."""
    return MARK in script.splitlines()[:2]


def neighbour_stdout(call: Call, vm_id: str, parameters: dict[str, str]) -> str:
    """The line that the probe prints on this VM."""
    asked = _decoded(parameters.get("Request", ""))
    said: dict[str, Any] = {"schema": "rdp-remediate/neighbour/1", "run_id": "", "address": "", "port": 0}
    said |= {"tcp": None, "x224": None, "failed": None}
    if asked is None:
        said["failed"] = "the request is not known here"
    else:
        said |= {key: asked[key] for key in ("run_id", "address", "port")}
        said["tcp"], said["x224"] = _met(call, vm_id, str(asked["address"]), int(asked["port"]))
    payload = json.dumps(said, separators=(",", ":"), sort_keys=True)
    return f"#rdpr1 p 1 {zlib.crc32(payload.encode()):08x} {len(payload)} {payload}#end\n"


def _met(call: Call, vm_id: str, address: str, port: int) -> tuple[str, str | None]:
    world, runtime = call.world, call.context.runtime
    source = next(
        str(configuration["properties"]["privateIPAddress"])
        for nic in world.nics_of(vm_id)
        for configuration in nic["properties"].get("ipConfigurations", [])
    )
    guest = world.guests.get(world.vm_id.lower())
    landing = LabPath(world).walk(world.vm_id, source, address, port)
    if landing.verdict is not Verdict.ALLOW or world.power_state(world.vm_id) != "running" or guest is None:
        return "timeout", None
    admission = runtime.admits(guest, landing.source, landing.port)
    if admission is not Admission.ACCEPT:
        return _TCP[admission], None
    listener = runtime.rdp_listener(guest)
    return "open", "answered" if listener is not None and listener.port == landing.port else "no_answer"


def _decoded(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii"))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    known = isinstance(document, dict) and {"run_id", "address", "port"} <= document.keys()
    return document if known else None
