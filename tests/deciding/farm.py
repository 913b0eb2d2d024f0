"""Rows of the hop guest-rdp-service about session host farms."""

DECIDING: dict[str, tuple[tuple[str, str | None], ...]] = {
    "rdcb-broken": (("guest.services.TSSDis", None), ("guest.services", None)),
}
