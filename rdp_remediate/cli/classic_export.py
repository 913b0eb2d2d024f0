"""--classic FILE: input endpoints and ACLs of a classic VM, exported with PowerShell, as evidence.

Get-AzureVM ... | Get-AzureEndpoint | ConvertTo-Json -Depth 5 > FILE, or Get-AzureVM ... | ConvertTo-Json -Depth 6 > FILE,
which also names the cloud service and the certificate of remote PowerShell. Azure no longer answers for most classic VMs, so the
file alone is enough for a diagnosis; nothing is contacted then.
"""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from rdp_remediate.errors import UsageError
from rdp_remediate.models.bundle import Bundle, Policy, Target

MOST_EXPORT_BYTES = 4 * 1024 * 1024
_NOWHERE = "/subscriptions/00000000-0000-0000-0000-000000000000"
CLOUD_SERVICE = "classic_cloud_service"
_TYPE = "Microsoft.ClassicCompute/virtualMachines"


def read_export(path: Path) -> list[Any] | dict[str, Any]:
    """The endpoints or ACLs of an export; PowerShell writes one endpoint as an object, several as a list.

    Raises:
        UsageError: The file is not there, too large, no JSON, or holds neither endpoints nor ACLs.
    """
    try:
        if path.stat().st_size > MOST_EXPORT_BYTES:
            raise UsageError(f"{path} is larger than {MOST_EXPORT_BYTES // 2**20} MiB; an export of endpoints is not.")
        raw = path.read_bytes()
    except OSError as failed:
        raise UsageError(f"{path} could not be read: {failed.strerror}.") from failed
    # Windows PowerShell writes UTF-16 with a byte order mark, PowerShell 7 UTF-8.
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        document = json.loads(raw.decode(encoding))
    except (ValueError, RecursionError) as refused:
        raise UsageError(f"{path} is no JSON: {refused}. Export it with ConvertTo-Json -Depth 5.") from refused
    if isinstance(document, list) and document and all(_is_endpoint(one) for one in document):
        return document
    if isinstance(document, dict):
        if _is_endpoint(document):
            return [document]
        if isinstance(_field(document, "VM"), dict):
            return document
        if document and all(isinstance(rows, list | dict) for rows in document.values()):
            return document
    raise UsageError(
        f"{path} holds neither the endpoints of Get-AzureEndpoint (Name, Port, LocalPort) nor ACLs by endpoint name."
    )


def _is_endpoint(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    names = {str(name).casefold() for name in value}
    return bool(names & {"name", "endpointname"}) and bool(names & {"port", "publicport"})


def _field(value: dict[str, Any], name: str) -> Any:
    return next((item for key, item in value.items() if str(key).casefold() == name.casefold()), None)


def _endpoints_of(machine: dict[str, Any]) -> list[Any]:
    """The input endpoints of a whole VM as Get-AzureEndpoint would give them."""
    sets = _field(machine, "ConfigurationSets")
    found = []
    for one in sets if isinstance(sets, list) else []:
        listed = _field(one, "InputEndpoints") if isinstance(one, dict) else None
        for endpoint in listed if isinstance(listed, list) else []:
            if isinstance(endpoint, dict):
                acl = _field(endpoint, "EndpointAcl")
                found.append({**endpoint, "Acl": _field(acl, "Rules") if isinstance(acl, dict) else acl})
    return found


def _cloud_service(export: dict[str, Any], machine: dict[str, Any]) -> dict[str, str]:
    """What remote PowerShell needs of the export; a word of another form than its kind is left out."""
    host = re.sub(r"^https?://|/$", "", str(_field(export, "DNSName") or ""))
    said = {
        "service": (str(_field(export, "ServiceName") or ""), r"[A-Za-z0-9-]{1,63}"),
        "host": (host, r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"),
        "certificate": (str(_field(machine, "DefaultWinRMCertificateThumbprint") or ""), r"[0-9A-Fa-f]{40}"),
    }
    return {name: word for name, (word, form) in said.items() if re.fullmatch(form, word)}


def with_export(bundle: Bundle, export: list[Any] | dict[str, Any]) -> Bundle:
    """The bundle with the exported endpoints of its target, which must be a classic VM.

    Raises:
        UsageError: The bundle is about a VM of Azure Resource Manager.
    """
    vm_id = bundle.target.vm_id
    if f"/providers/{_TYPE}/".lower() not in vm_id.lower():
        raise UsageError(f"--classic is for a VM of {_TYPE}; the bundle is about {vm_id}.")
    key = vm_id.lower()
    operations = dict(bundle.operations)
    if isinstance(export, dict) and isinstance(machine := _field(export, "VM"), dict):
        operations[CLOUD_SERVICE] = {key: _cloud_service(export, machine)}
        export = _endpoints_of(machine)
    resource = bundle.resources.get(
        key, {"id": vm_id, "name": vm_id.rsplit("/", 1)[-1], "type": _TYPE, "properties": {}}
    )
    acls = {**operations.get("classic_endpoint_acls", {}), key: export}
    return bundle.model_copy(
        update={
            "resources": {**bundle.resources, key: resource},
            "operations": {**operations, "classic_endpoint_acls": acls},
        }
    )


def bundle_of_export(
    export: list[Any] | dict[str, Any], vm: str, target: Target, policy: Policy, at: datetime
) -> Bundle:
    """A bundle that holds the export and nothing else; a VM that is only named gets an id of no real subscription."""
    vm_id = vm if "/" in vm else f"{_NOWHERE}/resourceGroups/classic/providers/{_TYPE}/{vm}"
    asked = target.model_copy(update={"vm_id": vm_id})
    return with_export(Bundle(target=asked, policy=policy, collected_at=at), export)
