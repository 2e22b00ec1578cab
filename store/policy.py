"""The policy as rows: rules, roles, sharing classes, and the version that names them.

Typed columns and CHECKs are the second lock behind ``authz.rule.check_rule``: an effect
other than allow or deny, a padded region code or a missing basis cannot be stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.archive import SignedLine, keep
from store.metadata import BYTES, metadata


def region_shape(column: str) -> str:
    """A CHECK: county (6), township (9) or village (12 digits), trailing 000 groups cut."""
    return (
        f"length({column}) IN (6, 9, 12) AND substr({column}, 1, 6) = '532622'"
        f" AND substr({column}, 7, 3) <> '000' AND substr({column}, 10, 3) <> '000'"
    )


_LINE = ("role", "dept", "object", "action", "reach", "owner", "purpose", "until", "effect")
_FILLED = " AND ".join(f"length({c}) > 0" for c in _LINE if c not in ("until", "effect"))

authz_rule = Table(
    "authz_rule",
    metadata,
    Column("id", BYTES, primary_key=True),  # digest of the nine columns
    Column("role", String(32), nullable=False),
    Column("dept", String(200), nullable=False),
    Column("object", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("reach", String(16), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("purpose", String(200), nullable=False),
    Column("until", Date, nullable=False),
    Column("effect", String(8), nullable=False),
    Column("basis", String(200), nullable=False),
    Column("written_by", String(64), nullable=False),
    Column("approved_by", String(64), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint(*_LINE, name="uq_authz_rule_line"),
    CheckConstraint("effect IN ('allow', 'deny')", name="effect"),
    CheckConstraint(
        f"reach IN ('subtree', 'here', 'county') OR ({region_shape('reach')})", name="reach"
    ),
    CheckConstraint("length(basis) > 0", name="basis"),
    CheckConstraint(_FILLED, name="filled"),
)

role_parent = Table(
    "role_parent",
    metadata,
    Column("role", String(32), primary_key=True),
    Column("parent", String(32), primary_key=True),
    CheckConstraint("role <> parent", name="acyclic"),
)

authz_object = Table(
    "authz_object",
    metadata,
    Column("object", String(64), primary_key=True),
    Column("provider_dept", String(32), nullable=False),
    Column("share_class", String(16), nullable=False),
    Column("basis", String(200)),
    CheckConstraint(
        "share_class IN ('UNCONDITIONAL', 'CONDITIONAL', 'NOT_SHARED')", name="share_class"
    ),
    CheckConstraint("share_class <> 'NOT_SHARED' OR basis IS NOT NULL", name="basis"),
)

policy_version = Table(
    "policy_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

policy_change = Table(
    "policy_change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("who", String(64), nullable=False),
    Column("what", String(32), nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("basis", String(200), nullable=False),
    Column("version", Integer, nullable=False, index=True),
)

Line = tuple[str, ...]
"""Role, dept, object, action, reach, owner, purpose, until (ISO), effect, basis."""


@dataclass(frozen=True, slots=True)
class PolicyRows:
    """Everything one policy version holds, as plain values."""

    version: int
    digest: str
    rules: tuple[Line, ...]
    parents: tuple[tuple[str, str], ...]


def policy_digest(rules: Iterable[Line], parents: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over rules and roles in a fixed order: a row changed by hand shows."""
    content = [sorted(map(list, rules)), sorted(map(list, parents))]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


async def read_version(conn: AsyncConnection) -> int:
    """The policy's version; 0 before the first."""
    found = await conn.scalar(select(policy_version.c.version))
    return 0 if found is None else int(found)


async def read_signed_lines(conn: AsyncConnection) -> tuple[SignedLine, ...]:
    """Every line of the policy in force with who wrote and who approved it."""
    columns = [authz_rule.c[name] for name in (*_LINE, "basis", "written_by", "approved_by")]
    found = await conn.execute(select(*columns).order_by(authz_rule.c.id))
    return tuple(_line(row) for row in found)


async def read_policy_rows(conn: AsyncConnection) -> PolicyRows:
    """The policy in force; compare `version` afterwards, several tables are read."""
    head = (await conn.execute(select(policy_version.c.version, policy_version.c.digest))).first()
    columns = [authz_rule.c[name] for name in (*_LINE, "basis")]
    rules = (await conn.execute(select(*columns).order_by(authz_rule.c.id))).all()
    return PolicyRows(
        0 if head is None else head.version,
        "" if head is None else head.digest,
        tuple(_line(row) for row in rules),
        await _read_parents(conn),
    )


async def _read_parents(conn: AsyncConnection) -> tuple[tuple[str, str], ...]:
    links = await conn.execute(select(role_parent.c.role, role_parent.c.parent))
    return tuple((link.role, link.parent) for link in links)


def _line(row: Iterable[object]) -> Line:
    return tuple(v.isoformat() if isinstance(v, date) else str(v) for v in row)


async def bump_version(conn: AsyncConnection, digest: str | None = None) -> int:
    """The next version, in the caller's transaction; `digest` None keeps the rules' one.

    With a digest the rules are those of the new policy already: they go into the archive.
    """
    now = datetime.now(UTC)
    changed: dict[str, object] = {"version": policy_version.c.version + 1, "changed_at": now}
    if digest is not None:
        changed["digest"] = digest
    done = await conn.execute(update(policy_version).values(changed))
    if done.rowcount == 0:
        first = policy_digest((), ()) if digest is None else digest
        await conn.execute(
            insert(policy_version), {"id": 1, "version": 1, "digest": first, "changed_at": now}
        )
    version = await read_version(conn)
    if digest is not None:
        lines, links = await read_signed_lines(conn), await _read_parents(conn)
        await keep(conn, version, digest, lines, links)
    return version


async def seed_policy(
    conn: AsyncConnection,
    rules: Sequence[Line],
    parents: Sequence[tuple[str, str]],
    objects: Sequence[tuple[str, str, str]],
    by: str,
) -> int:
    """Replace the whole policy in the caller's transaction; the new version.

    `rules`: (id, nine columns, basis), already checked (``authz.start.seed`` does);
    `objects`: (object, provider, sharing class).
    """
    before = await read_policy_rows(conn)
    now = datetime.now(UTC)
    for table in (authz_rule, role_parent, authz_object):
        await conn.execute(delete(table))
    stamp = {"written_by": by, "approved_by": by, "created_at": now}
    await _insert(conn, authz_rule, [_rule_row(line) | stamp for line in rules])
    await _insert(conn, role_parent, [{"role": r, "parent": p} for r, p in parents])
    await _insert(conn, authz_object, [_object_row(*entry) for entry in objects])
    digest = policy_digest([line[1:] for line in rules], parents)
    version = await bump_version(conn, digest)
    note = {"at": now, "who": by, "what": "seed", "basis": "初始策略", "version": version}
    ends = {"before": before.digest, "after": digest}
    await conn.execute(insert(policy_change), note | ends)
    return version


async def _insert(conn: AsyncConnection, table: Table, rows: list[dict[str, object]]) -> None:
    if rows:
        await conn.execute(insert(table), rows)


def _rule_row(line: Line) -> dict[str, object]:
    row: dict[str, object] = dict(zip(("id", *_LINE, "basis"), line, strict=True))
    return row | {"until": date.fromisoformat(str(row["until"]))}


def _object_row(name: str, provider: str, share_class: str) -> dict[str, object]:
    return {"object": name, "provider_dept": provider, "share_class": share_class, "basis": None}
