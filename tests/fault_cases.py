"""Each fault of the first issue as one primitive change to a healthy VM, with what is near it and what decides it."""

from dataclasses import dataclass

from tests import factories as f
from tests.factories import Change


@dataclass(frozen=True)
class FaultCase:
    """One fault.

    Attributes:
        changes: What makes a healthy VM have it, and what necessarily follows from that.
        near: What looks like it and is something else.
        near_fault: What the near miss is instead; None: nothing that blocks.
        deciding: Facts without which the check cannot know; each alone is not enough where Azure shows a thing twice.
    """

    fault: str
    check: str
    hop: str
    changes: tuple[Change, ...]
    near: tuple[Change, ...]
    deciding: tuple[tuple[str, str | None], ...]
    near_fault: str | None = None
    status: str = "fail"
    effect: str = "blocks"
    confidence: str = "confirmed"
    verdict: str = "broken"


_BUILT_IN = "RemoteDesktop-UserMode-In-TCP"
_JIT_DENY = f.rule("SecurityCenter-JITRule_-1329742345_6BC3B21C6DDF44C5", 4096, access="Deny", source="*", protocol="*")
_NIC_RULES: tuple[tuple[str, str | None], ...] = (("resource", f.NIC_NSG), ("effective_security_rules", f.NIC))
_SUBNET_RULES: tuple[tuple[str, str | None], ...] = (("resource", f.SUBNET_NSG), ("effective_security_rules", f.NIC))

CASES = (
    FaultCase(
        "vm-deallocated",
        "vm_is_running",
        "platform",
        (f.powered("deallocated"),),
        (f.powered("starting"),),
        (("resource", f.VM),),
        near_fault="vm-transitional",
    ),
    FaultCase(
        "vm-stopped-allocated",
        "vm_is_running",
        "platform",
        (f.powered("stopped"),),
        (f.powered("stopping"),),
        (("resource", f.VM),),
        near_fault="vm-transitional",
    ),
    FaultCase(
        "agent-not-ready",
        "vm_agent_is_ready",
        "platform",
        (f.agent_not_ready,),
        (f.resource(f.VM, "properties", "provisioningState", value="Failed"),),
        (("resource", f.VM),),
        effect="blinds",
        verdict="reachable",
    ),
    FaultCase(
        "public-ip-standard-no-nsg",
        "public_address_has_an_nsg",
        "endpoint",
        (f.silent, f.detached(f.NIC_NSG, f.SUBNET_NSG)),
        (f.detached(f.NIC_NSG),),
        (("resource", f.NIC),),
    ),
    FaultCase(
        "no-public-ip",
        "vm_has_an_entry",
        "endpoint",
        (f.without_public_address,),
        (
            f.without_public_address,
            f.behind_bastion,
            f.security_rules(f.NIC_NSG, f.rule("Allow-Bastion", 200, source="10.0.9.0/26")),
            f.security_rules(f.SUBNET_NSG, f.rule("Allow-Bastion", 210, source="10.0.9.0/26")),
        ),
        (("resource", f.NIC),),
    ),
    FaultCase(
        "client-wrong-port",
        "client_dials_the_rdp_port",
        "client",
        (
            f.silent,
            f.registry(f.PORT, 3390),
            f.firewall_rule("RDP-3390", local_ports=["3390"]),
            f.security_rules(f.NIC_NSG, f.rule("Allow-RDP", 300, ports="3390")),
        ),
        (f.silent, f.registry(f.PORT, 3390), f.security_rules(f.NIC_NSG, f.rule("Allow-RDP", 300, ports="3389-3390"))),
        ((f"guest.registry.{f.PORT}", None),),
        near_fault="rdp-port-unmatched",
    ),
    FaultCase(
        "edge-caller-ip-not-allowed",
        "caller_is_in_an_allowed_range",
        "edge",
        (f.silent, f.security_rules(f.NIC_NSG, f.rule("Allow-RDP", 300, source="203.0.113.60"))),
        (f.silent, f.security_rules(f.NIC_NSG, f.rule("Allow-RDP", 300, source="VirtualNetwork"))),
        _NIC_RULES,
        near_fault="nsg-no-allow-rule",
    ),
    FaultCase(
        "nsg-no-allow-rule",
        "nsg_layers_allow_client",
        "network",
        (f.silent, f.security_rules(f.NIC_NSG)),
        (f.security_rules(f.NIC_NSG, f.rule("Allow-Range", 400, ports="3380-3400")),),
        _NIC_RULES,
    ),
    FaultCase(
        "nsg-explicit-deny-wins",
        "written_denies_spare_client",
        "network",
        (f.silent, f.security_rules(f.NIC_NSG, f.rule("Deny-All", 200, access="Deny", source="*"), f.NIC_ALLOW)),
        (f.security_rules(f.NIC_NSG, f.NIC_ALLOW, f.rule("Deny-All", 400, access="Deny", source="*")),),
        _NIC_RULES,
    ),
    FaultCase(
        "nsg-second-layer-deny",
        "both_nsg_layers_allow_client",
        "network",
        (f.silent, f.security_rules(f.SUBNET_NSG)),
        (f.detached(f.SUBNET_NSG),),
        _SUBNET_RULES,
    ),
    FaultCase(
        "jit-closed",
        "just_in_time_access_is_open",
        "network",
        (f.silent, f.security_rules(f.NIC_NSG, _JIT_DENY), f.jit_policy()),
        (f.silent, f.security_rules(f.NIC_NSG, f.rule("Deny-RDP", 4096, access="Deny", source="*")), f.jit_policy()),
        _NIC_RULES,
        near_fault="nsg-explicit-deny-wins",
        status="by_design",
        verdict="by_design",
    ),
    FaultCase(
        "rdp-disabled-local",
        "rdp_connections_are_allowed",
        "guest-rdp-service",
        (f.silent, f.listens(), f.registry(f.DENY_LOCAL, 1)),
        (f.registry(f.DENY_LOCAL, 1), f.registry(f.DENY_POLICY, 0)),
        ((f"guest.registry.{f.DENY_LOCAL}", None),),
    ),
    FaultCase(
        "rdp-disabled-policy",
        "rdp_connections_are_allowed",
        "guest-rdp-service",
        (f.silent, f.listens(), f.registry(f.DENY_POLICY, 1)),
        (f.registry(f.DENY_POLICY, 0),),
        ((f"guest.registry.{f.DENY_POLICY}", None),),
    ),
    FaultCase(
        "termservice-stopped",
        "term_service_is_running",
        "guest-rdp-service",
        (f.silent, f.listens(), f.service("Stopped", "Manual")),
        (f.service("StartPending", "Manual"),),
        (("guest.services.TermService", None),),
    ),
    FaultCase(
        "termservice-disabled",
        "term_service_is_running",
        "guest-rdp-service",
        (f.silent, f.listens(), f.service("Stopped", "Disabled")),
        (f.service("Running", "Disabled"),),
        (("guest.services.TermService", None),),
    ),
    FaultCase(
        "rdp-port-unmatched",
        "rdp_port_matches",
        "guest-rdp-service",
        (f.silent, f.listens(), f.registry(f.PORT, 3390)),
        (
            f.silent,
            f.target(dialled_port=3390),
            f.registry(f.PORT, 3390),
            f.firewall_rule("RDP-3390", local_ports=["3390"]),
            f.security_rules(f.NIC_NSG, f.rule("Allow-RDP", 300, ports="3390")),
        ),
        ((f"guest.registry.{f.PORT}", None),),
    ),
    FaultCase(
        "fw-rdp-rule-disabled",
        "guest_firewall_admits_rdp",
        "guest-firewall",
        (f.silent, f.firewall_rule(_BUILT_IN, enabled=False)),
        (f.firewall_rule(_BUILT_IN, enabled=False), f.firewall_rule("Corp-RDP", remote_addresses=[f.SOURCES])),
        (("guest.firewall", None),),
    ),
    FaultCase(
        "fw-block-all-inbound",
        "guest_firewall_honours_allow_rules",
        "guest-firewall",
        (f.silent, f.profile("Public", allow_inbound_rules=False)),
        (f.profile("Private", allow_inbound_rules=False),),
        (("guest.firewall", None),),
    ),
    FaultCase(
        "fw-gpo-enforced-block",
        "guest_firewall_honours_allow_rules",
        "guest-firewall",
        (f.silent, f.profile("Public", allow_local_rules=False, source="GroupPolicy")),
        (
            f.profile("Public", allow_local_rules=False, source="GroupPolicy"),
            f.firewall_rule("GPO-RDP", store="GroupPolicy"),
        ),
        (("guest.firewall", None),),
    ),
)
BY_FAULT = {case.fault: case for case in CASES}
