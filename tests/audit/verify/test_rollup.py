"""The roll-up is added up again from the bodies and compared, up to its cursor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.drill import made
from audit.plant import Store, write
from audit.subjects import seen_count
from audit.verify import Code, Exit, Verdicts, check
from audit.verify.rollup import HOUR_US
from store.audit import audit_follower, audit_rollup_hour

pytestmark = pytest.mark.anyio
BASE = made(60)


def spread(step_us: int, late: int = 0) -> Store:
    """The same records `step_us` apart; one of another writer `late` hours too late."""
    bodies = [{**body, "ts": body["ts"] + n * step_us} for n, body in enumerate(BASE.bodies)]
    if late:
        back = bodies[40]["ts"] - late * HOUR_US
        bodies[40] = {**bodies[40], "writer": "other/1", "wseq": 1, "ts": back}
        bodies[41:] = [{**body, "wseq": body["wseq"] - 1} for body in bodies[41:]]
    return Store(BASE.log, tuple(bodies), ())


async def rolled(connection: AsyncConnection, store: Store, upto: int) -> int:
    """What the follower would have written; how many rows."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for body in store.bodies[:upto]:
        place = (body.get("actor", ""), body["ts"] // HOUR_US, body["area"])
        one = sums.setdefault((*place, body["kind"], body["outcome"]), [0, 0])
        one[0] += 1
        one[1] += seen_count(body)
    names = ("actor", "hour", "area", "kind", "outcome", "events", "subjects")
    rows = [dict(zip(names, (*key, *both), strict=True)) for key, both in sums.items()]
    await connection.execute(insert(audit_rollup_hour), rows)
    await connection.execute(insert(audit_follower), {"name": "rollup", "next_idx": upto})
    return len(rows)


@pytest.fixture
def build(engine: AsyncEngine) -> Callable[..., Awaitable[int]]:
    async def built(store: Store, upto: int) -> int:
        async with engine.begin() as connection:
            await write(connection, store, [])
            return await rolled(connection, store, upto)

    return built


async def judged(engine: AsyncEngine, window: int = 7) -> Verdicts:
    return await check(engine, window=window)


@pytest.mark.parametrize(("step_us", "upto"), [(0, 60), (0, 35), (HOUR_US // 4, 60), (HOUR_US, 60)])
async def test_a_true_roll_up_is_intact(
    engine: AsyncEngine, build: Callable[..., Awaitable[int]], step_us: int, upto: int
) -> None:
    assert await build(spread(step_us), upto) >= 8
    for window in (1, 7, 500):
        verdicts = await judged(engine, window)
        assert (verdicts.exit, verdicts.counts) == (Exit.INTACT, {})


@pytest.mark.parametrize("late", [1, 5, 20])
async def test_a_record_that_comes_late_is_set_off(
    engine: AsyncEngine, build: Callable[..., Awaitable[int]], late: int
) -> None:
    await build(spread(HOUR_US, late), 60)
    verdicts = await judged(engine)
    assert (verdicts.exit, verdicts.counts) == (Exit.INTACT, {})


HOUR = BASE.bodies[30]["ts"] // HOUR_US + 30


@pytest.mark.parametrize(
    ("deed", "first"),
    [
        (update(audit_rollup_hour).where(text(f"hour = {HOUR}")).values(events=2), 30),
        (update(audit_rollup_hour).where(text(f"hour = {HOUR}")).values(subjects=0), 30),
        (delete(audit_rollup_hour).where(text(f"hour = {HOUR}")), 30),
        (
            insert(audit_rollup_hour).values(
                actor="x", hour=5, area="532622", kind="READ", outcome="OK", events=1, subjects=0
            ),
            60,
        ),
        (update(audit_follower).values(next_idx=61), 60),
        (delete(audit_follower), 60),
    ],
)
async def test_a_changed_roll_up_is_found(
    engine: AsyncEngine, build: Callable[..., Awaitable[int]], deed: Any, first: int
) -> None:
    await build(spread(HOUR_US), 60)
    async with engine.begin() as connection:
        assert (await connection.execute(deed)).rowcount == 1
    verdicts = await judged(engine)
    assert (verdicts.exit, set(verdicts.counts)) == (Exit.TAMPERED, {Code.ROLLUP})
    assert (verdicts.first_bad, verdicts.indexes, verdicts.integrity) == (first, False, True)


async def test_what_no_follower_wrote_must_not_be_there(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await write(connection, spread(0), [])
        await rolled(connection, spread(0), 60)
        await connection.execute(delete(audit_follower))
        count = (
            await connection.execute(select(func.count()).select_from(audit_rollup_hour))
        ).scalar()
    assert (await judged(engine)).counts == {Code.ROLLUP: count}
