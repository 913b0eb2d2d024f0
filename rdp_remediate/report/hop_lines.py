"""What is said of each hop while the checks walk the path."""

from collections.abc import Iterator, Sequence

from rdp_remediate.models.report import HOPS, Finding, FindingStatus

_QUIET = (FindingStatus.PASS, FindingStatus.SKIPPED)


def hop_lines(findings: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """Yields hop and line, `status: text`: one line for all that holds at a hop, then each finding that does not."""
    for hop in HOPS:
        mine = [finding for finding in findings if finding.hop is hop]
        held = [finding for finding in mine if finding.status is FindingStatus.PASS]
        if len(held) == 1:
            yield hop.value, f"pass: {held[0].title}"
        elif held:
            moot = sum(1 for finding in mine if finding.status is FindingStatus.SKIPPED)
            yield hop.value, f"pass: {len(held)} checks hold{f', {moot} do not apply' if moot else ''}"
        elif mine and all(finding.status is FindingStatus.SKIPPED for finding in mine):
            yield hop.value, "skipped: no question arises here"
        for finding in mine:
            if finding.status not in _QUIET:
                yield hop.value, f"{finding.status.value}: {finding.title}"
