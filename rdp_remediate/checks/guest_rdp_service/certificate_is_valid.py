"""Has the listener a certificate that is valid and the one that is bound?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.rdp_security import rdp_layer_serves
from rdp_remediate.models.fact import Reason
from rdp_remediate.models.report import Confidence, Effect, Hop

BINDING = r"RT\SSLCertificateSHA1Hash"


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=("cert-self-signed-expired-or-missing", "cert-custom-thumbprint-missing"),
    requires=("vm_is_running",),
)
def certificate_is_valid(facts: Facts) -> Outcome:
    r"""The listener has a valid certificate, and the bound one if one is bound.

    Why: without any certificate TLS fails. An expired self-signed one makes clients warn or refuse; Windows renews it when
        SessionEnv runs and keys can be made. A bound thumbprint that is in no store makes Windows use its own certificate (event
        1051) or reset the setting (1059). A bound certificate that is valid is no fault, whoever issued it.
    Evidence: SSLCertificateSHA1Hash; the certificates of the stores Remote Desktop and My.
    By hand:
        * cert-self-signed-expired-or-missing: see first that MachineKeys has its permissions, or no new one can be made. Note the old
          thumbprint <thumbprint>, then `Get-ChildItem 'Cert:\LocalMachine\Remote Desktop' | Where-Object NotAfter -lt (Get-Date) |
          Remove-Item; Restart-Service SessionEnv -Force`. If no new one appears `Restart-Service TermService -Force`, which
          disconnects sessions. Clients are asked to trust the new one.
        * cert-custom-thumbprint-missing: bind a valid certificate of LocalMachine\My: `Get-CimInstance -Namespace
          root/cimv2/TerminalServices Win32_TSGeneralSetting -Filter "TerminalName='RDP-Tcp'" | Set-CimInstance -Property
          @{SSLCertificateSHA1Hash = '<new>'}`. Or remove SSLCertificateSHA1Hash of RDP-Tcp, so that the self-signed one is used:
          never on a connection broker, and ask whether a certificate of the company is mandatory.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/remote-desktop-listener-certificate-configurations
    """
    bound = need(facts.guest.registry_value(BINDING))
    seen = need(facts.guest.certificate)
    if bound is not None and not isinstance(bound, dict):
        return unknown(f"SSLCertificateSHA1Hash is no binary value: {bound!r}"[:160], Reason.MALFORMED)
    wanted = bound["Binary"].upper() if bound and bound.get("Binary") else None
    serves = rdp_layer_serves(facts)
    if seen.bound_thumbprint is None or seen.not_after is None:
        return failed(
            "cert-self-signed-expired-or-missing",
            "The listener has no certificate: TLS fails.",
            Effect.DEGRADES if serves else Effect.BLOCKS,
            Confidence.LIKELY,
        )
    if wanted and not seen.custom:
        return failed(
            "cert-custom-thumbprint-missing",
            "The certificate that is bound to the listener is in no store of this computer.",
            Effect.DEGRADES,
            bound=wanted,
            used=seen.bound_thumbprint,
        )
    expired = seen.not_after < facts.at
    evidence: dict[str, Any] = {"thumbprint": seen.bound_thumbprint, "not_after": seen.not_after.isoformat()}
    if expired and seen.custom:
        return failed(
            "cert-custom-thumbprint-missing",
            f"The certificate that is bound to the listener expired on {seen.not_after:%Y-%m-%d}.",
            Effect.DEGRADES,
            **evidence,
        )
    if expired:
        return failed(
            "cert-self-signed-expired-or-missing",
            f"The self-signed certificate expired on {seen.not_after:%Y-%m-%d}; some clients refuse it.",
            Effect.DEGRADES,
            **evidence,
        )
    return passed("the certificate is valid", **evidence)
