"""Versions of the policy out of the archive: the book of each, and who signed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from authz.errors import RuleError
from authz.rule import Rule
from authz.sharing import shared_rules
from authz.start import seed, start_rules
from authz.versions import NoVersion, version_at
from catalog.load import Catalog
from store import migrate
from store.accounts import seed_accounts
from store.archive import FROZEN
from store.engine import open_engine
from store.policy import authz_rule, bump_version, read_policy_rows

pytestmark = pytest.mark.anyio
LINE = Rule(
    "town", "*", "Citizen.health", "read", "subtree", "any", "aid.file", "2026-12-31",
    "allow", "测试",
)  # fmt: skip


@pytest.fixture
async def engine(store_url: str, catalog: Catalog) -> AsyncIterator[AsyncEngine]:
    """A store with the shipped policy (1), an account opened (2), one more line (3)."""
    await asyncio.to_thread(migrate.upgrade, store_url)
    made = open_engine(store_url)
    async with made.begin() as conn:
        assert await seed(conn, catalog, by="hub") == 1
        assert await seed_accounts(conn, []) == 2
        assert await added(conn, LINE, written_by="zhang", approved_by="li") == 3
    yield made
    await made.dispose()


async def added(conn: AsyncConnection, rule: Rule, **signed: str) -> int:
    """One more line, as an approval puts it in force; the new version."""
    names = authz_rule.c.keys()[1:11]
    row: dict[str, object] = dict(zip(names, (*rule.line, rule.basis), strict=True))
    row |= {"id": rule.id, "until": date.fromisoformat(rule.until)}
    row["created_at"] = datetime.now(UTC)
    await conn.execute(insert(authz_rule), row | signed)
    rows = await read_policy_rows(conn)
    return await bump_version(conn, rows.digest_of_rows)


async def test_each_version_is_the_policy_of_its_time(
    engine: AsyncEngine, catalog: Catalog
) -> None:
    async with engine.connect() as conn:
        found = [await version_at(conn, number, catalog) for number in (1, 2, 3, None)]
    shipped = {rule.line for rule in (*start_rules(catalog), *shared_rules(catalog))}
    assert [one.book.version for one in found] == [1, 2, 3, 3]
    lines = [{rule.line for rule in one.book.rules} for one in found]
    assert lines == [shipped, shipped, shipped | {LINE.line}, shipped | {LINE.line}]
    assert found[0].book.post("rev", "town", "532622205").roles >= {"town", "village", "helper"}


async def test_a_line_is_signed_by_two_or_it_is_not(engine: AsyncEngine, catalog: Catalog) -> None:
    async with engine.connect() as conn:
        last = await version_at(conn, None, catalog)
    assert last.signatures[LINE.line] == ("zhang", "li")
    assert last.signed_twice(LINE)
    seeded = start_rules(catalog)[0]
    assert last.signatures[seeded.line] == ("hub", "hub")
    assert not last.signed_twice(seeded)
    assert not last.signed_twice(replace(LINE, action="list"))  # nobody wrote it down
    assert not last.signed_twice(shared_rules(catalog)[0])
    proposed = last.under([LINE])
    assert {rule.line for rule in proposed.book.rules} == {
        LINE.line,
        *(rule.line for rule in shared_rules(catalog)),
    }
    assert proposed.signed_twice(LINE)


@pytest.mark.parametrize("number", [0, 4, -1])
async def test_a_version_that_is_not_there_is_named(
    engine: AsyncEngine, catalog: Catalog, number: int
) -> None:
    async with engine.connect() as conn:
        with pytest.raises(NoVersion) as error:
            await version_at(conn, number, catalog)
    assert str(error.value) == f"没有版本 {number}：现行版本为 3"


async def test_versions_before_the_archive_cannot_be_compared(
    engine: AsyncEngine, catalog: Catalog
) -> None:
    await unguarded(engine, "DELETE FROM policy_archive WHERE version = 1")
    async with engine.connect() as conn:
        with pytest.raises(NoVersion, match="版本 2 早于策略存档"):
            await version_at(conn, 2, catalog)
        assert (await version_at(conn, 3, catalog)).book.version == 3


async def unguarded(engine: AsyncEngine, statement: str) -> None:
    """As one with the database's password would: the triggers do not stop him."""
    async with engine.begin() as conn:
        if engine.dialect.name == "sqlite":
            for name in FROZEN.trigger_names("sqlite"):
                await conn.execute(text(f"DROP TRIGGER {name}"))
        else:
            await conn.execute(text("SET LOCAL session_replication_role = replica"))
        assert (await conn.exec_driver_sql(statement)).rowcount == 1


async def test_an_archive_changed_by_hand_is_refused(engine: AsyncEngine, catalog: Catalog) -> None:
    changed = "UPDATE policy_archive SET content = replace(content, 'aid.file\",', 'aid.review\",')"
    await unguarded(engine, f"{changed} WHERE version = 3")
    async with engine.connect() as conn:
        with pytest.raises(RuleError, match="摘要不符"):
            await version_at(conn, 3, catalog)
        await version_at(conn, 1, catalog)


async def test_demonstration_lines_are_read_in_a_demonstration_only(
    engine: AsyncEngine, catalog: Catalog
) -> None:
    async with engine.begin() as conn:
        await seed(conn, catalog, by="hub", demo=True)
        shown = await version_at(conn, None, catalog, demo=True)
        assert "lab" in {rule.role for rule in shown.book.rules}
        with pytest.raises(RuleError, match="只能用于演示策略"):
            await version_at(conn, None, catalog)
