"""Rows of the hop guest-firewall."""

_RULES = (("guest.firewall", None), ("guest.firewall.rules", None), ("guest.services.mpssvc", None))

DECIDING: dict[str, tuple[tuple[str, str | None], ...]] = {
    "fw-rdp-rule-disabled": _RULES,
    "fw-rdp-rule-missing": _RULES,
    "fw-rule-wrong-profile": _RULES,
    "fw-explicit-block-rule": _RULES,
    "fw-block-all-inbound": (*_RULES, (r"guest.registry.FWP\PublicProfile\Services\RemoteDesktop\Enabled", None)),
    "fw-gpo-enforced-block": (*_RULES, (r"guest.registry.FWP\DomainProfile\Services\RemoteDesktop\Enabled", None)),
    "fw-custom-port-rule-missing": _RULES,
    "fw-rule-remoteaddress-scope": _RULES,
    "fw-rule-bound-wrong-service": _RULES,
    "firewall-services-stopped": (
        ("guest.services", None),
        ("guest.services.BFE", None),
        ("guest.services.mpssvc", None),
    ),
    "firewall-profile-off": (
        ("guest.firewall", None),
        ("guest.firewall.products", None),
        ("guest.services.BFE", None),
    ),
    "ipsec-domain-isolation": (
        ("guest.firewall", None),
        ("guest.firewall.ipsec", None),
        ("guest.adapters", None),
        ("guest.adapters.blocked", None),
    ),
    "fw-outbound-block": (("guest.firewall", None), ("guest.firewall.outbound", None), ("guest.os", None)),
}
