"""Pages joined are the list, whatever their size; rows that tie keep their places."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text as sql
from sqlalchemy import update

from authz.book import PolicyBook
from authz.gate import Gate
from authz.roles import pairs, parents_of, roles
from resolvers.answer import Question
from store.cases import case_event, case_file
from store.engine import open_engine
from store.supervision import supervision_order
from tests.oracle.county import logged
from tests.resolvers.conftest import VIEWER, data_of

if TYPE_CHECKING:
    from hub.demo.site import Site
    from resolvers.answer import Engine
    from tests.properties.conftest import OpenDesk
    from tests.resolvers.conftest import Desk

SIZES = (1, 2, 3, 7, 50)
TIED = "2026-03-01 00:00:00.000000"
FOLLOW = "query($first: Int, $after: String, $last: Int, $before: String) { %s }"
ARGUMENTS = "first: $first, after: $after, last: $last, before: $before"
PAGE = """{ totalCount nodes { id: KEY }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"""
ROADS = {
    "cases": (f"cases({ARGUMENTS}) {PAGE}", "id", "zhelai-town-01"),
    "orders": (f"supervisionOrders({ARGUMENTS}) {PAGE}", "id", "lab"),
    "persons": (f'citizens({ARGUMENTS}, division: "532622205201") {PAGE}', "id", "zhelai-town-01"),
    "events of a case": (f'case(caseNo: "CASE") {{ events({ARGUMENTS}) {PAGE} }}', "id", "lab"),
    "cases of a person": (
        f'citizen(by: {{id: "ONE"}}) {{ cases({ARGUMENTS}) {PAGE} }}', "id", "lab"
    ),
    "the log": (f"auditEvents({ARGUMENTS}) {PAGE}", "idx", "auditor-01"),
}  # fmt: skip


def document(desk: Desk, road: str) -> str:
    field, key, _ = ROADS[road]
    who = desk.site.shown("zhelai")
    field = field.replace("CASE", who.case_no).replace("ONE", who.citizen).replace("KEY", key)
    return FOLLOW % field


def page(desk: Desk, engine: Engine, road: str, **given: Any) -> dict[str, Any]:
    answer = desk.ask(engine, ROADS[road][2], document(desk, road), given)
    assert answer.errors == (), (road, given)
    found = data_of(answer)
    while "pageInfo" not in found:
        found = next(iter(found.values()))
    return dict(found)


def joined(desk: Desk, engine: Engine, road: str, size: int, *, forward: bool) -> list[Any]:
    """All rows, page by page; each page tells the same total."""
    found: list[Any] = []
    at: dict[str, Any] = {}
    while True:
        one = page(desk, engine, road, **{"first" if forward else "last": size}, **at)
        rows, info = [node["id"] for node in one["nodes"]], one["pageInfo"]
        found = found + rows if forward else rows + found
        more, end = ("hasNextPage", "end") if forward else ("hasPreviousPage", "start")
        if not info[more]:
            assert one["totalCount"] == len(found)
            return found
        assert len(rows) == size
        at = {"after" if forward else "before": info[f"{end}Cursor"]}


def tie(site: Site) -> None:
    """Every second case, event and order of the same moment; some records in the log."""
    with closing(sqlite3.connect(site.folder / "store.sqlite")) as connection, connection:
        for table, column in (
            ("case_file", "filed_at"), ("case_event", "at"), ("supervision_order", "issued_at"),
        ):  # fmt: skip
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid % 2 = 0", (TIED,))
    logged(site.folder / "store.sqlite")


@pytest.fixture(scope="module")
def tied(
    site: Site, open_desk: OpenDesk, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    from tests.oracle.county import copied

    copy = copied(site, tmp_path_factory.mktemp("tied") / "site")
    tie(copy)
    with open_desk(copy) as made:
        yield made


@pytest.mark.parametrize("json_mode", [True, False], ids=["json mode", "row mode"])
@pytest.mark.parametrize("road", ROADS)
def test_pages_joined_are_the_whole_list_from_either_end(
    tied: Desk, road: str, json_mode: bool
) -> None:
    engine = tied.engine(json_mode)
    whole = joined(tied, engine, road, 100, forward=True)
    assert len(whole) == len(set(whole)) > (1 if road == "cases of a person" else 3)
    for size in SIZES:
        for forward in (True, False):
            assert joined(tied, engine, road, size, forward=forward) == whole


def test_there_are_rows_that_tie(tied: Desk) -> None:
    with closing(sqlite3.connect(tied.site.folder / "store.sqlite")) as connection:
        for table, column, place in (
            ("case_file", "filed_at", "532622205"), ("supervision_order", "issued_at", "532622")
        ):  # fmt: skip
            ((most,),) = connection.execute(
                f"SELECT max(n) FROM (SELECT count(*) AS n FROM {table}"
                f" WHERE region_path LIKE '{place}%' GROUP BY {column})"
            ).fetchall()
            assert most >= 2


def test_the_same_page_is_the_same_each_time_and_in_both_modes(tied: Desk) -> None:
    for road in ROADS:
        found = [page(tied, tied.engine(mode), road, first=7) for mode in (True, False, True)]
        assert found[0] == found[1] == found[2]


@pytest.mark.postgres
@pytest.mark.loopback
def test_rows_that_tie_keep_their_places_on_postgresql(pg_desk: Desk) -> None:
    async def same_moment() -> None:
        engine = open_engine(pg_desk.store.url.render_as_string(hide_password=False))
        async with engine.begin() as connection:
            for table, column in (
                (case_file, "filed_at"), (case_event, "at"), (supervision_order, "issued_at"),
            ):  # fmt: skip
                moment = sql("timestamptz '2026-03-01 00:00:00+00'")
                await connection.execute(
                    update(table).where(table.c.id > "8").values({column: moment})
                )
        await engine.dispose()

    pg_desk.runner.run(same_moment())
    for road in ("cases", "orders", "persons", "events of a case"):
        engine = pg_desk.engine(True)
        whole = joined(pg_desk, engine, road, 100, forward=True)
        assert len(whole) == len(set(whole)) > 3
        for size in (1, 3, 7):
            for forward in (True, False):
                assert joined(pg_desk, engine, road, size, forward=forward) == whole


@pytest.mark.parametrize("road", ROADS)
def test_a_change_of_the_policy_half_way_ends_the_walk(tied: Desk, road: str) -> None:
    """Never a page of a list that is another one by now: the asker is told to start again."""
    engine, account = tied.engine(True), ROADS[road][2]
    first = page(tied, engine, road, first=1)
    newer = PolicyBook(
        tied.book.version + 1, tied.book.rules, parents_of(pairs(roles())), tied.catalog
    )
    gate = Gate(newer, tied.asker(account), tied.catalog)

    def asked(**given: Any) -> Any:
        question = Question(document(tied, road), None, given)
        return tied.runner.run(engine.answer(question, gate, {"viewer": VIEWER}))

    stale = asked(first=1, after=first["pageInfo"]["endCursor"])
    assert [(e["extensions"]["code"], e["extensions"]["reason"]) for e in stale.errors] == [
        ("BAD_USER_INPUT", "CURSOR_STALE")
    ]
    assert "pageInfo" not in repr(data_of(stale))
    again = asked(first=1)
    assert again.errors == ()
