"""Ask Defender's just-in-time access for the client; a person asks, never this product by itself."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from rdp_remediate.facts.facts import Facts, JitPort
from rdp_remediate.fixes.fix import Draft, Refused, Yielded, fix
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding
from rdp_remediate.network.question import ask

_DURATION = re.compile(r"^PT(?:(\d+)H)?(?:(\d+)M)?$")


@fix(
    faults=("jit-closed",),
    layer="network",
    order=91,
    permissions=(
        "Microsoft.Security/locations/jitNetworkAccessPolicies/read",
        "Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action",
    ),
)
def request_jit_access(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Request just-in-time access for the client's address.

    Changes: Defender adds its own allow rule for the asked time and removes it afterwards.
    Undo: let it expire, or end it in Defender for Cloud.
    Refuses when: the client's address is not known or outside the configured sources, or the policy could not be read.
    """
    del findings
    question = ask(facts)
    guarded = jit_port_of(facts, question.port)
    if isinstance(guarded, Unavailable):
        yield Refused(
            "unseen", f"The just-in-time policy could not be read: {guarded.detail}", "the owner of Defender for Cloud"
        )
        return
    if guarded is None:
        yield Refused(
            "USE_JIT",
            "A just-in-time rule denies the client, but no policy of this VM names the port.",
            "the owner of Defender for Cloud",
        )
        return
    if not question.client_known:
        yield Refused("REFUSE_NO_SOURCE", "Just-in-time access needs the address of the client; name it with --client.")
        return
    client = question.clients[0]
    inside = any(_inside(client, str(source)) for source in facts.sources)
    if not inside:
        yield Refused(
            "REFUSE_NO_SOURCE", f"{client} is outside the configured sources.", "whoever configures the sources"
        )
        return
    yield jit_draft(facts, guarded, (client,))


def jit_port_of(facts: Facts, port: int) -> JitPort | Unavailable | None:
    """The just-in-time policy that guards a port of this VM; None: none does; unavailable: it could not be read."""
    if isinstance(facts.jit_ports, Unavailable):
        return facts.jit_ports
    return next((one for one in facts.jit_ports.value if one.port == port), None)


def jit_draft(facts: Facts, guarded: JitPort, sources: Sequence[str]) -> Draft:
    """The request, always with an address: without one Defender would open the port for our own (network-semantics.md 5)."""
    address = sources[0].removesuffix("/32").removesuffix("/128") if len(sources) == 1 else ",".join(sources)
    until = facts.at + _duration(guarded.max_duration)
    who = facts.requested_by or facts.target.user or "a person who approved it"
    return Draft(
        kind="jit_request",
        target={"policy_id": guarded.policy_id, "port": guarded.port},
        expected="closed",
        desired={
            "virtualMachines": [
                {
                    "id": facts.target.vm_id,
                    "ports": [
                        {
                            "number": guarded.port,
                            "endTimeUtc": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
                            "allowedSourceAddressPrefix": address,
                        }
                    ],
                }
            ],
            "justification": f"RDP for {who}, asked through rdp_remediate run {facts.run_id}",
        },
        title=f"Request just-in-time access for {address} to port {guarded.port} until {until:%Y-%m-%d %H:%M}Z",
        postcondition="Defender's allow rule for the address is in the NSG",
        risk=Risk.EXPOSING,
        always_ask=f"just-in-time access is asked for by a person: {who} would be named in the audit",
        undoable=False,
    )


def _duration(text: str) -> timedelta:
    match = _DURATION.match(text)
    hours, minutes = (int(part or 0) for part in match.groups()) if match else (3, 0)
    return timedelta(hours=hours, minutes=minutes) or timedelta(hours=3)


def _inside(client: str, source: str) -> bool:
    address, network = ipaddress.ip_address(client), ipaddress.ip_network(source)
    return address.version == network.version and address in network
