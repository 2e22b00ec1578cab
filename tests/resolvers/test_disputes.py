"""What a worker knows to be disputed: how old it may be, how often it asks."""

from __future__ import annotations

import asyncio

import pytest

from resolvers.disputes import AGE_S, Disputes

pytestmark = [pytest.mark.anyio]

ONE, TWO = "1-one", "1-two"


class Store:
    """Open disputes that a test changes; says how often it was asked."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []
        self.asked = 0
        self.now = 100.0
        self.slow_s = 0.0

    async def __call__(self) -> list[tuple[str, str]]:
        found = list(self.rows)
        self.asked += 1
        self.now += self.slow_s
        await asyncio.sleep(0)
        return found

    def clock(self) -> float:
        return self.now


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def disputes(store: Store) -> Disputes:
    return Disputes(store, clock=store.clock)


async def test_it_is_told_by_person(store: Store, disputes: Disputes) -> None:
    store.rows = [(ONE, "Citizen.phone"), (TWO, "House.area"), (ONE, "House.area")]
    assert await disputes.current() == {
        ONE: frozenset({"Citizen.phone", "House.area"}),
        TWO: frozenset({"House.area"}),
    }


async def test_what_is_known_is_used_until_it_is_too_old(store: Store, disputes: Disputes) -> None:
    for after, asked in ((0.0, 1), (AGE_S - 0.01, 1), (0.01, 2), (0.0, 2)):
        store.now += after
        assert await disputes.current() == {}
        assert (store.asked, disputes.looked) == (asked, asked)


async def test_many_at_once_ask_once(store: Store, disputes: Disputes) -> None:
    store.rows = [(ONE, "Citizen.phone")]
    found = await asyncio.gather(*(disputes.current() for _ in range(20)))
    assert found == [{ONE: frozenset({"Citizen.phone"})}] * 20
    assert store.asked == 1


async def test_a_slow_statement_makes_nothing_younger(store: Store, disputes: Disputes) -> None:
    store.slow_s = 2 * AGE_S
    await asyncio.gather(disputes.current(), disputes.current())
    assert store.asked == 2  # the first one's was too old for the second


async def test_a_deed_is_announced_when_nobody_knows_less_any_more(
    store: Store, disputes: Disputes
) -> None:
    other = Disputes(store)  # by a real clock
    assert await other.current() == await disputes.current() == {}
    store.rows = [(ONE, "Citizen.phone")]
    assert await other.current() == {}
    await disputes.announced()
    assert await other.current() == await disputes.current() == {ONE: frozenset({"Citizen.phone"})}
