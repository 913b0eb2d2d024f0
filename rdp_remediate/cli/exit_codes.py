"""What the command line's exit codes mean; DESIGN section 4."""

from enum import IntEnum

from rdp_remediate.models.report import Report


class ExitCode(IntEnum):
    """Exit codes of rdp-remediate."""

    OK = 0
    BROKEN = 1
    USAGE = 2
    NOT_PROVEN = 3
    BY_DESIGN = 4
    OUR_BUG = 70
    INTERRUPTED = 130


_OF_STATUS = {
    "reachable": ExitCode.OK,
    "broken": ExitCode.BROKEN,
    "by_design": ExitCode.BY_DESIGN,
    "not_proven": ExitCode.NOT_PROVEN,
}


def of_report(report: Report) -> ExitCode:
    """The exit code of a verdict."""
    return _OF_STATUS[report.verdict.status]
