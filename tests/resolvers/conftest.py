"""A demo county asked through Engines of our own: row mode and JSON mode side by side."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
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
from resolvers.roots.root import Words
from schema.build import build
from store.engine import open_engine
from store.migrate import upgrade
from store.tables import metadata
from store.tallies import Tallies

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


async def _opened(
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
        deadline_s=settings.source_deadline_s,
    )
    sources = registry.sources(catalog.sources, wiring, catalog.divisions, mask_text)
    keeper = BookKeeper(store, catalog, demo=True)
    await keeper.load()
    await store.dispose()
    setting = Setting(
        words=Words(catalog, synthetic=True),
        sources=sources,
        cursors=Cursors(keys.cursor),
        uid=lambda id18: citizen_uid(keys.identity, id18),
        page_default=settings.page_default,
        page_max=settings.page_max,
        deadline_s=settings.source_deadline_s,
        operation_s=settings.deadline_s,
        tallies=Tallies(store),
    )
    accounts = {a.name: a for a in site.accounts}
    return Desk(site, catalog, bindings, sources, setting, keeper.current(), accounts, runner)


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


# ---- documents made at random over the real schema ---------------------------------------------

ABSENT = object()
FIELDS = 24  # of one document: enough for three levels of everything
DEEP = 7
ALIASES = DOCUMENT_LIMITS.aliases // 3  # a merged selection counts its aliases twice
PAGES = (0, 1, 2, 3, 5)
ODD_PAGES = (*PAGES, None, 101, -1)


@dataclass(frozen=True)
class Facts:
    """Keys that are there, by kind; taken from the store itself."""

    citizens: list[str]
    numbers: list[str]
    households: list[str]
    cases: list[str]
    orders: list[str]
    divisions: list[str]


@dataclass(frozen=True)
class Made:
    """A document and sets of variables to ask it with."""

    text: str
    variables: tuple[Mapping[str, Any], ...]


class Maker:
    """Writes one valid document from a seed. `facets` can be left out (the oracle has none)."""

    def __init__(self, schema: GraphQLSchema, facts: Facts, seed: int, *, facets: bool = True):
        self._schema, self._facts, self._rng = schema, facts, random.Random(seed)
        self._facets = facets
        self._budget, self._aliases, self._named = FIELDS, 0, 0
        self._variables: dict[str, tuple[str, list[Any]]] = {}
        self._fragments: dict[str, tuple[str, str]] = {}

    def made(self) -> Made:
        query = self._schema.query_type
        assert query is not None
        roots = [self._root(query) for _ in range(self._rng.randint(1, 3))]
        body = " ".join(roots)
        used = body + " ".join(b for _, b in self._fragments.values())
        self._variables = {n: v for n, v in self._variables.items() if re.search(rf"\${n}\b", used)}
        heads = ", ".join(f"${n}: {t}" for n, (t, _) in self._variables.items())
        parts = [f"query Made{f'({heads})' if heads else ''} {{ {body} }}"]
        parts += [f"fragment {n} on {t} {{ {b} }}" for n, (t, b) in self._fragments.items()]
        return Made("\n".join(parts), tuple(self._values() for _ in range(3)))

    def _values(self) -> dict[str, Any]:
        drawn = {n: self._rng.choice(values) for n, (_, values) in self._variables.items()}
        return {n: v for n, v in drawn.items() if v is not ABSENT}

    def _var(self, kind: str, values: list[Any], default: str = "") -> str:
        if not kind.endswith("!"):
            values = [*values, ABSENT, None]
        name = f"v{len(self._variables)}"
        self._variables[name] = (kind + (f" = {default}" if default else ""), values)
        return f"${name}"

    # -- roots and their arguments

    def _root(self, query: GraphQLObjectType) -> str:
        names = ["citizen"] * 5 + ["citizens", "cases"] * 4 + ["supervisionOrders", "household"] * 2
        names += [n for n in query.fields if n not in ("auditEvents", "caseStats")]
        name = self._rng.choice(names)
        args = self._root_args(name)
        self._aliases -= 1  # a root always has its alias: two of them may differ in arguments
        return self._written(query, name, args, 1, always_alias=True)

    def _root_args(self, name: str) -> dict[str, str]:
        facts, rng = self._facts, self._rng
        if name == "citizen":
            kinds = [("id", "ID!", facts.citizens), ("idNumber", "String!", facts.numbers)]
            key, kind, known = rng.choice(kinds)
            return {"by": f"{{{key}: {self._var(kind, [*rng.choices(known, k=4), 'nobody'])}}}"}
        if name == "citizens":
            return self._some({"division": self._place()}) | self._page()
        if name == "household":
            return {"id": self._var("ID!", rng.choices(facts.households, k=4))}
        if name == "division":
            return {"code": self._var("DivisionCode!", self._codes())}
        if name == "divisions":
            return self._some({"level": self._enum("Level"), "parent": self._place()})
        if name in ("department", "dataset"):
            key = {"department": "code", "dataset": "name"}[name]
            values = {"code": ["rev", "mca", "none"], "name": ["citizen", "house", "none"]}[key]
            return {key: self._var("String!", values)}
        if name == "datasets":
            return self._some({"provider": self._var("String", ["rev", "mca"])})
        if name in ("case", "supervisionOrder"):
            key, known = {"case": ("caseNo", facts.cases)}.get(name, ("orderNo", facts.orders))
            return {key: self._var("String!", rng.choices(known or ["none"], k=4))}
        if name in ("cases", "supervisionOrders"):
            return self._some({"filter": self._filter(name)}) | self._page()
        return {}

    def _some(self, args: dict[str, str]) -> dict[str, str]:
        return {n: v for n, v in args.items() if self._rng.random() < 0.6}

    def _codes(self) -> list[str]:
        codes = self._rng.sample(self._facts.divisions, 3)
        return [*codes, "532622000000", "532622205000", *(["999"] * (self._rng.random() < 0.1))]

    def _place(self) -> str:
        return self._var("DivisionCode", self._codes())

    def _enum(self, name: str) -> str:
        kind = self._schema.type_map[name]
        assert isinstance(kind, GraphQLEnumType)
        values: list[str] = list(kind.values)
        if self._rng.random() < 0.5:
            return self._rng.choice(values)
        return self._var(name, self._rng.sample(values, min(3, len(values))))

    def _filter(self, root: str) -> str:
        name = {"cases": "CaseFilter", "supervisionOrders": "SupervisionFilter"}[root]
        kind = self._schema.type_map[name]
        assert isinstance(kind, GraphQLInputObjectType)
        if self._rng.random() < 0.3:
            wholes: list[Any] = [{}, {"division": "532622205000"}, {"state": None}]
            wholes += [{"state": "CLOSED"}, {"division": "532622205000", "state": None}]
            return self._var(name, wholes)
        chosen = [n for n in kind.fields if self._rng.random() < 0.3]
        made = {n: self._condition(n, get_named_type(kind.fields[n].type).name) for n in chosen}
        return f"{{{', '.join(f'{n}: {v}' for n, v in made.items())}}}"

    def _condition(self, name: str, kind: str) -> str:
        if name == "division":
            return self._place()
        if kind == "Boolean":
            return self._var(kind, [True, False], self._rng.choice(["", "true"]))
        if kind == "String":
            return self._var(kind, ["mca", "hou", "rev"])
        return self._enum(kind)

    def _page(self) -> dict[str, str]:
        size = "last" if self._rng.random() < 0.3 else "first"
        odd = self._rng.random() < 0.1
        pages = ODD_PAGES if odd else PAGES
        value: Any = self._rng.choice(pages)
        text = self._var("Int", list(pages)) if self._rng.random() < 0.5 else json.dumps(value)
        found = {size: text}
        if self._rng.random() < 0.05:
            found["after" if size == "first" else "before"] = self._var("String", ["no cursor"])
        return found

    # -- selections

    def _selection(self, kind: GraphQLObjectType, depth: int) -> str:
        names = self._choosable(kind, depth)
        chosen = [self._rng.choice(names) for _ in range(self._rng.randint(1, 4))]
        parts = [self._field(kind, n, depth) for n in dict.fromkeys(chosen)]
        if self._rng.random() < 0.2:
            parts.append(f"{self._alias('t')}__typename")
        return " ".join(self._wrapped(kind, p) for p in parts)

    def _choosable(self, kind: GraphQLObjectType, depth: int) -> list[str]:
        leaves: list[str] = []
        others: list[str] = []
        for name, field in kind.fields.items():
            named = get_named_type(field.type)
            if not self._facets and (named.name.endswith("Facet") or name in ("access", "water")):
                continue
            (leaves if is_leaf_type(named) else others).append(name)
        self._budget -= 1
        if depth >= DEEP or self._budget <= 0:
            return leaves or ["__typename"]
        containers = [n for n in others if get_named_type(kind.fields[n].type).name.endswith("t")]
        plain = [n for n in others if n not in containers]
        return leaves + plain * 2 + containers if leaves else others

    def _field(self, kind: GraphQLObjectType, name: str, depth: int) -> str:
        if name == "__typename":
            return name
        paged = "first" in kind.fields[name].args
        free = self._aliases < ALIASES
        args = self._page() if paged and free and self._rng.random() < 0.8 else {}
        return self._written(kind, name, args, depth, always_alias=bool(args))

    def _written(
        self,
        kind: GraphQLObjectType,
        name: str,
        args: Mapping[str, str],
        depth: int,
        *,
        always_alias: bool = False,
    ) -> str:
        named = get_named_type(kind.fields[name].type)
        alias = self._alias(name[0]) if always_alias or self._rng.random() < 0.15 else ""
        given = f"({', '.join(f'{n}: {v}' for n, v in args.items())})" if args else ""
        text = f"{alias}{name}{given}{self._directive()}"
        if isinstance(named, GraphQLObjectType):
            body = self._selection(named, depth + 1)
            text += f" {{ {body} }}"
            if self._rng.random() < 0.1 and not args:  # overlapping selections are merged
                text += f" {alias}{name} {{ {self._selection(named, depth + 1)} }}"
        return text

    def _alias(self, first: str) -> str:
        if self._aliases >= ALIASES:
            return ""
        self._aliases += 1
        self._named += 1
        return f"{first}{self._named}: "

    def _directive(self) -> str:
        if self._rng.random() > 0.08:
            return ""
        flag = self._var("Boolean!", [True, False])
        return f" @{self._rng.choice(['skip', 'include'])}(if: {flag})"

    def _wrapped(self, kind: GraphQLObjectType, part: str) -> str:
        draw = self._rng.random()
        if draw < 0.1:
            return f"... on {kind.name} {{ {part} }}"
        if draw < 0.15:
            return f"...{self._directive()} {{ {part} }}"
        if draw < 0.25:
            name = f"F{len(self._fragments)}"
            self._fragments[name] = (kind.name, part)
            return f"...{name}"
        return part


@pytest.fixture(scope="session")
def facts(site: Site) -> Facts:
    import sqlite3

    connection = sqlite3.connect(site.folder / "store.sqlite")

    def column(text: str) -> list[str]:
        return [row[0] for row in connection.execute(text)]

    zhelai = "region_path LIKE '532622205%'"
    citizens = column(f"SELECT id FROM citizen WHERE {zhelai} ORDER BY id LIMIT 60")
    people = "SELECT id18 FROM citizen WHERE id18 IS NOT NULL"
    made = Facts(
        citizens + column("SELECT id FROM citizen ORDER BY id LIMIT 20"),
        column(f"{people} AND {zhelai} ORDER BY id LIMIT 60")
        + [d.id18 for d in site.demonstrations] * 10,
        column(f"SELECT id FROM household WHERE {zhelai} ORDER BY id LIMIT 30"),
        column(f"SELECT case_no FROM case_file WHERE {zhelai} ORDER BY id LIMIT 40"),
        column(f"SELECT order_no FROM supervision_order WHERE {zhelai} ORDER BY id LIMIT 40"),
        column("SELECT code FROM division ORDER BY path"),
    )
    connection.close()
    return made


NewDocument = Callable[..., Made]


@pytest.fixture(scope="session")
def document(bindings: Bindings, facts: Facts) -> NewDocument:
    """A document from a seed."""

    def make(seed: int, *, facets: bool = True) -> Made:
        return Maker(bindings.schema, facts, seed, facets=facets).made()

    return make
