"""Does Azure say that accelerated networking of the VM is ill?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.moves import WARNING_LASTS, moved_since
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.PLATFORM, faults=("accelnet-unhealthy",), requires=("vm_is_running",))
def accelerated_networking_is_healthy(facts: Facts) -> Outcome:
    """Accelerated networking of the VM is healthy.

    Why: its traffic then takes the slow path; sessions are slow or drop, but RDP is not closed by it.
    Evidence: the annotation AccelnetUnhealthy of the last seven days, and whether a NIC uses accelerated networking.
    By hand:
        * accelnet-unhealthy: redeploy the VM with its owner's consent, or deallocate it and switch accelerated networking off
          and on again: `az network nic update -g GROUP -n <nic> --accelerated-networking false`. Update the Mellanox driver.
    See: https://learn.microsoft.com/azure/service-health/resource-health-vm-annotation
    """
    told = [
        one
        for one in need(facts.annotations)
        if "accelnetunhealthy" in one.name.lower() and one.at is not None and facts.at - one.at <= WARNING_LASTS
    ]
    if not told:
        return passed("no annotation AccelnetUnhealthy in the last seven days")
    wanted = {nic_id.lower() for nic_id in need(facts.vm).nic_ids}
    nics = [nic for key, nic in facts.network.nics.items() if key in wanted]
    fast = [nic for nic in nics if nic.accelerated_networking]
    if not fast:
        if len(nics) < len(wanted) or not wanted:
            return unknown("Whether its NICs use accelerated networking could not be read.", because="resource")
        return passed("no NIC of the VM uses accelerated networking")
    moved = moved_since(facts, told[-1])
    if moved:
        return passed(f"accelerated networking was reported as unhealthy, but {moved}")
    return failed(
        "accelnet-unhealthy",
        f"Azure reports accelerated networking as unhealthy since {told[-1].at:%Y-%m-%d %H:%M}Z.",
        Effect.DEGRADES,
        nic=fast[0].arm_id.rsplit("/", 1)[-1],
    )
