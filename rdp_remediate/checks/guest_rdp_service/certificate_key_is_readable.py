"""May TermService read the private key of the listener's certificate?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unexplained, unknown
from rdp_remediate.facts.certificates import READ, WRITE, network_service_may, system_may
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.facts.rdp_security import rdp_layer_serves
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.guest import CertificateSection
from rdp_remediate.models.report import Confidence, Effect, Hop

RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=("cert-machinekeys-acl", "cert-key-corrupt", "cert-custom-private-key-acl"),
    requires=("vm_is_running",),
)
def certificate_key_is_readable(facts: Facts) -> Outcome:
    r"""TermService may read the private key of its certificate, and Windows may make a new one.

    Why: TermService runs as NETWORK SERVICE. If that may not read the key file every TLS handshake fails (Schannel 36870,
        0x8009030D); for a bound certificate Windows may fall back to its own (event 1055). If nobody may put keys into the
        MachineKeys folder an expired certificate is not replaced (events 1057, 1058). A key file that is damaged does not open
        for anybody, SYSTEM included, though its access list is right; the events alone may be what is left of an old trouble.
    Evidence: the access lists of the key file and of MachineKeys; whether the key opens; events 36870, 1057 and 1058 of the
        last days.
    By hand:
        * cert-machinekeys-acl: first save the lists with `icacls $env:ProgramData\Microsoft\Crypto\RSA\MachineKeys /save
          $env:ProgramData\machinekeys.txt /t /c`. Then on the key file only: `icacls
          $env:ProgramData\Microsoft\Crypto\RSA\MachineKeys\f686aace6942fb7f7ceb231212eef4a4_* /grant *S-1-5-18:F *S-1-5-20:R`, and if
          the folder lost its entries `icacls $env:ProgramData\Microsoft\Crypto\RSA\MachineKeys /grant *S-1-5-32-544:F
          "*S-1-1-0:(R,W)"`. Before any certificate is deleted. Last `Restart-Service SessionEnv -Force; Restart-Service TermService
          -Force`, which disconnects sessions.
        * cert-key-corrupt: export the certificate (`Export-Certificate`), rename the key file (`Rename-Item "<key_file>"
          "<key_name>.old"`), delete the certificate from Cert:\LocalMachine\Remote Desktop and `Restart-Service SessionEnv
          -Force; Restart-Service TermService -Force`, which disconnects sessions: Windows makes a new key and certificate, and
          clients are asked to trust it. Renaming back and `Import-Certificate` take it back. A damaged file may mean a failing disk.
        * cert-custom-private-key-acl: `icacls "<key_file>" /grant *S-1-5-20:R`, then `Restart-Service TermService -Force`, which
          disconnects sessions. Only if that is impossible remove SSLCertificateSHA1Hash of RDP-Tcp, so that the self-signed
          certificate is used; the owner of the certificate decides.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/remote-desktop-listener-certificate-configurations
    """
    read = facts.guest.certificate
    if isinstance(read, Unavailable) and read.reason is Reason.TRUNCATED:
        # An answer without room is longer than usual, as it is when this fault is told: not seen is no proof of a way in.
        return unexplained("The guest's answer had no room for the certificate and its key.")
    seen = need(read)
    if "certificate.key" in facts.guest.items:
        raise UnseenError(facts.guest.items["certificate.key"])
    reads = True if seen.key_acl is None else network_service_may(seen.key_acl, READ)
    writes = True if seen.folder_acl is None else network_service_may(seen.folder_acl, WRITE)
    if reads is None or writes is None:
        return unknown("An access list of the keys is not understood.", Reason.MALFORMED)
    serves = rdp_layer_serves(facts)
    if not reads and seen.custom:
        refused = _logged(facts, "Schannel", 36870)
        return failed(
            "cert-custom-private-key-acl",
            "NETWORK SERVICE may not read the key of the certificate that is bound to the listener.",
            Effect.BLOCKS if refused and not serves else Effect.DEGRADES,
            Confidence.LIKELY,
            acl=seen.key_acl,
            key_file=seen.key_file,
        )
    if not reads:
        return failed(
            "cert-machinekeys-acl",
            "NETWORK SERVICE may not read the key of the RDP certificate: TLS fails.",
            Effect.DEGRADES if serves else Effect.BLOCKS,
            acl=seen.key_acl,
            key_file=seen.key_file,
        )
    if seen.key_error is not None and not seen.custom:
        return _does_not_open(facts, seen, serves)
    if not writes:
        stuck = _logged(facts, RCM, 1057, 1058) or _logged(facts, "Schannel", 36870)
        return failed(
            "cert-machinekeys-acl",
            "The MachineKeys folder lost its permissions: Windows cannot make a new RDP certificate.",
            Effect.BLOCKS if stuck and not serves else Effect.DEGRADES,
            Confidence.LIKELY,
            acl=seen.folder_acl,
        )
    return passed("the key of the certificate is readable and can be made anew")


def _does_not_open(facts: Facts, seen: CertificateSection, serves: bool) -> Outcome:
    if seen.key_acl is None or not system_may(seen.key_acl, READ):
        return unknown(
            f"The key does not open ({seen.key_error}), and its access list may be why.",
            Reason.FORBIDDEN,
            acl=seen.key_acl,
        )
    refused = _logged(facts, "Schannel", 36870) or _logged(facts, RCM, 1057, 1058)
    return failed(
        "cert-key-corrupt",
        f"The key of the RDP certificate does not open ({seen.key_error}), though its access list is right: its file is damaged.",
        Effect.DEGRADES if serves else Effect.BLOCKS,
        Confidence.CONFIRMED if refused else Confidence.LIKELY,
        key_error=seen.key_error,
        key_file=seen.key_file,
        key_name=str(seen.key_file).rsplit("\\", 1)[-1],
    )


def _logged(facts: Facts, provider: str, *ids: int) -> bool:
    """Whether Windows logged one of these; what cannot be seen does not make a finding heavier."""
    found = facts.guest.logged(provider, *ids)
    return not isinstance(found, Unavailable) and bool(found.value)
