"""The guest firewall as the last layer of the path: does Windows Firewall admit this connection to TermService?

One evaluator; the fw-* checks only name its decision. Semantics: with a profile on, BlockInboundAlways
(AllowInboundRules False) ignores every allow rule; otherwise an enabled block rule wins over allow rules, an enabled
allow rule over the default action. Local rules count only where the profile merges them (AllowLocalPolicyMerge).
Source: Windows Defender Firewall rule precedence, MS-GPFAS 2.2.3.13 and 2.2.3.14, faults.md 3.7 and 5c.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rdp_remediate.models.guest import FirewallProfile, FirewallRule, FirewallSection, IpsecRule

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

BUILT_IN_TCP = "RemoteDesktop-UserMode-In-TCP"
BUILT_IN_UDP = "RemoteDesktop-UserMode-In-UDP"


class Admission(StrEnum):
    """What Windows Firewall does with the connection."""

    ALLOW = "allow"
    DENY = "deny"
    INDETERMINATE = "indeterminate"


class Because(StrEnum):
    """What decided."""

    FIREWALL_OFF = "firewall_off"
    BLOCK_ALL = "block_all"
    BLOCK_RULE = "block_rule"
    ALLOW_RULE = "allow_rule"
    DEFAULT_ACTION = "default_action"
    LOCAL_RULES_IGNORED = "local_rules_ignored"
    RULE_NOT_JUDGED = "rule_not_judged"
    NO_ACTIVE_PROFILE = "no_active_profile"
    SERVICES_STOPPED = "services_stopped"
    AUTHENTICATION_REQUIRED = "authentication_required"
    THIRD_PARTY = "third_party"


@dataclass(frozen=True)
class Misfit:
    """An enabled allow rule that does not admit this connection, and the dimensions by which it misses it."""

    rule: FirewallRule
    dimensions: tuple[str, ...]


@dataclass(frozen=True)
class GuestFirewallDecision:
    """The decision with what decided it.

    Attributes:
        admission: The outcome; INDETERMINATE when a rule that could decide cannot be judged from outside.
        because: What decided.
        profile: The profile in use.
        rule: The deciding rule, where a rule decides.
        policy_owned: True if group policy made the decision, so that a local change would not hold.
        misfits: Allow rules for RDP that miss this connection, and by what; the nearest first.
    """

    admission: Admission
    because: Because
    profile: str
    rule: FirewallRule | None = None
    policy_owned: bool = False
    misfits: tuple[Misfit, ...] = ()


@dataclass(frozen=True)
class GuestFlow:
    """The connection as the guest sees it: the source after any translation, the guest's own address and port."""

    source: Address
    destination: Address | None
    port: int
    local_subnets: tuple[str, ...] = ()


def admits(firewall: FirewallSection, flow: GuestFlow) -> GuestFirewallDecision:
    """Decides for the profiles in use; with several, the strictest answer holds."""
    if not firewall.active:
        return GuestFirewallDecision(Admission.INDETERMINATE, Because.NO_ACTIVE_PROFILE, "")
    decisions = [_in_profile(firewall, name, flow) for name in firewall.active]
    for wanted in (Admission.DENY, Admission.INDETERMINATE):
        for decision in decisions:
            if decision.admission is wanted:
                return decision
    return decisions[0]


def _in_profile(firewall: FirewallSection, name: str, flow: GuestFlow) -> GuestFirewallDecision:
    profile = next((p for key, p in firewall.profiles.items() if key.lower() == name.lower()), None)
    if profile is None:
        return GuestFirewallDecision(Admission.INDETERMINATE, Because.NO_ACTIVE_PROFILE, name)
    policy = is_policy(profile.source)
    if not profile.enabled:
        if firewall.products:
            return GuestFirewallDecision(Admission.INDETERMINATE, Because.THIRD_PARTY, name)
        return GuestFirewallDecision(Admission.ALLOW, Because.FIREWALL_OFF, name, policy_owned=policy)
    if not profile.allow_inbound_rules:
        return GuestFirewallDecision(Admission.DENY, Because.BLOCK_ALL, name, policy_owned=policy)
    decision = _by_rules(firewall.rules, profile, name, flow)
    if decision.admission is Admission.ALLOW and requiring(firewall.ipsec, flow, name):
        # A client that can authenticate gets in, another does not: which of them it is cannot be seen from here.
        return GuestFirewallDecision(Admission.INDETERMINATE, Because.AUTHENTICATION_REQUIRED, name)
    return decision


def _by_rules(
    rules: Sequence[FirewallRule], profile: FirewallProfile, name: str, flow: GuestFlow
) -> GuestFirewallDecision:
    inbound = [r for r in rules if r.enabled and r.direction.lower() == "inbound"]
    counted = [r for r in inbound if profile.allow_local_rules or is_policy(r.store)]
    unsure: list[FirewallRule] = []
    for rule in counted:
        if rule.action.lower() != "block":
            continue
        fit = matches(rule, flow, name)
        if fit is True:
            return GuestFirewallDecision(
                Admission.DENY, Because.BLOCK_RULE, name, rule=rule, policy_owned=is_policy(rule.store)
            )
        if fit is None:
            unsure.append(rule)
    admitting = [r for r in counted if r.action.lower() != "block"]
    allowing = next((r for r in admitting if matches(r, flow, name) is True), None)
    if allowing is not None:
        if unsure:
            return GuestFirewallDecision(Admission.INDETERMINATE, Because.RULE_NOT_JUDGED, name, rule=unsure[0])
        return GuestFirewallDecision(Admission.ALLOW, Because.ALLOW_RULE, name, rule=allowing)
    if profile.default_inbound.lower() == "allow":
        admission = Admission.INDETERMINATE if unsure else Admission.ALLOW
        return GuestFirewallDecision(admission, Because.DEFAULT_ACTION, name)
    maybe = next((r for r in admitting if matches(r, flow, name) is None), None)
    if maybe is not None:
        return GuestFirewallDecision(Admission.INDETERMINATE, Because.RULE_NOT_JUDGED, name, rule=maybe)
    ignored = next(
        (r for r in inbound if r not in counted and r.action.lower() != "block" and matches(r, flow, name)), None
    )
    if ignored is not None or not profile.allow_local_rules:
        # Whatever the local rules say, they do not count here: only the policy can admit.
        return GuestFirewallDecision(Admission.DENY, Because.LOCAL_RULES_IGNORED, name, rule=ignored, policy_owned=True)
    return GuestFirewallDecision(
        Admission.DENY, Because.DEFAULT_ACTION, name, misfits=tuple(_misfits(inbound, flow, name))
    )


def _misfits(rules: Iterable[FirewallRule], flow: GuestFlow, profile: str) -> list[Misfit]:
    found = [Misfit(rule, missed(rule, flow, profile)) for rule in rules if rule.action.lower() != "block"]
    return sorted(found, key=lambda one: (len(one.dimensions), one.rule.name))


def missed(rule: FirewallRule, flow: GuestFlow, profile: str) -> tuple[str, ...]:
    """The dimensions by which a rule certainly misses the connection."""
    return tuple(name for name, fit in dimensions(rule, flow, profile).items() if fit is False)


def lifted(firewall: FirewallSection, *, block_rules: bool = False, profiles_on: bool = False) -> FirewallSection:
    """The firewall without its blanket refusal, so that what else is wrong can be told as well.

    Args:
        firewall: The firewall as it is.
        block_rules: Without its inbound block rules too.
        profiles_on: With every profile switched on.
    """
    changes = {"allow_inbound_rules": True} | ({"enabled": True} if profiles_on else {})
    profiles = {name: profile.model_copy(update=changes) for name, profile in firewall.profiles.items()}
    rules = [r for r in firewall.rules if not block_rules or r.action.lower() != "block"]
    return firewall.model_copy(update={"profiles": profiles, "rules": rules})


def requiring(rules: Iterable[IpsecRule], flow: GuestFlow, profile: str) -> IpsecRule | None:
    """The connection security rule that requires authentication of this connection, or None; what is not sure counts."""
    for rule in rules:
        fits = (
            any(p.lower() in ("any", "all", profile.lower()) for p in rule.profiles),
            rule.protocol.upper() in ("TCP", "6", "ANY", "*"),
            _port_fits(rule.local_ports, flow.port),
            _address_fits(rule.remote_addresses, flow.source, flow.local_subnets),
            True if flow.destination is None else _address_fits(rule.local_addresses, flow.destination, ()),
        )
        if False not in fits:
            return rule
    return None


def matches(rule: FirewallRule, flow: GuestFlow, profile: str) -> bool | None:
    """Whether a rule covers the connection; None when a dimension cannot be judged from outside."""
    fits = dimensions(rule, flow, profile).values()
    if any(fit is False for fit in fits):
        return False
    return None if any(fit is None for fit in fits) else True


def dimensions(rule: FirewallRule, flow: GuestFlow, profile: str) -> dict[str, bool | None]:
    """Each dimension of a rule against the connection: True, False, or None for not judged."""
    return {
        "profile": any(p.lower() in ("any", "all", profile.lower()) for p in rule.profiles),
        "protocol": rule.protocol.upper() in ("TCP", "6", "ANY", "*"),
        "port": _port_fits(rule.local_ports, flow.port),
        "service": rule.service.lower() in ("any", "*", "", "termservice"),
        "program": _program_fits(rule.program),
        "local_address": True
        if flow.destination is None
        else _address_fits(rule.local_addresses, flow.destination, ()),
        "remote_address": _address_fits(rule.remote_addresses, flow.source, flow.local_subnets),
        "interface": any(i.lower() in ("any", "wired", "lan") for i in rule.interface_types),
    }


def is_policy(source: str) -> bool:
    """The store or source is group policy, which a local change does not overcome."""
    return source.lower() in ("grouppolicy", "gpo", "rsop")


def _program_fits(program: str) -> bool:
    name = program.replace("/", "\\").lower()
    return name in ("any", "", "*") or name.rsplit("\\", 1)[-1] == "svchost.exe"


def _port_fits(ports: Sequence[str], port: int) -> bool | None:
    unsure = False
    for token in ports:
        text = token.strip().lower()
        if text in ("any", "*"):
            return True
        low, _, high = text.partition("-")
        if low.isdigit() and (high.isdigit() or not high):
            if int(low) <= port <= int(high or low):
                return True
        elif text not in ("rpc", "rpcepmap", "iphttpsin", "teredo", "ply2disc", "mdns", "cortanaout"):
            unsure = True
    return None if unsure else False


def _address_fits(tokens: Sequence[str], address: Address, local_subnets: Sequence[str]) -> bool | None:
    unsure = False
    for token in tokens:
        text = token.strip().lower()
        if text in ("any", "*"):
            return True
        if text == "localsubnet":
            if any(_inside(subnet, address) for subnet in local_subnets):
                return True
            unsure = unsure or not local_subnets
            continue
        inside = _inside(text, address)
        if inside:
            return True
        unsure = unsure or inside is None
    return None if unsure else False


def _inside(text: str, address: Address) -> bool | None:
    """Membership of an address in a CIDR, address/mask, address or from-to range; None when the text is none of these."""
    low, dash, high = text.partition("-")
    try:
        if dash:
            first, last = ipaddress.ip_address(low.strip()), ipaddress.ip_address(high.strip())
            return first.version == address.version and int(first) <= int(address) <= int(last)
        return address in ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
