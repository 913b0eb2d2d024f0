"""Rows of the hop guest-network."""

DECIDING: dict[str, tuple[tuple[str, str | None], ...]] = {
    "nic-disabled": (("guest.adapters", None), ("guest.adapters.nics", None), ("guest.addresses", None)),
    "netvsc-driver-bad": (
        ("guest.adapters", None),
        ("guest.adapters.nics", None),
        ("guest.adapters.netvsc", None),
        ("guest.addresses", None),
    ),
    "static-ip-in-guest-mismatch": (("guest.adapters.nics", None), ("guest.addresses", None)),
    "duplicate-or-conflicting-ip": (
        ("guest.events", None),
        ("guest.events.Tcpip", None),
        ("guest.addresses", None),
        ("guest.adapters.nics", None),
    ),
    "dhcp-client-disabled": (
        ("guest.services", None),
        ("guest.services.Dhcp", None),
        ("guest.services.nsi", None),
        ("guest.addresses", None),
    ),
    "nsi-not-running": (("guest.services", None), ("guest.services.nsi", None)),
    "default-gateway-missing": (
        ("guest.adapters.nics", None),
        ("guest.adapters.routes", None),
        ("guest.addresses", None),
    ),
    "primary-ip-order-wrong": (("guest.adapters.nics", None), ("guest.addresses", None)),
    "ghost-nics": (("guest.adapters", None), ("guest.adapters.ghosts", None)),
    "mellanox-driver-crash": (("guest.adapters", None), ("guest.adapters.crashed_driver", None)),
    "tcp-port-exhaustion": (("guest.events", None), ("guest.events.Tcpip", None), ("guest.os", None)),
    "guest-dns-broken": (
        ("guest.os", None),
        ("guest.services.Dnscache", None),
        ("guest.adapters.nics", None),
        ("guest.adapters.domain_lookup", None),
    ),
    "winhttp-proxy-blocks-wireserver": (("guest.adapters", None), ("guest.adapters.proxy", None)),
}
