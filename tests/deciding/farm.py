"""Rows of the hop guest-rdp-service about session host farms."""

DECIDING: dict[str, tuple[tuple[str, str | None], ...]] = {
    "rds-license-grace-expired": (
        ("guest.remote_desktop", None),
        ("guest.remote_desktop.session_host", None),
        ("guest.remote_desktop.licensing", None),
    ),
    "rds-license-misconfigured": (
        ("guest.remote_desktop", None),
        ("guest.remote_desktop.licensing", None),
        ("guest.os", None),
    ),
    "rdcb-broken": (("guest.services.TSSDis", None), ("guest.services", None)),
}
