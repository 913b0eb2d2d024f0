"""VMs of the retired classic deployment model, their input endpoints and ACLs."""

from dataclasses import dataclass

from rdp_remediate.facts.network_addresses import Ranges
from rdp_remediate.facts.network_words import Transport


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One row of a classic endpoint's ACL; `ranges` None when the subnet could not be read."""

    order: int | None
    permit: bool | None
    ranges: Ranges | None


@dataclass(frozen=True, slots=True)
class ClassicEndpoint:
    """An input endpoint of a classic VM; `acl` None when the evidence does not show it."""

    name: str
    public_port: int | None
    private_port: int | None
    transport: Transport
    acl: tuple[AclEntry, ...] | None


@dataclass(frozen=True, slots=True)
class ClassicVm:
    """A VM of the retired classic deployment model."""

    key: str
    arm_id: str
    status: str
    public_addresses: tuple[int, ...]
    instance_addresses: tuple[int, ...]
    private_address: int | None
    endpoints: tuple[ClassicEndpoint, ...]
    endpoints_read: bool
    nsg: str
