"""Let TermService read the private key of its certificate."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(
    faults=("cert-machinekeys-acl", "cert-custom-private-key-acl"),
    layer="guest",
    order=33,
    permissions=RUN_COMMAND,
)
def let_term_service_read_its_key(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Let NETWORK SERVICE, as which TermService runs, read the one key file of its certificate.

    Changes: one entry in the access list of that file, then one restart of TermService, which is when it opens the key.
    Undo: takes that entry out again.
    Refuses when: the list denies somebody something, or it is the MachineKeys folder whose permissions are gone.
    """
    del facts
    acl = findings[0].evidence.get("acl")
    path = findings[0].evidence.get("key_file")
    if not path:
        yield Refused("by_hand", "The permissions of the MachineKeys folder are restored by hand, with a saved copy.")
        return
    if not acl or "(D;" in str(acl) or "(XD;" in str(acl):
        yield Refused("denied_on_purpose", "The access list of the key denies somebody; its owner decides.")
        return
    yield Draft(
        kind="key_acl",
        target={"path": str(path)},
        expected=str(acl),
        desired=f"{acl}(A;;FR;;;NS)",
        title="Let NETWORK SERVICE read the private key of the RDP certificate",
        postcondition="NETWORK SERVICE may read the key file",
        risk=Risk.SENSITIVE,
        always_ask="it changes who may read a private key",
        restart=True,
    )
