"""Name Windows' own store for the self-signed certificate."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

_OWN = "Remote Desktop"
_STORE = r"TS\WinStations\SelfSignedCertStore"


@fix(faults=("cert-store-setting-wrong",), layer="guest", order=35, permissions=RUN_COMMAND)
def restore_certificate_store(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Set SelfSignedCertStore to Remote Desktop.

    Changes: TS\WinStations\SelfSignedCertStore.
    Undo: writes the recorded value back.
    Refuses when: ProgramData was moved; other programs may rely on that, so it is by hand.
    """
    store, folder = findings[0].evidence.get("store"), str(findings[0].evidence.get("folder") or "")
    if folder and not folder.rstrip("\\").lower().endswith(r":\programdata"):
        yield Refused("by_hand", findings[0].by_hand or "ProgramData was moved.", "the owner of the image")
    if store is None or str(store).strip().lower() == _OWN.lower():
        return
    yield Draft(
        kind="registry",
        target={"path": _STORE},
        expected=need(facts.guest.registry_value(_STORE)),
        desired=_OWN,
        title=f"Set SelfSignedCertStore to {_OWN}",
        postcondition=f"SelfSignedCertStore is {_OWN}",
        risk=Risk.SENSITIVE,
        always_ask="somebody chose another store for the RDP certificate",
    )
