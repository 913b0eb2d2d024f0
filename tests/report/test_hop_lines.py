"""What is said of each hop: much that holds in one line, what does not hold one by one."""

from rdp_remediate.models.report import Finding, FindingStatus, Hop
from rdp_remediate.report.hop_lines import hop_lines
from tests.report import factories as make


def _finding(check: str, status: FindingStatus, hop: Hop = Hop.NETWORK) -> Finding:
    return make.passed(check, hop).model_copy(update={"status": status})


def test_each_finding_that_does_not_hold_has_a_line_of_its_own() -> None:
    found = [
        _finding("a", FindingStatus.PASS),
        _finding("b", FindingStatus.FAIL),
        _finding("c", FindingStatus.PASS),
        _finding("d", FindingStatus.SKIPPED),
        _finding("e", FindingStatus.UNKNOWN),
        _finding("f", FindingStatus.PASS, Hop.CLIENT),
        _finding("g", FindingStatus.SKIPPED, Hop.EDGE),
    ]
    assert list(hop_lines(found)) == [
        ("client", "pass: f is healthy."),
        ("edge", "skipped: no question arises here"),
        ("network", "pass: 2 checks hold, 1 do not apply"),
        ("network", "fail: b is healthy."),
        ("network", "unknown: e is healthy."),
    ]
