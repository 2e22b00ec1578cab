"""adapters/databases/mariadb.py: a real server is asked what became of our statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiomysql
import pytest
from sqlalchemy.engine import make_url

from adapters.databases.database import StatementFault, open_database
from adapters.databases.mariadb import CONNECTIONS, MariaDatabase
from adapters.resilience import Fault, Guard, Reason
from catalog.errors import SourceUnavailable

if TYPE_CHECKING:
    from tests.conftest import MariaServer

pytestmark = [pytest.mark.anyio, pytest.mark.mariadb]

ID = "SELECT CONNECTION_ID()"
BLOCKED = "SELECT COUNT(*) FROM plots"
BUSY = "SELECT SUM(a.seq * b.seq) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"
"""At work for hours; at a lock the server would notice by itself that the asker is gone."""


class Watcher:
    """A session of somebody else, who sees what the server does and can lock a table."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def said(self, text: str) -> Any:
        async with self._connection.cursor() as cursor:
            await cursor.execute(text)
            return await cursor.fetchall()

    async def sessions(self, text: str = "") -> list[int]:
        """Sessions in this database but the own, or those at work on a statement like `text`."""
        rows = await self.said(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE()"
            f" AND id <> CONNECTION_ID() AND ('{text}' = '' OR info LIKE '%{text}%')"
        )
        return [row[0] for row in rows]

    async def reached(self, count: int, text: str = "") -> bool:
        """Within some seconds the server has so many of them."""
        for _ in range(500):
            if len(await self.sessions(text)) == count:
                return True
            await asyncio.sleep(0.01)
        return False


@pytest.fixture
async def database(maria_url: str) -> AsyncIterator[MariaDatabase]:
    made = open_database(maria_url, statement_s=30)
    assert isinstance(made, MariaDatabase)
    yield made
    await made.close()


@pytest.fixture
async def connected(maria_url: str) -> AsyncIterator[Callable[[], Awaitable[Watcher]]]:
    """``await connected()``: a session of one's own."""
    url, made = make_url(maria_url), list[Any]()

    async def connect() -> Watcher:
        options = {"host": url.host, "port": url.port, "user": url.username, "db": url.database}
        made.append(await aiomysql.connect(password=url.password, autocommit=True, **options))
        return Watcher(made[-1])

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture
async def watcher(connected: Callable[[], Awaitable[Watcher]]) -> Watcher:
    return await connected()


@pytest.fixture
async def lock(connected: Callable[[], Awaitable[Watcher]]) -> Watcher:
    """A session that keeps everybody from the table until it says UNLOCK TABLES."""
    made = await connected()
    await made.said("CREATE TABLE plots (a INT)")
    await made.said("LOCK TABLES plots WRITE")
    return made


async def one(database: MariaDatabase, text: str, *values: Any) -> Any:
    return (await database.fetch(text, values))[0][0]


@pytest.mark.parametrize("scheme", ["mysql+aiomysql", "mariadb+aiomysql"])
async def test_both_ways_of_writing_the_address_lead_to_the_server(
    maria_url: str, scheme: str
) -> None:
    url = make_url(maria_url).set(drivername=scheme).render_as_string(hide_password=False)
    database = open_database(url, statement_s=3)
    assert isinstance(database, MariaDatabase)
    assert await database.fetch("SELECT %s, 2, NULL", ("𣲗",)) == [("𣲗", 2, None)]
    await database.close()


async def test_a_session_reads_only_in_the_countys_time_and_stops_by_itself(
    database: MariaDatabase, watcher: Watcher
) -> None:
    names = [
        "sql_mode",
        "time_zone",
        "tx_read_only",
        "max_statement_time",
        "autocommit",
        "max_error_count",
    ]
    names += ["character_set_client", "character_set_connection", "character_set_results"]
    told = [await one(database, f"SELECT @@{name}") for name in names]
    assert told == ["", "+08:00", 1, 30.0, 1, 0, "utf8mb4", "utf8mb4", "utf8mb4"]
    await watcher.said("CREATE TABLE plots (a INT)")
    with pytest.raises(StatementFault, match=r"^OperationalError 1792$"):
        await database.fetch("INSERT INTO plots VALUES (1)", ())
    assert await watcher.said("SELECT COUNT(*) FROM plots") == ((0,),)


async def test_a_value_is_a_value_whatever_the_servers_own_mode(
    database: MariaDatabase, watcher: Watcher
) -> None:
    await watcher.said("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
    try:
        for text in ("a\\' OR 1=1 -- ", "'", '"', "\\", "%s", "%", "a\0b", "\n", "’", "㛃"):
            assert await one(database, "SELECT %s", text) == text
    finally:
        await watcher.said("SET GLOBAL sql_mode = DEFAULT")


async def test_one_asker_at_a_time_needs_one_session(
    database: MariaDatabase, watcher: Watcher
) -> None:
    assert len({await one(database, ID) for _ in range(20)}) == 1
    assert len(await watcher.sessions()) == 1


async def test_many_askers_share_the_sessions_and_wait_their_turn(
    database: MariaDatabase, watcher: Watcher
) -> None:
    told = await asyncio.gather(
        *(one(database, "SELECT CONNECTION_ID() + SLEEP(0.05)") for _ in range(40))
    )
    assert len(told) == 40
    assert len(set(told)) == len(await watcher.sessions()) == CONNECTIONS


@pytest.mark.parametrize("text", [BUSY, BLOCKED])
async def test_a_cancelled_statement_has_ended_in_the_server_and_its_session_with_it(
    database: MariaDatabase, watcher: Watcher, lock: Watcher, text: str
) -> None:
    before = await one(database, ID)
    asked = asyncio.create_task(database.fetch(text, ()))
    assert await watcher.reached(1, text[:16])
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await watcher.reached(0, text[:16])  # and the table is locked still
    assert [await one(database, "SELECT %s", i) for i in range(10)] == list(range(10))
    assert before not in {await one(database, ID) for _ in range(3)}
    assert before not in await watcher.sessions()
    await lock.said("UNLOCK TABLES")
    assert await one(database, BLOCKED) == 0


async def test_a_session_that_answered_is_not_ended_with_its_asker(
    database: MariaDatabase, watcher: Watcher
) -> None:
    """Whenever he leaves, the answers of those after him are their own."""
    for turns in range(12):
        asked = asyncio.create_task(database.fetch("SELECT 'his', SLEEP(0.001)", ()))
        for _ in range(turns):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        told = await asyncio.gather(*(one(database, "SELECT %s", i) for i in range(10)))
        assert told == list(range(10))
    await database.close()
    assert await watcher.reached(0)


async def test_a_storm_of_cancels_leaves_every_place_free(
    database: MariaDatabase, watcher: Watcher
) -> None:
    asked = [asyncio.create_task(database.fetch(BUSY, ())) for _ in range(30)]
    assert await watcher.reached(CONNECTIONS, "FROM seq")
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert await watcher.reached(0, "FROM seq")
    assert await asyncio.gather(*(one(database, "SELECT 1") for _ in range(20))) == [1] * 20


async def test_the_server_stops_a_statement_whose_asker_never_says_so(
    maria_url: str, watcher: Watcher, lock: Watcher
) -> None:
    database = open_database(maria_url, statement_s=0.2)
    with pytest.raises(Fault) as caught:
        await database.fetch(BLOCKED, ())
    assert (caught.value.reason, caught.value.again) == (Reason.TIMEOUT, False)
    await lock.said("UNLOCK TABLES")
    assert await database.fetch(BLOCKED, ()) == [(0,)]
    await database.close()


async def test_killed_sessions_heal_within_one_guarded_call(
    database: MariaDatabase, watcher: Watcher, lock: Watcher
) -> None:
    guard = Guard("wfgz", deadline_s=60)
    await asyncio.gather(*(one(database, "SELECT SLEEP(0.05)") for _ in range(CONNECTIONS)))
    killed = await watcher.sessions()
    assert len(killed) == CONNECTIONS + 1  # and the one that holds the lock
    own = [number for number in killed if number not in await _lockers(lock)]
    for number in own:
        await watcher.said(f"KILL {number}")
    assert await watcher.reached(1)
    assert await guard.run(lambda: one(database, "SELECT 1")) == 1
    working = asyncio.create_task(guard.run(lambda: one(database, BLOCKED)))
    assert await watcher.reached(1, "FROM plots")
    (number,) = await watcher.sessions("FROM plots")
    await watcher.said(f"KILL {number}")
    await lock.said("UNLOCK TABLES")
    assert await working == 0
    assert guard.state.failures == 0


async def test_a_restart_heals_within_one_guarded_call(maria_restarted: MariaServer) -> None:
    database = open_database(maria_restarted.url.render_as_string(False), statement_s=30)
    assert isinstance(database, MariaDatabase)
    guard = Guard("wfgz", deadline_s=60)
    busy = [asyncio.create_task(database.fetch(BUSY, ())) for _ in range(3)]
    idle = (one(database, "SELECT SLEEP(0.2)") for _ in range(CONNECTIONS - 3))
    assert await asyncio.gather(*idle) == [0] * (CONNECTIONS - 3)
    await asyncio.to_thread(maria_restarted.stop)
    told = await asyncio.gather(*busy, return_exceptions=True)
    assert [type(fault) for fault in told] == [Fault] * 3
    await asyncio.to_thread(maria_restarted.start)
    assert await guard.run(lambda: one(database, "SELECT 1")) == 1
    assert guard.state.failures == 0
    await database.close()


async def _lockers(lock: Watcher) -> list[int]:
    return [row[0] for row in await lock.said(ID)]


@pytest.mark.parametrize(
    ("text", "values", "named"),
    [
        ("SELEC 1", (), "ProgrammingError 1064"),
        ("SELECT a FROM nowhere", (), "ProgrammingError 1146"),
        ("SELECT b539922 FROM plots", (), "OperationalError 1054"),
        ("SELECT nothing()", (), "OperationalError 1305"),
        ("SELECT %s", (), "TypeError"),
        ("SELECT %s", ("539922\ud800",), "UnicodeEncodeError"),
    ],
)
async def test_a_fault_of_ours_names_its_class_alone_and_costs_no_session(
    database: MariaDatabase, watcher: Watcher, text: str, values: tuple[Any, ...], named: str
) -> None:
    await watcher.said("CREATE TABLE plots (a INT)")
    before = await one(database, ID)
    with pytest.raises(StatementFault) as caught:
        await database.fetch(text, values)
    assert str(caught.value) == named
    assert caught.value.__suppress_context__
    assert await one(database, ID) == before


async def test_an_account_without_the_right_is_a_fault_of_the_statement(
    maria_url: str, watcher: Watcher
) -> None:
    url = make_url(maria_url)
    await watcher.said("CREATE TABLE plots (a INT, b INT)")
    await watcher.said("CREATE TABLE others (a INT)")
    await watcher.said(f"GRANT SELECT (a) ON {url.database}.plots TO u539922 IDENTIFIED BY 'w'")
    try:
        narrow = url.set(username="u539922", password="w").render_as_string(hide_password=False)
        database = open_database(narrow, statement_s=3)
        assert await database.fetch("SELECT a FROM plots", ()) == []
        for text, number in (("SELECT b FROM plots", 1143), ("SELECT a FROM others", 1142)):
            with pytest.raises(StatementFault, match=f"^OperationalError {number}$"):
                await database.fetch(text, ())
        await database.close()
    finally:
        await watcher.said("DROP USER u539922")


async def test_an_absent_database_is_down_without_its_drivers_text(maria_url: str) -> None:
    absent = make_url(maria_url).set(database="none_539922").render_as_string(hide_password=False)
    database = open_database(absent, statement_s=3)
    with pytest.raises(SourceUnavailable) as caught:
        await Guard("wfgz").run(lambda: database.fetch("SELECT 1", ()))
    assert caught.value.reason == "DOWN"
    assert "539922" not in f"{caught.value!r}{caught.value.__cause__!r}"
    await database.close()


async def test_a_closed_pool_leaves_no_session_and_opens_again(
    database: MariaDatabase, watcher: Watcher
) -> None:
    await asyncio.gather(*(one(database, "SELECT SLEEP(0.02)") for _ in range(3)))
    await database.close()
    await database.close()
    assert await watcher.reached(0)
    assert await one(database, "SELECT 1") == 1
