"""Rows of the hop guest-rdp-service that the first checks decide."""

DECIDING: dict[str, tuple[tuple[str, str | None], ...]] = {
    "rdp-disabled-local": (
        (r"guest.registry.TS\fDenyTSConnections", None),
        (r"guest.registry.POL\fDenyTSConnections", None),
    ),
    "rdp-disabled-policy": ((r"guest.registry.POL\fDenyTSConnections", None), ("guest.registry", None)),
    "termservice-stopped": (("guest.services.TermService", None), ("guest.services", None)),
    "termservice-disabled": (("guest.services.TermService", None), ("guest", None)),
}
