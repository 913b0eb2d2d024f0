"""Has Windows an update that is known to break Remote Desktop?"""

from dataclasses import dataclass

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Reason
from rdp_remediate.models.report import Confidence, Effect, Hop

UPDATE_REVISION = r"CV\UBR"


@dataclass(frozen=True)
class KnownDefect:
    """Builds that have a defect: from the revision of the update that brought it to before that of its repair."""

    build: int
    first: int
    fixed: int
    update: str
    repair: str
    what: str


DEFECTS = (
    KnownDefect(26100, 3194, 3775, "KB5051987", "KB5055523", "sessions freeze shortly after they were connected"),
)
"""Windows Server 2025 and Windows 11 24H2: February 2025 and April 2025. Microsoft's own list was not readable; taken from
reports of third parties, so a finding is likely, not confirmed."""


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("known-bad-update-rdp",), requires=("vm_is_running",))
def no_update_breaks_rdp(facts: Facts) -> Outcome:
    r"""Windows has no update that is known to break Remote Desktop sessions.

    Why: a few cumulative updates froze or ended sessions that had connected well; the next ones repaired it. Connecting works,
        so a handshake proves nothing about this.
    Evidence: build and revision of Windows (CurrentVersion\UBR) against a short list of such updates.
    By hand:
        * known-bad-update-rdp: install <repair> or any later cumulative update, which restarts Windows. Removing <update>
          instead gives up its security repairs.
    See: https://learn.microsoft.com/windows/release-health/status-windows-server-2025
    """
    build = need(facts.guest.os).build
    revision = need(facts.guest.registry_number(UPDATE_REVISION))
    if revision is None:
        return unknown("The revision of Windows is not in its registry.", Reason.NOT_FOUND)
    for one in DEFECTS:
        if one.build == build and one.first <= revision < one.fixed:
            return failed(
                "known-bad-update-rdp",
                f"Windows {build}.{revision} has {one.update} without {one.repair}: {one.what}.",
                Effect.DEGRADES,
                Confidence.LIKELY,
                update=one.update,
                repair=one.repair,
            )
    return passed(f"{build}.{revision} is in no range that is known here")
