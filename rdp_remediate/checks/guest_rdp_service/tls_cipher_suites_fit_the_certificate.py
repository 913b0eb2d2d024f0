"""Can the certificate of the listener be used with the cipher suites that policy leaves?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.rdp_security import rdp_layer_serves, tls_versions
from rdp_remediate.models.fact import Reason
from rdp_remediate.models.report import Effect, Hop

POLICY = r"SSL\00010002\Functions"
_RSA = ("TLS_RSA_WITH_", "TLS_DHE_RSA_WITH_", "TLS_ECDHE_RSA_WITH_")
_ANY_KEY = ("TLS_AES_", "TLS_CHACHA20_")
"""Suites of TLS 1.3, which take any kind of key."""


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=("tls-cipher-suite-mismatch",),
    requires=("vm_is_running", "tls_is_offered"),
)
def tls_cipher_suites_fit_the_certificate(facts: Facts) -> Outcome:
    r"""The cipher suites that policy allows can be used with the listener's certificate.

    Why: the self-signed certificate has an RSA key. A policy list without a suite for RSA ends every handshake (Schannel 36874,
        36888 alert 40). The same events with a suitable list come from old clients or scanners.
    Evidence: the policy's list, the TLS versions that are on, and which certificate the listener uses.
    By hand:
        * tls-cipher-suite-mismatch: ask the owner of the group policy `SSL Cipher Suite Order` to add
          TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 and TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, or to set it to Not configured; then
          `gpupdate /force` and restart the VM. `gpresult /scope computer /r` names the policy.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/internal-error-has-occurred-connecting-remote-machine
    """
    value = need(facts.guest.registry_value(POLICY))
    if isinstance(value, str):
        written = value.split(",")
    elif value is None or isinstance(value, list):
        written = value or []
    else:
        return unknown(f"The policy's list of cipher suites is no text: {value!r}"[:160], Reason.MALFORMED)
    suites = [suite.strip().upper() for entry in written for suite in entry.split(",") if suite.strip()]
    if not suites:
        return passed("no policy sets the cipher suites")
    modern = tls_versions(facts)["1.3"]
    usable = [
        suite
        for suite in suites
        if (suite.startswith(_RSA) and "_NULL_" not in suite) or (modern and suite.startswith(_ANY_KEY))
    ]
    if usable:
        return passed("the policy's list has a suite for an RSA key", suite=usable[0])
    if need(facts.guest.certificate).custom:
        return unknown(
            "No suite of the policy's list takes an RSA key; the kind of the bound key is not known.", POLICY
        )
    return failed(
        "tls-cipher-suite-mismatch",
        "The policy's list of cipher suites has none for the RSA key of the RDP certificate.",
        Effect.DEGRADES if rdp_layer_serves(facts) else Effect.BLOCKS,
        suites=",".join(suites)[:200],
    )
