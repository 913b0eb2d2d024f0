"""Does the RD Gateway admit another connection?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop


@check(hop=Hop.ENDPOINT, faults=(), not_provable=("rdgateway-max-connections",))
def rd_gateway_admits_the_connection(facts: Facts) -> Outcome:
    r"""The RD Gateway's connection limit is not reached.

    Why: a gateway with a limit refuses further users with a message about too many administrators.
    Evidence: none that belongs to the target. The limit is HKLM\SOFTWARE\Microsoft\Windows
    NT\CurrentVersion\TerminalServerGateway\Config\Core\MaxConnections on the gateway, which is another machine: no Azure resource
    names it, nothing on the target tells which gateway a user came through, and a gateway's own limit never keeps a direct
    connection to that gateway's VM out. So rdgateway-max-connections is not provable from the target, also where that is a gateway.
    By hand:
        * rdgateway-max-connections: on the gateway read the value with `reg query "HKLM\SOFTWARE\Microsoft\Windows
          NT\CurrentVersion\TerminalServerGateway\Config\Core" /v MaxConnections`; with its owner's consent raise it with `reg add`
          of the same key, `/v MaxConnections /t REG_DWORD /d 0xffffffff /f`, and restart the service TSGateway, which ends sessions.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-too-many-admin-sessions-open
    """
    del facts
    return skipped(
        "not provable: the limit (rdgateway-max-connections) is set on the gateway, which nothing on the target names"
    )
