"""How fast an account may ask: counted for all workers, refused with what to do, recorded once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from authz.post import Asker
from catalog.errors import RateLimited
from catalog.standing import Standing, standing_of
from hub.app import assemble, create_app, running
from hub.demo.site import Site
from hub.edge.pace import Bounds, Pace
from hub.worker import Hub
from store import migrate
from store.audit import audit_event
from store.engine import open_engine
from store.rates import Rates

pytestmark = pytest.mark.anyio

NOON = 1_795_000_040.0  # twenty seconds into its minute
BOUNDS = {
    Standing.PERSON: Bounds(rate=16, running=4),
    Standing.SYSTEM: Bounds(rate=64, running=16),
    Standing.GATEWAY: Bounds(rate=256, running=64),
}
VIEWER = {"query": "{ viewer { account } }"}


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def asker(kind: str = "official", account: str = "clerk", *, gateway: bool = False) -> Asker:
    return Asker(account, kind, (), "aid.file", date(2026, 11, 26), gateway=gateway)


def paced(rates: Rates) -> Pace:
    """One that waits for the store however busy the machine is."""
    return Pace(rates, BOUNDS, wait_s=60)


@pytest.fixture
async def store(store_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    await asyncio.to_thread(migrate.upgrade, store_url)
    made = open_engine(store_url)
    yield made
    await made.dispose()


async def test_workers_together_let_through_what_the_account_may_ask(store: AsyncEngine) -> None:
    workers = [paced(Rates(store, clock=Clock())) for _ in range(3)]
    asked = [workers[turn % 3].admit(asker()) for turn in range(60)]
    found = [(await asyncio.gather(one, return_exceptions=True))[0] for one in asked]
    refused = [one for one in found if isinstance(one, RateLimited)]
    assert (len(found), len(refused)) == (60, 44)
    for error in refused:
        assert error.extensions() == {
            "code": "RATE_LIMITED",
            "messageEn": "too many requests of this account within a minute",
            "retryable": True,
            "docs": "docs/errors/RATE_LIMITED.md",
            "reason": "RATE",
            "retryAfter": 40,
        }


async def test_a_warm_request_costs_no_statement_and_a_refused_one_neither(
    store: AsyncEngine,
) -> None:
    sent: list[str] = []
    event.listen(
        store.sync_engine, "before_cursor_execute", lambda *told: sent.append(str(told[2]))
    )
    pace = paced(Rates(store, clock=Clock()))
    await pace.admit(asker("system"))
    counts = []
    for _ in range(63):
        before = len(sent)
        await pace.admit(asker("system"))
        counts.append(len(sent) - before)
    assert pace.taken == 27  # a statement each; of 600 requests 44 take one
    assert counts[:7] == [0] * 7  # of the first share of eight
    with pytest.raises(RateLimited):
        await pace.admit(asker("system"))
    before = len(sent)
    for _ in range(100):
        with pytest.raises(RateLimited):
            await pace.admit(asker("system"))
    assert len(sent) == before


async def test_many_at_once_take_one_share(store: AsyncEngine) -> None:
    pace = paced(Rates(store, clock=Clock()))
    await asyncio.gather(*(pace.admit(asker(gateway=True)) for _ in range(32)))
    assert pace.taken == 1  # 256 / 8


async def test_what_is_left_is_told_and_the_next_minute_is_new(store: AsyncEngine) -> None:
    clock = Clock()
    pace = paced(Rates(store, clock=clock))
    told = [dict(await pace.admit(asker())) for _ in range(16)]
    assert [int(one[b"ratelimit-remaining"]) for one in told] == list(range(15, -1, -1))
    assert {one[b"ratelimit-limit"] for one in told} == {b"16"}
    assert {one[b"ratelimit-reset"] for one in told} == {b"40"}
    with pytest.raises(RateLimited):
        await pace.admit(asker())
    clock.now += 40
    assert dict(await pace.admit(asker()))[b"ratelimit-remaining"] == b"15"


async def test_a_store_that_does_not_answer_limits_nobody(tmp_path: Path) -> None:
    nowhere = open_engine(f"sqlite+aiosqlite:///{tmp_path}/none/store.sqlite")
    pace = paced(Rates(nowhere, clock=Clock()))
    for _ in range(40):
        await pace.admit(asker())
    await nowhere.dispose()


@pytest.mark.parametrize(
    ("kind", "gateway", "most"),
    [
        ("official", False, 4),
        ("portal", False, 16),
        ("system", False, 16),
        ("official", True, 64),
        ("system", True, 64),
        ("?", False, 4),
    ],
)
async def test_so_many_operations_of_an_account_run_at_once(
    store: AsyncEngine, kind: str, gateway: bool, most: int
) -> None:
    pace = paced(Rates(store))
    with ExitStack() as stack:
        for _ in range(most):
            stack.enter_context(pace.running(asker(kind, gateway=gateway)))
        with pytest.raises(RateLimited) as caught, pace.running(asker(kind, gateway=gateway)):
            pass
        assert caught.value.reason == "CONCURRENCY"
        assert caught.value.extra["retryAfter"] == 1
        with pace.running(asker(kind, "another", gateway=gateway)):
            pass
    for _ in range(3):  # a place is free again, also after an error
        with pytest.raises(ZeroDivisionError), pace.running(asker(kind, gateway=gateway)):
            raise ZeroDivisionError
    with ExitStack() as stack:
        for _ in range(most):
            stack.enter_context(pace.running(asker(kind, gateway=gateway)))


def test_a_kind_nobody_knows_has_the_strictest_bounds() -> None:
    assert standing_of("official") is standing_of("whoever") is Standing.PERSON
    assert standing_of("gateway") is Standing.PERSON  # no account is one; a client is


def test_what_a_gateway_brings_has_its_bounds_whoever_asks() -> None:
    assert {asker(kind, gateway=True).standing for kind in ("official", "system", "?")} == {
        Standing.GATEWAY
    }


async def test_what_a_gateway_brings_is_counted_apart_from_what_he_asks_himself(
    store: AsyncEngine,
) -> None:
    pace = paced(Rates(store, clock=Clock()))
    himself, brought = asker(), asker(gateway=True)
    for one, limit in ((himself, 16), (brought, 256)):
        left = [dict(await pace.admit(one))[b"ratelimit-remaining"] for _ in range(limit)]
        assert left == [b"%d" % n for n in reversed(range(limit))]
        with pytest.raises(RateLimited):
            await pace.admit(one)
        assert dict(pace.told(one))[b"ratelimit-limit"] == b"%d" % limit
    with ExitStack() as stack:
        for one, most in ((himself, 4), (brought, 64)):
            for _ in range(most):
                stack.enter_context(pace.running(one))
            with pytest.raises(RateLimited), pace.running(one):
                pass


# ---- over the whole hub -------------------------------------------------------------------------


Open = Callable[..., AbstractAsyncContextManager[tuple[Hub, httpx.AsyncClient]]]


@pytest.fixture
def opened(site: Site) -> Open:
    @asynccontextmanager
    async def open_(account: str, **given: object) -> AsyncIterator[tuple[Hub, httpx.AsyncClient]]:
        hub = assemble(site.settings(None, **given))
        async with running(hub):
            token = hub.tokens.issue(account, ("aid.file",))
            transport = httpx.ASGITransport(create_app(hub))
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://hub", headers=headers
            ) as client:
                yield hub, client

    return open_


async def _bodies(hub: Hub, since: int) -> list[dict[str, Any]]:
    wanted = select(audit_event.c.body).where(audit_event.c.idx >= since)
    async with hub.store.connect() as connection:
        rows = await connection.scalars(wanted.order_by(audit_event.c.idx))
        return [json.loads(body) for body in rows]


async def test_a_flood_of_an_account_is_refused_once_by_name_and_then_counted(
    opened: Open,
) -> None:
    async with opened("zhelai-town-01", **{"rate.person": 5}) as (hub, client):
        since = hub.log.state().size or 0
        answers = [await client.post("/graphql", json=VIEWER) for _ in range(25)]
        await hub.rejects.flush()
        records = await _bodies(hub, since)
    good = [a for a in answers if a.status_code == 200]
    bad = [a for a in answers if a.status_code == 429]
    assert (len(good) + len(bad), len(good) % 5) == (25, 0)  # a minute may end meanwhile
    assert len(good) <= 10
    error = bad[0].json()["errors"][0]["extensions"]
    assert (error["code"], error["reason"]) == ("RATE_LIMITED", "RATE")
    assert bad[0].headers["Retry-After"] == str(error["retryAfter"])
    assert 1 <= error["retryAfter"] <= 60
    for answer in bad:
        assert answer.headers["RateLimit-Limit"] == "5"
        assert answer.headers["RateLimit-Remaining"] == "0"
        assert "data" not in answer.json()
    own = [r for r in records if r.get("code") == "RATE_LIMITED"]
    counted = [r for r in records if r["kind"] == "REJECTS"]
    assert {(r["kind"], r["outcome"], r["actor"]) for r in own} == {
        ("READ", "DENIED", "zhelai-town-01")
    }
    assert len(own) in (1, 2)  # one a minute
    assert {(r["code"], r["actor"], r["op"]["name"]) for r in counted} == {
        ("RATE", "zhelai-town-01", "account")
    }
    assert sum(r["op"]["vars"]["count"] for r in counted) + len(own) == len(bad)


@pytest.mark.parametrize(
    ("account", "headers"),
    [("bange-town-01", {"X-Purpose": "none"}), ("zhelai-village-01", {"Accept": "text/html"})],
)
async def test_a_request_refused_before_its_purpose_is_known_is_counted_too(
    opened: Open, account: str, headers: dict[str, str]
) -> None:
    async with opened(account, **{"rate.person": 3}) as (hub, client):
        since = hub.log.state().size or 0
        asked = [await client.post("/graphql", json=VIEWER, headers=headers) for _ in range(20)]
        await hub.rejects.flush()
        records = await _bodies(hub, since)
    slowed = [answer for answer in asked if answer.status_code == 429]
    others = [answer for answer in asked if answer.status_code in (403, 406)]
    assert len(slowed) + len(others) == 20
    assert 3 <= len(others) <= 6  # a minute may end meanwhile
    assert len(records) <= len(others) + 4


async def test_what_runs_too_much_is_refused_and_heals(opened: Open) -> None:
    async with opened("lab", **{"running.person": 1}) as (hub, client):
        (known,) = [await hub.askers.known(_raw(client))]
        with hub.pace.running(known.gate.asker):
            refused = await client.post("/graphql", json=VIEWER)
        again = await client.post("/graphql", json=VIEWER)
    told = refused.json()["errors"][0]["extensions"]
    assert (refused.status_code, told["reason"], told["retryAfter"]) == (429, "CONCURRENCY", 1)
    assert (refused.headers["Retry-After"], again.status_code) == ("1", 200)


def _raw(client: httpx.AsyncClient) -> dict[bytes, bytes]:
    return {b"authorization": client.headers["Authorization"].encode()}
