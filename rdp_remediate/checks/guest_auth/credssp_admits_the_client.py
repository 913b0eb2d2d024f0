"""Does CredSSP admit clients without the update of 2018?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_AUTH, faults=("credssp-oracle-server-side",), requires=("vm_is_running",))
def credssp_admits_the_client(facts: Facts) -> Outcome:
    """CredSSP admits clients that have not been updated, as is the default.

    Why: Force Updated Clients (0) is the secure end state and stops unpatched clients only. Whether this client is patched cannot
        be seen from the server, so it is never said to be what stops it.
    Evidence: AllowEncryptionOracle.
    By hand:
        * credssp-oracle-server-side: install the current updates on the client. Only where that must wait, and with the security
          team's leave, set `Encryption Oracle Remediation` to Mitigated (1) for that time; never to Vulnerable (2).
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/credssp-encryption-oracle-remediation
    """
    value = need(facts.guest.registry_number(r"SYS\CredSSP\Parameters\AllowEncryptionOracle"))
    if value == 0:
        return failed(
            "credssp-oracle-server-side",
            "CredSSP admits updated clients only (AllowEncryptionOracle=0); an unpatched client is refused.",
            Effect.DEGRADES,
            value=value,
        )
    return passed("AllowEncryptionOracle does not force updated clients", value=value)
