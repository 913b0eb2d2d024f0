"""A run with a list of allowed skips fails on any other skip, also when the tests are spread over processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skip_policy import parse_allowed_skips, refused

CHECKOUT = Path(__file__).resolve().parents[1]
LIST = """
# a comment
node is not installed* => no node on this machine
[absent: gone] needs gone => not in a public clone
[absent: here] needs here => not in a public clone
"""


def test_a_skip_is_accepted_only_by_a_line_that_matches_and_applies(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    reasons = ["node is not installed; run x", "needs gone", "needs here", "because", "because"]
    assert refused(reasons, parse_allowed_skips(LIST), tmp_path) == ("because", "needs here")


@pytest.mark.parametrize("line", ["a glob without a reason", "[absent: x]", "=> why"])
def test_a_line_without_a_reason_why_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        parse_allowed_skips(line)


def test_the_list_of_this_repository_is_well_formed() -> None:
    assert parse_allowed_skips((CHECKOUT / "tests" / "allowed_skips.txt").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "reason", "exit_code"), [("0", "odd", 1), ("2", "odd", 1), ("0", "known", 0)])
def test_a_run_with_an_unlisted_skip_fails_and_ends_with_the_closing_line(
    tmp_path: Path, processes: str, reason: str, exit_code: int
) -> None:
    (tmp_path / "test_sample.py").write_text(
        f"import pytest\n\ndef test_skips():\n    pytest.skip('{reason} reason')\n\ndef test_passes():\n    assert 1\n"
    )
    (tmp_path / "allowed.txt").write_text("known reason => for this test\n")
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "tests.conftest",
            "-n",
            processes,
            "--rootdir",
            str(tmp_path),
            ".",
        ],
        check=False,
        cwd=tmp_path,
        env=os.environ
        | {
            "RDP_REMEDIATE_ALLOWED_SKIPS": str(tmp_path / "allowed.txt"),
            "PYTHONPATH": str(CHECKOUT),
            "PYTEST_ADDOPTS": "",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == exit_code, run.stdout + run.stderr
    assert ("odd reason\n" in run.stdout) == bool(exit_code)
    assert run.stdout.rstrip().splitlines()[-1].startswith("1 passed, 1 skipped")
