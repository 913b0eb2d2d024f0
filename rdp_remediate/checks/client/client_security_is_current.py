"""Is the user's computer new enough for what the VM asks of it?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.client_vantage import NO_CHECK, not_given

# Branch of Windows to the file version with the update for CVE-2018-0886 (Microsoft: "CredSSP encryption oracle remediation").
_PATCHED = {
    (6, 1, 7601): 24117,
    (6, 2, 9200): 22432,
    (6, 3, 9600): 18999,
    (10, 0, 14393): 2248,
    (10, 0, 15063): 1088,
    (10, 0, 16299): 431,
}


@check(hop=Hop.CLIENT, faults=("client-credssp-unpatched", "client-tls-too-old"), requires=("vm_is_running",))
def client_security_is_current(facts: Facts) -> Outcome:
    """The user's computer speaks TLS 1.2 and has the CredSSP update of 2018.

    Why: a server that insists on updated clients refuses the others, and Windows 7 without Remote Desktop Connection 8.0 speaks
        TLS 1.0 only.
    Evidence: the client check's version of Windows and of tspkg.dll, AllowEncryptionOracle of the VM, Schannel 36874 in the VM.
    By hand:
        * client-credssp-unpatched: install the current updates on the user's computer (tspkg.dll is <version>) and restart it. Do not
          set AllowEncryptionOracle to Vulnerable (2) on either side.
        * client-tls-too-old: update the user's computer; Windows 7 needs at least Remote Desktop Connection 8.0 (KB2592687). Do not
          switch TLS 1.0 on in the VM.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/credssp-encryption-oracle-remediation
    """
    if not_given(facts):
        return skipped(NO_CHECK)
    system = need(facts.client).check.system
    if system.os != "windows":
        return skipped("the user's computer is no Windows")
    file = _numbers(system.tspkg_version or "")
    least = _PATCHED.get(file[:3]) if len(file) == 4 else None
    if least is not None and file[3] < least:
        oracle = need(facts.guest.registry_number(r"SYS\CredSSP\Parameters\AllowEncryptionOracle"))
        if oracle == 0:
            return failed(
                "client-credssp-unpatched",
                f"The user's computer lacks the CredSSP update (tspkg.dll {system.tspkg_version}), and the VM admits updated clients only.",
                confidence=Confidence.LIKELY,
                version=system.tspkg_version,
            )
    windows = _numbers(system.version)
    if windows and windows[:2] <= (6, 1):
        refused = need(facts.guest.logged("Schannel", 36874))
        if refused:
            return failed(
                "client-tls-too-old",
                f"The user's computer is Windows {system.version}, and the VM logged a client whose TLS it does not speak (Schannel "
                "36874).",
                confidence=Confidence.LIKELY,
                version=system.version,
            )
    return passed(f"Windows {system.version} of the user's computer is not known to be refused")


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(part.isascii() and part.isdigit() for part in parts) else ()
