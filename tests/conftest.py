"""What every folder of tests shares: fixtures, Hypothesis profiles, and the policy on skipped tests."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.azurite import azurite
from tests.skip_policy import parse_allowed_skips, refused

__all__ = ["azurite"]

CHECKOUT = Path(__file__).resolve().parents[1]
ALLOWED_SKIPS_VARIABLE = "RDP_REMEDIATE_ALLOWED_SKIPS"
PROFILE_VARIABLE = "RDP_REMEDIATE_TEST_PROFILE"

# No deadline per example: on two busy cores a slow example says nothing about the code.
# The same examples every time: a landing must not depend on luck. `make fuzz` looks for new ones.
settings.register_profile("quick", max_examples=200, deadline=None, derandomize=True)
settings.register_profile(
    "ci", max_examples=2_000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "fuzz", max_examples=20_000, deadline=timedelta(seconds=10), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get(PROFILE_VARIABLE, "quick"))


def _skip_reasons(reporter: pytest.TerminalReporter) -> list[str]:
    reasons = []
    for report in reporter.stats.get("skipped", []):
        longrepr = report.longrepr
        text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
        reasons.append(text.removeprefix("Skipped: "))
    return reasons


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped for a reason which its list of allowed skips doesn't hold."""
    listed = os.environ.get(ALLOWED_SKIPS_VARIABLE)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not listed or not isinstance(reporter, pytest.TerminalReporter) or hasattr(session.config, "workerinput"):
        return
    allowed = parse_allowed_skips((CHECKOUT / listed).read_text(encoding="utf-8"))
    bad = refused(_skip_reasons(reporter), allowed, CHECKOUT)
    if bad:
        reporter.ensure_newline()
        reporter.section("skips that the list of allowed skips does not hold", sep="=", red=True)
        for reason in bad:
            reporter.line(reason)
        if session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
