"""Does Azure itself say that the VM's host is down or in maintenance?"""

import re
from datetime import datetime, timedelta

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.platform_health import Annotation
from rdp_remediate.models.fact import Observed, Unavailable
from rdp_remediate.models.report import Confidence, Effect, Hop

RECENT = timedelta(hours=1)
"""A pause of the host explains a session that dropped now, not one of yesterday."""

_MAINTENANCE = re.compile(r"PlannedFreeze|LiveMigration(Succeeded|Fail)|ForPlannedMaintenance", re.IGNORECASE)
_UNDER_WAY = re.compile(r"Started$|InitiatedForPlannedMaintenance$", re.IGNORECASE)
_BROKEN = re.compile(r"HostCrashed|HostRebootedForRepair|StorageOffline|MigrationInitiatedForRepair", re.IGNORECASE)


@check(hop=Hop.PLATFORM, faults=("platform-unavailable", "platform-maintenance-or-freeze"), requires=("vm_is_running",))
def platform_is_available(facts: Facts) -> Outcome:
    """The host under the VM is available.

    Why: a VM whose host or storage failed answers nothing, although its power state may still be running.
    Evidence: Resource Health's current state, its annotations, whether Windows answered meanwhile. No entry is no illness.
    By hand:
        * platform-unavailable: wait for Azure's own recovery, usually minutes. If it stays, redeploy the VM with its owner's
          consent: that restarts it, empties the temporary disk D: and may change a dynamic address.
        * platform-maintenance-or-freeze: wait; nothing is to be repaired. Choose a maintenance window with
          `az maintenance configuration` if it disturbs.
    See: https://learn.microsoft.com/azure/service-health/resource-health-vm-annotation
    """
    answered = isinstance(facts.guest.os, Observed)
    health = facts.health
    down = not isinstance(health, Unavailable) and health.value.state == "unavailable" and health.value.by_platform
    if down and not answered and not isinstance(health, Unavailable):
        if health.value.planned:
            return failed(
                "platform-maintenance-or-freeze", f"Azure maintains the host: {health.value.title}.", under_way="yes"
            )
        return failed("platform-unavailable", f"Azure says that the VM is unavailable: {health.value.title}.")
    recent = _recent(facts)
    paused = [one for one in recent if _MAINTENANCE.search(one.name)]
    if paused:
        last = paused[-1]
        running = _UNDER_WAY.search(last.name) is not None and not answered
        return failed(
            "platform-maintenance-or-freeze",
            f"Azure maintained the host at {_time(last.at)} ({last.name}); a session may have dropped then.",
            Effect.DEGRADES,
            under_way="yes" if running else "no",
        )
    if answered:
        return passed("Windows answered through Run Command, so the host is up")
    state = need(health).state
    if state == "available":
        return passed("Resource Health: Available")
    broken = [one for one in recent if _BROKEN.search(one.name)]
    if broken and state != "unavailable":
        return failed(
            "platform-unavailable",
            f"Azure reported {broken[-1].name} at {_time(broken[-1].at)}, and the VM is not available since.",
            confidence=Confidence.LIKELY,
        )
    return unknown(f"Resource Health says {need(health).title}.", because="resource health")


def _recent(facts: Facts) -> list[Annotation]:
    """The annotations of the last hour; those that could not be read are needed where health does not decide."""
    return [one for one in need(facts.annotations) if one.at is not None and facts.at - one.at <= RECENT]


def _time(at: datetime | None) -> str:
    return f"{at:%H:%M}Z" if at else "an unknown time"
