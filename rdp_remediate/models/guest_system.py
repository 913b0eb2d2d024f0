"""The section `system` of the guest's answer: disk, memory, processors and boot options."""

from pydantic import Field

from rdp_remediate.models.base import Document


class Ports(Document):
    """TCP ports for outgoing connections (the dynamic range) in use when Windows was asked."""

    range: int = Field(description="how many there are")
    used: int = Field(description="how many are connected, waiting to close, bound or listened on")
    held: int = Field(description="how many of them the process has that has most")
    pid: int
    process: str = Field(description="its name; empty where it was gone")


class SystemSection(Document):
    """What Windows has left to work with; an item that could not be read is absent and named in `unavailable`."""

    disk: int | None = Field(default=None, description="free megabytes of the system drive")
    memory: list[int] | None = Field(
        default=None,
        min_length=4,
        max_length=4,
        description="megabytes: memory, free of it, what may be committed, free of that",
    )
    cpu: int | None = Field(
        default=None, description="load of all processors in percent; above 90 the lower of two readings"
    )
    ems: str | None = Field(default=None, description="EMS (SAC) of the boot entry: Yes, No or absent, which is off")
    safe_boot: str | None = Field(default=None, description="safeboot of the boot entry: how the next start ends")
    pending_restart: list[str] = Field(
        default=[], description="what waits for the next start of Windows: servicing, update, renames"
    )
    ports: Ports | None = Field(default=None, description="only where half of them or more are in use")
    top_cpu: str | None = Field(default=None, description="the busiest other process, when the load is high")
    top_memory: str | None = Field(default=None, description="the largest process, when memory is short")
