"""adapters/databases/postgres_pool.py: a real server is asked what became of our statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from adapters.databases.database import StatementFault, open_database
from adapters.databases.postgres_pool import CONNECTIONS, PostgresPool
from adapters.resilience import Fault, Guard, Reason
from catalog.errors import SourceUnavailable

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

SLEEP = "SELECT pg_sleep($1::float8)"
PID = "SELECT pg_backend_pid()"


@pytest.fixture
async def pool(pg_url: str) -> AsyncIterator[PostgresPool]:
    made = open_database(pg_url, statement_s=5)
    assert isinstance(made, PostgresPool)
    yield made
    await made.close()


@pytest.fixture
async def watcher(pg_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of somebody else, who sees what the server does."""
    plain = make_url(pg_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    yield connection
    await connection.close()


async def sessions(watcher: asyncpg.Connection, text: str = "") -> int:
    """Our sessions, or those at work on a statement that has `text` in it."""
    return int(
        await watcher.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hub'"
            " AND datname = current_database()"
            " AND ($1 = '' OR (state = 'active' AND query LIKE '%' || $1 || '%'))",
            text,
        )
    )


async def reached(watcher: asyncpg.Connection, text: str, count: int) -> bool:
    """Within a second the server has so many of our sessions at work on `text`."""
    for _ in range(100):
        if await sessions(watcher, text) == count:
            return True
        await asyncio.sleep(0.01)
    return False


async def one(pool: PostgresPool, text: str, *values: Any) -> Any:
    return (await pool.fetch(text, values))[0][0]


async def test_rows_are_indexed_sliced_and_unpacked_and_json_is_text(pool: PostgresPool) -> None:
    text = "SELECT $1::text, 2, '{\"a\": 1}'::json, '{\"b\": 2}'::jsonb, NULL"
    (row,) = await pool.fetch(text, ("1",))
    assert [row[0], row[1], *row[2:]] == ["1", 2, '{"a": 1}', '{"b": 2}', None]
    first, *_ = row
    assert (first, len(row)) == ("1", 5)


async def test_a_session_reads_only_in_the_countys_time_and_stops_by_itself(
    pool: PostgresPool,
) -> None:
    names = ("TimeZone", "default_transaction_read_only", "statement_timeout", "jit")
    told = [await one(pool, "SELECT current_setting($1)", name) for name in names]
    assert told == ["Asia/Shanghai", "on", "5s", "off"]
    with pytest.raises(StatementFault, match=r"^ReadOnlySQLTransactionError$"):
        await pool.fetch("CREATE TABLE written (a int)", ())


async def test_one_asker_at_a_time_needs_one_connection(
    pool: PostgresPool, watcher: asyncpg.Connection
) -> None:
    assert len({await one(pool, PID) for _ in range(20)}) == 1
    assert await sessions(watcher) == 1


async def test_a_statement_is_prepared_once_on_a_connection_whatever_its_length(
    pool: PostgresPool,
) -> None:
    long = f"SELECT length('{'x' * 40_000}')"
    assert [await one(pool, long) for _ in range(3)] == [40_000] * 3
    kept = "SELECT count(*) FROM pg_prepared_statements WHERE length(statement) > 40000"
    assert await one(pool, kept) == 1


async def test_an_address_may_forbid_prepared_statements(pg_url: str) -> None:
    option = {"prepared_statement_cache_size": "0"}
    url = make_url(pg_url).update_query_dict(option).render_as_string(hide_password=False)
    pool = open_database(url, statement_s=3)
    assert [(await pool.fetch("SELECT 1", ()))[0][0] for _ in range(3)] == [1] * 3
    assert (await pool.fetch("SELECT count(*) FROM pg_prepared_statements", ()))[0][0] == 0
    await pool.close()


async def test_many_askers_share_the_connections_and_wait_their_turn(
    pool: PostgresPool, watcher: asyncpg.Connection
) -> None:
    pids = await asyncio.gather(
        *(one(pool, "SELECT pg_backend_pid() FROM pg_sleep(0.02)") for _ in range(40))
    )
    assert len(pids) == 40
    assert len(set(pids)) == await sessions(watcher) == CONNECTIONS


async def test_who_waits_too_long_for_a_connection_times_out_and_costs_nobody_his_place(
    pool: PostgresPool, watcher: asyncpg.Connection
) -> None:
    busy = [asyncio.create_task(pool.fetch(SLEEP, (0.5,))) for _ in range(CONNECTIONS)]
    assert await reached(watcher, "pg_sleep", CONNECTIONS)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await one(pool, "SELECT 1")
    await asyncio.gather(*busy)
    assert await asyncio.gather(*(one(pool, "SELECT 1") for _ in range(20))) == [1] * 20
    assert await sessions(watcher) == CONNECTIONS


@pytest.mark.parametrize("after_s", [0, 0.001, 0.1])
async def test_a_cancelled_statement_has_ended_in_the_server(
    pool: PostgresPool, watcher: asyncpg.Connection, after_s: float
) -> None:
    await pool.fetch("SELECT 1", ())  # a connection is there
    asked = asyncio.create_task(pool.fetch(SLEEP, (4,)))
    await asyncio.sleep(after_s)
    if after_s == 0.1:
        assert await reached(watcher, "pg_sleep", 1)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await reached(watcher, "pg_sleep", 0)
    assert await one(pool, "SELECT 7") == 7


async def test_a_connection_whose_asker_left_is_never_used_again(
    pool: PostgresPool, watcher: asyncpg.Connection
) -> None:
    before = await one(pool, PID)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pool.fetch(SLEEP, (4,))
    told = await asyncio.gather(*(one(pool, "SELECT $1::int", i) for i in range(30)))
    assert told == list(range(30))
    assert before not in {await one(pool, PID) for _ in range(3)}
    gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
    for _ in range(100):
        if not await watcher.fetchval(gone, before):
            break
        await asyncio.sleep(0.01)
    assert await watcher.fetchval(gone, before) == 0


async def test_a_storm_of_cancels_leaves_every_place_free(
    pool: PostgresPool, watcher: asyncpg.Connection
) -> None:
    asked = [asyncio.create_task(pool.fetch(SLEEP, (4,))) for _ in range(30)]
    assert await reached(watcher, "pg_sleep", CONNECTIONS)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert await sessions(watcher) <= CONNECTIONS
    assert await asyncio.gather(*(one(pool, "SELECT 1") for _ in range(20))) == [1] * 20
    assert await sessions(watcher, "pg_sleep") == 0
    assert await sessions(watcher) <= CONNECTIONS


async def test_the_server_stops_a_statement_whose_asker_never_says_so(pg_url: str) -> None:
    pool = open_database(pg_url, statement_s=0.1)
    with pytest.raises(Fault) as caught:
        await pool.fetch(SLEEP, (4,))
    assert (caught.value.reason, caught.value.again) == (Reason.TIMEOUT, False)
    await pool.close()


async def test_killed_connections_heal_within_one_guarded_call(
    pool: PostgresPool, watcher: asyncpg.Connection
) -> None:
    guard = Guard("hub")
    await asyncio.gather(*(pool.fetch(SLEEP, (0.05,)) for _ in range(CONNECTIONS)))
    kill = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE application_name = 'hub' AND datname = current_database()"
    )
    assert await watcher.fetchval(kill) == CONNECTIONS
    assert await guard.run(lambda: one(pool, "SELECT 1")) == 1
    working = asyncio.create_task(guard.run(lambda: one(pool, "SELECT 2 FROM pg_sleep(0.3)")))
    assert await reached(watcher, "pg_sleep", 1)
    assert await watcher.fetchval(kill) == 1
    assert await working == 2
    assert guard.state.failures == 0


async def test_a_result_that_changed_its_type_is_prepared_anew(
    pool: PostgresPool, watcher: asyncpg.Connection
) -> None:
    await watcher.execute("CREATE TABLE plots (a int); INSERT INTO plots VALUES (1)")
    assert await one(pool, "SELECT a FROM plots") == 1
    await watcher.execute("ALTER TABLE plots ALTER a TYPE text")
    assert await one(pool, "SELECT a FROM plots") == "1"


@pytest.mark.parametrize(
    ("text", "values", "named"),
    [
        ("SELEC 1", (), "PostgresSyntaxError"),
        ("SELECT a FROM nowhere", (), "UndefinedTableError"),
        ("SELECT '539922x'::int", (), "InvalidTextRepresentationError"),
        ("SELECT $1::int", ("539922",), "DataError"),
        ("SELECT $1::int", (2**40,), "DataError"),
        ("SELECT $1::text", ("539922\x00",), "CharacterNotInRepertoireError"),
    ],
)
async def test_a_fault_of_ours_names_its_class_alone_and_costs_no_connection(
    pool: PostgresPool, text: str, values: tuple[Any, ...], named: str
) -> None:
    before = await one(pool, PID)
    with pytest.raises(StatementFault) as caught:
        await pool.fetch(text, values)
    assert str(caught.value) == named
    assert caught.value.__suppress_context__
    assert await one(pool, PID) == before


async def test_an_absent_database_is_down_without_its_drivers_text(pg_url: str) -> None:
    absent = make_url(pg_url).set(database="none_539922").render_as_string(hide_password=False)
    pool = open_database(absent, statement_s=3)
    with pytest.raises(SourceUnavailable) as caught:
        await Guard("mz").run(lambda: pool.fetch("SELECT 1", ()))
    assert caught.value.reason == "DOWN"
    assert "539922" not in f"{caught.value!r}{caught.value.__cause__!r}"
    await pool.close()


async def test_a_closed_pool_leaves_no_session_and_opens_again(
    pool: PostgresPool, watcher: asyncpg.Connection
) -> None:
    await asyncio.gather(*(pool.fetch(SLEEP, (0.02,)) for _ in range(3)))
    await pool.close()
    await pool.close()
    assert await reached(watcher, "", 0)
    assert await one(pool, "SELECT 1") == 1
