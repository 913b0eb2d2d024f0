"""The picture of the VM's console that boot diagnostics keeps."""

from rdp_remediate.arm.ids import ArmId
from rdp_remediate.arm.reading import Reading, UnreadError
from rdp_remediate.arm.resource_types import as_json
from rdp_remediate.facts.boot import picture_type
from rdp_remediate.models.fact import Reason

MOST_BYTES = 8 * 1024 * 1024
"""A picture of 1024 x 768 pixels is some 2.3 MB as a bitmap."""


async def read_boot_picture(reading: Reading, arm: ArmId) -> bytes:
    """The picture as Azure keeps it; the signed URL is used once and not kept.

    Source: learn.microsoft.com/rest/api/compute/virtual-machines/retrieve-boot-diagnostics-data

    Raises:
        UnreadError: There is none, or what came is no picture.
    """
    if arm.type != "microsoft.compute/virtualmachines" or arm.group is None:
        raise UnreadError(Reason.NOT_SUPPORTED, f"{reading.asked}: this needs a VM, not {arm.type or 'a scope'}.")
    vms = reading.clients.compute(arm.subscription).virtual_machines
    async with reading.slot():
        urls = as_json(
            await vms.retrieve_boot_diagnostics_data(arm.group, arm.name, sas_uri_expiration_time_in_minutes=5)
        )
    url = urls.get("consoleScreenshotBlobUri")
    if not isinstance(url, str) or not url.lower().startswith("https://"):
        raise UnreadError(Reason.NOT_CONFIGURED, f"{reading.asked}: boot diagnostics of this VM keep no picture.")
    async with reading.slot():
        status, picture = await reading.clients.download(url, most_bytes=MOST_BYTES, tail_bytes=MOST_BYTES)
    if status == 404:
        raise UnreadError(Reason.NOT_FOUND, f"{reading.asked}: no picture was taken yet.")
    if not 200 <= status <= 299:
        reason = Reason.FORBIDDEN if status in (401, 403) else Reason.SERVER_ERROR
        raise UnreadError(reason, f"{reading.asked}: the storage of the picture answered {status}.")
    if len(picture) >= MOST_BYTES:
        raise UnreadError(Reason.TRUNCATED, f"{reading.asked}: the picture has more than {MOST_BYTES} bytes.")
    if picture_type(picture) is None:
        raise UnreadError(Reason.MALFORMED, f"{reading.asked}: what came is no picture.")
    return picture
