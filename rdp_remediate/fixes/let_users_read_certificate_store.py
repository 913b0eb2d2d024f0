"""Let Remote Desktop Users read the RDP certificates."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("rdp-cert-registry-acl",), layer="guest", order=35, permissions=RUN_COMMAND)
def let_users_read_certificate_store(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Let Remote Desktop Users read the registry key of the RDP certificates, which hold no secret.

    Changes: one entry in the access list of SystemCertificates\\Remote Desktop\\Certificates.
    Undo: takes that entry out again.
    Refuses when: never by itself; the list was changed by somebody, so a person decides.
    """
    del facts
    acl = str(findings[0].evidence["acl"])
    yield Draft(
        kind="certificate_store_acl",
        target={"key": r"SystemCertificates\Remote Desktop\Certificates"},
        expected=acl,
        desired=f"{acl}(A;CI;KR;;;RD)",
        title="Let Remote Desktop Users read the registry key of the RDP certificates",
        postcondition="Remote Desktop Users may read the key",
        risk=Risk.SENSITIVE,
        always_ask="somebody took this right away, and it is likely, not surely, what refuses the user",
    )
