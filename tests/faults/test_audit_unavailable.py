"""No record, no answer: the log cannot be written while everything else works."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import select, text

from adapters.databases.sql import SqlSource
from audit.verify import Exit
from audit.verify import run as verify
from store.audit import audit_event
from store.engine import open_engine

if TYPE_CHECKING:
    from hub.demo.site import Site
    from hub.worker import Hub
    from tests.faults.conftest import Listening

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
WAIT_S = 0.4  # how long an answer waits for its record here
# By key: a look-up by number is counted in the store first, which is not to be locked here.
CITIZEN = """query($id: ID!) { citizen(by: {id: $id}) {
  name phone address civilAffairs { minLiving { certificateNo } } } }"""

Fault = Callable[[str], contextlib.AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def _locked(url: str) -> AsyncIterator[None]:
    """Another writer sits on the log's head and does not let go; reading goes on."""
    engine = open_engine(url, pool_size=1)
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
        await connection.execute(text("UPDATE audit_head SET size = size"))
        yield
        await connection.rollback()
    await engine.dispose()


@contextlib.asynccontextmanager
async def _gone(url: str) -> AsyncIterator[None]:
    """The log's table is not there."""
    engine = open_engine(url, pool_size=1)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE audit_event RENAME TO audit_event_gone"))
    try:
        yield
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE audit_event_gone RENAME TO audit_event"))
        await engine.dispose()


@pytest.mark.parametrize("fault", [_locked, _gone])
async def test_what_cannot_be_recorded_is_not_answered(
    filled_store: str, site_copy: Site, listening: Listening, fault: Fault
) -> None:
    given = {"store.url": filled_store, "audit.wait_s": WAIT_S}
    async with listening(site_copy, **given) as (hub, address):
        async with httpx.AsyncClient(base_url=address) as client:
            before = await _ask(hub, client, site_copy)
            async with fault(filled_store):
                calls = _calls(hub)
                refused = [await _ask(hub, client, site_copy) for _ in range(2)]
                # The fault is the log's alone: the person was found, the department asked.
                assert _calls(hub) == calls + 2
                state = hub.log.state()
                assert state.queued > 0 or state.error is not None
            after = await _recovered(hub, client, site_copy)
        written = await _receipts(hub)
    person = site_copy.shown("zhelai")
    assert before.json()["data"]["citizen"]["name"] == person.name
    for answer in refused:
        _holds_nothing(answer, person)
    assert after.json()["data"] == before.json()["data"]
    for answer in (before, after):
        receipt = answer.json()["extensions"]["audit"]
        assert written[receipt["idx"]] == receipt["leaf"]
    assert (await asyncio.to_thread(verify, filled_store)).exit is Exit.INTACT


async def test_refusals_need_a_record_too(site_copy: Site, listening: Listening) -> None:
    """Not even "you may not" leaves without its record: it would tell what is in the county."""
    question = {"query": "{ x }"}
    async with (
        listening(site_copy, **{"audit.wait_s": WAIT_S}) as (hub, address),
        httpx.AsyncClient(base_url=address) as client,
        _gone(site_copy.store_url),
    ):
        narrowed = _headers(hub) | {"X-Case-No": site_copy.shown("bange").case_no}
        foreign = await client.post("/graphql", json=question, headers=narrowed)
        invalid = await client.post("/graphql", json=question, headers=_headers(hub))
        stranger = await client.post("/graphql", json=question)
        assert hub.log.state().error is not None
    for answer in (foreign, invalid):
        assert answer.status_code == 503
        assert answer.json()["errors"][0]["extensions"]["code"] == "AUDIT_UNAVAILABLE"
    assert stranger.status_code == 401  # counted, and written when the log is back


async def _recovered(hub: Hub, client: httpx.AsyncClient, site: Site) -> httpx.Response:
    """The first answer with data; the log's writer may need one more try to come back."""
    for _ in range(10):
        answer = await _ask(hub, client, site)
        if answer.status_code == 200:
            return answer
    raise AssertionError("the log did not come back")


async def _ask(hub: Hub, client: httpx.AsyncClient, site: Site) -> httpx.Response:
    body = {"query": CITIZEN, "variables": {"id": site.shown("zhelai").citizen}}
    return await client.post("/graphql", json=body, headers=_headers(hub))


def _headers(hub: Hub) -> dict[str, str]:
    token = hub.tokens.issue(TOWN, ("aid.file",))
    return {"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"}


def _holds_nothing(answer: httpx.Response, person: Any) -> None:
    assert answer.status_code == 503
    body = answer.json()
    assert body.keys() == {"errors"}
    extensions = body["errors"][0]["extensions"]
    assert (extensions["code"], extensions["reason"]) == ("AUDIT_UNAVAILABLE", "WRITE")
    for value in (person.name, person.id18, "12810752549", "者腊", "DB2052"):
        assert value.encode() not in answer.content
    assert "X-Audit-Id" not in answer.headers


def _calls(hub: Hub) -> int:
    """Statements sent to the department's database."""
    source = hub.sources["mz_assist"]
    assert isinstance(source, SqlSource)
    return source.calls


async def _receipts(hub: Hub) -> dict[int, str]:
    async with hub.store.connect() as connection:
        rows = await connection.execute(select(audit_event.c.idx, audit_event.c.leaf))
        return {row.idx: row.leaf for row in rows}
