"""The picture of the console: read through a signed address that is used once, without our token."""

import pytest

from rdp_remediate.arm.reads import AzureReads
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from tests.arm.fake_arm import NIC, VM, FakeArm, Reply

URL = f"{VM}/retrieveBootDiagnosticsData"
SIGNED = Reply(body={"consoleScreenshotBlobUri": "{base}/pictures/vm1?sig=canary"})


async def test_the_picture_comes_whole_and_the_token_does_not_go_to_its_storage(
    arm: FakeArm, reads: AzureReads
) -> None:
    arm.on("POST", URL, SIGNED)
    arm.on("GET", "/pictures/vm1", Reply(text="BM" + "x" * 300_000, content_type="image/bmp"))
    fact = await reads.boot_picture(VM)
    assert isinstance(fact, Observed)
    assert fact.value == b"BM" + b"x" * 300_000
    assert "canary" not in fact.source
    assert "authorization" not in arm.seen[1].headers


@pytest.mark.parametrize(
    ("reply", "blob", "reason"),
    [
        (Reply(body={}), Reply(), Reason.NOT_CONFIGURED),
        (Reply(body={"consoleScreenshotBlobUri": "http://x/y"}), Reply(), Reason.NOT_CONFIGURED),
        (Reply(403, {"error": {"code": "AuthorizationFailed", "message": "m"}}), Reply(), Reason.FORBIDDEN),
        (SIGNED, Reply(404), Reason.NOT_FOUND),
        (SIGNED, Reply(403), Reason.FORBIDDEN),
        (SIGNED, Reply(500), Reason.SERVER_ERROR),
        (SIGNED, Reply(text="<html>not a picture", content_type="text/html"), Reason.MALFORMED),
        (SIGNED, Reply(text="BM" + "x" * (8 * 1024 * 1024), content_type="image/bmp"), Reason.TRUNCATED),
    ],
)
async def test_no_picture(reply: Reply, blob: Reply, reason: Reason, arm: FakeArm, reads: AzureReads) -> None:
    arm.on("POST", URL, reply)
    arm.on("GET", "/pictures/vm1", blob)
    fact = await reads.boot_picture(VM)
    assert isinstance(fact, Unavailable)
    assert fact.reason is reason
    assert "canary" not in fact.detail


@pytest.mark.parametrize(("asked", "reason"), [(NIC, Reason.NOT_SUPPORTED), ("vm1", Reason.MALFORMED)])
async def test_only_a_vm_has_one(asked: str, reason: Reason, arm: FakeArm, reads: AzureReads) -> None:
    fact = await reads.boot_picture(asked)
    assert isinstance(fact, Unavailable)
    assert fact.reason is reason
    assert arm.seen == []
