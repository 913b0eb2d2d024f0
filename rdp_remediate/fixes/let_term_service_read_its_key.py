"""Let TermService read the private key of its certificate."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

FOLDER_ENTRY = "(A;;0x12019f;;;WD)"
"""Everyone may make files in MachineKeys and read the folder, not other accounts' keys: Windows' default entry."""


@fix(
    faults=("cert-machinekeys-acl", "cert-custom-private-key-acl"),
    layer="guest",
    order=33,
    permissions=RUN_COMMAND,
)
def let_term_service_read_its_key(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Let NETWORK SERVICE, as which TermService runs, read the one key file of its certificate.

    Changes: one entry in the access list of that file or of the MachineKeys folder, then one restart of TermService, which is
        when it opens the key.
    Undo: takes that entry out again.
    Refuses when: the list denies somebody something, and its owner decides.
    """
    del facts
    acl = findings[0].evidence.get("acl")
    path = findings[0].evidence.get("key_file")
    if not acl or "(D;" in str(acl) or "(XD;" in str(acl):
        yield Refused("denied_on_purpose", "The access list of the key denies somebody; its owner decides.")
        return
    if not path:
        yield Draft(
            kind="key_acl",
            target={"path": "MachineKeys"},
            expected=str(acl),
            desired=f"{acl}{FOLDER_ENTRY}",
            title="Let every account put keys of its own into the MachineKeys folder again, as Windows has it",
            postcondition="the MachineKeys folder has its usual entry for everyone",
            risk=Risk.SENSITIVE,
            always_ask="it changes the access list of the folder of private keys",
            restart=True,
        )
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
