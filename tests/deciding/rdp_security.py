"""Rows of the hop guest-rdp-service about encryption, setup and farms."""

_SCH = r"guest.registry.SCH\Protocols"

DECIDING: dict[str, tuple[tuple[str, str | None], ...]] = {
    "security-layer-encryption-inconsistent": (
        (r"guest.registry.RT\SecurityLayer", None),
        (r"guest.registry.RT\MinEncryptionLevel", None),
        (r"guest.registry.POL\MinEncryptionLevel", None),
    ),
    "security-negotiation-disabled": ((r"guest.registry.RT\fAllowSecProtocolNegotiation", None),),
    "nla-required-with-rdp-layer": (
        (r"guest.registry.RT\SecurityLayer", None),
        (r"guest.registry.POL\SecurityLayer", None),
        (r"guest.registry.RT\UserAuthentication", None),
    ),
    "tls-server-protocols-disabled": (
        (rf"{_SCH}\TLS 1.2\Server\Enabled", None),
        (rf"{_SCH}\TLS 1.0\Server\DisabledByDefault", None),
        ("guest.os", None),
    ),
    "tls-cipher-suite-mismatch": (
        (r"guest.registry.SSL\00010002\Functions", None),
        ("guest.certificate", None),
    ),
    "sysprep-or-oobe-state": (
        (r"guest.registry.SETUP\OOBEInProgress", None),
        (r"guest.registry.SETUP\SystemSetupInProgress", None),
    ),
    "user-config-load-timeout": (
        (r"guest.registry.RT\fQueryUserConfigFromDC", None),
        ("guest.events", None),
    ),
    "rds-redirection-ip-stale": (
        (r"guest.registry.TS\ClusterSettings\SessionDirectoryRedirectionIP", None),
        ("guest.addresses", None),
    ),
}
