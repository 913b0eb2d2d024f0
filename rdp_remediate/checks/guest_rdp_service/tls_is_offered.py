"""Is a version of TLS left for the listener?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.rdp_security import rdp_layer_serves, tls_versions
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("tls-server-protocols-disabled",), requires=("vm_is_running",))
def tls_is_offered(facts: Facts) -> Outcome:
    r"""Windows offers clients TLS 1.2 or later.

    Why: when every version is switched off for servers, TermService can make no TLS credential (Schannel 36871, state 10013) and
        clients end with an internal error. TLS 1.0 and 1.1 off with 1.2 on is the desired state.
    Evidence: the SCHANNEL protocol keys; a key that is not there is Windows' default, where TLS 1.2 is on.
    By hand:
        * tls-server-protocols-disabled: `$key = 'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS
          1.2\Server'; Set-ItemProperty $key Enabled 1 -Type DWord; Set-ItemProperty $key DisabledByDefault 0 -Type DWord`, then
          restart the VM. Leave TLS 1.0 and 1.1 off. Only afterwards set SecurityLayer 2 and UserAuthentication 1 where an old
          workaround had lowered them. Who switched TLS off, such as a security baseline, must know.
    See: https://learn.microsoft.com/windows-server/security/tls/tls-registry-settings
    """
    versions = tls_versions(facts)
    evidence: dict[str, Any] = {f"tls_{version.replace('.', '_')}": offered for version, offered in versions.items()}
    if versions["1.2"] or versions["1.3"]:
        return passed("TLS 1.2 or later is offered", **evidence)
    old = [versions["1.0"], versions["1.1"]]
    if any(offered is not False for offered in old):
        return unknown(
            "TLS 1.2 and 1.3 are off; an older version may be left, so whether a client connects depends on the client.",
            "guest.registry",
            **evidence,
        )
    workaround = rdp_layer_serves(facts)
    return failed(
        "tls-server-protocols-disabled",
        "Every version of TLS is switched off for servers"
        + ("; RDP answers only because TLS and NLA are off in the listener." if workaround else "."),
        Effect.DEGRADES if workaround else Effect.BLOCKS,
        **evidence,
    )
