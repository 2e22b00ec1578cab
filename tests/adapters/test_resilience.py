"""A source's trouble is bounded in time, retried once, remembered, and named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from adapters.bulkhead import Bulkhead
from adapters.resilience import (
    Breaker,
    BreakerState,
    Fault,
    Guard,
    Reason,
    Unpaid,
    Window,
)
from catalog.errors import SourceUnavailable

pytestmark = pytest.mark.anyio


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


class Asked:
    """A source that plays a list of answers and counts its calls."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers, self.calls = list(answers), 0

    async def __call__(self) -> str:
        self.calls += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def breaker_of(guard: Guard) -> BreakerState:
    return guard.state.breaker


async def refused(guard: Guard, ask: Callable[[], Awaitable[object]]) -> SourceUnavailable:
    with pytest.raises(SourceUnavailable) as caught:
        await guard.run(ask)
    return caught.value


async def test_a_dropped_connection_is_asked_once_more() -> None:
    ask = Asked(ConnectionResetError(), "answer")
    guard = Guard("yb_settle")
    assert await guard.run(ask) == "answer"
    assert (ask.calls, guard.state.failures, guard.state.breaker) == (2, 0, BreakerState.CLOSED)


async def test_two_dropped_connections_are_down() -> None:
    ask = Asked(ConnectionResetError())
    error = await refused(Guard("yb_settle", title="医保"), ask)
    assert (ask.calls, error.reason, error.extra) == (2, "DOWN", {"source": "yb_settle"})
    assert error.message.startswith("医保未能应答")


async def test_a_fault_that_stays_is_not_asked_again() -> None:
    ask = Asked(Fault())
    assert (await refused(Guard("x"), ask)).reason == "DOWN"
    assert ask.calls == 1


async def test_a_slow_source_is_a_timeout_within_its_deadline() -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    error = await refused(Guard("x", deadline_s=0.05), lambda: asyncio.sleep(5))
    assert error.reason == "TIMEOUT"
    assert 0.05 <= loop.time() - begun < 1


async def test_a_read_without_time_left_asks_nobody_and_blames_nobody() -> None:
    ask, guard = Asked("answer"), Guard("x")
    with pytest.raises(SourceUnavailable) as caught:
        await guard.run(ask, until=guard.until(0))
    assert (caught.value.reason, ask.calls, guard.state.failures) == ("TIMEOUT", 0, 0)


async def test_a_budget_shortens_the_deadline_and_never_lengthens_it() -> None:
    now = asyncio.get_running_loop().time()
    guard = Guard("x", deadline_s=3)
    assert guard.until(1) - now == pytest.approx(1, abs=0.1)
    assert guard.until(60) - now == pytest.approx(3, abs=0.1)


async def test_an_error_of_ours_passes_and_says_nothing_about_the_source() -> None:
    guard = Guard("x")
    with pytest.raises(ZeroDivisionError):
        await guard.run(Asked(ZeroDivisionError()))
    assert guard.state.failures == 0


async def test_the_drivers_text_does_not_travel_on() -> None:
    error = await refused(Guard("x"), Asked(OSError("certno=539922199001011234")))
    assert "539922" not in f"{error!r}{error.__cause__!r}{error.extensions()!r}"
    assert error.__suppress_context__


async def test_the_breaker_opens_after_its_threshold_and_then_asks_nobody() -> None:
    clock, ask = Seconds(), Asked(Fault())
    guard = Guard("x", breaker=Breaker(threshold=3, cooldown_s=10, clock=clock))
    reasons = [(await refused(guard, ask)).reason for _ in range(5)]
    assert reasons == ["DOWN", "DOWN", "DOWN", "BREAKER_OPEN", "BREAKER_OPEN"]
    assert (ask.calls, guard.state.breaker) == (3, BreakerState.OPEN)
    assert guard.state.last_reason is Reason.DOWN


async def test_half_open_lets_one_probe_through_and_its_answer_closes() -> None:
    clock = Seconds()
    guard = Guard("x", breaker=Breaker(threshold=1, cooldown_s=10, clock=clock))
    await refused(guard, Asked(Fault()))
    clock.at += 9.9
    assert breaker_of(guard) is BreakerState.OPEN
    clock.at += 0.1
    assert breaker_of(guard) is BreakerState.HALF_OPEN
    gate = asyncio.Event()
    probe = asyncio.create_task(guard.run(gate.wait))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = Asked("answer")
    assert (await refused(guard, second)).reason == "BREAKER_OPEN"
    assert second.calls == 0
    gate.set()
    assert await probe is True
    assert breaker_of(guard) is BreakerState.CLOSED
    assert await guard.run(second) == "answer"


async def test_a_failed_probe_opens_again_at_once() -> None:
    clock = Seconds()
    guard = Guard("x", breaker=Breaker(threshold=3, cooldown_s=10, clock=clock))
    for _ in range(3):
        await refused(guard, Asked(Fault()))
    clock.at += 10
    assert (await refused(guard, Asked(Fault()))).reason == "DOWN"
    assert breaker_of(guard) is BreakerState.OPEN
    clock.at += 10
    assert breaker_of(guard) is BreakerState.HALF_OPEN


async def test_a_probe_whose_asker_left_frees_its_place() -> None:
    clock = Seconds()
    guard = Guard("x", breaker=Breaker(threshold=1, cooldown_s=10, clock=clock))
    await refused(guard, Asked(Fault()))
    clock.at += 10
    probe = asyncio.create_task(guard.run(asyncio.Event().wait))
    await asyncio.sleep(0.01)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert guard.state.failures == 1
    assert await guard.run(Asked("answer")) == "answer"


@pytest.mark.parametrize(
    ("local", "closed"),
    [("23:29", False), ("23:30", True), ("02:00", True), ("05:29", True), ("05:30", False)],
)
async def test_nobody_is_asked_in_the_outage_window(local: str, closed: bool) -> None:
    hour, minute = map(int, local.split(":"))
    utc = datetime(2026, 11, 1, (hour - 8) % 24, minute, tzinfo=UTC)
    ask = Asked("answer")
    guard = Guard("x", windows=(Window.parse("23:30-05:30"),), now=lambda: utc)
    assert guard.state.closed_now is closed
    if closed:
        assert (await refused(guard, ask)).reason == "OUTAGE_WINDOW"
    else:
        assert await guard.run(ask) == "answer"
    assert (ask.calls, guard.state.failures) == (0 if closed else 1, 0)


def test_a_window_within_one_day_ends_before_its_end() -> None:
    window = Window.parse("12:00-13:00")
    at = [datetime(2026, 11, 1, hour, tzinfo=UTC) for hour in (3, 4, 5)]
    assert [window.covers(moment) for moment in at] == [False, True, False]


@pytest.mark.parametrize(
    ("window", "moment", "began", "ends"),
    [
        ("23:30-05:30", "25 23:30", "25 23:30", "26 05:30"),
        ("23:30-05:30", "26 05:29", "25 23:30", "26 05:30"),
        ("23:30-05:30", "26 23:29", "25 23:30", "26 05:30"),
        ("12:00-13:00", "26 12:00", "26 12:00", "26 13:00"),
        ("12:00-13:00", "26 11:59", "25 12:00", "25 13:00"),
    ],
)
def test_a_window_knows_when_it_last_began_and_when_that_one_ends(
    window: str, moment: str, began: str, ends: str
) -> None:
    found = Window.parse(window)
    start = found.began(_local(moment))
    assert (start, found.ends(start)) == (_local(began), _local(ends))
    assert (start.tzinfo, found.ends(start).tzinfo) == (UTC, UTC)


def _local(text: str) -> datetime:
    """``26 05:30`` of November in Shanghai."""
    return datetime.strptime(f"2026-11-{text}+0800", "%Y-%m-%d %H:%M%z")


@pytest.mark.parametrize("text", ["", "23:30", "23:30-25:00"])
def test_a_window_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Window.parse(text)


async def test_the_state_says_when_it_was_last_well() -> None:
    moment = datetime(2026, 11, 1, 2, tzinfo=UTC)
    guard = Guard("x", now=lambda: moment)
    await guard.run(Asked("answer"))
    state = guard.state
    assert (state.last_ok, state.last_fault, state.last_reason) == (moment, None, None)
    assert state.latency_ms is not None
    assert 0 <= state.latency_ms < 1_000


class Hanging:
    """A source that takes calls and never answers; `asked` how many."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        await asyncio.Event().wait()
        return "never"


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def left(tasks: list[asyncio.Task[str]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_hanging_source_is_asked_by_no_more_than_its_room() -> None:
    hanging, guard = Hanging(), Guard("x", deadline_s=60, bulkhead=Bulkhead(room=4, queue=8))
    tasks = [asyncio.create_task(guard.run(hanging)) for _ in range(20)]
    await settled()
    refused_ = [task for task in tasks if task.done()]
    assert (hanging.asked, guard.state.in_flight) == (4, 4)
    assert [reason_of(task) for task in refused_] == ["BUSY"] * 8  # the queue holds eight
    await left(tasks)
    assert guard.state.in_flight == 0
    assert guard.state.failures == 0


def reason_of(task: asyncio.Task[str]) -> str | None:
    error = task.exception()
    assert isinstance(error, SourceUnavailable)
    return error.reason


async def test_busy_is_told_at_the_deadline_and_never_opens_the_breaker() -> None:
    hanging = Hanging()
    guard = Guard("x", bulkhead=Bulkhead(room=1), breaker=Breaker(threshold=1))
    first = asyncio.create_task(guard.run(hanging, until=guard.until() + 60))
    await settled()
    ask = Asked("answer")
    with pytest.raises(SourceUnavailable) as caught:
        await guard.run(ask, until=asyncio.get_running_loop().time() + 0.02)
    assert (caught.value.reason, ask.calls) == ("BUSY", 0)
    assert caught.value.extensions()["retryable"] is True
    state = guard.state
    assert (state.failures, state.breaker, state.last_reason) == (0, "CLOSED", "BUSY")
    await left([first])
    assert await guard.run(ask) == "answer"


async def test_who_waited_while_the_breaker_opened_asks_nobody() -> None:
    gate, asked = asyncio.Event(), 0

    async def fail() -> str:
        nonlocal asked
        asked += 1
        await gate.wait()
        raise Fault

    guard = Guard("x", bulkhead=Bulkhead(room=1), breaker=Breaker(threshold=1))
    tasks = [asyncio.create_task(guard.run(fail)) for _ in range(3)]
    await settled()
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [reason_of(task) for task in tasks] == ["DOWN", "BREAKER_OPEN", "BREAKER_OPEN"]
    assert asked == 1


@pytest.mark.parametrize("reason", [Reason.QUOTA, Reason.BUSY])
async def test_a_source_that_says_it_has_had_enough_is_not_sick(reason: Reason) -> None:
    ask, guard = Asked(Fault(reason)), Guard("x", breaker=Breaker(threshold=1))
    errors = [await refused(guard, ask) for _ in range(3)]
    assert [error.reason for error in errors] == [reason] * 3
    assert (ask.calls, guard.state.failures, guard.state.breaker) == (3, 0, "CLOSED")
    assert errors[0].extensions()["retryable"] is (reason is not Reason.QUOTA)


class Purse:
    """A budget of so many calls; `after` is what is said when they are spent."""

    def __init__(self, calls: int, after: Reason = Reason.QUOTA) -> None:
        self.calls, self._after = calls, after

    async def take(self, until: float) -> None:
        if self.calls == 0:
            raise Unpaid(self._after)
        self.calls -= 1


async def test_each_attempt_is_paid_for() -> None:
    purse, ask = Purse(5), Asked(ConnectionResetError(), "answer")
    assert await Guard("x", budget=purse).run(ask) == "answer"
    assert (ask.calls, purse.calls) == (2, 3)


async def test_a_second_try_that_cannot_be_paid_leaves_the_first_ones_fault() -> None:
    purse, ask = Purse(1), Asked(ConnectionResetError())
    guard = Guard("x", budget=purse)
    assert (await refused(guard, ask)).reason == "DOWN"
    assert (ask.calls, purse.calls, guard.state.failures) == (1, 0, 1)


@pytest.mark.parametrize(
    ("reason", "noted"),
    [(Reason.QUOTA, Reason.QUOTA), (Reason.BUSY, Reason.BUSY), (Reason.DOWN, None)],
)
async def test_a_call_that_is_not_paid_is_not_made(reason: Reason, noted: Reason | None) -> None:
    ask, guard = Asked("answer"), Guard("x", budget=Purse(0, reason), breaker=Breaker(threshold=1))
    error = await refused(guard, ask)
    assert (error.reason, ask.calls) == (reason, 0)
    assert error.extensions()["retryable"] is (reason is not Reason.QUOTA)
    state = guard.state
    assert (state.failures, state.breaker, state.last_reason) == (0, "CLOSED", noted)


async def test_a_budget_that_does_not_answer_is_not_the_sources_fault() -> None:
    class Stuck:
        async def take(self, until: float) -> None:
            await asyncio.Event().wait()

    ask, guard = Asked("answer"), Guard("x", deadline_s=0.05, budget=Stuck())
    assert (await refused(guard, ask)).reason == "DOWN"
    assert (ask.calls, guard.state.failures, guard.state.in_flight) == (0, 0, 0)


async def test_an_unpaid_probe_frees_its_place() -> None:
    clock, purse = Seconds(), Purse(1)
    breaker = Breaker(threshold=1, cooldown_s=10, clock=clock)
    guard = Guard("x", breaker=breaker, budget=purse)
    await refused(guard, Asked(Fault()))
    clock.at += 10
    assert (await refused(guard, Asked("answer"))).reason == "QUOTA"
    purse.calls = 1
    assert await guard.run(Asked("answer")) == "answer"
    assert breaker_of(guard) is BreakerState.CLOSED
