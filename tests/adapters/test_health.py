"""Everybody is asked at once; what a source says becomes one closed word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from adapters.contract import Source
from adapters.databases.database import StatementFault
from adapters.health import State, health_of, state_of
from adapters.registry import Absent
from adapters.resilience import Breaker, Fault, Guard, Reason, Window
from catalog.errors import SourceUnavailable

pytestmark = pytest.mark.anyio

Ping = Callable[[], Awaitable[None]]


class Pinged:
    """A source whose ping is this, behind a guard of `deadline_s`."""

    def __init__(self, ping: Ping, deadline_s: float = 5) -> None:
        self._ping, self.guard = ping, Guard("x", deadline_s=deadline_s)

    async def ping(self) -> None:
        await self.guard.run(self._ping)


def source(ping: Ping, deadline_s: float = 5) -> Source:
    return cast(Source, Pinged(ping, deadline_s))


async def answers() -> None:
    await asyncio.sleep(0)


async def hangs() -> None:
    await asyncio.Event().wait()


def raising(error: Exception) -> Ping:
    async def ping() -> None:
        raise error

    return ping


async def test_one_that_hangs_costs_its_own_deadline_and_nobody_elses() -> None:
    begun = time.monotonic()
    asked: dict[str, Any] = {f"hangs{n}": source(hangs, 0.5) for n in range(5)}
    found = await health_of(asked | {"good": source(answers)})
    assert time.monotonic() - begun < 2  # five, one after the other, would take 2.5
    assert [one.state for one in found] == [*([State.TIMEOUT] * 5), State.ANSWERS]
    assert all(one.latency_ms >= 490 for one in found[:5])
    assert found[-1].latency_ms < 490
    assert found[-1].answers


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (OSError(), State.DOWN),
        (TimeoutError(), State.TIMEOUT),
        (StatementFault("X"), State.DOWN),
        (SourceUnavailable("不", reason="UNHEARD_OF", source="x"), State.DOWN),
    ],
)
async def test_every_failure_is_one_of_the_words(error: Exception, state: State) -> None:
    (found,) = await health_of({"x": source(raising(error))})
    assert (found.name, found.state, found.answers) == ("x", state, False)


async def test_one_that_nobody_connected_is_told_apart_from_one_that_is_down() -> None:
    (found,) = await health_of({"x": Absent("x", "某系统")})
    assert found.state is State.NOT_CONNECTED


def test_every_reason_of_a_guard_is_a_state() -> None:
    assert {*Reason} <= {*State}


# ---- what is known without asking


class Guarded:
    """A source that nobody may ask: only its guard is looked at."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard


def known(guard: Guard) -> State:
    return state_of(cast(Source, Guarded(guard)))


async def test_who_was_never_asked_says_so_and_who_is_not_there_too() -> None:
    assert known(Guard("x")) is State.NOT_ASKED
    assert state_of(Absent("x", "某局")) is State.NOT_CONNECTED


@pytest.mark.parametrize("reason", [Reason.DOWN, Reason.TIMEOUT, Reason.QUOTA, Reason.SCHEMA])
async def test_the_last_call_is_what_is_known(reason: Reason) -> None:
    ticks = iter(range(100))
    guard = Guard("x", now=lambda: datetime(2026, 11, 26, 8, 0, next(ticks), tzinfo=UTC))

    async def fail() -> None:
        raise Fault(reason)

    await guard.run(answers)
    assert known(guard) is State.ANSWERS
    with pytest.raises(SourceUnavailable):
        await guard.run(fail)
    assert known(guard).value == reason.value
    await guard.run(answers)
    assert known(guard) is State.ANSWERS


async def test_what_keeps_calls_away_now_goes_before_what_the_last_call_said() -> None:
    guard = Guard("x", breaker=Breaker(threshold=1))
    with pytest.raises(SourceUnavailable):
        await guard.run(raising(Fault()))
    assert known(guard) is State.BREAKER_OPEN
    noon = datetime(2026, 11, 26, 4, tzinfo=UTC)
    closed = Guard("x", windows=(Window.parse("11:00-13:00"),), now=lambda: noon)
    assert known(closed) is State.OUTAGE_WINDOW
