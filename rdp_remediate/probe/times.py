"""How long each stage of a probe may take."""

import math
from dataclasses import dataclass, fields

from rdp_remediate.errors import UsageError


@dataclass(frozen=True, slots=True)
class ProbeTimes:
    """Deadlines of one probe attempt in seconds.

    Every deadline is absolute for its stage, never per read: a peer that drips bytes does not extend it.

    Attributes:
        dns_s: Name resolution. Unused for an address.
        connect_s: TCP connect, per address; five SYNs on a kernel with linear retransmits, three on older ones.
        x224_s: From the connection request to the whole answer.
        tls_s: The TLS handshake.
        credssp_s: From the NTLM negotiate message to the whole challenge.
        total_s: The attempt as a whole; it caps every stage.
        confirm_delay_s: Pause before a bad answer is asked for again, jittered by a fifth.
    """

    dns_s: float = 5.0
    connect_s: float = 5.0
    x224_s: float = 4.0
    tls_s: float = 4.0
    credssp_s: float = 4.0
    total_s: float = 12.0
    confirm_delay_s: float = 1.5

    def __post_init__(self) -> None:
        """Refuses times that would make a stage end before it starts, or never.

        Raises:
            UsageError: A time is not a finite number above zero (the pause may be zero).
        """
        for field in fields(self):
            value = getattr(self, field.name)
            lowest_allowed = value >= 0 if field.name == "confirm_delay_s" else value > 0
            if not (lowest_allowed and math.isfinite(value)):
                raise UsageError(f"The probe time {field.name} is {value}; give a finite number of seconds above zero.")

    @classmethod
    def short(cls, stage_s: float = 0.3) -> "ProbeTimes":
        """Gives every stage the same short time, for peers on loopback."""
        return cls(
            dns_s=stage_s,
            connect_s=stage_s,
            x224_s=stage_s,
            tls_s=stage_s,
            credssp_s=stage_s,
            total_s=4 * stage_s,
            confirm_delay_s=stage_s / 10,
        )
