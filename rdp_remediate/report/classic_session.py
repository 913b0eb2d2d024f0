"""Remote PowerShell to a classic VM through its cloud service: the certificate, the session, the port, the endpoint.

The retired Azure Service Management module (`Azure`) gives certificate and addresses; an export of --classic saves asking
for what it holds. Source: Microsoft's page on detailed Remote Desktop troubleshooting of classic VMs.
"""

from rdp_remediate.facts.network_classic import ClassicEndpoint, ClassicVm
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.report import PasteBlock

OPERATION = "classic_cloud_service"
_WINRM_HTTPS = 5986
_RDP = 3389
_LISTENER = r"HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp"
_CERTIFICATE = '"$env:TEMP\\cloud-service.cer"'


def classic_blocks(bundle: Bundle, machine: ClassicVm | None) -> list[PasteBlock]:
    """The blocks for a classic VM, filled from its endpoints and the export; what is not known is asked by the commands."""
    if machine is None or not machine.endpoints_read:
        return []
    known = _cloud_service(bundle)
    service = str(known.get("service") or "")
    name = bundle.target.vm_id.rstrip("/").rsplit("/", 1)[-1]
    door = next((one for one in machine.endpoints if one.private_port == _WINRM_HTTPS), None)
    rdp = _rdp_endpoint(bundle, machine)
    private = (rdp.private_port if rdp else None) or _RDP
    asked = [] if service else ["$service = Read-Host -Prompt 'Name of the cloud service'"]
    thumbprint = known.get("certificate")
    first = (
        f"$thumbprint = {_quoted(str(thumbprint))}"
        if thumbprint
        else "$thumbprint = (Get-AzureVM -ServiceName $service -Name $vm).VM.DefaultWinRMCertificateThumbprint"
    )
    names = [*(asked or [f"$service = {_quoted(service)}"]), f"$vm = {_quoted(name)}"]
    session = "Enter-PSSession -ConnectionUri (Get-AzureWinRMUri -ServiceName $service -Name $vm) -Credential (Get-Credential)"
    note = "the export shows no endpoint for private port 5986; without one the session cannot be opened"
    if door is not None and door.public_port is not None:
        note = f"the endpoint {door.name} leads from public port {door.public_port} to 5986"
        host = _host(known, service)
        if host is not None:
            session = (
                f"Enter-PSSession -ComputerName {host} -Port {door.public_port} -UseSSL -Credential (Get-Credential)"
            )
    return [
        PasteBlock(
            title="Get the certificate of the cloud service, in PowerShell as administrator",
            prompt="powershell",
            note="the VM's certificate is trusted on this computer from then on; remove it from Trusted Root afterwards",
            lines=[
                *names,
                first,
                "$certificate = Get-AzureCertificate -ServiceName $service -Thumbprint $thumbprint -ThumbprintAlgorithm sha1",
                f"$certificate.Data | Out-File -FilePath {_CERTIFICATE}",
                f"Import-Certificate -FilePath {_CERTIFICATE} -CertStoreLocation Cert:\\LocalMachine\\Root",
            ],
        ),
        PasteBlock(title="Open the session", prompt="powershell", note=note, lines=[session]),
        PasteBlock(
            title="Read the port that RDP listens on",
            prompt="powershell",
            lines=[f"Get-ItemProperty -Path '{_LISTENER}' -Name PortNumber"],
        ),
        PasteBlock(
            title=f"Let RDP listen on {private}, where the endpoint leads",
            prompt="powershell",
            only_if=f"PortNumber is not {private}",
            note="note the number that is there: it is the way back",
            lines=[f"Set-ItemProperty -Path '{_LISTENER}' -Name PortNumber -Value {private}"],
        ),
        PasteBlock(
            title="Leave the session, check the endpoint's private port (LocalPort), and restart the VM",
            prompt="powershell",
            note="the restart ends every session; Windows reads the port when it starts",
            lines=[
                "Exit-PSSession",
                "Get-AzureVM -ServiceName $service -Name $vm | Get-AzureEndpoint | "
                "Select-Object -Property Name, Port, LocalPort",
                "Restart-AzureVM -ServiceName $service -Name $vm",
            ],
        ),
    ]


def _rdp_endpoint(bundle: Bundle, machine: ClassicVm) -> ClassicEndpoint | None:
    """The endpoint that the user dials, else the one that is named after RDP."""
    dialled = bundle.target.dialled_port
    for one in machine.endpoints:
        if dialled is not None and one.public_port == dialled and one.private_port != _WINRM_HTTPS:
            return one
    words = ("rdp", "remote desktop", "remotedesktop")
    return next((one for one in machine.endpoints if one.name.lower().startswith(words)), None)


def _cloud_service(bundle: Bundle) -> JsonObject:
    found = bundle.operations.get(OPERATION, {}).get(bundle.target.vm_id.lower())
    return found if isinstance(found, dict) else {}


def _host(known: JsonObject, service: str) -> str | None:
    """The name that the certificate is made out to; an address is no such name."""
    if known.get("host"):
        return _quoted(str(known["host"]))
    if service:
        return _quoted(f"{service}.cloudapp.net")
    return None


def _quoted(text: str) -> str:
    """A PowerShell string that nothing in it can end; the typographic quotes count as quotes there."""
    kept = "".join(c for c in text if c.isprintable() and c not in "\u2018\u2019\u201a\u201b")
    return "'" + kept.replace("'", "''") + "'"
