"""``make bench-authz``: what rights cost, a line a number beside what is demanded (rights 10).

    python -m bench.authz              (everything; the county is made if it is not there)
    python -m bench.authz follow URL   (a process of its own: says when a version is in force)

Propagation is measured from just before the commit in one process to the swap of the book in
another; once as policies are changed, once by a bare UPDATE, which notifies nobody. Times are of
one clock (CLOCK_MONOTONIC), which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from statistics import median
from subprocess import PIPE, Popen
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from authz.book import PolicyBook
from authz.gate import Gate
from authz.keeper import BookKeeper, built
from authz.lens import Mode
from authz.post import Asker
from authz.roles import pairs, parents_of, roles
from authz.sharing import shared_rules
from authz.start import start_rules
from bench import county, systems
from bench.figures import Number
from bench.folders import ROOT
from bench.inside import Timed
from bench.postgres import Server, server
from bench.questions import ACCOUNT, PURPOSE, TOWN
from bench.report import line
from bench.rules import of_size
from catalog.load import Catalog, load
from hub.app import assemble, running
from hub.settings import load_settings
from hub.worker import Hub
from resolvers.answer import Question
from store.engine import open_engine
from store.policy import PolicyRows, bump_version, policy_digest

SMALL, LARGE = 300, 3_000  # rules
COLD, REBUILDS, WARM, CHANGES, READS = 60, 15, 20_000, 60, 60
LOST = 12  # changes that notify nobody
SETTLED_S = 0.05  # between two changes
PAGE = "query P { citizens(first: 50) { nodes { id name } } }"
LOOK = "query L($n: String!) { citizen(by: {idNumber: $n}) { id } }"
COUNT = "query C { citizens(first: 0) { totalCount } }"
RAW = f"SELECT count(*) FROM citizen WHERE substr(region_path, 1, 9) = '{TOWN}'"
KNOWN = (
    f"SELECT id18 FROM citizen WHERE region_path LIKE '{TOWN}%' AND id18 IS NOT NULL"
    f" AND birth < '2000-01-01' ORDER BY md5(id) LIMIT {READS}"
)
NEAR = "query N { cases(first: 50) { nodes { id caseNo state } } }"


def main() -> None:
    """Print every number."""
    if sys.argv[1:2] == ["follow"]:
        asyncio.run(_follow(sys.argv[2]))
        return
    catalog = load()
    for number in (*_lenses(catalog), *_rebuild(catalog), *_on_a_server(catalog)):
        print(line(number), flush=True)


# ---- in the process ----------------------------------------------------------------------------


def _book(catalog: Catalog, size: int) -> PolicyBook:
    rules = (*of_size(start_rules(catalog, demo=True), size, catalog), *shared_rules(catalog))
    return PolicyBook(1, rules, parents_of(pairs(roles())), catalog)


def _officer(book: PolicyBook) -> Asker:
    return Asker("a", "official", (book.post("rev", "town", TOWN),), PURPOSE, _today())


def _today() -> Any:
    return datetime.now(UTC).date()


def _lenses(catalog: Catalog) -> Iterator[Number]:
    people = catalog.datasets["citizen"]
    for size, most in ((SMALL, 25.0), (LARGE, 50.0)):
        books = [_book(catalog, size) for _ in range(COLD)]
        gates = [Gate(book, _officer(book), catalog) for book in books]
        cold = [_seconds(partial(gate.lens, people, Mode.KEY)) * 1e3 for gate in gates]
        book, calls = books[-1], books[-1].casbin_calls
        yield Number(f"lens-cold/{size}", _p99(cold), most, "ms", most=True)
        yield Number(f"casbin-cold/{size}", calls, 200, most=True)
    asker = _officer(book)
    book.scope(asker, "Citizen.basic", "read")
    before = book.casbin_calls
    warm = [_seconds(lambda: book.scope(asker, "Citizen.basic", "read")) for _ in range(WARM)]
    yield Number("scope-warm", _p99(warm) * 1e6, 50, "us", most=True)
    yield Number("casbin-warm", book.casbin_calls - before, 0, most=True)


def _rebuild(catalog: Catalog) -> Iterator[Number]:
    rules = of_size(start_rules(catalog, demo=True), LARGE, catalog)
    lines = tuple((*rule.line, rule.basis) for rule in rules)
    links = tuple(pairs(roles()))
    digest = policy_digest(lines, links, (), ())
    rows = PolicyRows(1, digest, lines, links, (), ())
    spent = [_seconds(lambda: built(rows, catalog, demo=True)) * 1e3 for _ in range(REBUILDS)]
    yield Number(f"book-rebuild/{LARGE}", median(spent), 200, "ms", most=True)


# ---- on a server -------------------------------------------------------------------------------


def _on_a_server(catalog: Catalog) -> Iterator[Number]:
    with server() as made:
        county.clear(made)
        database = county.copied(made, county.template(made, max(county.SCALES)), "authz")
        try:
            yield from asyncio.run(_propagation(made, database))
            known = [row[0] for row in made.rows(KNOWN, database)]
            yield from asyncio.run(_reads(made, database, known))
        finally:
            county.drop(made, database)


async def _propagation(made: Server, database: str) -> list[Number]:
    url = made.url(database, "postgresql+asyncpg")
    engine = open_engine(url, pool_size=1)
    with _follower(url) as follower:
        told = [await _changed(engine, follower, bump_version) for _ in range(CHANGES)]
        lost = [await _changed(engine, follower, _quietly) for _ in range(LOST)]
    await engine.dispose()
    return [
        Number("propagation/p50", median(told) * 1e3, 100, "ms", most=True),
        Number("propagation/p99", _p99(told) * 1e3, 1_000, "ms", most=True),
        Number("propagation-lost/max", max(lost) * 1e3, 3_000, "ms", most=True),
    ]


async def _changed(
    engine: AsyncEngine, follower: Popen[str], change: Callable[[Any], Awaitable[int]]
) -> float:
    """Seconds from just before the commit until the other process has the version in force."""
    async with engine.connect() as connection:
        version = await change(connection)
        began = time.monotonic()
        await connection.commit()
    assert follower.stdout is not None
    while True:
        seen, at = json.loads(await asyncio.to_thread(follower.stdout.readline))
        if seen >= version:
            await asyncio.sleep(SETTLED_S)
            return float(at) - began


async def _quietly(connection: Any) -> int:
    """A new version that is announced to nobody."""
    changed = text("UPDATE policy_version SET version = version + 1 RETURNING version")
    return int((await connection.execute(changed)).scalar_one())


@contextmanager
def _follower(url: str) -> Iterator[Popen[str]]:
    command = [sys.executable, "-m", "bench.authz", "follow", url]
    process = Popen(command, cwd=ROOT, stdout=PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # the version it begins with
        yield process
    finally:
        process.terminate()
        process.wait()


async def _follow(url: str) -> None:
    """Prints [version, monotonic seconds] whenever another book is in force."""
    keeper = BookKeeper(open_engine(url), load(), demo=True)
    await keeper.load()
    following = asyncio.create_task(keeper.follow())
    seen = -1
    while not following.done():
        version = keeper.current().version
        if version != seen:
            seen = version
            print(json.dumps([version, time.monotonic()]), flush=True)
        await asyncio.sleep(0.001)
    await following


async def _reads(made: Server, database: str, known: Sequence[str]) -> list[Number]:
    # Sixty people are looked up at once, more than one account usually may.
    more = {"HUB_LOOKUP_PER_HOUR": "100000"}
    hub = assemble(load_settings(systems.settings(made, database, 0) | more))
    async with running(hub):
        asked = _Asked(hub)
        page = await asked.source_ms(PAGE, [{}] * READS)
        look = await asked.source_ms(LOOK, [{"n": number} for number in known])
        count = await asked.source_ms(COUNT, [{}] * READS)
        share = await asked.rights_ms(NEAR)
        raw = await _raw_ms(made, database)
    return [
        Number("page-50/480000", median(page), 5, "ms", most=True),
        Number("lookup-exact", median(look), 5, "ms", most=True),
        Number("count-township", median(count), 80, "ms", most=True),
        Number("count-lens/raw", median(count) / median(raw), 1.1, most=True),
        Number("rights-of-a-warm-request", _p99(share), 1, "ms", most=True),
    ]


class _Asked:
    """The hub asked as the township's officer; `source_ms` is the time its source took."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._timed = hub, Timed(hub.sources["hub"])
        hub.sources["hub"] = self._timed  # type: ignore[index]
        token = hub.tokens.issue(ACCOUNT, [PURPOSE])
        bearer = f"Bearer {token}".encode()
        self._who = {b"authorization": bearer, b"x-purpose": PURPOSE.encode()}

    async def source_ms(self, document: str, variables: Sequence[dict[str, Any]]) -> list[float]:
        """ms in the source for each set of variables; the first, cold one is not counted."""
        spent = []
        for given in (variables[0], *variables):
            known, before = await self._hub.askers.known(self._who), self._timed.spent
            question = Question(document, None, given)
            answer = await self._hub.engine.answer(question, known.gate, known.context)
            if answer.errors:
                raise ValueError(f"{document[:8]}: {answer.errors[0]}")
            spent.append((self._timed.spent - before) * 1e3)
        return spent[1:]

    async def rights_ms(self, document: str) -> list[float]:
        """ms to recognise who asks and find his Plan, everything being warm."""
        spent = []
        for _ in range(WARM // 10):
            began = time.perf_counter()
            known = await self._hub.askers.known(self._who)
            self._hub.engine.explain(Question(document, None, {}), known.gate)
            spent.append((time.perf_counter() - began) * 1e3)
        return spent[1:]


async def _raw_ms(made: Server, database: str) -> list[float]:
    """The same count as a bare statement, through the same pool."""
    from adapters.databases.database import open_database

    bare = open_database(made.url(database, "postgresql+asyncpg"), statement_s=10)
    spent = []
    for _ in range(READS + 1):
        began = time.perf_counter()
        await bare.fetch(RAW, ())
        spent.append((time.perf_counter() - began) * 1e3)
    await bare.close()
    return spent[1:]


def _seconds(deed: Callable[[], object]) -> float:
    began = time.perf_counter()
    deed()
    return time.perf_counter() - began


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[math.ceil(len(values) * 0.99) - 1]


if __name__ == "__main__":
    main()
