"""Is the code inside TermService Microsoft's?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import TAMPERED, is_own_dll, remote_desktop_item, service_dll
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("termservice-dll-tampered",), requires=("vm_is_running",))
def term_service_loads_its_own_code(facts: Facts) -> Outcome:
    r"""TermService loads the termsrv.dll that Microsoft signed.

    Why: tools that lift the session limit (RDP Wrapper) put another DLL in its place or patch it, and crash after the next
    update; a foreign DLL in a service that takes passwords may as well be an attack. It is never replaced unattended.
    Evidence: ServiceDll of TermService, the signature of System32\termsrv.dll. A signature that could not be looked up (not
    signed, because the catalogs could not be read) proves nothing.
    By hand:
        * termservice-dll-tampered: have the machine looked at first, it may be compromised. Then
          `reg add HKLM\SYSTEM\CurrentControlSet\Services\TermService\Parameters /v ServiceDll /t REG_EXPAND_SZ /d
          "%SystemRoot%\System32\termsrv.dll" /f`, `sfc /scannow`, restart; it was <dll>.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-remote-desktop-services-issues
    """
    dll = need(service_dll(facts.guest))
    service = need(facts.guest.service(TERM_SERVICE))
    effect = Effect.RISK if service is not None and service.state == "Running" else Effect.BLOCKS
    if not is_own_dll(dll):
        return failed("termservice-dll-tampered", f"TermService loads {dll} instead of termsrv.dll.", effect, dll=dll)
    signature = remote_desktop_item(facts.guest, "file_signature").file_signature
    if signature == TAMPERED:
        return failed(
            "termservice-dll-tampered",
            "termsrv.dll is not what Microsoft signed: its contents were changed.",
            effect,
            dll=dll,
            signature=signature,
        )
    if signature is not None:
        return unknown(
            f"The signature of termsrv.dll could not be confirmed ({signature}).", because="guest.remote_desktop"
        )
    return passed("ServiceDll is termsrv.dll, and its signature is valid", dll=dll)
