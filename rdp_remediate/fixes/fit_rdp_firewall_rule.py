"""Put the filters of the firewall rule for Remote Desktop right."""

import ipaddress
from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_words import Access
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.guest import FirewallRule
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding
from rdp_remediate.network import guest_firewall
from rdp_remediate.network.guest_rules import BINDING, shortfall
from rdp_remediate.network.question import ask

_BUILT_IN = {
    "service": "termservice",
    "program": r"%SystemRoot%\system32\svchost.exe",
    "local_address": "Any",
    "interface": "Any",
    "port": "3389",
    "protocol": "TCP",
}
_WIDE = 1 << 20
"""Addresses from which a source is no longer somebody's own range."""

_FAULTS = {"fw-rule-wrong-profile": ("profile",), "fw-rule-remoteaddress-scope": ("remote_address",)}


@fix(
    faults=("fw-rule-bound-wrong-service", "fw-rule-wrong-profile", "fw-rule-remoteaddress-scope"),
    layer="guest",
    order=43,
    permissions=RUN_COMMAND,
    closed_by=("firewall",),
)
def fit_rdp_firewall_rule(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Change the one filter by which the rule for RDP leaves the client out.

    Changes: service, program, port, interface or local address of the built-in rule back to its built-in value; the profile in
    use or the client's address is added to what the rule has, never put in its place.
    Undo: writes the recorded filter back.
    Refuses when: the rule is a policy's, or the client is outside the configured sources.
    """
    lacking = shortfall(facts)
    if lacking is None or lacking.rule is None:
        yield Refused("unseen", "Which rule was meant to let RDP in is not clear any more.")
        return
    rule = lacking.rule
    if guest_firewall.is_policy(rule.store):
        yield Refused("policy_owned", f"The rule {rule.name} is a group policy's.", "the owner of that group policy")
        return
    named = {finding.fault for finding in findings}
    for dimension in lacking.dimensions:
        fault = next((name for name, dims in _FAULTS.items() if dimension in dims), "fw-rule-bound-wrong-service")
        if fault in named:
            yield _one(facts, rule, dimension, lacking.profile)


def _one(facts: Facts, rule: FirewallRule, dimension: str, profile: str) -> Yielded:
    foreign = None if rule.name == guest_firewall.BUILT_IN_TCP else f"the rule {rule.name} is somebody's own"
    present = _present(rule)
    if dimension == "remote_address":
        addresses = _client_addresses(facts)
        if isinstance(addresses, Refused):
            return addresses
        desired = ",".join(sorted({*rule.remote_addresses, *addresses}))
        return _draft(rule, dimension, present, desired, "the rule's scope was chosen; its owner must agree")
    if dimension == "profile":
        asks = foreign
        os = facts.guest.os
        if isinstance(os, Unavailable) or (os.value.part_of_domain and profile.lower() != "domain"):
            asks = "a domain member whose network counts as another profile may only miss its domain controller"
        asks = asks or _wide(facts)
        return _draft(rule, dimension, present, ",".join(sorted({*rule.profiles, profile})), asks)
    return _draft(rule, dimension, present, _BUILT_IN[dimension], foreign)


def _wide(facts: Facts) -> str | None:
    """Why a rule for one more profile may expose the VM: an NSG rule for the port admits the Internet, if not all NSGs do."""
    question = ask(facts)
    for nsg_id in question.nsg_ids:
        nsg = facts.network.nsgs.get(nsg_id.lower())
        if nsg is None:
            return f"the NSG {nsg_id.rsplit('/', 1)[-1]} could not be read, so it is not certain who would get in"
        for rule in nsg.rules:
            covers = any(first <= question.port <= last for first, last in rule.destination_ports.ranges)
            size = sum(last - first + 1 for first, last in rule.source.ranges)
            wide = "internet" in rule.source.tags or rule.source.unreadable or size > _WIDE
            if rule.access is Access.ALLOW and not rule.is_default and covers and wide:
                return f"the NSG rule {rule.name} admits every source, and the profile in use was left out on purpose perhaps"
    return None


def _present(rule: FirewallRule) -> dict[str, str]:
    lists = {
        "local_address": rule.local_addresses,
        "interface": rule.interface_types,
        "port": rule.local_ports,
        "remote_address": rule.remote_addresses,
        "profile": rule.profiles,
    }
    return {name: ",".join(sorted(values)) for name, values in lists.items()} | {
        "service": rule.service,
        "program": rule.program,
        "protocol": rule.protocol,
    }


def _draft(rule: FirewallRule, dimension: str, present: dict[str, str], desired: str, asks: str | None) -> Draft:
    word = dimension.replace("_", " ")
    return Draft(
        kind="firewall_rule_filter",
        target={"rule": rule.name, "dimension": dimension},
        expected=present[dimension],
        desired=desired,
        title=f"Set the {word} of the Windows firewall rule {rule.name} to {desired}",
        postcondition=f"the {word} of {rule.name} is {desired}; the rest of it is unchanged",
        risk=Risk.SAFE if dimension in (*BINDING, "profile") else Risk.SENSITIVE,
        always_ask=asks,
    )


def _client_addresses(facts: Facts) -> list[str] | Refused:
    """The client as Windows writes addresses, or the configured sources; an address that was only claimed is never let in."""
    question = ask(facts)
    if question.via is None and question.client_known:
        client = ipaddress.ip_address(question.clients[0])
        if any(client in source for source in facts.sources if source.version == client.version):
            return [str(client)]
        return Refused("no_source", f"{client} is outside the configured sources.", "whoever configures the sources")
    if question.via is not None or not facts.sources:
        return Refused(
            "no_source", "No single range of clients is known that the rule should admit.", "the rule's owner"
        )
    return [source.with_netmask if source.num_addresses > 1 else str(source[0]) for source in facts.sources]
