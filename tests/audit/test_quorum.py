"""How old the unwitnessed part of a log is, and when answers stop: from the store, on both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.log import AuditLog
from audit.quorum import SECOND, Cosigned, Level, Quorum, Times, WitnessState, witness_state
from catalog.errors import AuditUnavailable
from store.audit import audit_checkpoint, audit_cosignature, audit_event

if TYPE_CHECKING:
    from tests.audit.conftest import Drafts

pytestmark = pytest.mark.anyio

FIRST, SECOND_ONE, THIRD = "w.invalid/1", "w.invalid/2", "w.invalid/3"
NAMES = (FIRST, SECOND_ONE, THIRD)
TIMES = Times(900, 3_600, 14_400)


async def cosigned(engine: AsyncEngine, *rows: tuple[int, str]) -> None:
    async with engine.begin() as connection:
        values = [{"size": n, "witness": w, "line": "x\n", "at": n * SECOND} for n, w in rows]
        await connection.execute(audit_cosignature.insert(), values)


async def state(engine: AsyncEngine, quorum: int, names: tuple[str, ...] = NAMES) -> WitnessState:
    async with engine.connect() as connection:
        return await witness_state(connection, names, quorum)


async def time_of(engine: AsyncEngine, idx: int) -> int:
    async with engine.connect() as connection:
        wanted = select(audit_event.c.ts).where(audit_event.c.idx == idx)
        return int((await connection.execute(wanted)).scalar_one())


async def test_a_log_that_nobody_has_seen_is_as_old_as_its_first_record(
    engine: AsyncEngine, log: AuditLog
) -> None:
    told = await state(engine, 1)
    assert told == WitnessState(
        1, 1, None, 0, await time_of(engine, 0), tuple(Cosigned(n, 0, None) for n in NAMES)
    )
    assert told.age_s((told.since or 0) + 5 * SECOND) == 5


async def test_covered_is_what_enough_witnesses_have_seen(
    engine: AsyncEngine, log: AuditLog, drafts: Drafts
) -> None:
    for _ in range(5):
        await log.append(drafts())
    await cosigned(engine, (2, FIRST), (4, FIRST), (3, SECOND_ONE), (6, "stranger"))
    for quorum, covered in ((0, 4), (1, 4), (2, 3), (3, 0)):
        told = await state(engine, quorum)
        assert (told.size, told.covered) == (6, covered)
        assert told.since == await time_of(engine, covered)
    assert told.witnesses == (
        Cosigned(FIRST, 4, 4 * SECOND),
        Cosigned(SECOND_ONE, 3, 3 * SECOND),
        Cosigned(THIRD, 0, None),
    )


async def test_a_covered_log_does_not_grow_old(engine: AsyncEngine, log: AuditLog) -> None:
    async with engine.begin() as connection:
        values = {"size": 1, "note": "note", "created_at": 7}
        await connection.execute(audit_checkpoint.insert(), values)
    await cosigned(engine, (1, FIRST))
    told = await state(engine, 1)
    assert (told.covered, told.checkpoint, told.since) == (1, 1, None)
    assert told.age_s(1 << 60) == 0
    assert told.level(TIMES, 1 << 60) is Level.OK


async def test_fewer_witnesses_than_demanded_cover_nothing(
    engine: AsyncEngine, log: AuditLog
) -> None:
    await cosigned(engine, (1, FIRST))
    assert (await state(engine, 2, (FIRST,))).covered == 0
    assert (await state(engine, 0, ())).covered == 0


def told_since(since: int | None, quorum: int = 1) -> WitnessState:
    return WitnessState(quorum, 9, 9, 5, since, ())


@pytest.mark.parametrize(
    ("age", "level"),
    [
        (0, Level.OK),
        (899, Level.OK),
        (900, Level.WARN),
        (3_599, Level.WARN),
        (3_600, Level.ALERT),
        (14_399, Level.ALERT),
        (14_400, Level.REFUSED),
        (10**6, Level.REFUSED),
    ],
)
def test_levels_begin_at_their_ages(age: int, level: Level) -> None:
    assert told_since(1_000 * SECOND).level(TIMES, (1_000 + age) * SECOND) is level
    assert told_since(1_000 * SECOND, 0).level(TIMES, (1_000 + age) * SECOND) is Level.OK


@dataclass
class Clock:
    now: int = 1_000_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def allowed(demand: Callable[[], None]) -> bool:
    try:
        demand()
    except AuditUnavailable as refused:
        return (refused.reason, refused.status, refused.retryable) != ("QUORUM", 503, True)
    return True


def test_answers_leave_until_the_first_unwitnessed_record_is_too_old(clock: Clock) -> None:
    quorum = Quorum(1, TIMES, clock)
    assert not allowed(quorum.demand)  # nothing is known yet
    quorum.learned(told_since(clock.now))
    for _ in range(4):
        assert allowed(quorum.demand)
        clock.later(3_599)
    assert (allowed(quorum.demand), quorum.level()) == (True, Level.ALERT)
    clock.later(4)
    assert (allowed(quorum.demand), quorum.level()) == (False, Level.REFUSED)
    quorum.learned(told_since(None))
    assert (allowed(quorum.demand), quorum.level()) == (True, Level.OK)


def test_who_cannot_look_any_more_stops_by_himself(clock: Clock) -> None:
    quorum = Quorum(1, TIMES, clock)
    quorum.learned(told_since(None))
    clock.later(14_399)
    assert allowed(quorum.demand)
    clock.later(1)
    assert not allowed(quorum.demand)
    assert quorum.level() is Level.REFUSED


def test_without_a_quorum_the_clock_is_not_even_read() -> None:
    def broken() -> int:
        raise AssertionError("read")

    quorum = Quorum(0, TIMES, broken)
    assert allowed(quorum.demand)
    quorum.learned(told_since(0, 0))
    assert allowed(quorum.demand)
    assert Quorum(0).level() is Level.OK
