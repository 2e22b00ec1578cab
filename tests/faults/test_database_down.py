"""PostgreSQL goes away before, during and at the COMMIT of an answer's record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import select

from audit.verify import Exit
from audit.verify import run as verify
from store.audit import audit_event
from store.engine import single
from tests.proxy import COMMITTED, INSERTED, Proxy, losing, passed

if TYPE_CHECKING:
    from hub.demo.site import Site
    from hub.worker import Hub
    from tests.faults.conftest import Listening

pytestmark = [pytest.mark.anyio, pytest.mark.loopback, pytest.mark.postgres]

TOWN = "zhelai-town-01"
CITIZEN = "query($id: ID!) { citizen(by: {id: $id}) { name phone } }"
TRIES = 100  # ten seconds and more
RECORD = b'"kind":"READ"'


class Asked:
    """A clerk who asks for one citizen, and what he was answered."""

    def __init__(self, hub: Hub, client: httpx.AsyncClient, site: Site) -> None:
        self._client, self._person = client, site.shown("zhelai")
        token = hub.tokens.issue(TOWN, ("aid.file",))
        self._headers = {"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"}
        self.receipts: dict[str, tuple[int, str]] = {}

    async def ask(self) -> httpx.Response:
        body = {"query": CITIZEN, "variables": {"id": self._person.citizen}}
        answer = await self._client.post("/graphql", json=body, headers=self._headers)
        if answer.status_code == 200:
            assert answer.json()["data"]["citizen"]["name"] == self._person.name
            told = answer.json()["extensions"]["audit"]
            self.receipts[answer.headers["X-Request-Id"]] = (told["idx"], told["leaf"])
        return answer

    async def refused(self, code: str = "AUDIT_UNAVAILABLE") -> str:
        """503 and nothing of the person; the request's id."""
        answer = await self.ask()
        assert answer.status_code == 503
        assert answer.json()["errors"][0]["extensions"]["code"] == code
        assert answer.json().get("data") is None
        assert "X-Audit-Id" not in answer.headers
        for value in (self._person.name, self._person.id18):
            assert value not in answer.text
            assert value.encode("unicode_escape").decode() not in answer.text
        return str(answer.headers["X-Request-Id"])

    async def answered(self) -> str:
        """The request's id, as soon as there is data again."""
        for _ in range(TRIES):
            answer = await self.ask()
            if answer.status_code == 200:
                return str(answer.headers["X-Request-Id"])
            await asyncio.sleep(0.1)
        raise AssertionError("no answer came back")


@asynccontextmanager
async def _through(
    site: Site, url: str, listening: Listening
) -> AsyncIterator[tuple[Proxy, Asked]]:
    proxy = Proxy(url)
    async with (
        proxy as address,
        listening(site, **{"store.url": address}) as (hub, at),
        httpx.AsyncClient(base_url=at, timeout=30) as client,
    ):
        asked = Asked(hub, client, site)
        await asked.answered()
        yield proxy, asked


async def _written(url: str) -> dict[str, list[tuple[int, str]]]:
    """Places by request id."""
    found: dict[str, list[tuple[int, str]]] = {}
    row = audit_event.c
    async with single(url, readonly=True) as connection:
        for r in await connection.execute(select(row.request_id, row.idx, row.leaf)):
            found.setdefault(r.request_id, []).append((r.idx, r.leaf))
    return found


async def _holds(url: str, asked: Asked) -> dict[str, list[tuple[int, str]]]:
    """Every answer has its one record; the log is whole."""
    written = await _written(url)
    assert {name: written[name] for name in asked.receipts} == {
        name: [place] for name, place in asked.receipts.items()
    }
    assert (await asyncio.to_thread(verify, url)).exit is Exit.INTACT
    return written


async def test_a_database_that_is_down_before_leaves_no_answer(
    filled_postgres: str, site_copy: Site, listening: Listening
) -> None:
    async with _through(site_copy, filled_postgres, listening) as (proxy, asked):
        proxy.down = True
        proxy.cut()
        answers = [await asked.ask() for _ in range(3)]
        assert proxy.refused > 0
        for answer in answers:
            assert (answer.status_code, answer.json().get("data")) == (503, None)
        proxy.down = False
        await asked.answered()
    written = await _holds(filled_postgres, asked)
    lost = [a.headers["X-Request-Id"] for a in answers]
    assert [name for name in lost if name in written] == []


async def test_one_that_goes_away_during_the_statement_records_and_answers_nothing(
    filled_postgres: str, site_copy: Site, listening: Listening
) -> None:
    async with _through(site_copy, filled_postgres, listening) as (proxy, asked):
        cut: list[bytes] = []

        async def ask(part: bytes) -> bool:
            if RECORD not in part:
                return True
            cut.append(part)
            proxy.cut_writer()
            return False

        proxy.ask = ask
        request = await asked.refused()
        assert len(cut) == 2  # and once more with the same ids
        proxy.ask = passed
        await asked.answered()
    assert request not in await _holds(filled_postgres, asked)


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_commit_of_unknown_outcome_is_one_record(
    filled_postgres: str, site_copy: Site, listening: Listening, lost: int
) -> None:
    """The answer to COMMIT is lost: the same ids are tried again; if that is lost too, no data."""
    async with _through(site_copy, filled_postgres, listening) as (proxy, asked):
        answers = losing(proxy, INSERTED, COMMITTED, times=lost)
        request = await asked.answered() if lost == 1 else await asked.refused()
        assert len(answers) == lost
        await asked.answered()
    written = await _holds(filled_postgres, asked)
    assert len(written[request]) == 1
