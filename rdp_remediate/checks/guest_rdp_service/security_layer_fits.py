"""Do the security layer, the encryption level and NLA go together?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.rdp_security import listener_setting
from rdp_remediate.models.report import Effect, Hop


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=("security-layer-encryption-inconsistent", "nla-required-with-rdp-layer"),
    requires=("vm_is_running",),
    not_provable=("min-encryption-too-high", "fips-enforced"),
)
def security_layer_fits(facts: Facts) -> Outcome:
    r"""The security layer, the encryption level and NLA of the listener go together.

    Why: NLA (CredSSP) needs TLS, which security layer 0 switches off. TLS with encryption level 1 is no valid pair: Windows
        corrects it at every start (event 1050). Whether a client is too old for an encryption level or for FIPS mode is not seen
        from the server; both are recommended settings and never reported as what stops it.
    Evidence: SecurityLayer, MinEncryptionLevel and UserAuthentication, policy before registry.
    By hand:
        * security-layer-encryption-inconsistent: `Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal
          Server\WinStations\RDP-Tcp' MinEncryptionLevel 2`; where a group policy sets it, `Set client connection encryption level`
          to Client Compatible or High Level.
        * nla-required-with-rdp-layer: in the same key `SecurityLayer` 2 and, if it is 1, `MinEncryptionLevel` 2; where a group policy
          sets it, `Require use of specific security layer` to SSL. TLS 1.2 must be on first.
        * min-encryption-too-high: update the client. The level is not lowered: 3 is recommended.
        * fips-enforced: use a client that is FIPS compliant; whether FIPS mode is needed is the security team's decision.
    See: https://learn.microsoft.com/windows/win32/termserv/win32-tsgeneralsetting
    """
    layer = listener_setting(facts, "SecurityLayer")
    level = listener_setting(facts, "MinEncryptionLevel")
    nla = listener_setting(facts, "UserAuthentication")
    evidence: dict[str, Any] = {"security_layer": layer.value, "encryption_level": level.value, "nla": nla.value}
    if layer.value == 0 and nla.value == 1:
        return failed(
            "nla-required-with-rdp-layer",
            "NLA is required, but the security layer is RDP (0), which has no TLS for it.",
            Effect.BLOCKS,
            **evidence,
        )
    if layer.value == 2 and level.value == 1:
        return failed(
            "security-layer-encryption-inconsistent",
            "TLS is required (SecurityLayer 2) together with encryption level 1; Windows corrects that at every start.",
            Effect.DEGRADES,
            **evidence,
        )
    return passed("security layer, encryption level and NLA go together", **evidence)
