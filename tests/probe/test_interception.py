"""A middlebox that terminates TLS in front of a real NLA server: service up, logons would fail."""

import asyncio
import ssl
from pathlib import Path

from rdp_remediate.probe.outcome import Outcome, ProbeVerdict
from rdp_remediate.probe.prober import Prober
from rdp_remediate.probe.result import Identity, ProbeFinding, ProbeResult
from rdp_remediate.probe.target import ProbeTarget
from rdp_remediate.probe.times import ProbeTimes
from tests.probe.certificates import make_identity
from tests.probe.peers import LOOPBACK, Handler, read_request, serving
from tests.probe.real_servers import RealServer

TIMES = ProbeTimes(confirm_delay_s=0.05)


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def intercepting(upstream_port: int, context: ssl.SSLContext) -> Handler:
    """A relay that passes X.224 on and speaks TLS of its own on both sides."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(LOOPBACK, upstream_port)
        try:
            server_writer.write(await read_request(reader))
            answer = await read_request(server_reader)
            await server_writer.start_tls(client_context())
            writer.write(answer)
            await writer.start_tls(context)
            await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))
        finally:
            server_writer.transport.abort()

    return handle


async def probe_through(context: ssl.SSLContext, server: RealServer, names: tuple[str, ...]) -> ProbeResult:
    direct = await Prober(TIMES).probe(ProbeTarget(LOOPBACK, server.port))
    assert direct.cert is not None
    async with serving(intercepting(server.port, context)) as relay:
        target = ProbeTarget(
            LOOPBACK, relay.port, expected_thumbprints=(direct.cert.sha1,), expected_computer_names=names
        )
        return await Prober(TIMES).probe(target)


async def computer_name(server: RealServer) -> str:
    result = await Prober(TIMES).probe(ProbeTarget(LOOPBACK, server.port))
    assert result.ntlm is not None
    assert result.ntlm.nb_computer is not None
    return result.ntlm.nb_computer


async def test_interception_shows_in_the_certificate_only(shadow_nla: RealServer, tmp_path: Path) -> None:
    name = await computer_name(shadow_nla)
    context = make_identity("inspection.example", issuer="Inspection CA").server_context(tmp_path)
    result = await probe_through(context, shadow_nla, (name,))
    assert (result.outcome, result.verdict) == (Outcome.NLA_OK, ProbeVerdict.OK)
    assert result.ntlm is not None
    assert result.ntlm.nb_computer == name
    assert result.identity is Identity.INTERCEPTED
    assert result.findings == (
        ProbeFinding.CERT_CHANGED,
        ProbeFinding.CERT_NAME_NOT_NTLM_NAME,
        ProbeFinding.CERT_ISSUED_BY_CA,
    )


async def test_interception_under_the_servers_name_is_still_seen(shadow_nla: RealServer, tmp_path: Path) -> None:
    name = await computer_name(shadow_nla)
    context = make_identity(name, issuer="Inspection CA").server_context(tmp_path)
    result = await probe_through(context, shadow_nla, (name,))
    assert result.identity is Identity.INTERCEPTED
    assert result.findings == (ProbeFinding.CERT_CHANGED, ProbeFinding.CERT_ISSUED_BY_CA)
