"""A demo county asked through Engines of our own: row mode and JSON mode side by side."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters import registry
from adapters.contract import Source
from adapters.identity import citizen_uid
from authz.book import PolicyBook
from authz.gate import Gate
from authz.keeper import BookKeeper
from authz.post import Asker
from authz.roles import pairs, parents_of, roles
from authz.rule import Rule
from catalog.datasets import KeyKind
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
from resolvers.roots.root import Words
from schema.build import build
from store.engine import open_engine
from store.migrate import upgrade
from store.tables import metadata
from store.tallies import Tallies
from tests.resolvers.documents import Choice, Facts, Made, Maker
from tests.sites import SCALE

DAY = date(2026, 11, 20)
PATIENT_S = 60.0  # what is compared is answers, on however busy a machine
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
    """The demo county, made when it is first needed, once a session."""
    folder = tmp_path_factory.getbasetemp() / "resolvers-site"
    return runner.run(prepared(folder, SCALE, lambda _what, _share: None))


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load()


@pytest.fixture(scope="session")
def bindings(catalog: Catalog) -> Bindings:
    return build(catalog)


GATEWAYS = Rule(
    *("*", "*", "Schema.federation", "read", "county", "any", "*", "9999-12-31", "allow", "测试")
)
"""Every post may come through a gateway: what a person's rights allow there is the question."""


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
    store: AsyncEngine

    def behind_a_gateway(self) -> Desk:
        """The same desk under a policy by which everybody may ask ``_entities``."""
        rules, parents = (*self.book.rules, GATEWAYS), parents_of(pairs(roles()))
        return replace(self, book=PolicyBook(self.book.version, rules, parents, self.catalog))

    def engine(self, json_mode: bool) -> Engine:
        """A cold Engine."""
        return Engine(self.bindings, self.setting, DOCUMENT_LIMITS, json_mode=json_mode)

    def asker(self, account: str, purpose: str | None = None, **more: Any) -> Asker:
        found_ = self.accounts[account]
        post = self.book.post(found_.dept, found_.role, found_.region)
        purpose = purpose or found_.purposes[0]
        return Asker(account, "official", (post,), purpose, DAY, **more)

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


async def opened(
    site: Site, store_url: str, catalog: Catalog, bindings: Bindings, runner: asyncio.Runner
) -> Desk:
    settings = site.settings()
    keys = load_keys(settings.keys_dir, create=False)
    store = open_engine(store_url)
    wiring = registry.Wiring(
        store=store_url,
        metadata=metadata,
        addresses={k: v for k, v in settings.sources.items() if k != HTTP_SOURCE},
        keys={},
        outages={},
        deadline_s=PATIENT_S,
    )
    sources = registry.sources(catalog.sources, wiring, catalog.divisions, mask_text)
    keeper = BookKeeper(store, catalog, demo=True)
    await keeper.load()
    setting = Setting(
        words=Words(catalog, synthetic=True),
        sources=sources,
        cursors=Cursors(keys.cursor),
        uid=lambda id18: citizen_uid(keys.identity, id18),
        page_default=settings.page_default,
        page_max=settings.page_max,
        deadline_s=PATIENT_S,
        operation_s=2 * PATIENT_S,
        tallies=Tallies(store),
    )
    accounts = {a.name: a for a in site.accounts}
    book = keeper.current()
    return Desk(site, catalog, bindings, sources, setting, book, accounts, runner, store)


async def closed(desk: Desk) -> None:
    for source in desk.sources.values():
        await source.close()
    await desk.store.dispose()


@pytest.fixture(scope="session")
def desk(
    site: Site, catalog: Catalog, bindings: Bindings, runner: asyncio.Runner
) -> Iterator[Desk]:
    """The county in SQLite. The insurance department is not connected: one source is down."""
    made = runner.run(opened(site, site.store_url, catalog, bindings, runner))
    yield made
    runner.run(closed(made))


@pytest.fixture
def pg_desk(
    site: Site, pg_url: str, catalog: Catalog, bindings: Bindings, runner: asyncio.Runner
) -> Iterator[Desk]:
    """The same county with the hub's own store in PostgreSQL."""
    upgrade(pg_url)
    runner.run(found(pg_url, demo=True, accounts=[a.principal() for a in site.accounts]))
    runner.run(load_store(site.folder / "register.sqlite", pg_url))
    made = runner.run(opened(site, pg_url, catalog, bindings, runner))
    yield made
    runner.run(closed(made))


# ---- documents made at random over the real schema ---------------------------------------------


def recorded(sources: Path, catalog: Catalog) -> Counter[str]:
    """Id numbers by how many of the departments' data sets speak of them."""
    found: Counter[str] = Counter()
    for spec in catalog.sources.values():
        keyed = [d for d in spec.datasets if d.key.kind is KeyKind.IDENTITY]
        if spec.name == HTTP_SOURCE or not keyed:
            continue
        with contextlib.closing(sqlite3.connect(sources / f"{spec.name}.sqlite")) as connection:
            for d in keyed:
                text = f'SELECT DISTINCT "{d.key.columns[0]}" FROM "{d.table}"'
                found.update(row[0] for row in connection.execute(text))
    return found


@pytest.fixture(scope="session")
def facts(site: Site, catalog: Catalog) -> Facts:
    return facts_of(site, catalog)


def facts_of(site: Site, catalog: Catalog) -> Facts:
    """People of one township first of whom most is known, so that answers have something in."""
    known = recorded(site.folder / "sources", catalog)
    zhelai = "region_path LIKE '532622205%'"
    with contextlib.closing(sqlite3.connect(site.folder / "store.sqlite")) as connection:

        def column(text: str) -> list[str]:
            return [row[0] for row in connection.execute(text)]

        people: list[tuple[str, str | None]] = list(
            connection.execute(f"SELECT id, id18 FROM citizen WHERE {zhelai} ORDER BY id")
        )
        people.sort(key=lambda one: -known[one[1] or ""])
        shown = [(d.citizen, d.id18) for d in site.demonstrations] * 10
        return Facts(
            [one for one, _ in people[:60] + people[-10:] + shown]
            + column("SELECT id FROM citizen ORDER BY id LIMIT 20"),
            [number for _, number in people[:60] + shown if number],
            column(f"SELECT id FROM household WHERE {zhelai} ORDER BY id LIMIT 30"),
            column(f"SELECT case_no FROM case_file WHERE {zhelai} ORDER BY id LIMIT 40"),
            column(f"SELECT order_no FROM supervision_order WHERE {zhelai} ORDER BY id LIMIT 40"),
            column("SELECT code FROM division ORDER BY path"),
            column(f"SELECT citizen_uid FROM citizen WHERE {zhelai} ORDER BY id LIMIT 40"),
            column(f"SELECT household_no FROM household WHERE {zhelai} ORDER BY id LIMIT 30"),
            column("SELECT complaint_no FROM complaint ORDER BY id LIMIT 10"),
        )


NewDocument = Callable[..., Made]


@pytest.fixture(scope="session")
def document(bindings: Bindings, facts: Facts) -> NewDocument:
    """A document from a seed; what it may hold beside the ordinary by name (`Choice`)."""

    def make(seed: int, **choice: bool) -> Made:
        return Maker(bindings.schema, facts, seed, Choice(**choice)).made()

    return make
