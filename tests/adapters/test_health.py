"""Everybody is asked at once; what a source says becomes one closed word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from adapters.contract import Source
from adapters.database import StatementFault
from adapters.health import State, health_of
from adapters.registry import Absent
from adapters.resilience import Guard, Reason
from catalog.errors import SourceUnavailable

pytestmark = pytest.mark.anyio

Ping = Callable[[], Awaitable[None]]


class Pinged:
    """A source whose ping is this, behind a guard of `deadline_s`."""

    def __init__(self, ping: Ping, deadline_s: float = 5) -> None:
        self._ping, self._guard = ping, Guard("x", deadline_s=deadline_s)

    async def ping(self) -> None:
        await self._guard.run(self._ping)


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
