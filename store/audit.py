"""The access log's tables: events, subject index and its cursor, head of the tree, writers.

`body` is the truth; every other column of `audit_event` is derived from it and checked
against it by `hub audit verify`. Rows of event and subject are never changed: triggers
refuse UPDATE and DELETE in both databases, a second belt beside the roles of production.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from store.metadata import BYTES, PATH, metadata

# In SQLite only the word INTEGER makes a key the row's own number; BIGINT is one more index.
IDX = BigInteger().with_variant(Integer(), "sqlite")

audit_event = Table(
    "audit_event",
    metadata,
    Column("idx", IDX, primary_key=True, autoincrement=False),
    Column("id", String(36), nullable=False, unique=True),
    Column("ts", BigInteger, nullable=False),  # µs UTC
    Column("writer", BYTES, nullable=False),
    Column("wseq", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("decision_code", String(128)),
    Column("actor", String(128)),
    Column("actor_org", String(128)),
    Column("actor_role", String(128)),
    Column("actor_area", String(128)),
    Column("client_app", String(128)),
    Column("src_ip", String(128)),
    Column("session", String(128)),
    Column("request_id", String(128)),
    Column("trace_id", String(128)),
    Column("op_name", String(128)),
    Column("op_hash", String(128)),
    Column("purpose", String(128)),
    Column("legal_basis", String(128)),
    Column("case_ref", String(128)),
    Column("area", PATH, nullable=False, server_default="532622"),
    Column("row_count", BigInteger, nullable=False),
    Column("subject_count", Integer, nullable=False),
    Column("break_glass", Boolean, nullable=False),
    Column("policy_rev", String(128)),
    Column("part", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("leaf", String(64), nullable=False),  # hex
    Column("body", Text, nullable=False),  # never json(b): re-serialised, it would not verify
    UniqueConstraint("writer", "wseq"),
    Index("ix_audit_event_actor", "actor", "ts"),
    Index("ix_audit_event_area", "area", "ts"),
    Index(
        "ix_audit_event_not_ok",
        "outcome",
        "ts",
        postgresql_where=text("outcome <> 'OK'"),
        sqlite_where=text("outcome <> 'OK'"),
    ),
    # Rows arrive in the order of time: a few pages on PostgreSQL, a plain index on SQLite.
    Index("ix_audit_event_ts", "ts", postgresql_using="brin"),
)

audit_subject = Table(
    "audit_subject",
    metadata,
    Column("subject", LargeBinary(16), primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("key_ver", SmallInteger, nullable=False),
    Column("how", String(8), nullable=False),
    CheckConstraint("how IN ('SEEN', 'SOUGHT')", name="how"),
    Index("ix_audit_subject_idx", "idx"),  # verify rebuilds the index window by window
    sqlite_with_rowid=False,
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("log", String(128), nullable=False),
    Column("suite", String(16), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),  # ≤ 63 hashes of 32 bytes
    Column("root", String(64), nullable=False),  # hex
    CheckConstraint("id = 1", name="one_row"),
)

audit_writer = Table(
    "audit_writer",
    metadata,
    Column("writer", BYTES, primary_key=True),
    Column("last_wseq", BigInteger, nullable=False),
)

# Records below `next_idx` are in the subject index, which follows the log.
audit_index = Table(
    "audit_index",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("next_idx", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

FROZEN = ("audit_event", "audit_subject")
REFUSAL = "audit rows are never changed"


def trigger_names(dialect: str) -> tuple[str, ...]:
    """Names of the triggers that must be there, for the drift check."""
    deeds = ("update", "delete") if dialect == "sqlite" else ("change", "truncate")
    return tuple(f"{table}_no_{deed}" for table in FROZEN for deed in deeds)


def protect(connection: Connection) -> None:
    """Create the triggers; after ``metadata.create_all``, which knows only tables."""
    for statement in trigger_statements(connection.dialect.name):
        connection.execute(text(statement))


def trigger_statements(dialect: str) -> list[str]:
    """DDL of the triggers. The migration has the same texts, frozen; a test compares."""
    if dialect == "sqlite":
        return [_sqlite_trigger(table, deed) for table in FROZEN for deed in ("update", "delete")]
    refuse = (
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    return [refuse, *(s for table in FROZEN for s in _postgres_triggers(table))]


def _sqlite_trigger(table: str, deed: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{deed} BEFORE {deed.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )


def _postgres_triggers(table: str) -> list[str]:
    # A row trigger does not see TRUNCATE; that needs a statement trigger of its own.
    return [
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    ]
