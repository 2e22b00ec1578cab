"""What changed, in order: one row for every change of a data set that can be subscribed to.

Triggers write it, in the transaction that changes the row, whoever that is: the hub, a job, a
person with SQL. So every worker learns of every change and none is told by another. A row names
a data set and a key, nothing of what stands there; it is kept an hour.

INVARIANT: a smaller ``seq`` is never seen after a larger one, so that who follows by
``seq > cursor`` misses nothing. SQLite has one writer at a time. In PostgreSQL the trigger runs
at the end of its transaction (deferred) and takes a lock that is held until the commit is there:
numbers are given in the order of commits. Nothing is locked after it, so no two transactions can
wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, Integer, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.metadata import BYTES, metadata

CHANNEL = "hub_change"  # PostgreSQL's LISTEN and NOTIFY
LOCK = 532_622_000_034  # any number nobody else uses: commits of changes, one after another
FUNCTION = "hub_changed"

SEQ = BigInteger().with_variant(Integer, "sqlite")

change = Table(
    "change",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("dataset", BYTES, nullable=False),
    Column("row_id", BYTES, nullable=False),
    Column("second", BigInteger, nullable=False),  # since 1970, UTC
)

NOTED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "case": ("case_file", ("insert", "update", "delete")),
    "case_event": ("case_event", ("insert",)),
    "supervision_order": ("supervision_order", ("insert", "update")),
}
"""Data set -> its table and the deeds that are noted. Case events are only ever added."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change: where it stands in the order, whose row."""

    seq: int
    dataset: str
    key: str


@dataclass(frozen=True, slots=True)
class Triggers:
    """The triggers that note changes; migrations have the same texts, frozen."""

    def trigger_names(self, dialect: str) -> tuple[str, ...]:
        """Names of the triggers that must be there, for the drift check."""
        return tuple(name for name, _ in _triggers(dialect))

    def trigger_statements(self, dialect: str) -> tuple[str, ...]:
        """DDL of the triggers, and of PostgreSQL's function before them."""
        function = () if dialect == "sqlite" else (_function(),)
        return (*function, *(statement for _, statement in _triggers(dialect)))

    def protect(self, connection: Connection) -> None:
        """Create them; after ``metadata.create_all``, which knows only tables."""
        for statement in self.trigger_statements(connection.dialect.name):
            connection.exec_driver_sql(statement)


TRIGGERS = Triggers()


def _triggers(dialect: str) -> Iterator[tuple[str, str]]:
    for dataset, (table, deeds) in NOTED.items():
        if dialect == "sqlite":
            for deed in deeds:
                yield f"{table}_noted_{deed}", _sqlite(dataset, table, deed)
        else:
            yield f"{table}_noted", _postgres(dataset, table, deeds)


def _sqlite(dataset: str, table: str, deed: str) -> str:
    row = "OLD" if deed == "delete" else "NEW"
    return (
        f"CREATE TRIGGER {table}_noted_{deed} AFTER {deed.upper()} ON {table} BEGIN "  # noqa: S608  our own words
        "INSERT INTO change (dataset, row_id, second) "
        f"VALUES ('{dataset}', {row}.id, CAST(strftime('%s', 'now') AS INTEGER)); END"
    )


def _function() -> str:
    # With the owner's rights: who may write a case need not be given this table. By the table's
    # own schema: a caller's search_path must not name another one.
    return (
        f"CREATE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql "  # noqa: S608  our own words
        "SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ "
        "DECLARE changed_id text := CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END; "
        f"BEGIN PERFORM pg_advisory_xact_lock({LOCK}); "
        "EXECUTE format('INSERT INTO %I.change (dataset, row_id, second) VALUES ($1, $2, $3)', "
        "TG_TABLE_SCHEMA) USING TG_ARGV[0], changed_id, "
        "floor(extract(epoch FROM clock_timestamp()))::bigint; "
        f"PERFORM pg_notify('{CHANNEL}', ''); RETURN NULL; END $$"
    )


def _postgres(dataset: str, table: str, deeds: tuple[str, ...]) -> str:
    return (
        f"CREATE CONSTRAINT TRIGGER {table}_noted AFTER {' OR '.join(deeds).upper()} ON {table} "
        f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {FUNCTION}('{dataset}')"
    )


# ---- following ---------------------------------------------------------------------------------


async def head(connection: AsyncConnection) -> int:
    """The number of the latest change that is committed; 0 before the first."""
    return int(await connection.scalar(select(func.max(change.c.seq))) or 0)


async def after(connection: AsyncConnection, seq: int, most: int) -> list[Change]:
    """The first changes behind `seq`, in order."""
    asked = (
        select(change.c.seq, change.c.dataset, change.c.row_id)
        .where(change.c.seq > seq)
        .order_by(change.c.seq)
        .limit(most)
    )
    return [Change(*row) for row in await connection.execute(asked)]


async def forget(connection: AsyncConnection, second: int) -> None:
    """Remove what was noted before `second`, save the latest: SQLite counts on from its number."""
    latest = select(func.max(change.c.seq)).scalar_subquery()
    await connection.execute(delete(change).where(change.c.second < second, change.c.seq < latest))
