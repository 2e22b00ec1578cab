"""What each of the three roles may do to the log, and what the server refuses it (audit T11)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.log import AuditLog, writer_name
from audit.record import Draft, Kind
from audit.verify import Code, Exit, check
from store.engine import open_engine, single
from store.migrate import upgrade
from store.register import citizen
from store.roles import APP, ARCHIVER, LOG_TABLES, OF_THE_LOG, OFFICER, ROLES, has_roles, set_roles
from store.row_lock import is_locked, lock
from store.tables import metadata
from tests.audit.sealed import LOG, archive, seal, write

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

Login = Callable[[str], str]
Database = Callable[..., Coroutine[None, None, str]]
REFUSED = "permission denied|must be owner"


@pytest.fixture(scope="session")
def with_roles(pg_database: Database) -> str:
    """A migrated store, its roles set twice; nobody is connected to it."""
    url = asyncio.run(pg_database())
    upgrade(url)
    asyncio.run(_twice(url))
    return url


@pytest.fixture
def apart() -> None:
    """For a test that writes: it gets a store of its own."""


@pytest.fixture
def owner(request: pytest.FixtureRequest, with_roles: str, pg_database: Database) -> str:
    """The owner's address of a store like that."""
    if "apart" in request.fixturenames:
        return asyncio.run(pg_database(with_roles))
    return with_roles


async def _twice(url: str) -> None:
    async with single(url) as connection:
        assert not await has_roles(connection)
        await set_roles(connection)
    async with single(url) as connection:
        assert await has_roles(connection)
        await set_roles(connection)


@pytest.fixture
def login(owner: str) -> Iterator[Login]:
    """``login(role)``: the address of an account that is a member of that role and no more."""
    made: list[str] = []

    async def run(*statements: str) -> None:
        async with single(owner) as connection:
            for statement in statements:
                await connection.execute(text(statement))

    def account(role: str) -> str:
        name = f"{role}_{uuid.uuid4().hex[:8]}"
        asyncio.run(run(f"CREATE ROLE {name} LOGIN IN ROLE {role}"))
        made.append(name)
        return make_url(owner).set(username=name).render_as_string(hide_password=False)

    yield account
    asyncio.run(run(*(f"DROP ROLE {name}" for name in made)))


@pytest.fixture
def app_url(login: Login) -> str:
    return login(APP)


@pytest.fixture
def archiver_url(login: Login) -> str:
    return login(ARCHIVER)


@pytest.fixture
def officer_url(login: Login) -> str:
    return login(OFFICER)


@pytest.fixture
async def app(app_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(app_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def archiver(archiver_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(archiver_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def officer(officer_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(officer_url)
    yield engine
    await engine.dispose()


def drafts(count: int) -> list[Draft]:
    return [
        Draft(Kind.READ, actor="zhao.min", request=f"r-{n}", subjects=n.to_bytes(16))
        for n in range(count)
    ]


async def refused(engine: AsyncEngine, statement: str) -> None:
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError, match=REFUSED):
            await connection.execute(text(statement))


@pytest.mark.usefixtures("apart")
async def test_the_hub_appends_indexes_signs_and_follows(app: AsyncEngine) -> None:
    log = AuditLog(app, writer_name("app"), LOG, wait_s=5.0)
    await log.start()
    for draft in drafts(5):
        await log.append(draft)
    await asyncio.gather(*(log.append(draft) for draft in drafts(50)))
    async with app.begin() as connection:
        await log.append_in(connection, Draft(Kind.MUTATION, actor="zhao.min"))
    await log.stop()
    await seal(app, 58)
    async with app.begin() as connection:
        for statement in (
            f"INSERT INTO audit_tile VALUES (0, 0, '{'x' * 32}')",
            "INSERT INTO audit_cosignature VALUES (58, 'w', 'line', 1)",
            "INSERT INTO audit_follower VALUES ('rollup', 0)",
            "UPDATE audit_follower SET next_idx = 58",
            "INSERT INTO audit_rollup_hour VALUES ('a', 1, '532622', 'READ', 'OK', 1, 1) "
            "ON CONFLICT (actor, hour, area, kind, outcome) DO UPDATE SET events = 2",
            "INSERT INTO purpose_note VALUES ('00', 'text', 1)",
        ):
            await connection.execute(text(statement))
    verdicts = await check(app)
    assert (verdicts.integrity, verdicts.completeness, verdicts.size) == (True, True, 58)
    assert (verdicts.unindexed, verdicts.subjects) == (0, 55)
    assert set(verdicts.counts) == {Code.TILE, Code.ROLLUP}  # what was invented above


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET {column} = {column}",
        "DELETE FROM {table}",
        "TRUNCATE {table}",
        "ALTER TABLE {table} ADD COLUMN more text",
        "ALTER TABLE {table} DISABLE TRIGGER ALL",
        "DROP TRIGGER {table}_no_change ON {table}",
        "DROP TABLE {table}",
    ],
)
async def test_nobody_but_the_owner_changes_what_is_frozen(
    app: AsyncEngine, archiver: AsyncEngine, officer: AsyncEngine, statement: str
) -> None:
    frozen = ("event", "subject", "checkpoint", "tile", "cosignature")
    tries = 0
    for engine, role in ((app, APP), (archiver, ARCHIVER), (officer, OFFICER)):
        for table in (f"audit_{name}" for name in frozen):
            if statement.startswith("DELETE") and "DELETE" in OF_THE_LOG.get(role, {}).get(
                table, ()
            ):
                continue
            column = next(iter(metadata.tables[table].columns)).name
            await refused(engine, statement.format(table=table, column=column))
            tries += 1
    assert tries == (13 if statement.startswith("DELETE") else 15)


@pytest.mark.parametrize("table", LOG_TABLES)
async def test_the_hub_deletes_nothing_of_the_log_and_changes_no_table(
    app: AsyncEngine, table: str
) -> None:
    for deed in ("DELETE FROM {}", "TRUNCATE {}", "ALTER TABLE {} RENAME TO other"):
        await refused(app, deed.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_head SET log = 'another'",
        "UPDATE audit_head SET suite = 'sm3'",
        "UPDATE audit_writer SET writer = 'another'",
        "UPDATE audit_segment SET state = 'DETACHED'",
        "INSERT INTO audit_segment VALUES (0, 9, 'p', 's', '', 'n', 'DETACHED', 1)",
        "UPDATE audit_verdict SET findings = 0",
        "CREATE TABLE mine (n int)",
        "SET session_replication_role = replica",
        f"SET ROLE {ARCHIVER}",
        "CREATE ROLE mine",
    ],
)
async def test_the_hub_may_not_put_itself_above_the_log(app: AsyncEngine, statement: str) -> None:
    await refused(app, statement)


@pytest.mark.usefixtures("apart")
async def test_the_officer_reads_the_log_and_nothing_else(
    officer: AsyncEngine, app: AsyncEngine
) -> None:
    log = AuditLog(app, writer_name("app"), LOG, wait_s=5.0)
    await log.start()
    await log.stop()
    assert (await check(officer)).exit is Exit.INTACT
    for table in metadata.tables:
        if table in LOG_TABLES:
            async with officer.connect() as connection:
                await connection.execute(text(f"SELECT count(*) FROM {table}"))
            await refused(officer, f"INSERT INTO {table} DEFAULT VALUES")
        else:
            await refused(officer, f"SELECT count(*) FROM {table}")


@pytest.mark.usefixtures("apart")
async def test_the_archiver_archives_and_deletes_only_what_has_left(
    app: AsyncEngine, archiver: AsyncEngine, tmp_path: Path
) -> None:
    size = await write(app, drafts(260))
    await seal(app, size)
    rows = await archive(archiver, tmp_path).run()
    assert [row.state for row in rows] == ["ARCHIVED"] * 2
    for statement in ("DELETE FROM audit_event WHERE idx = 3", "DELETE FROM audit_subject"):
        async with archiver.connect() as connection:
            with pytest.raises(DBAPIError, match="audit rows are never changed"):
                await connection.execute(text(statement))
    rows = await archive(archiver, tmp_path, later_days=8).run()
    assert [row.state for row in rows] == ["DETACHED"] * 2
    verdicts = await check(app)
    assert (verdicts.exit, verdicts.first, verdicts.leaving) == (Exit.INTACT, 200, 0)
    await refused(archiver, "SELECT count(*) FROM citizen")
    await refused(archiver, "UPDATE audit_segment SET frontier = ''")


@pytest.mark.usefixtures("apart")
async def test_rights_that_were_given_by_hand_are_taken_back(owner: str, app: AsyncEngine) -> None:
    async with single(owner) as connection:
        await connection.execute(text(f"GRANT DELETE, TRUNCATE ON audit_event TO {APP}"))
        await connection.execute(text("GRANT UPDATE (body) ON audit_event TO PUBLIC"))
    async with app.connect() as connection:
        with pytest.raises(DBAPIError, match="audit rows are never changed"):
            await connection.execute(text("TRUNCATE audit_event"))  # the right, but the trigger
    async with single(owner) as connection:
        await set_roles(connection)
    await refused(app, "TRUNCATE audit_event")
    await refused(app, "UPDATE audit_event SET body = ''")


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("first", ["roles", "lock"])
async def test_the_second_lock_and_the_roles_fit_in_either_order(
    first: str, owner: str, app: AsyncEngine
) -> None:
    async with single(owner) as connection:
        await lock(connection)
        if first == "lock":
            await set_roles(connection)
    async with single(owner) as connection:
        assert await is_locked(connection)
        row = {"id": "p1", "citizen_uid": "u1", "name": "某某", "sex": "UNKNOWN", "dq": ""}
        row |= {"region_path": "532622205203", "region_state": "PLACED"}
        await connection.execute(citizen.insert(), row | {"as_of": date(2026, 1, 1)})
    async with app.begin() as connection:
        assert await is_locked(connection)
        seen = "SELECT count(*) FROM citizen"
        assert await connection.scalar(text(seen)) == 1  # by the policy of its own
        await connection.execute(text("SET LOCAL ROLE hub_reader_town"))
        assert await connection.scalar(text(seen)) == 0  # it names no township


def test_every_table_of_the_log_has_its_rights() -> None:
    ours = {t for t in metadata.tables if t.startswith("audit_")} | {"purpose_note"}
    assert set(LOG_TABLES) == ours
    assert set(OF_THE_LOG) == set(ROLES) - {OFFICER}
