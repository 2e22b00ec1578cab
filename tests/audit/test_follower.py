"""A follower rests after its work, but never so long that what it tells comes late."""

from __future__ import annotations

import asyncio
import time

import pytest

from audit.follower import Follower

pytestmark = pytest.mark.anyio


class Slow:
    """Steps that take a while each; when each began. `twice` is set by the second."""

    def __init__(self, took_s: float) -> None:
        self.took_s, self.began, self.twice = took_s, list[float](), asyncio.Event()

    async def step(self) -> int:
        self.began.append(time.monotonic())
        if len(self.began) > 1:
            self.twice.set()
        await asyncio.sleep(self.took_s)
        return len(self.began)


async def gap_s(took_s: float, *, rest: int, pause_s: float) -> float:
    """Seconds between the end of the first step and the beginning of the second."""
    steps = Slow(took_s)
    task = asyncio.create_task(Follower("f", steps, rest=rest, pause_s=pause_s).follow())
    async with asyncio.timeout(60):
        await steps.twice.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return steps.began[1] - steps.began[0] - took_s


async def test_after_a_long_step_the_pause_has_an_end() -> None:
    assert await gap_s(0.2, rest=1_000, pause_s=0.1) < 10  # without an end: 200 s


async def test_a_short_step_is_rested_from_in_proportion() -> None:
    assert 0.15 <= await gap_s(0.05, rest=4, pause_s=60.0) < 10
