"""Published counts come with the leading group's proposed rules, and go without a trace."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError

from store import migrate
from store.engine import open_engine


def execute(url: str, statement: str) -> list[Row[Any]]:
    async def run() -> list[Row[Any]]:
        engine = open_engine(url)
        try:
            async with engine.begin() as connection:
                result = await connection.execute(text(statement))
                return list(result.all()) if result.returns_rows else []
        finally:
            await engine.dispose()

    return asyncio.run(run())


def test_the_rules_wait_for_the_leading_group(store_url: str) -> None:
    migrate.upgrade(store_url, "start")
    migrate.upgrade(store_url, "tallies")
    rows = execute(
        store_url,
        "SELECT cube, dimension, min_cell, round_to, publish_period, confirmed, basis "
        "FROM tally_rule ORDER BY dimension",
    )
    proposed = {(r.cube, r.round_to, r.publish_period, r.confirmed, r.basis) for r in rows}
    assert proposed == {("case", 5, "MONTH", False, "待领导小组确认")}
    assert [(r.dimension, r.min_cell) for r in rows] == [("*", 5), ("DEPARTMENT", 10), ("ITEM", 10)]
    assert execute(store_url, "SELECT * FROM tally_publication") == []


def test_going_back_drops_both_tables_and_nothing_else(store_url: str) -> None:
    migrate.upgrade(store_url, "tallies")
    migrate.downgrade(store_url, "start")
    assert migrate.status(store_url)[0] == "start"
    differing = [line for line in migrate.drift(store_url) if "tally" in line]
    assert sorted(differing) == ["add_table tally_publication", "add_table tally_rule"]


@pytest.mark.parametrize(
    "values",
    ["0, 5, 'MONTH'", "5, 0, 'MONTH'", "5, 5, 'WEEK'", "NULL, 5, 'MONTH'"],
)
def test_a_rule_that_protects_nobody_cannot_be_stored(store_url: str, values: str) -> None:
    migrate.upgrade(store_url)
    with pytest.raises(IntegrityError):
        execute(store_url, f"INSERT INTO tally_rule VALUES ('case', 'STATE', {values}, true, 'x')")
