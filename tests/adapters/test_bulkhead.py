"""So many at once and no more, in order, and no place is ever lost."""

from __future__ import annotations

import asyncio

import pytest

from adapters.bulkhead import Bulkhead, Full

pytestmark = pytest.mark.anyio
LONG_S = 60.0


def soon(seconds: float = LONG_S) -> float:
    return asyncio.get_running_loop().time() + seconds


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_places_are_given_in_the_order_of_asking() -> None:
    bulkhead, order = Bulkhead(room=1), list[int]()

    async def visit(number: int) -> None:
        await bulkhead.enter(soon())
        order.append(number)
        await asyncio.sleep(0)
        bulkhead.leave()

    await asyncio.gather(*(visit(number) for number in range(9)))
    assert order == list(range(9))
    assert (bulkhead.in_flight, bulkhead.waiting) == (0, 0)


async def test_never_more_than_its_room_are_inside() -> None:
    bulkhead, inside, most = Bulkhead(room=3), 0, 0

    async def visit() -> None:
        nonlocal inside, most
        await bulkhead.enter(soon())
        inside += 1
        most = max(most, inside)
        await settled()
        inside -= 1
        bulkhead.leave()

    await asyncio.gather(*(visit() for _ in range(30)))
    assert (most, bulkhead.in_flight) == (3, 0)


async def test_who_waits_past_his_deadline_is_told_and_forgotten() -> None:
    bulkhead = Bulkhead(room=1)
    await bulkhead.enter(soon())
    with pytest.raises(Full):
        await bulkhead.enter(soon(0.02))
    assert (bulkhead.in_flight, bulkhead.waiting) == (1, 0)
    bulkhead.leave()
    await bulkhead.enter(soon())
    assert bulkhead.in_flight == 1


async def test_the_queue_is_bounded() -> None:
    bulkhead = Bulkhead(room=1, queue=2)
    await bulkhead.enter(soon())
    waiting = [asyncio.create_task(bulkhead.enter(soon())) for _ in range(2)]
    await settled()
    with pytest.raises(Full):
        await bulkhead.enter(soon())
    assert bulkhead.waiting == 2
    for _ in range(3):
        bulkhead.leave()
        await settled()
    assert all(task.done() for task in waiting)
    assert bulkhead.in_flight == 0


async def test_a_cancelled_waiter_frees_its_place_in_the_queue() -> None:
    bulkhead = Bulkhead(room=1, queue=1)
    await bulkhead.enter(soon())
    gone = asyncio.create_task(bulkhead.enter(soon()))
    await settled()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert (gone.cancelled(), bulkhead.waiting) == (True, 0)
    next_ = asyncio.create_task(bulkhead.enter(soon()))
    await settled()
    bulkhead.leave()
    await next_
    assert bulkhead.in_flight == 1


async def test_a_place_handed_to_one_who_leaves_in_that_moment_goes_to_the_next() -> None:
    bulkhead = Bulkhead(room=1)
    await bulkhead.enter(soon())
    first = asyncio.create_task(bulkhead.enter(soon()))
    second = asyncio.create_task(bulkhead.enter(soon()))
    await settled()
    bulkhead.leave()  # the place is the first one's now, who has not woken yet
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert first.cancelled()
    await second
    assert (bulkhead.in_flight, bulkhead.waiting) == (1, 0)
    bulkhead.leave()
    assert bulkhead.in_flight == 0
