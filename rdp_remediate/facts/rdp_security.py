"""What decides how RDP is encrypted: the listener's settings as policy and registry leave them, and the TLS versions."""

from dataclasses import dataclass

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need

TLS_1_3_BUILD = 20348
"""Windows Server 2022 is the first server that has TLS 1.3."""
TLS_1_1_OFF_BUILD = 26100
"""From here on it is not certain that TLS 1.0 and 1.1 are on where nothing is set."""
OLD_TLS = ("1.0", "1.1")


@dataclass(frozen=True)
class ListenerSetting:
    """A setting of the listener: the policy's copy wins over the local one; None: not set."""

    local: int | None
    policy: int | None

    @property
    def value(self) -> int | None:
        """What is in effect."""
        return self.local if self.policy is None else self.policy


def listener_setting(facts: Facts, name: str) -> ListenerSetting:
    """One setting of the listener that policy may own, such as SecurityLayer."""
    policy = need(facts.guest.registry_number(rf"POL\{name}"))
    return ListenerSetting(need(facts.guest.registry_number(rf"RT\{name}")), policy)


def tls_versions(facts: Facts) -> dict[str, bool | None]:
    """Each TLS version: True offered to clients, False not, None if nothing is set and Windows' default is not certain.

    A key that is not there is the default of Windows: TLS 1.2 is on.
    """
    build = need(facts.guest.os).build
    found: dict[str, bool | None] = {}
    for version in ("1.0", "1.1", "1.2", "1.3"):
        key = rf"SCH\Protocols\TLS {version}\Server"
        enabled = need(facts.guest.registry_number(rf"{key}\Enabled"))
        hidden = need(facts.guest.registry_number(rf"{key}\DisabledByDefault"))
        if enabled == 0 or hidden not in (None, 0) or (version == "1.3" and build < TLS_1_3_BUILD):
            found[version] = False
        elif version in OLD_TLS and build >= TLS_1_1_OFF_BUILD and not enabled:
            found[version] = None
        else:
            found[version] = True
    return found


def rdp_layer_serves(facts: Facts) -> bool:
    """RDP's own encryption without NLA is set: clients get in without any TLS."""
    return (
        listener_setting(facts, "SecurityLayer").value == 0 and listener_setting(facts, "UserAuthentication").value != 1
    )
