"""Whether the VM left its host after Azure warned about it."""

from datetime import timedelta

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.platform_health import Annotation

WARNING_LASTS = timedelta(days=7)
"""Azure's own deadlines are shorter; the activity log is read as far back."""

_MOVES = ("/redeploy/action", "/deallocate/action")
_MOVED = ("redeploy", "deallocat", "livemigrationsucceeded", "hostrebootedforrepair", "migrationinitiatedforrepair")


def moved_since(facts: Facts, warning: Annotation) -> str | None:
    """What put the VM onto another host after a warning, or None.

    Raises:
        UnseenError: The activity log or the annotations could not be read.
    """
    if warning.at is None:
        return None
    for change in need(facts.changes):
        own = change.resource_id.lower() == facts.target.vm_id.lower()
        if own and change.at > warning.at and change.operation.lower().endswith(_MOVES):
            return f"{change.caller or 'somebody'} moved the VM at {change.at:%Y-%m-%d %H:%M}Z"
    for one in need(facts.annotations):
        if one.at is not None and one.at > warning.at and any(word in one.name.lower() for word in _MOVED):
            return f"Azure moved the VM ({one.name})"
    return None
