"""Which machine a probe met, and what else it saw there; pure, over the facts of one bundle.

The certificate outweighs the NTLM name: a TLS handshake proves that the peer holds the certificate's key, while a device that
terminates TLS passes the name on unchanged.
"""

from dataclasses import dataclass
from enum import StrEnum

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.probes import ProbeFact
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.probe_words import FINDINGS, INTERCEPTION, POSSIBLE_INTERCEPTION

_JUDGED_HERE = ("cert_changed", "other_machine_answered")
"""Findings that compare with what the VM is known to be: the bundle knows more of that than the probe did."""


class Met(StrEnum):
    """Which machine answered."""

    OWN = "own"
    INTERCEPTED = "intercepted"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Identity:
    """Which machine answered, and how that is known, in words that go on after "the VM's own"."""

    met: Met
    how: str


def identify(facts: Facts, probe: ProbeFact) -> Identity:
    """Says which machine answered a probe."""
    guests = _guest_thumbprint(facts)
    if probe.thumbprint and guests == probe.thumbprint:
        return Identity(Met.OWN, f"certificate {probe.thumbprint[:8]}… is the guest's")
    own = None if isinstance(facts.vm, Unavailable) else facts.vm.value.computer_name
    if not probe.computer_name or not own:
        return Identity(Met.UNKNOWN, "")
    if _name(probe.computer_name) != _name(own):
        return Identity(Met.OTHER, f"its NTLM computer name is {probe.computer_name}, the VM's is {own}")
    if probe.thumbprint and guests:
        changed = f"certificate {probe.thumbprint[:8]}… is not the guest's {guests[:8]}…"
        return Identity(Met.UNKNOWN if _looks_own(probe) else Met.INTERCEPTED, changed)
    if _foreign(probe):
        return Identity(Met.UNKNOWN, "its certificate names another computer, and the guest's own is not known")
    return Identity(Met.OWN, f"NTLM computer name {probe.computer_name} is the VM's")


def remarks(facts: Facts, probe: ProbeFact) -> tuple[str, ...]:
    """What a probe saw beyond its outcome, in sentences; none of it changes the verdict."""
    said = []
    met = identify(facts, probe)
    nla = probe.selected in ("nla", "nla_ex")
    if met.met is Met.INTERCEPTED:
        said.append(INTERCEPTION if nla else f"Something on the way terminates TLS: {met.how}.")
    elif met.met is Met.OTHER:
        said.append(f"{FINDINGS['other_machine_answered']} {met.how[0].upper()}{met.how[1:]}.")
    elif met.met is Met.UNKNOWN and _foreign(probe) and nla:
        said.append(POSSIBLE_INTERCEPTION)
    guests = _guest_thumbprint(facts)
    if probe.thumbprint and guests and guests != probe.thumbprint:
        issuer = f", issued by {probe.issuer}" if probe.issuer and not probe.self_issued else ""
        said.append(
            f"The certificate {probe.thumbprint[:8]}…{issuer} is not the one that Windows uses ({guests[:8]}…)."
        )
    return tuple([*said, *(FINDINGS[one] for one in probe.findings if one in FINDINGS and one not in _JUDGED_HERE)])


def _guest_thumbprint(facts: Facts) -> str | None:
    certificate = facts.guest.certificate
    if isinstance(certificate, Unavailable) or not certificate.value.bound_thumbprint:
        return None
    return certificate.value.bound_thumbprint.upper()


def _looks_own(probe: ProbeFact) -> bool:
    """Whether the certificate is one that the VM may just have made for itself: Windows renews its own."""
    return probe.self_issued is True and "cert_name_not_ntlm_name" not in probe.findings


def _foreign(probe: ProbeFact) -> bool:
    """Whether a certification authority issued the certificate for another name than the computer's."""
    return probe.self_issued is False and "cert_name_not_ntlm_name" in probe.findings


def _name(text: str) -> str:
    """Computer names compare lower-cased, first label, first 15 characters (rdp-probe.md 1.3)."""
    return text.split(".", 1)[0].lower()[:15]
