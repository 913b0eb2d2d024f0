"""The probe against xrdp and freerdp-shadow: every field is compared with another program's reading."""

import re
import subprocess
from pathlib import Path

import pytest

from rdp_remediate.probe import x224
from rdp_remediate.probe.attempt import Attempt
from rdp_remediate.probe.outcome import Outcome, ProbeVerdict, Stage
from rdp_remediate.probe.prober import Prober
from rdp_remediate.probe.result import Identity, ProbeFinding, ProbeResult
from rdp_remediate.probe.target import ProbeTarget
from rdp_remediate.probe.times import ProbeTimes
from tests.probe.certificates import ServerIdentity
from tests.probe.conftest import ShadowServers, XrdpServers
from tests.probe.real_servers import LOOPBACK, RealServer, find

# Real servers share two cores with everything else that runs: a bad answer still has to be bad within these times.
TIMES = ProbeTimes(confirm_delay_s=0.05)


async def probe(server: RealServer, thumbprints: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> ProbeResult:
    target = ProbeTarget(
        LOOPBACK,
        server.port,
        expected_thumbprints=thumbprints,
        expected_computer_names=names,
        ask_nla_required=True,
    )
    return await Prober(TIMES).probe(target)


@pytest.mark.parametrize("layer", ["negotiate", "tls"])
async def test_xrdp_with_tls_is_ok_without_nla(xrdp_servers: XrdpServers, identity: ServerIdentity, layer: str) -> None:
    result = await probe(xrdp_servers.get(layer, layer=layer), thumbprints=(identity.sha1,))
    assert (result.outcome, result.verdict) == (Outcome.TLS_OK, ProbeVerdict.OK)
    assert (result.selected, result.tls_version) == ("tls", "TLSv1.3")
    assert result.handshake
    assert result.cert is not None
    assert (result.cert.sha1, result.cert.sha256) == (identity.sha1, identity.sha256)
    assert result.identity is Identity.OWN
    assert result.findings == (ProbeFinding.NO_NLA,)
    assert result.nla_required is False
    assert result.ntlm is None
    assert (result.peer, result.source, result.attempts) == (LOOPBACK, LOOPBACK, 1)


@pytest.mark.parametrize(("name", "layer", "files"), [("rdp", "rdp", "good"), ("no-certificate", "negotiate", "none")])
async def test_xrdp_without_tls_is_standard_rdp(xrdp_servers: XrdpServers, name: str, layer: str, files: str) -> None:
    result = await probe(xrdp_servers.get(name, layer=layer, files=files))
    assert (result.outcome, result.verdict) == (Outcome.STANDARD_RDP, ProbeVerdict.DEGRADED)
    assert result.x224_answered
    assert not result.handshake
    assert (result.selected, result.cert, result.identity) == ("rdp", None, Identity.UNKNOWN)
    assert result.findings == (ProbeFinding.NO_NLA,)


async def test_xrdp_with_an_expired_certificate(xrdp_servers: XrdpServers, expired_identity: ServerIdentity) -> None:
    result = await probe(xrdp_servers.get("expired", files="expired"))
    assert result.outcome is Outcome.TLS_OK
    assert result.findings == (ProbeFinding.CERT_EXPIRED, ProbeFinding.NO_NLA)
    assert result.cert is not None
    assert result.cert.contents is not None
    assert result.cert.contents.not_after == expired_identity.certificate.not_valid_after_utc
    assert result.to_json()["cert"]["days_left"] == pytest.approx(-30, abs=0.2)


async def test_xrdp_with_tls_12_only(xrdp_servers: XrdpServers) -> None:
    result = await probe(xrdp_servers.get("tls12", protocols="TLSv1.2"))
    assert (result.outcome, result.tls_version) == (Outcome.TLS_OK, "TLSv1.2")
    assert ProbeFinding.LEGACY_TLS not in result.findings


async def test_xrdp_with_legacy_tls_is_read_and_reported(xrdp_servers: XrdpServers) -> None:
    server = xrdp_servers.get("tls11", protocols="TLSv1, TLSv1.1", extra="tls_ciphers=ALL:@SECLEVEL=0")
    result = await probe(server)
    assert (result.outcome, result.tls_version) == (Outcome.TLS_OK, "TLSv1.1")
    assert result.findings == (ProbeFinding.LEGACY_TLS, ProbeFinding.NO_NLA)


def openssl_sha1(certificate_file: Path) -> str:
    command = [find("openssl"), "x509", "-noout", "-fingerprint", "-sha1", "-in", str(certificate_file)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return output.strip().split("=", 1)[1].replace(":", "")


async def test_shadow_with_nla(shadow_nla: RealServer) -> None:
    own_file = shadow_nla.directory / ".config/freerdp/shadow/shadow.crt"
    thumbprint = openssl_sha1(own_file)
    result = await probe(shadow_nla, thumbprints=(thumbprint,))
    assert (result.outcome, result.verdict, result.stage) == (Outcome.NLA_OK, ProbeVerdict.OK, Stage.CREDSSP)
    assert result.selected == "nla"
    assert result.nla_required is True
    assert result.cert is not None
    assert result.cert.sha1 == thumbprint
    assert result.identity is Identity.OWN
    assert result.findings == ()
    assert result.ntlm is not None
    assert result.credssp_version == 6
    # FreeRDP cuts its clock to whole seconds: it may be up to one second behind, never ahead.
    assert result.clock_skew_s is not None
    assert result.clock_uncertainty_s is not None
    assert -1.5 < result.clock_skew_s < 0.5
    assert abs(result.clock_skew_s) <= result.clock_uncertainty_s


async def test_shadow_names_are_what_nmap_reads(shadow_nla: RealServer) -> None:
    result = await probe(shadow_nla)
    command = [find("nmap"), "-Pn", "-n", "-p", str(shadow_nla.port), "--script", "+rdp-ntlm-info", LOOPBACK]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    read = dict(re.findall(r"^\|[ _]\s+(\w+): (.*)$", output, flags=re.MULTILINE))
    assert result.ntlm is not None
    assert read["Target_Name"] == result.ntlm.target_name
    assert read["NetBIOS_Computer_Name"] == result.ntlm.nb_computer
    assert read["NetBIOS_Domain_Name"] == result.ntlm.nb_domain
    assert read["DNS_Computer_Name"] == result.ntlm.dns_computer
    assert read["DNS_Domain_Name"] == result.ntlm.dns_domain
    assert read["Product_Version"] == result.ntlm.product_version


async def test_shadow_with_another_name_expected_is_another_machine(shadow_nla: RealServer) -> None:
    result = await probe(shadow_nla, names=("some-other-vm",))
    assert result.identity is Identity.OTHER
    assert ProbeFinding.OTHER_MACHINE_ANSWERED in result.findings
    assert result.verdict is ProbeVerdict.OK


async def test_shadow_with_tls_only(shadow_servers: ShadowServers) -> None:
    result = await probe(shadow_servers.get("tls", "/sec:tls", "-auth"))
    assert (result.outcome, result.selected) == (Outcome.TLS_OK, "tls")
    assert result.findings == (ProbeFinding.NO_NLA,)
    assert result.nla_required is False


async def test_shadow_with_standard_rdp_refuses_tls(shadow_servers: ShadowServers) -> None:
    result = await probe(shadow_servers.get("rdp", "/sec:rdp", "-auth"))
    assert (result.outcome, result.verdict) == (Outcome.STANDARD_RDP, ProbeVerdict.DEGRADED)
    assert result.neg_failure == "SSL_NOT_ALLOWED_BY_SERVER"
    assert result.x224_answered
    assert not result.handshake
    assert result.nla_required is None


async def test_shadow_that_refuses_everything(shadow_servers: ShadowServers) -> None:
    result = await probe(shadow_servers.get("ext", "/sec:ext", "-auth"))
    assert (result.outcome, result.verdict) == (Outcome.NEG_FAILURE_OTHER, ProbeVerdict.DEGRADED)
    assert result.neg_failure == "SSL_REQUIRED_BY_SERVER"
    assert (result.attempts, result.findings) == (1, ())


async def test_shadow_left_to_itself_takes_tls(shadow_servers: ShadowServers) -> None:
    result = await probe(shadow_servers.get("negotiate"))
    assert (result.outcome, result.selected, result.nla_required) == (Outcome.TLS_OK, "tls", False)


@pytest.mark.parametrize(
    ("offered", "neg_failure"),
    [(x224.SecurityProtocol.SSL, "HYBRID_REQUIRED_BY_SERVER"), (x224.SecurityProtocol(0), "HYBRID_REQUIRED_BY_SERVER")],
)
async def test_shadow_that_insists_on_nla_refuses_less(
    shadow_nla: RealServer, offered: x224.SecurityProtocol, neg_failure: str
) -> None:
    result = await Attempt(LOOPBACK, shadow_nla.port, TIMES, offered=offered).run()
    assert (result.outcome, result.neg_failure) == (Outcome.NEG_FAILURE_OTHER, neg_failure)


async def test_xrdp_disconnects_in_place_of_an_answer_that_it_does_not_have(xrdp_servers: XrdpServers) -> None:
    server = xrdp_servers.get("tls", layer="tls")
    result = await Attempt(LOOPBACK, server.port, TIMES, offered=x224.SecurityProtocol.RDSAAD).run()
    assert (result.outcome, result.verdict, result.x224_answered) == (Outcome.X224_REFUSED, ProbeVerdict.DEGRADED, True)


async def test_what_nmap_takes_for_nla_on_standard_rdp_is_not_taken_for_it_here(xrdp_servers: XrdpServers) -> None:
    # nmap's rdp-enum-encryption counts any negotiation response as success; what was selected has to be read.
    result = await Attempt(
        LOOPBACK, xrdp_servers.get("rdp", layer="rdp").port, TIMES, offered=x224.SecurityProtocol.HYBRID
    ).run()
    assert (result.outcome, result.selected) == (Outcome.STANDARD_RDP, "rdp")
