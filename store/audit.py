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

from store.frozen import Frozen
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

FROZEN = Frozen(("audit_event", "audit_subject"), "audit_refuse", "audit rows are never changed")
trigger_names, protect = FROZEN.trigger_names, FROZEN.protect
