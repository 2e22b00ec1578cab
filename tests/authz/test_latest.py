"""A value no older than the question, and no more reads than a crowd needs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from authz.latest import Latest

pytestmark = pytest.mark.anyio


@dataclass
class Elsewhere:
    """Something that is read: each read takes its value when it begins, and ends when let go."""

    value: int = 0
    reads: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    async def read(self) -> int:
        self.reads += 1
        found = self.value
        await self.open.wait()
        if self.broken:
            raise OSError("gone")
        return found


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_crowd_that_asks_before_the_read_shares_it() -> None:
    there = Elsewhere(value=7)
    latest = Latest(there.read)
    there.open.set()
    assert await asyncio.gather(*(latest.get() for _ in range(100))) == [7] * 100
    assert there.reads == 1


async def test_who_asks_while_a_read_is_under_way_is_told_of_the_next() -> None:
    there = Elsewhere(value=1)
    latest = Latest(there.read)
    early = asyncio.create_task(latest.get())
    await _settle()
    assert there.reads == 1  # it has begun
    there.value = 2
    late = [asyncio.create_task(latest.get()) for _ in range(50)]
    await _settle()
    assert there.reads == 1  # never two at a time
    there.open.set()
    assert await early == 1
    assert await asyncio.gather(*late) == [2] * 50
    assert there.reads == 2


async def test_one_who_leaves_takes_nobody_along() -> None:
    there = Elsewhere(value=3)
    latest = Latest(there.read)
    first, second = (asyncio.create_task(latest.get()) for _ in range(2))
    await _settle()
    first.cancel()
    await _settle()
    there.open.set()
    assert await second == 3
    assert first.cancelled()


async def test_a_failure_is_told_to_all_who_shared_it_and_to_nobody_after() -> None:
    there = Elsewhere(broken=True)
    latest = Latest(there.read)
    there.open.set()
    told = await asyncio.gather(*(latest.get() for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [OSError] * 3
    there.broken, there.value = False, 9
    assert await latest.get() == 9
    assert there.reads == 2
