"""Let the cryptographic services start again that a certificate needs."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
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
        yield Draft(
            kind="service_start",
            target={"service": name},
            expected=service.start_type,
            desired=default,
            title=f"Set the start type of {name} to {default}, its default",
            postcondition=f"{name} has start type {default}",
            opens=blocks,
            always_ask=ask,
        )
        if service.state == "Stopped":
            yield Draft(
                kind="service_state",
                target={"service": name},
                expected=service.state,
                desired="Running",
                title=f"Start {name}",
                postcondition=f"{name} is running",
                opens=blocks,
                always_ask=ask,
            )
