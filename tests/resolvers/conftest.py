"""A demo county asked through Engines of our own: row mode and JSON mode side by side."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_non_null_type,
)

from adapters import registry
from adapters.contract import Source
from adapters.identity import citizen_uid
from authz.book import PolicyBook
from authz.gate import Gate
from authz.keeper import BookKeeper
from authz.post import Asker
from catalog.load import Catalog, load
from hub.app import DOCUMENT_LIMITS, mask_text
from hub.demo.accounts import DemoAccount
from hub.demo.load import load_store
from hub.demo.site import HTTP_SOURCE, Site, prepared
from hub.found import found
from hub.keys import load_keys
from resolvers.answer import Answer, Engine, Question
from resolvers.binding import Bindings
from resolvers.cursor import Cursors
from resolvers.execute import Setting
from schema.build import build
from store.engine import open_engine
from store.migrate import upgrade
from store.tables import metadata

DAY = date(2026, 11, 20)
SCALE = 0.01  # about 4,800 people
NOTHING: Mapping[str, Any] = MappingProxyType({})
VIEWER = {
    "account": "a",
    "posts": [{"department": "rev", "role": "r", "division": "532622000000", "divisionName": "n"}],
    "purpose": "p",
    "purposeTitle": "t",
    "caseNo": None,
    "policyVersion": 1,
}


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """One loop for every question: a driver's connections belong to one."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner) -> Site:
    """The demo county, made once a session."""
    folder = tmp_path_factory.getbasetemp() / "resolvers-site"
    return runner.run(prepared(folder, SCALE, lambda _what, _share: None))


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load()


@pytest.fixture(scope="session")
def bindings(catalog: Catalog) -> Bindings:
    return build(catalog)


@dataclass
class Desk:
    """Asks the county as its accounts; `modes` are two Engines over the same sources."""

    site: Site
    catalog: Catalog
    bindings: Bindings
    sources: Mapping[str, Source]
    setting: Setting
    book: PolicyBook
    accounts: Mapping[str, DemoAccount]
    runner: asyncio.Runner

    def engine(self, json_mode: bool) -> Engine:
        """A cold Engine."""
        return Engine(self.bindings, self.setting, DOCUMENT_LIMITS, json_mode=json_mode)

    def asker(self, account: str, purpose: str | None = None, **more: Any) -> Asker:
        found_ = self.accounts[account]
        post = self.book.post(found_.dept, found_.role, found_.region)
        purpose = purpose or found_.purposes[0]
        return Asker(account, "official", (post,), purpose, DAY, "test", **more)

    def gate(self, account: str, purpose: str | None = None, **more: Any) -> Gate:
        return Gate(self.book, self.asker(account, purpose, **more), self.catalog)

    def ask(
        self,
        engine: Engine,
        account: str,
        text: str,
        variables: Mapping[str, Any] = NOTHING,
        *,
        name: str | None = None,
        purpose: str | None = None,
        **more: Any,
    ) -> Answer:
        question = Question(text, name, variables)
        gate = self.gate(account, purpose, **more)
        return self.runner.run(engine.answer(question, gate, {"viewer": VIEWER}))

    def sent(self, *sources: str) -> int:
        """Statements sent so far, to these sources or to all that count them."""
        names = sources or tuple(self.sources)
        return sum(getattr(self.sources[n], "calls", 0) for n in names)


def data_of(answer: Answer) -> Any:
    """The data as a client reads it, the order of keys included."""
    return json.loads(orjson.dumps(answer.data))


@pytest.fixture(scope="session")
def plain() -> Callable[[Answer], Any]:
    return data_of


async def _opened(
    site: Site, store_url: str, catalog: Catalog, bindings: Bindings, runner: asyncio.Runner
) -> Desk:
    settings = site.settings()
    keys = load_keys(settings.keys_dir, create=False)
    store = open_engine(store_url)
    wiring = registry.Wiring(
        store=store,
        metadata=metadata,
        open_engine=lambda url: open_engine(url, readonly=True),
        addresses={k: v for k, v in settings.sources.items() if k != HTTP_SOURCE},
        keys={},
        outages={},
        deadline_s=settings.source_deadline_s,
    )
    sources = registry.sources(catalog.sources, wiring, catalog.divisions, mask_text)
    keeper = BookKeeper(store, catalog, demo=True)
    await keeper.load()
    setting = Setting(
        catalog=catalog,
        sources=sources,
        cursors=Cursors(keys.cursor),
        uid=lambda id18: citizen_uid(keys.identity, id18),
        page_default=settings.page_default,
        page_max=settings.page_max,
        deadline_s=settings.source_deadline_s,
    )
    accounts = {a.name: a for a in site.accounts}
    return Desk(
        site, catalog, bindings, sources, setting, keeper.current(), accounts, runner
    )


async def _closed(desk: Desk) -> None:
    for source in desk.sources.values():
        await source.close()


@pytest.fixture(scope="session")
def desk(
    site: Site, catalog: Catalog, bindings: Bindings, runner: asyncio.Runner
) -> Iterator[Desk]:
    """The county in SQLite. The insurance department is not connected: one source is down."""
    made = runner.run(_opened(site, site.store_url, catalog, bindings, runner))
    yield made
    runner.run(_closed(made))


@pytest.fixture
def pg_desk(
    site: Site, pg_url: str, catalog: Catalog, bindings: Bindings, runner: asyncio.Runner
) -> Iterator[Desk]:
    """The same county with the hub's own store in PostgreSQL."""
    upgrade(pg_url)
    runner.run(found(pg_url, demo=True, accounts=[a.principal() for a in site.accounts]))
    runner.run(load_store(site.folder / "register.sqlite", pg_url))
    made = runner.run(_opened(site, pg_url, catalog, bindings, runner))
    yield made
    runner.run(_closed(made))
