"""adapters/deadline.py ends what is late and nothing else, as asyncio.timeout_at would."""

from __future__ import annotations

import asyncio

import pytest

from adapters.deadline import TICK_S, Deadlines

pytestmark = pytest.mark.anyio


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def answer() -> int:
    await asyncio.sleep(0)
    return 7


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_late_call_ends_after_its_time_and_within_a_tick_or_two() -> None:
    deadlines, begun = Deadlines(), _in(0)
    with pytest.raises(TimeoutError):
        await deadlines.within(_in(0.1), forever)
    assert 0.1 <= _in(0) - begun < 0.1 + 10 * TICK_S
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert await deadlines.within(_in(1), answer) == 7


async def test_of_many_calls_the_late_ones_end_and_the_others_go_on() -> None:
    deadlines = Deadlines()

    async def slow() -> int:
        await asyncio.sleep(3 * TICK_S)
        return 1

    late = [deadlines.within(_in(TICK_S), forever) for _ in range(20)]
    timely = [deadlines.within(_in(5), slow) for _ in range(20)]
    told = await asyncio.gather(*late, *timely, return_exceptions=True)
    assert [type(t) for t in told] == [TimeoutError] * 20 + [int] * 20


async def test_an_asker_who_leaves_is_no_timeout() -> None:
    task = asyncio.create_task(Deadlines().within(_in(5), forever))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_asker_who_leaves_at_the_same_moment_has_left() -> None:
    deadlines = Deadlines()
    task = asyncio.create_task(deadlines.within(_in(0), forever))
    await asyncio.sleep(0)
    task.cancel()
    deadlines._tick(asyncio.get_running_loop())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_an_outer_timeout_of_asyncios_own_is_its_own() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await Deadlines().within(_in(5), forever)


async def test_a_call_that_ends_with_an_error_when_struck_keeps_its_error() -> None:
    async def translated() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            raise ValueError from None

    with pytest.raises(ValueError, match=r"^$"):
        await Deadlines().within(_in(0.01), translated)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


def test_a_new_loop_finds_its_deadlines_watched() -> None:
    deadlines = Deadlines()

    async def late() -> None:
        with pytest.raises(TimeoutError):
            await deadlines.within(_in(0.01), forever)

    asyncio.run(late())
    asyncio.run(late())
