"""What only the user's own screen or registry shows."""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop


@check(
    hop=Hop.CLIENT,
    faults=(),
    not_provable=(
        "client-encryption-below-server",
        "client-udp-transport",
        "client-license-store-corrupt",
        "client-audio-first-try-hang",
    ),
)
def client_settings_fit(facts: Facts) -> Outcome:
    r"""The user's RDP client has no fault of its own.

    Why: weak encryption, a half-open UDP path, a broken licence store and a hanging audio service stop one client only.
    Evidence: none that is read. What encryption the client offers, the client's licence store and the transport of a session are
    not collected, and a first try that hangs leaves no event; so none of these is ever reported as found.
    By hand:
        * client-encryption-below-server: update the client. Lower MinEncryptionLevel of the VM only with the security team's leave.
        * client-udp-transport: connect once with `Turn Off UDP On Client` enabled in the client's group policy (Remote Desktop Connection
          Client). If the session then stays, have UDP on the RDP port allowed all the way, or keep the policy.
        * client-license-store-corrupt: on the client export `HKLM\SOFTWARE\Microsoft\MSLicensing` with `reg export`, delete it, and start
          mstsc once as administrator, which makes it anew.
        * client-audio-first-try-hang: connect with Remote audio set to `Do not play`. If the first try then works, its audio service hangs;
          stopping it in the VM takes audio from all users.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/troubleshoot-remote-desktop-disconnected-errors
    """
    del facts
    return skipped("not provable: the client's own settings are not read")
