"""The county asked twice: by the hub's engines and by the oracle, over the same files."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from typing import Any

import httpx
import pytest

from adapters.contract import Call, Prepared, ReadRequest, Rows, Source
from adapters.resilience import Guard
from adapters.web.credential import signer
from adapters.web.http import Door
from adapters.web.rest import RestSource
from catalog.errors import SourceUnavailable
from catalog.load import Catalog
from hub.app import DOCUMENT_LIMITS, mask_text
from hub.demo.site import HTTP_SOURCE, Site
from resolvers.answer import Answer, Engine
from resolvers.binding import Bindings
from resolvers.execute import Setting
from resolvers.scale import Limits
from schema.build import build
from store.engine import single
from tests.oracle.comparison import (
    Leaves,
    differing,
    told_by_graphql,
    told_by_hub,
    without_cursors,
)
from tests.oracle.county import NULL, copied, damaged, logged, published
from tests.oracle.oracle import Asking, Oracle
from tests.oracle.rights import Judge
from tests.oracle.rows import Tables, insurance_code
from tests.resolvers.conftest import (
    NOTHING,
    PATIENT_S,
    VIEWER,
    Desk,
    bindings,
    catalog,
    closed,
    data_of,
    desk,
    document,
    facts,
    opened,
    pg_desk,
    plain,
    runner,
    site,
)

__all__ = [
    "bindings", "catalog", "desk", "document", "facts", "pg_desk", "plain", "runner", "site"
]  # fmt: skip

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
NOW_TOLD = "2026-11-20T10:00:00+08:00"
GENEROUS = replace(
    DOCUMENT_LIMITS,
    cost=10**9,
    aliases=500,
    fields=5_000,
    depth=30,
    directives=5_000,
    overlaps=10**6,
)
"""Limits are the hub's own; what graphql-core answers shall be answered here too."""


class Switch:
    """A source with a switch: up it is the one behind it, down it does not answer."""

    def __init__(self, behind: Source, title: str) -> None:
        self.name, self.json, self.behind = behind.name, behind.json, behind
        self.said = f"{title}未能应答，其余数据照常给出；请稍后再试"
        self.down, self.refused = False, 0

    def prepare(self, request: ReadRequest) -> Prepared:
        return self.behind.prepare(request)

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        if self.down:
            self.refused += 1
            raise SourceUnavailable(self.said, reason="DOWN", source=self.name)
        return await self.behind.read(prepared, call)

    async def ping(self) -> None:
        await self.behind.ping()

    async def close(self) -> None:
        await self.behind.close()


@dataclass
class Bench:
    """Asks the hub and the oracle the same and says what differs; counts what was met."""

    desk: Desk
    oracle: Oracle
    switches: Mapping[str, Switch]
    met: Counter[str] = field(default_factory=Counter)
    limits: Limits = GENEROUS
    _judges: dict[Any, Judge] = field(default_factory=dict)

    def engine(self, json_mode: bool, setting: Setting | None = None) -> Engine:
        """A cold Engine that refuses nothing for its size."""
        setting = setting or self.desk.setting
        return Engine(self.desk.bindings, setting, self.limits, json_mode=json_mode)

    def leaves(self) -> Leaves:
        return Leaves(self.desk.bindings.schema)

    def judge(self, account: str, **more: Any) -> Judge:
        asker = self.desk.asker(account, **more)
        key = (account, *more.items())
        if key not in self._judges:
            self._judges[key] = Judge(self.desk.book.rules, asker, self.desk.catalog)
        return self._judges[key]

    def expected(
        self,
        account: str,
        text: str,
        variables: Mapping[str, Any],
        name: str | None = None,
        *,
        cursors: Mapping[str, str] = NOTHING,
        **more: Any,
    ) -> tuple[Any, list[Any]]:
        """The oracle's data and errors as the hub would tell them."""
        down = {s.name: s.said for s in self.switches.values() if s.down}
        asking = Asking(self.judge(account, **more), VIEWER, down, NOW_TOLD, cursors)
        data, errors = self.oracle.answer(text, variables, asking, name)
        return data, told_by_graphql(errors)

    def differences(
        self,
        engine: Engine,
        account: str,
        text: str,
        variables: Mapping[str, Any],
        name: str | None = None,
        *,
        cursors: Mapping[str, str] = NOTHING,
        **more: Any,
    ) -> tuple[list[Any], Answer]:
        """What differs (nothing, if the hub is right) and the hub's answer."""
        answer = self.desk.ask(engine, account, text, variables, name=name, **more)
        data, errors = self.expected(account, text, variables, name, cursors=cursors, **more)
        found: list[Any] = []
        ours = without_cursors(data_of(answer), data)
        if ours != data:
            found.append(("data", _first(ours, data)))
        elif repr(ours) != repr(data):
            found.append(("order of keys", ours, data))
        found += [("error", *pair) for pair in differing(told_by_hub(answer), errors)]
        self.met["answers"] += 1
        self.met["errors"] += len(errors)
        self.met["data null"] += data is None
        self.met.update(code for code, *_ in errors)
        return found, answer


def _first(ours: Any, theirs: Any, path: tuple[Any, ...] = ()) -> Any:
    """Where two plain values differ first."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        return next(_first(ours[k], theirs[k], (*path, k)) for k in ours if ours[k] != theirs[k])
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return next(_first(a, b, (*path, i)) for i, (a, b) in pairs if a != b)
    return path, ours, theirs


# ---- the benches -------------------------------------------------------------------------------


def _insurance(site: Site, catalog: Catalog) -> RestSource:
    """The insurance department's own program, asked in this process."""
    made = insurance_code()["create_app"]
    file = site.folder / "sources" / f"{HTTP_SOURCE}.sqlite"
    app = made(file, clock=lambda: time(10), app_key="demo")
    spec = catalog.sources[HTTP_SOURCE]
    assert spec.rest is not None
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app))
    door = Door("http://department.invalid", client=client)
    return RestSource(
        spec,
        door,
        signer(spec.rest.credential, "demo", door),
        guard=Guard(spec.name, title=spec.title, deadline_s=PATIENT_S),
        divisions=catalog.divisions,
        mask=mask_text,
        now=lambda: NOW,
    )


def _bench(desk: Desk, oracle: Oracle) -> Bench:
    """The desk with a switch before each source; the insurance department is connected."""
    specs = desk.catalog.sources
    behind = {**desk.sources, HTTP_SOURCE: _insurance(desk.site, desk.catalog)}
    switches = {name: Switch(source, specs[name].title) for name, source in behind.items()}
    setting = replace(desk.setting, sources=dict(switches))
    return Bench(replace(desk, sources=dict(switches), setting=setting), oracle, switches)


@contextlib.contextmanager
def benched(
    site: Site, catalog: Catalog, bindings: Bindings, runner: asyncio.Runner
) -> Iterator[Bench]:
    """A bench over a site's files; the oracle has a schema of its own, with resolvers."""
    made = runner.run(opened(site, site.store_url, catalog, bindings, runner))
    tables = Tables(site.folder / "store.sqlite", site.folder / "sources", catalog)
    try:
        yield _bench(made.behind_a_gateway(), Oracle(tables, build(catalog)))
    finally:
        runner.run(closed(made))


NewBench = Callable[..., contextlib.AbstractContextManager[Bench]]


async def publish(url: str) -> None:
    async with single(url) as conn:
        await published(conn)


@pytest.fixture(scope="session")
def new_bench(
    site: Site,
    catalog: Catalog,
    bindings: Bindings,
    runner: asyncio.Runner,
    tmp_path_factory: pytest.TempPathFactory,
) -> NewBench:
    """``new_bench(*kinds)``: a bench over a copy of the county, spoilt in these ways."""

    @contextlib.contextmanager
    def make(*kinds: str) -> Iterator[Bench]:
        copy = copied(site, tmp_path_factory.mktemp("oracle") / "site")
        logged(copy.folder / "store.sqlite")
        runner.run(publish(copy.store_url))
        if kinds:
            assert damaged(copy, catalog, bindings, kinds) > 0
        with benched(copy, catalog, bindings, runner) as bench:
            yield bench

    return make


@pytest.fixture(scope="session")
def bench(new_bench: NewBench) -> Iterator[Bench]:
    """The county as it is made."""
    with new_bench() as made:
        yield made


@pytest.fixture(scope="session")
def dirty(new_bench: NewBench) -> Iterator[Bench]:
    """The county with values missing that must be there, and with departments' slips."""
    with new_bench(NULL) as made:
        yield made


@pytest.fixture
def pg_bench(pg_desk: Desk, bench: Bench, pg_url: str, runner: asyncio.Runner) -> Bench:
    """The hub's own store in PostgreSQL; the oracle reads the files the rows came from."""
    runner.run(publish(pg_url))
    return _bench(pg_desk.behind_a_gateway(), bench.oracle)
