"""Does Windows keep the self-signed RDP certificate where it looks for it?"""

import re

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.rdp_security import rdp_layer_serves
from rdp_remediate.models.fact import Reason
from rdp_remediate.models.report import Effect, Hop

STORE = r"TS\WinStations\SelfSignedCertStore"
PROGRAM_DATA = r"CV\ProfileList\ProgramData"
_USUAL_FOLDER = re.compile(r"(%SystemDrive%|[A-Z]:)\\ProgramData\\?", re.IGNORECASE)


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("cert-store-setting-wrong",), requires=("vm_is_running",))
def certificate_settings_are_usual(facts: Facts) -> Outcome:
    r"""Windows keeps the self-signed RDP certificate in the store Remote Desktop and its key in ProgramData.

    Why: with another store or folder set, the certificate is not found again or not made anew.
    Evidence: SelfSignedCertStore, ProfileList\ProgramData and whether the listener has a certificate.
    By hand:
        * cert-store-setting-wrong: `Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations'
          SelfSignedCertStore 'Remote Desktop'; Set-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList'
          ProgramData '%SystemDrive%\ProgramData' -Type ExpandString; Restart-Service SessionEnv -Force`. They were <store> and
          <folder>. If no certificate appears, restart TermService, which disconnects sessions.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/internal-error-has-occurred-connecting-remote-machine
    """
    store = need(facts.guest.registry_value(STORE))
    folder = need(facts.guest.registry_value(PROGRAM_DATA))
    if not isinstance(store, str | None) or not isinstance(folder, str | None):
        return unknown("The store or the folder of the certificate is no text.", Reason.MALFORMED)
    wrong = [
        name
        for name, bad in (
            ("SelfSignedCertStore", store is not None and store.strip().lower() != "remote desktop"),
            ("ProgramData", folder is not None and not _USUAL_FOLDER.fullmatch(folder.strip())),
        )
        if bad
    ]
    if not wrong:
        return passed("store and folder of the certificate are the usual ones")
    missing = need(facts.guest.certificate).bound_thumbprint is None
    return failed(
        "cert-store-setting-wrong",
        f"{' and '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not where Windows keeps the RDP certificate.",
        Effect.BLOCKS if missing and not rdp_layer_serves(facts) else Effect.DEGRADES,
        store=store,
        folder=folder,
    )
