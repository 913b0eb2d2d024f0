"""Let the cryptographic services start again that a certificate needs."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Yielded, fix
from rdp_remediate.fixes.service_steps import service_steps
from rdp_remediate.models.report import Effect, Finding

_DEFAULTS = {"CryptSvc": "Auto", "KeyIso": "Manual", "CertPropSvc": "Manual"}
_MAY_BE_MEANT = {"CertPropSvc": "RDP has its certificate, and without smart cards CertPropSvc may be off on purpose"}


@fix(faults=("crypto-services-down",), layer="guest", order=23, permissions=RUN_COMMAND, closed_by=("service",))
def start_crypto_services(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Give CryptSvc, KeyIso and CertPropSvc their default start types where they are disabled, and start them.

    Changes: their start types from Disabled to Automatic (CryptSvc) or Manual; their states to Running.
    Undo: stops them and puts the recorded start types back.
    Refuses when: never by itself.
    """
    blocks = findings[0].effect is Effect.BLOCKS
    for name, default in _DEFAULTS.items():
        service = need(facts.guest.service(name))
        if service is None or service.start_type != "Disabled":
            continue
        ask = None if blocks else _MAY_BE_MEANT.get(name)
        starts = service.state == "Stopped"
        yield from service_steps(name, service, default, start=starts, opens=blocks, always_ask=ask)
