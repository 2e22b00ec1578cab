"""A source with limits is asked as often as it allows, by the guard, out of the store's book."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.resilience import Guard
from catalog.errors import SourceUnavailable
from catalog.load import load
from hub.budgets import SourceBudget, budget_of
from store import migrate
from store.budgets import Budgets
from store.engine import open_engine

SPEC = replace(load().sources["sj_exchange"], quota=3)


class Asked:
    """A source that always answers."""

    calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        return "answer"


def run(deed: Callable[[Budgets], Awaitable[None]], url: str) -> None:
    async def whole() -> None:
        engine = open_engine(url)
        try:
            await deed(Budgets(engine))
        finally:
            await engine.dispose()

    asyncio.run(whole())


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path / 'hub.sqlite'}"
    migrate.upgrade(url)
    return url


def test_two_workers_send_exactly_the_quota(store: str) -> None:
    async def deed(budgets: Budgets) -> None:
        ask = Asked()
        # Of two workers: each has a guard of its own, the book alone is shared.
        guards = [Guard(SPEC.name, budget=SourceBudget(SPEC, budgets)) for _ in range(2)]
        runs = (guards[number % 2].run(ask) for number in range(8))
        found = await asyncio.gather(*runs, return_exceptions=True)
        refused = [error for error in found if isinstance(error, SourceUnavailable)]
        assert (found.count("answer"), ask.calls) == (3, 3)
        assert [error.reason for error in refused] == ["QUOTA"] * 5

    run(deed, store)


def test_a_call_waits_for_its_moment_or_is_not_made(store: str) -> None:
    waits = list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def deed(budgets: Budgets) -> None:
        ask, spec = Asked(), replace(SPEC, rate=1, quota=None)
        guard = Guard(spec.name, deadline_s=4.5, budget=SourceBudget(spec, budgets, sleep=sleep))
        found = await asyncio.gather(*(guard.run(ask) for _ in range(9)), return_exceptions=True)
        reasons = [error.reason for error in found if isinstance(error, SourceUnavailable)]
        assert ask.calls == 5  # now and in one to four seconds
        assert reasons == ["BUSY"] * 4
        assert [round(wait + 0.4) for wait in waits] == [1, 2, 3, 4]

    run(deed, store)


def test_without_the_store_a_source_with_limits_is_not_asked(tmp_path: Path) -> None:
    async def deed(budgets: Budgets) -> None:
        ask = Asked()
        guard = Guard(SPEC.name, budget=SourceBudget(SPEC, budgets))
        with pytest.raises(SourceUnavailable) as caught:
            await guard.run(ask)
        assert (caught.value.reason, ask.calls, guard.state.failures) == ("DOWN", 0, 0)

    run(deed, f"sqlite+aiosqlite:///{tmp_path / 'nowhere' / 'hub.sqlite'}")


def test_a_source_without_limits_costs_the_store_nothing() -> None:
    sources = load().sources
    engine = open_engine("sqlite+aiosqlite:///nowhere")
    limited = [n for n, spec in sources.items() if budget_of(spec, Budgets(engine)) is not None]
    assert limited == ["rs_jiuye", "sj_exchange"]
