"""The access log's tables.

    written with the record    event, head, writer
    written behind it          subject index, roll-up, alerts (each with its follower's cursor)
    evidence for outsiders     checkpoint, tile, cosignature, segment
    for people                 rule, alert note, delivery, purpose note, withholding, verdict

`body` is the truth; every other column of `audit_event` is derived from it and checked
against it by `hub audit verify`, and so are index, roll-up, tiles and alerts. Rows of event,
subject index, checkpoint, tile and cosignature are never changed: triggers refuse UPDATE and
DELETE in both databases, a second belt beside the roles of production. Only rows of event and
subject index that lie in a DETACHED segment of the archive may go.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
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
    # Who saw whom in a week: all that is needed of a record, without its row, which is wide.
    Index("ix_audit_event_period", "ts", "idx", "actor", "actor_org"),
)

audit_subject = Table(
    "audit_subject",
    metadata,
    Column("subject", LargeBinary(16), primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("key_ver", SmallInteger, nullable=False),
    Column("how", String(8), nullable=False),
    CheckConstraint("how IN ('SEEN', 'SOUGHT')", name="how"),
    # Verify rebuilds the index window by window; whom a week's records showed is read from it
    # alone on SQLite, where it ends with the key.
    Index("ix_audit_subject_idx", "idx", "how"),
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

# What stands behind the log for outsiders: signed notes, whole tiles of the tree, what
# witnesses signed. None of it is needed to answer; all of it is found missing by verify.
audit_checkpoint = Table(
    "audit_checkpoint",
    metadata,
    Column("size", IDX, primary_key=True, autoincrement=False),  # covers records 0 … size-1
    Column("note", Text, nullable=False),  # C2SP signed note, as it was signed
    Column("created_at", BigInteger, nullable=False),  # µs UTC
)

audit_tile = Table(
    "audit_tile",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),  # 0: leaves
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),  # 256 hashes of 32 bytes; whole tiles only
)

audit_cosignature = Table(
    "audit_cosignature",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", BYTES, primary_key=True),
    Column("line", Text, nullable=False),  # the note's signature line, with its newline
    Column("at", BigInteger, nullable=False),  # µs UTC, as the witness said
    Index("ix_audit_cosignature_witness", "witness", "size"),  # what has each one seen last?
)

# Where a follower of the log goes on: records below `next_idx` are done. The subject index
# has a cursor of its own, in one statement with its rows.
audit_follower = Table(
    "audit_follower",
    metadata,
    Column("name", BYTES, primary_key=True),
    Column("next_idx", BigInteger, nullable=False),
)

audit_rollup_hour = Table(
    "audit_rollup_hour",
    metadata,
    Column("actor", String(128), primary_key=True),  # "" for records of nobody
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # hours since 1970, UTC
    Column("area", PATH, primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("outcome", String(16), primary_key=True),
    Column("events", BigInteger, nullable=False),
    Column("subjects", BigInteger, nullable=False),
    Index("ix_audit_rollup_hour_hour", "hour"),
)

audit_rule = Table(
    "audit_rule",
    metadata,
    Column("rule", BYTES, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("threshold", BigInteger, nullable=False),
    Column("window_s", BigInteger, nullable=False),
    Column("changed_by", String(64), nullable=False),
    Column("changed_at", BigInteger, nullable=False),  # µs UTC
    CheckConstraint("threshold >= 1 AND window_s >= 1", name="positive"),
)

audit_alert = Table(
    "audit_alert",
    metadata,
    Column("id", BYTES, primary_key=True),  # digest of rule, window and actor
    Column("rule", BYTES, nullable=False),
    Column("actor", String(128), nullable=False),  # whom it is about; "" for the log itself
    Column("area", PATH, nullable=False, server_default="532622"),
    Column("window_start", BigInteger, nullable=False),  # µs UTC
    Column("count", BigInteger, nullable=False),  # what was counted when it was raised
    Column("evidence", Text, nullable=False),  # JSON list of idx, the first hundred
    Column("state", String(8), nullable=False),
    Column("raised_at", BigInteger, nullable=False),  # µs UTC
    Column("raised_idx", BigInteger, nullable=False),  # its ALERT_RAISED record
    Column("due_at", BigInteger),  # µs UTC; to be handled until then, or it escalates
    Column("handled_by", String(64)),
    Column("handled_at", BigInteger),
    Column("handled_idx", BigInteger),  # its ALERT_HANDLED record
    UniqueConstraint("rule", "window_start", "actor"),
    CheckConstraint("state IN ('OPEN', 'HANDLED')", name="state"),
    CheckConstraint("state <> 'HANDLED' OR handled_idx IS NOT NULL", name="handled"),
    Index("ix_audit_alert_raised", "raised_at"),
)

# Free text stands outside the log, where it can be erased; the record has its keyed digest.
audit_alert_note = Table(
    "audit_alert_note",
    metadata,
    Column("alert_id", BYTES, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),  # µs UTC
    Column("by", String(64), nullable=False),
    Column("text", Text, nullable=False),
)

audit_delivery = Table(
    "audit_delivery",
    metadata,
    Column("alert_id", BYTES, primary_key=True),
    Column("channel", BYTES, primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),  # µs UTC
    Column("done_at", BigInteger),
    Column("error", String(64)),  # kind of the last failure
)

purpose_note = Table(
    "purpose_note",
    metadata,
    Column("digest", String(64), primary_key=True),  # hex, keyed; `note` of the record
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),  # µs UTC
)

# What a citizen is not told of who saw him, and on which ground (个人信息保护法第四十五条).
audit_withholding = Table(
    "audit_withholding",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("level", String(16), nullable=False),
    Column("org", String(32), nullable=False),  # "" for any
    Column("purpose", String(64), nullable=False),  # "" for any
    Column("case_ref", String(64), nullable=False),  # "" for any
    Column("basis", String(200), nullable=False),
    Column("until", Date, nullable=False),
    Column("written_by", String(64), nullable=False),
    Column("approved_by", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),  # µs UTC
    CheckConstraint("level IN ('OFFICE_ONLY', 'WITHHELD')", name="level"),
    CheckConstraint("length(org) + length(purpose) + length(case_ref) > 0", name="aimed"),
    CheckConstraint("length(basis) > 0", name="basis"),
    CheckConstraint("approved_by <> written_by", name="two_people"),
)

audit_segment = Table(
    "audit_segment",
    metadata,
    Column("first", IDX, primary_key=True, autoincrement=False),
    Column("end", BigInteger, nullable=False),  # records first … end-1
    Column("path", String(200), nullable=False),  # below the archive's folder
    Column("sha256", String(64), nullable=False),  # of the file, hex
    Column("frontier", LargeBinary, nullable=False),  # of the tree of `end` records
    Column("note", Text, nullable=False),  # a checkpoint that covers it
    Column("state", String(16), nullable=False),
    Column("changed_at", BigInteger, nullable=False),  # µs UTC
    CheckConstraint("state IN ('WRITTEN', 'ARCHIVED', 'DETACHED', 'DESTROYED')", name="state"),
    CheckConstraint('"end" > "first"', name="span"),
)

audit_verdict = Table(
    "audit_verdict",
    metadata,
    Column("at", IDX, primary_key=True, autoincrement=False),  # µs UTC
    Column("size", BigInteger, nullable=False),
    Column("exit", SmallInteger, nullable=False),
    Column("findings", BigInteger, nullable=False),
)

FROZEN = Frozen(
    ("audit_event", "audit_subject", "audit_checkpoint", "audit_tile", "audit_cosignature"),
    "audit_refuse",
    "audit rows are never changed",
    leaving=("audit_event", "audit_subject"),
)
trigger_names, protect = FROZEN.trigger_names, FROZEN.protect
