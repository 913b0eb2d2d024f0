import pytest

from rdp_remediate.errors import UsageError
from rdp_remediate.probe.times import ProbeTimes


def test_the_defaults_fit_the_internet() -> None:
    times = ProbeTimes()
    assert (times.connect_s, times.x224_s, times.tls_s, times.credssp_s) == (5, 4, 4, 4)
    assert (times.total_s, times.confirm_delay_s) == (12, 1.5)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_that_ends_at_once_or_never_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match="tls_s"):
        ProbeTimes(tls_s=value)


def test_the_pause_may_be_zero_but_not_negative() -> None:
    assert ProbeTimes(confirm_delay_s=0).confirm_delay_s == 0
    with pytest.raises(UsageError, match="confirm_delay_s"):
        ProbeTimes(confirm_delay_s=-0.1)
