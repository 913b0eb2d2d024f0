"""Rows of the hop guest-rdp-service: TermService, its listener and the sessions."""

Hidden = tuple[tuple[str, str | None], ...]


def _all(*facts: str) -> Hidden:
    return tuple((f"guest.{fact}", None) for fact in facts)


DECIDING: dict[str, Hidden] = {
    "rds-service-busy-or-leak": (("guest.remote_desktop", None), ("guest.remote_desktop.memory", None)),
    "known-bad-update-rdp": (("guest.os", None), (r"guest.registry.CV\UBR", None)),
    "rdp-disabled-local": _all(r"registry.TS\fDenyTSConnections", r"registry.POL\fDenyTSConnections"),
    "rdp-disabled-policy": _all(r"registry.POL\fDenyTSConnections", "registry"),
    "gpo-refresh-flaps-rdp": _all(r"registry.TS\fDenyTSConnections", r"registry.POL\fDenyTSConnections"),
    "termservice-stopped": _all("services.TermService", "services"),
    "termservice-disabled": (*_all("services.TermService"), ("guest", None)),
    "termservice-hang-or-crash": _all("services.TermService", "services"),
    "termservice-wrong-account": _all("services.TermService", "remote_desktop"),
    "termservice-access-denied": _all("services.TermService", "services"),
    "termservice-dependency-failed": _all("services.TermService", "remote_desktop"),
    "termservice-dll-tampered": _all(r"registry.SVC\TermService\Parameters\ServiceDll", "registry"),
    "umrdpservice-disabled": _all("services.UmRdpService", "services"),
    "sessionenv-disabled": _all("services.SessionEnv", "services"),
    "crypto-services-down": _all("services.CryptSvc", "services"),
    "listener-disabled": _all(r"registry.RT\fEnableWinStation", "registry"),
    "listener-logon-disabled": _all(r"registry.RT\fLogonDisabled", "registry"),
    "ts-disabled": _all(r"registry.TS\TSEnabled", "registry"),
    "drain-mode": _all(r"registry.TS\TSServerDrainMode", "registry"),
    "ts-user-logon-disabled": _all(r"registry.TS\TSUserEnabled", r"registry.CV\Winlogon\WinStationsDisabled"),
    "listener-key-missing-or-corrupt": _all(r"registry.RT\WdName", "registry"),
    "listener-bound-to-wrong-adapter": _all(r"registry.RT\LanAdapter", "remote_desktop"),
    "rdp-port-unmatched": _all(r"registry.RT\PortNumber", "registry"),
    "rdp-port-conflict": _all("listener", r"registry.RT\PortNumber"),
    "admin-session-limit": _all("sessions", "remote_desktop", "os"),
    "max-instance-count": _all(r"registry.RT\MaxInstanceCount", r"registry.POL\MaxInstanceCount"),
    "session-timeout-drops": _all(r"registry.POL\MaxIdleTime", "remote_desktop"),
}
