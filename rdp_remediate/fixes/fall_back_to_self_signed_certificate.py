"""Let the listener use its self-signed certificate where the chosen one is gone."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import BROKER_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("cert-custom-thumbprint-missing",), layer="guest", order=35, permissions=RUN_COMMAND)
def fall_back_to_self_signed_certificate(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Remove the binding to a certificate that is in no store, so that Windows uses its self-signed one.

    Changes: RT\SSLCertificateSHA1Hash, then one restart of TermService.
    Undo: writes the recorded thumbprint back.
    Refuses when: this is an RD Connection Broker, whose certificate is the farm's, or the bound certificate is there but expired.
    """
    bound = findings[0].evidence.get("bound")
    if bound is None:
        yield Refused("by_hand", "The bound certificate is there but expired; its owner renews it.", "the PKI team")
        return
    if need(facts.guest.service(BROKER_SERVICE)) is not None:
        yield Refused("by_hand", findings[0].by_hand or "This is an RD Connection Broker.", "the owner of the farm")
        return
    yield Draft(
        kind="listener_certificate",
        target={"listener": "RDP-Tcp"},
        expected=str(bound),
        desired=None,
        title="Remove the binding to the missing certificate",
        postcondition="RDP is bound to no certificate by hand",
        risk=Risk.DISRUPTIVE,
        always_ask="a certificate policy may demand the missing certificate; its owner may rather install it again",
        restart=True,
    )
