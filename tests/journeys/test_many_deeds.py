"""64 workers close and supervise the same 200 cases at once: one outcome each, losers are told."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, insert, select, update

from authz.gate import Gate
from authz.post import Asker
from catalog.errors import Conflict
from hub.demo.site import Site
from hub.rights import today
from resolvers.commands.office import Office
from resolvers.deed import Told, Writing
from store.cases import case_event, case_file
from store.engine import single
from store.supervision import supervision_event, supervision_order
from tests.casework import MANY, Time, office_of
from tests.trusted import Edge, over

if TYPE_CHECKING:
    from tests.journeys.conftest import FillStore

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

WORKERS, CASES = 64, 200
TRIED = 100  # of 400 by each: every one is tried by sixteen


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, site_copy: Site) -> str:
    """The store: the site's own, or an empty PostgreSQL."""
    postgres = request.param == "postgres"
    return str(request.getfixturevalue("pg_url")) if postgres else site_copy.store_url


async def prepared(url: str, time: Time) -> list[tuple[str, str]]:
    """So many cases ready to be closed, each with an order ready to be: number and number."""
    async with single(url) as conn:
        rows = (await conn.execute(select(case_file).order_by(case_file.c.id))).mappings().all()
        # The small county has fewer: the rest are copies of these.
        more = [
            {**row, "id": f"case-{n}", "case_no": f"SQ2099-{n:06d}"}
            for n, row in enumerate([*rows, *rows])
        ][: CASES - len(rows)]
        await conn.execute(insert(case_file), more)
        own = [dict(row) for row in (*rows, *more)]
        of = case_file.c.id.in_([row["id"] for row in own])
        ready = {"state": "DELIVERING", "flow": "F3", "handling_dept": "mca", "closed_at": None}
        await conn.execute(update(case_file).where(of).values(**ready))
        now = time.now()
        stamps = {f"{name}_at": now for name in ("issued", "signed", "result", "reported")}
        orders = [
            {
                **stamps,
                "id": f"order-{n}",
                "order_no": f"DB2099-{n:06d}",
                "case_id": row["id"],
                "kind": "SUPERVISE",
                "reason": "MAJOR",
                "state": "REVIEWING",
                "due_at": now + timedelta(days=9),
                "expired": False,
                "applicant_uid": row["applicant_uid"],
                "household_id": row["household_id"],
                "region_path": row["region_path"],
                "handling_dept": "mca",
            }
            for n, row in enumerate(own)
        ]
        await conn.execute(insert(supervision_order), orders)
    return [(row["case_no"], one["order_no"]) for row, one in zip(own, orders, strict=True)]


class Worker:
    """One of many who each try everything, in an order of their own."""

    def __init__(self, edge: Edge, office: Office, number: int) -> None:
        self.office, self.number, self.told = office, number, Counter[str]()
        self.rng = Random(number)
        book, day = edge.hub.keeper.current(), today()
        who = f"worker-{number}"
        dept = book.post("mca", "dept", "532622")
        lead = book.post("rev", "office", "532622")
        catalog = edge.hub.catalog
        self.closing = Gate(book, Asker(who, "official", (dept,), "aid.review", day), catalog)
        self.issuing = Gate(book, Asker(who, "official", (lead,), "supervise", day), catalog)

    async def work(self, both: list[tuple[str, str]]) -> None:
        tasks = [(no, None) for no, _ in both] + [(None, no) for _, no in both]
        self.rng.shuffle(tasks)
        for case_no, order_no in tasks[:TRIED]:
            key = Writing(f"once/{self.number}-{case_no or order_no}", nothing)
            try:
                if case_no is not None:
                    given: dict[str, Any] = {"caseNo": case_no, "version": 1, "result": "已落实"}
                    await self.office.do("closeCase", {"input": given}, self.closing, key)
                else:
                    given = {"orderNo": order_no, "version": 1}
                    await self.office.do("closeSupervision", {"input": given}, self.issuing, key)
                self.told["done"] += 1
            except Conflict as conflict:
                self.told[str(conflict.reason)] += 1


def digest(text: str) -> str:
    """Of what is asked; keyed ones are the claim of other tests."""
    return text[-32:]


async def nothing(connection: Any, told: Told, policy: int) -> None:
    """What is recorded is the claim of other tests; here the log's head would queue everybody."""


async def test_every_case_has_one_outcome_and_every_loser_is_told(
    url: str, site_copy: Site, fill_store: FillStore
) -> None:
    time = Time()
    if url != site_copy.store_url:
        await fill_store(site_copy, url)
    both = await prepared(url, time)
    async with over(site_copy, {**MANY, "store.url": url}, clock=time) as edge:
        office = office_of(edge, digest, time)
        workers = [Worker(edge, office, n) for n in range(WORKERS)]
        await asyncio.gather(*(one.work(both) for one in workers))
    told = sum((one.told for one in workers), Counter[str]())
    assert told == {"done": 2 * CASES, "VERSION": WORKERS * TRIED - 2 * CASES}
    async with single(url, readonly=True) as conn:
        for table, number, numbers, event in (
            (case_file, "case_no", [no for no, _ in both], case_event.c.act == "CLOSE"),
            (
                supervision_order,
                "order_no",
                [n for _, n in both],
                supervision_event.c.act == "CLOSE",
            ),
        ):
            mine = select(table.c.state, table.c.version).where(table.c[number].in_(numbers))
            states = Counter(tuple(row) for row in await conn.execute(mine))
            assert states == {("CLOSED", 2): CASES}
            closed = select(func.count()).where(event)
            assert await conn.scalar(closed) == CASES
