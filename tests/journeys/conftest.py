"""One county and one running hub for all journeys of a worker; desks that ask it over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from hub.app import assemble, create_app, running
from hub.demo.accounts import DESK
from hub.demo.department import insurance
from hub.demo.load import load_store
from hub.demo.site import HTTP_SOURCE, Site
from hub.found import found
from hub.worker import Hub
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.audit import audit_event
from store.engine import open_engine
from store.migrate import upgrade
from tests.sites import copied

TOWNSHIPS = (101, 102, 103, 104, 201, 202, 203, 204, 205, 206, 207)
CLERKS = {f"town-{number}": f"532622{number}" for number in TOWNSHIPS}
"""One clerk a township beside the demonstration's accounts: the trap is tested on all eleven."""


USUAL: Mapping[str, object] = {
    f"source_keys.{HTTP_SOURCE}": "demo",
    # Many tests are one clerk within a minute.
    "lookup.per_hour": 100_000,
    "lookup.misses": 100_000,
    "rate.person": 100_000,
    "running.person": 1_000,
}


@dataclass(frozen=True, slots=True)
class Desk:
    """A running hub and everybody who may ask it."""

    site: Site
    hub: Hub
    client: httpx.AsyncClient

    def purposes(self, account: str) -> Sequence[str]:
        """What the account's token may declare, its usual purpose first."""
        found = self.site.account(account)
        return DESK if found is None else found.purposes

    def headers(self, account: str, purpose: str | None = None) -> dict[str, str]:
        """The headers of a request of this account."""
        purposes = self.purposes(account)
        token = self.hub.tokens.issue(account, purposes)
        return {"Authorization": f"Bearer {token}", "X-Purpose": purpose or purposes[0]}

    async def ask(
        self,
        account: str,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        purpose: str | None = None,
        case_no: str | None = None,
    ) -> httpx.Response:
        """One question over HTTP."""
        headers = self.headers(account, purpose)
        if case_no is not None:
            headers["X-Case-No"] = case_no
        body = {"query": query, "variables": dict(variables or {})}
        return await self.client.post("/graphql", json=body, headers=headers)

    def calls(self) -> dict[str, int]:
        """Statements and calls sent so far, by source."""
        return {name: getattr(source, "calls", 0) for name, source in self.hub.sources.items()}

    def sent(self, before: Mapping[str, int]) -> dict[str, int]:
        """What was sent since `before`, for the sources that were asked at all."""
        return {n: count - before[n] for n, count in self.calls().items() if count != before[n]}

    async def records(self) -> list[dict[str, Any]]:
        """The bodies of the log, in order."""
        wanted = select(audit_event.c.body).order_by(audit_event.c.idx)
        async with self.hub.store.connect() as connection:
            return [json.loads(body) for body in await connection.scalars(wanted)]

    async def record(self, answer: httpx.Response) -> dict[str, Any]:
        """The record an answer's receipt names; its leaf must be the receipt's."""
        receipt = answer.json()["extensions"]["audit"]
        wanted = select(audit_event.c.body, audit_event.c.leaf).where(
            audit_event.c.idx == receipt["idx"]
        )
        async with self.hub.store.connect() as connection:
            row = (await connection.execute(wanted)).one()
        assert row.leaf == receipt["leaf"]
        found: dict[str, Any] = json.loads(row.body)
        return found


OpenDesk = Callable[..., contextlib.AbstractAsyncContextManager[Desk]]


@contextlib.asynccontextmanager
async def _desk(site: Site, address: str | None = None, **given: object) -> AsyncIterator[Desk]:
    if "store.url" in given:  # another log than the site's own: another memory of it
        name = sha256(str(given["store.url"]).encode()).hexdigest()[:8]
        given["audit.signer_file"] = site.folder / "keys" / f"signer-{name}.json"
    settings = site.settings(address, **{**USUAL, **given})
    async with running(assemble(settings)) as hub:
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            yield Desk(site, hub, client)


@pytest.fixture(scope="session")
def site(pristine: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The county at its smallest, exactly as ``hub demo`` makes it."""
    return copied(pristine, tmp_path_factory.mktemp("journeys") / "site")


@pytest.fixture(scope="session")
def insurance_url(site: Site) -> Iterator[str]:
    """The department's own HTTP system, a real process on its own port."""
    with insurance(site.folder / "sources" / f"{HTTP_SOURCE}.sqlite") as address:
        yield address


@pytest.fixture(scope="session")
async def desk(site: Site, insurance_url: str) -> AsyncIterator[Desk]:
    """The one hub whose county nobody changes."""
    async with _desk(site, insurance_url) as made:
        yield made


@pytest.fixture(scope="session")
async def clerks(
    site: Site, insurance_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    """A hub over a copy of the county with a clerk in every township."""
    copy = copied(site, tmp_path_factory.mktemp("clerks") / "site")
    posts = {name: (NewPost("rev", "town", path),) for name, path in CLERKS.items()}
    engine = open_engine(copy.store_url, pool_size=1)
    async with engine.begin() as connection:
        people = [NewPrincipal(n, "official", "测试经办", "rev", p) for n, p in posts.items()]
        await seed_accounts(connection, people)
    await engine.dispose()
    async with _desk(copy, insurance_url) as made:
        yield made


@pytest.fixture
def site_copy(pristine: Site, tmp_path: Path) -> Site:
    """The county as a copy of one's own, to be damaged; nobody has asked it anything yet."""
    return copied(pristine, tmp_path / "site")


FillStore = Callable[[Site, str], Awaitable[None]]


@pytest.fixture(scope="session")
def fill_store() -> FillStore:
    """``fill_store(site, address)``: the site's county and accounts in another, empty store."""

    async def fill(site: Site, url: str) -> None:
        await asyncio.to_thread(upgrade, url)
        await found(url, demo=True, accounts=[a.principal() for a in site.accounts])
        await load_store(site.folder / "register.sqlite", url)

    return fill


@pytest.fixture(scope="session")
def open_desk() -> OpenDesk:
    """``open_desk(site, insurance address or None, **settings)``: a hub for one test."""
    return _desk
