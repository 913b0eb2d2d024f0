"""Messages travel between Azurite and the functions of an app as under the queue extension."""

import json
from collections.abc import Iterator

import pytest

from tests.azurite import Azurite
from tests.function_host.host import FunctionHost
from tests.function_host.invocation import HostError
from tests.function_host.queue_pump import Crash, Outcome, QueuePump
from tests.function_host.test_host import SAMPLE, SETTINGS

pytestmark = pytest.mark.slow

QUEUE = SETTINGS["WORK_QUEUE"]


@pytest.fixture
def host() -> Iterator[FunctionHost]:
    with FunctionHost(SAMPLE, SETTINGS) as started:
        yield started


@pytest.fixture
def pump(host: FunctionHost, azurite: Azurite) -> Iterator[QueuePump]:
    with QueuePump(host, azurite.connection_string) as started:
        started.clear()
        yield started


def attempts(pump: QueuePump) -> list[int]:
    return [json.loads(text)["attempt"] for text in pump.texts("done")]


def test_an_http_request_becomes_a_message_and_the_message_is_worked_on(host: FunctionHost, pump: QueuePump) -> None:
    pump.carry(host.invoke_http("POST", "/api/start", body={"n": 1}))
    assert pump.texts(QUEUE) == ('{"n": 1}',)
    (delivery,) = pump.drain()
    assert (delivery.outcome, delivery.dequeue_count) == (Outcome.DONE, 1)
    assert pump.texts(QUEUE) == ()
    assert attempts(pump) == [1]


def test_a_failing_message_comes_back_with_a_higher_dequeue_count(pump: QueuePump) -> None:
    pump.put(QUEUE, '{"fail_times": 1}')
    assert [(d.outcome, d.dequeue_count) for d in pump.drain()] == [(Outcome.RETRIED, 1), (Outcome.DONE, 2)]
    assert attempts(pump) == [2]


def test_a_message_that_keeps_failing_ends_in_the_poison_queue(pump: QueuePump) -> None:
    pump.put(QUEUE, '{"fail_times": 99}')
    assert [d.outcome for d in pump.drain()] == [Outcome.RETRIED, Outcome.RETRIED, Outcome.POISONED]
    assert pump.texts(f"{QUEUE}-poison") == ('{"fail_times": 99}',)
    assert pump.texts("done") == ()


def test_a_failed_message_stays_away_for_the_visibility_timeout(host: FunctionHost, azurite: Azurite) -> None:
    with QueuePump(host, azurite.connection_string, retry_after_s=30) as pump:
        pump.clear()
        pump.put(QUEUE, '{"fail_times": 1}')
        assert [d.outcome for d in pump.drain()] == [Outcome.RETRIED]
        assert pump.deliver(QUEUE) is None


def test_plain_text_instead_of_base64_is_poisoned_without_a_call(pump: QueuePump) -> None:
    pump._client(QUEUE).send_message('{"n": 1}')
    (delivery,) = pump.drain()
    assert (delivery.outcome, delivery.invocation) == (Outcome.POISONED, None)


def test_a_message_of_a_killed_host_is_held_and_then_delivered_again(host: FunctionHost, pump: QueuePump) -> None:
    pump.put(QUEUE, '{"hang": true}')

    def kill() -> None:
        host.wait_for_log("work .*hang")
        host.kill()

    lost = pump.deliver(QUEUE, while_running=kill)
    assert lost is not None
    assert lost.outcome is Outcome.LOST
    with FunctionHost(SAMPLE, SETTINGS, timeout_s=5) as successor:
        pump.attach(successor)
        assert pump.deliver(QUEUE) is None
        assert pump.let_lost_return() == 1
        again = pump.deliver(QUEUE, while_running=successor.kill)
    assert again is not None
    assert again.dequeue_count == 2


@pytest.mark.parametrize(("crash", "done_before"), [(Crash.BEFORE_OUTPUTS, []), (Crash.BEFORE_DELETE, [1])])
def test_a_crash_after_the_function_returned_repeats_the_message(
    pump: QueuePump, crash: Crash, done_before: list[int]
) -> None:
    pump.put(QUEUE, '{"n": 1}')
    lost = pump.deliver(QUEUE, crash=crash)
    assert lost is not None
    assert lost.outcome is Outcome.LOST
    assert attempts(pump) == done_before
    pump.let_lost_return()
    assert [d.outcome for d in pump.drain()] == [Outcome.DONE]
    assert attempts(pump) == [*done_before, 2]


def test_a_drain_that_never_gets_there_says_so(pump: QueuePump) -> None:
    with pytest.raises(HostError, match="not drained"):
        pump.drain(timeout_s=0.2, until=lambda: False)
