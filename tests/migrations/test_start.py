"""The migrations build exactly our tables, go back, and leave nothing half done."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from store import migrate
from store.audit import trigger_names
from store.engine import open_engine
from store.tables import FROZEN, metadata
from tests.head import HEAD
from tests.migrations.statements import execute

SHAPE = {
    "sqlite": "SELECT type || ' ' || name AS name, sql AS shape FROM sqlite_master "
    "WHERE sql IS NOT NULL AND name <> 'alembic_version'",
    "postgresql": "SELECT conrelid::regclass || ' ' || conname AS name, "
    "pg_get_constraintdef(oid) AS shape FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace "
    "UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
    "UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal "
    "UNION ALL SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
    "UNION ALL SELECT table_name || '.' || column_name, concat_ws(' ', data_type, "
    "character_maximum_length, is_nullable, column_default, collation_name) "
    "FROM information_schema.columns WHERE table_schema = 'public'",
}


def create_all(url: str) -> None:
    async def run() -> None:
        engine = open_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            for frozen in FROZEN:
                await connection.run_sync(frozen.protect)
        await engine.dispose()

    asyncio.run(run())


def drop_everything(url: str) -> None:
    if url.startswith("sqlite"):
        for row in execute(url, "SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            execute(url, f"DROP TRIGGER {row.name}")
        tables = [*reversed([t.name for t in metadata.sorted_tables]), "alembic_version"]
        execute(url, *(f"DROP TABLE IF EXISTS {name}" for name in tables))
    else:
        execute(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


def shape(url: str) -> dict[str, frozenset[str]]:
    """Everything the database knows of its tables; the order of a table's lines aside."""
    rows = execute(url, SHAPE["sqlite" if url.startswith("sqlite") else "postgresql"])
    return {r.name: frozenset(lines(r.shape)) for r in rows if "alembic_version" not in r.name}


def lines(statement: str) -> Iterator[str]:
    """Its lines; columns that were added later stand in one line with the one before."""
    for line in statement.splitlines():
        for part in _parts(line):
            if found := re.sub(r"\s+", " ", part).strip(" ,"):
                yield found


def _parts(line: str) -> Iterator[str]:
    """A line cut at the commas outside of brackets."""
    depth = start = 0
    for at, sign in enumerate(line):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth <= 0:
            yield line[start:at]
            start = at + 1
    yield line[start:]


def test_up_down_up_ends_where_up_ended(store_url: str) -> None:
    assert migrate.status(store_url) == (None, HEAD)
    migrate.upgrade(store_url)
    up = shape(store_url)
    assert migrate.status(store_url) == (HEAD, HEAD)
    migrate.downgrade(store_url)
    assert migrate.status(store_url) == (None, HEAD)
    assert shape(store_url) == {}
    migrate.upgrade(store_url)
    assert shape(store_url) == up
    migrate.upgrade(store_url)  # nothing to do
    assert shape(store_url) == up


def test_a_migrated_store_is_what_our_tables_say(store_url: str) -> None:
    migrate.upgrade(store_url)
    assert migrate.drift(store_url) == []
    migrated = shape(store_url)
    drop_everything(store_url)
    create_all(store_url)
    created = shape(store_url)  # checks and trigger texts too, which the drift check skips
    assert migrated.keys() == created.keys()
    assert {n: s for n, s in migrated.items() if s != created[n]} == {}
    assert len(migrated) > 40


def test_drift_names_what_differs(store_url: str) -> None:
    migrate.upgrade(store_url)
    dialect = "sqlite" if store_url.startswith("sqlite") else "postgresql"
    trigger = trigger_names(dialect)[0]
    table = "" if dialect == "sqlite" else " ON audit_event"
    execute(
        store_url,
        "ALTER TABLE department ADD COLUMN fax VARCHAR(20)",
        "DROP INDEX ix_citizen_region",
        f"DROP TRIGGER {trigger}{table}",
    )
    found = migrate.drift(store_url)
    assert len(found) == 3
    assert [line.split()[0] for line in found] == ["add_index", "remove_column", "trigger"]
    assert "ix_citizen_region" in found[0]
    assert "department" in found[1]
    assert "fax" in found[1]
    assert found[2] == f"trigger {trigger} is missing"


def test_drift_names_a_changed_column(store_url: str) -> None:
    migrate.upgrade(store_url)
    if store_url.startswith("sqlite"):
        execute(
            store_url,
            "DROP TABLE department",
            "CREATE TABLE department (code VARCHAR(64) NOT NULL, title INTEGER, "
            "short VARCHAR(32) NOT NULL, phone VARCHAR(20) NOT NULL, "
            "CONSTRAINT pk_department PRIMARY KEY (code))",
        )
    else:
        execute(
            store_url,
            "ALTER TABLE department ALTER title DROP NOT NULL",
            "ALTER TABLE department ALTER title TYPE INTEGER USING 1",
        )
    found = migrate.drift(store_url)
    assert len(found) == 1
    assert "modify_nullable" in found[0]
    assert "modify_type" in found[0]


def test_a_migration_that_fails_leaves_nothing_behind(store_url: str) -> None:
    last = metadata.sorted_tables[-1].name
    execute(store_url, f"CREATE TABLE {last} (in_the_way INTEGER)")
    before = shape(store_url)
    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(store_url)
    assert shape(store_url) == before
    assert migrate.status(store_url) == (None, HEAD)


def test_the_divisions_are_there_from_the_start(store_url: str) -> None:
    migrate.upgrade(store_url)
    levels = execute(store_url, "SELECT level, count(*) FROM division GROUP BY level ORDER BY 1")
    assert [tuple(row) for row in levels] == [("COUNTY", 1), ("TOWNSHIP", 11), ("VILLAGE", 108)]
    orphans = execute(
        store_url,
        "SELECT path FROM division d WHERE NOT EXISTS "
        "(SELECT 1 FROM division p WHERE p.path = d.parent_path)",
    )
    assert [tuple(row) for row in orphans] == [("532622",)]


def test_the_folder_of_migrations_is_no_package() -> None:
    # With an __init__.py, `python -m hub` would import the folder for the library.
    folder = migrate.migrations()
    assert folder.name == "alembic"
    assert (folder / "env.py").is_file()
    assert not (folder / "__init__.py").exists()


@pytest.mark.postgres
def test_a_migration_does_not_wait_long_for_another(pg_url: str) -> None:
    async def held() -> list[float]:
        engine = open_engine(pg_url)
        loop = asyncio.get_running_loop()
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(532622000001)"))
            began = loop.time()
            with pytest.raises(Exception, match="lock timeout"):
                await asyncio.to_thread(migrate.upgrade, pg_url)
            waited = loop.time() - began
        await engine.dispose()
        return [waited]

    (waited,) = asyncio.run(held())
    assert 1.5 < waited < 6
    assert shape(pg_url) == {}
