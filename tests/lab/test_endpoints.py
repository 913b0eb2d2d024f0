"""The live RDP endpoints follow the simulated path, the guest and every repair."""

import asyncio
import contextlib
import hashlib
import ssl

import pytest

from rdp_remediate.lab.guests.modelled import ModelledGuest
from rdp_remediate.lab.guests.rdp_front import RdpFront
from rdp_remediate.lab.server import Lab
from tests.lab.wire import Wire

pytestmark = pytest.mark.slow

# X.224 Connection Request that offers TLS and CredSSP (MS-RDPBCGR 2.2.1.1)
REQUEST = bytes.fromhex("030000130ee000000000000100080003000000")
SILENT_S = 0.4


async def dial(lab: Lab, address: str, port: int = 3389) -> str:
    """Returns the answer to the negotiation as hex, `silent` or `refused`."""
    assert lab.endpoints is not None
    loopback = lab.endpoints.ports[address, port]
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", loopback), SILENT_S)
    except TimeoutError:
        return "silent"
    except ConnectionRefusedError:
        return "refused"
    writer.write(REQUEST)
    answer = await asyncio.wait_for(reader.read(64), 2)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return answer.hex()


@pytest.mark.parametrize(
    ("scenario", "public", "private"),
    [
        ("healthy", True, False),  # an Internet client has no way to the private address
        ("fw-rdp-rule-disabled", False, False),
        ("fw-block-all-inbound", False, False),
        ("termservice-stopped", False, False),
        ("rdp-disabled-local", False, False),
        ("nsg-no-allow-rule", False, False),
        ("vm-deallocated", False, False),
        ("agent-not-ready", True, False),
    ],
)
async def test_posture(scenario: str, public: bool, private: bool) -> None:
    async with Lab(scenario, runtime=ModelledGuest(), front=RdpFront) as lab:
        for address, answers in ((lab.names.public_address, public), (lab.names.private_address, private)):
            assert (await dial(lab, address)).startswith("0300") is answers
        assert {m.rsplit(":", 2)[0] for m in lab.connect_to} == {
            f"{lab.names.public_address}:3389",
            f"{lab.names.private_address}:3389",
        }


async def test_a_rule_put_through_arm_opens_the_tcp_endpoint() -> None:
    async with Lab("nsg-no-allow-rule", runtime=ModelledGuest(), front=RdpFront) as lab, Wire(lab) as wire:
        address = lab.names.public_address
        assert await dial(lab, address) == "silent"
        rule = {
            "protocol": "Tcp",
            "access": "Allow",
            "direction": "Inbound",
            "priority": 4000,
            "sourcePortRange": "*",
            "destinationPortRange": "3389",
            "sourceAddressPrefix": "203.0.113.7",
            "destinationAddressPrefix": lab.names.private_address,
        }
        url = f"{lab.names.role_ids['nic_nsg']}/securityRules/Open"
        made = await wire.send("PUT", url, {"properties": rule})
        await lab.operations.find(made.headers["x-ms-request-id"]).task
        assert (await dial(lab, address)).startswith("0300")
        gone = await wire.send("DELETE", url)
        await lab.operations.find(gone.headers["x-ms-request-id"]).task
        assert await dial(lab, address) == "silent"


async def test_the_certificate_on_the_wire_is_the_one_that_the_guest_names() -> None:
    async with Lab("healthy", runtime=ModelledGuest(), front=RdpFront) as lab:
        assert lab.endpoints is not None
        guest = lab.world.guests[lab.vm_id.lower()]
        [entry] = guest["certificates"]["LocalMachine\\Remote Desktop"]
        port = lab.endpoints.ports[lab.names.public_address, 3389]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        await reader.readexactly(19)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await writer.start_tls(context)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert hashlib.sha1(shown).hexdigest().upper() == entry["thumbprint"]  # noqa: S324 - Windows' name for it
        writer.transport.abort()


async def test_a_moved_port_gets_an_endpoint_of_its_own() -> None:
    async with Lab("client-wrong-port", runtime=ModelledGuest(), front=RdpFront) as lab:
        assert await dial(lab, lab.names.public_address, 3389) == "silent"
        assert (await dial(lab, lab.names.public_address, 3390)).startswith("0300")


async def test_a_vantage_comes_from_its_own_address() -> None:
    async with Lab("healthy", runtime=ModelledGuest(), front=RdpFront) as lab:
        assert lab.endpoints is not None
        lab.endpoints.vantages["127.0.0.1"] = "198.51.100.77"  # outside the configured sources
        await lab.world.changed()
        assert await dial(lab, lab.names.public_address) == "silent"
