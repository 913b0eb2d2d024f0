"""How long the simulated Azure takes, and what it tells clients about when to ask again."""

from dataclasses import dataclass

INSTANT_POLL_MS = 10


@dataclass(frozen=True, slots=True)
class Latency:
    """Durations per kind of call in seconds; `speed` divides them all."""

    name: str
    read_s: float
    diagnostics_s: float
    run_command_s: float
    nsg_write_s: float
    power_s: float
    query_s: float
    agent_timeout_s: float
    """After how long a command to a VM whose agent is silent fails (25 min 26 s were reported)."""
    speed: float = 1.0

    @property
    def instant(self) -> bool:
        """True for the profile without any waiting."""
        return self.read_s == 0

    def seconds(self, kind: str) -> float:
        """Returns the duration of a kind of call at this speed: read, diagnostics, run_command and so on."""
        return float(getattr(self, f"{kind}_s")) / self.speed

    def wait_headers(self, seconds: float | None) -> dict[str, str]:
        """Returns the header that says when to poll again; never `Retry-After: 0`, which clients take as 30 s.

        Args:
            seconds: What Azure says at full latency; None = this provider says nothing, as Compute.
        """
        if self.instant:
            return {"retry-after-ms": str(INSTANT_POLL_MS)}
        if seconds is None:
            return {}
        scaled = seconds / self.speed
        if scaled < 1:
            return {"retry-after-ms": str(max(1, round(scaled * 1000)))}
        return {"Retry-After": str(round(scaled))}


PROFILES = {
    "instant": Latency("instant", 0, 0, 0, 0, 0, 0, 0),
    "realistic": Latency("realistic", 0.12, 10, 30, 10, 40, 1, 1526),
}


def profile(name: str, speed: float = 1.0) -> Latency:
    """Returns a latency profile at a speed.

    Raises:
        KeyError: there is no such profile.
        ValueError: the speed is not positive.
    """
    if speed <= 0:
        raise ValueError("speed must be positive")
    base = PROFILES[name]
    return Latency(
        base.name,
        base.read_s,
        base.diagnostics_s,
        base.run_command_s,
        base.nsg_write_s,
        base.power_s,
        base.query_s,
        base.agent_timeout_s,
        speed,
    )
