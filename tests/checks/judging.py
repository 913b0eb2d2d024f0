"""What one check says of a healthy VM after some changes, and what the whole diagnosis makes of it."""

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.report import Diagnosis, Finding, FindingStatus
from tests.factories import Change, healthy_bundle


def diagnosis(*changes: Change) -> Diagnosis:
    """The diagnosis of a healthy VM after some changes."""
    return diagnose(read_facts(healthy_bundle(*changes)))


def finding(check: str, *changes: Change) -> Finding:
    """What one check says after some changes."""
    return next(one for one in diagnosis(*changes).findings if one.check == check)


def faults(*changes: Change) -> set[str]:
    """Every fault that is reported after some changes."""
    reported = (FindingStatus.FAIL, FindingStatus.BY_DESIGN)
    return {one.fault for one in diagnosis(*changes).findings if one.fault and one.status in reported}
