"""The policy as rows: rules, roles, sharing classes, grants, and the version that names them.

Typed columns and CHECKs are the second lock behind ``authz.rule.check_rule``: an effect
other than allow or deny, a padded region code or a missing basis cannot be stored.

The version's digest covers all of it. Whoever changes a row through here first makes sure that
nobody has changed one past here, then seals the outcome anew:

    sealed_rows(conn) ──► the change ──► seal(conn, change)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
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
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.errors import Readable
from store.archive import Policy, SignedLine, keep
from store.grants import Grant, read_grants, share_grant
from store.metadata import BYTES, metadata, region_shape

CHANNEL = "policy"  # PostgreSQL's LISTEN and NOTIFY

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
Shared = tuple[str, str, str, str]
"""Object, provider, sharing class, basis (empty if there is none)."""


class BrokenSeal(Readable):
    """Somebody changed a row of the policy past the workflow: nothing is built on that."""


@dataclass(frozen=True, slots=True)
class PolicyRows:
    """Everything one policy version holds, as plain values."""

    version: int
    digest: str
    rules: tuple[Line, ...]
    parents: tuple[tuple[str, str], ...]
    objects: tuple[Shared, ...]
    grants: tuple[Grant, ...]

    @property
    def digest_of_rows(self) -> str:
        """The digest these rows give; the one in the head row if nobody changed them by hand."""
        return policy_digest(self.rules, self.parents, self.objects, self.grants)

    @property
    def sealed(self) -> bool:
        """Are these the rows the digest was made of?"""
        return self.digest == self.digest_of_rows


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed what, on which ground; `before` and `after` are texts for a reader."""

    who: str
    what: str
    before: str
    after: str
    basis: str


def policy_digest(
    rules: Iterable[Line],
    parents: Iterable[tuple[str, str]],
    objects: Iterable[Shared],
    grants: Iterable[Grant],
) -> str:
    """SHA-256 over all rows in a fixed order: one changed by hand shows."""
    tables: tuple[Iterable[tuple[str, ...]], ...] = (
        rules,
        parents,
        objects,
        (astuple(grant) for grant in grants),
    )
    content = [sorted(map(list, rows)) for rows in tables]
    encoded = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(encoded.encode()).hexdigest()


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
        await _read_objects(conn),
        await read_grants(conn),
    )


async def _read_objects(conn: AsyncConnection) -> tuple[Shared, ...]:
    found = await conn.execute(select(authz_object).order_by(authz_object.c.object))
    return tuple((o.object, o.provider_dept, o.share_class, o.basis or "") for o in found)


async def _read_parents(conn: AsyncConnection) -> tuple[tuple[str, str], ...]:
    links = await conn.execute(select(role_parent.c.role, role_parent.c.parent))
    return tuple((link.role, link.parent) for link in links)


def _line(row: Iterable[object]) -> Line:
    return tuple(v.isoformat() if isinstance(v, date) else str(v) for v in row)


async def bump_version(conn: AsyncConnection, digest: str | None = None) -> int:
    """The next version, in the caller's transaction; `digest` None keeps the rows' one.

    PostgreSQL tells every process that listens, once the transaction is committed.
    With a digest the rules are those of the new policy already: they go into the archive.
    """
    now = datetime.now(UTC)
    changed: dict[str, object] = {"version": policy_version.c.version + 1, "changed_at": now}
    if digest is not None:
        changed["digest"] = digest
    done = await conn.execute(update(policy_version).values(changed))
    if done.rowcount == 0:
        first = policy_digest((), (), (), ()) if digest is None else digest
        await conn.execute(
            insert(policy_version), {"id": 1, "version": 1, "digest": first, "changed_at": now}
        )
    if conn.dialect.name == "postgresql":
        await conn.execute(text(f"NOTIFY {CHANNEL}"))
    version = await read_version(conn)
    if digest is not None:
        await keep(conn, version, digest, await read_signed(conn))
    return version


async def read_signed(conn: AsyncConnection) -> Policy:
    """The policy in force as the archive keeps it."""
    return Policy(
        await read_signed_lines(conn),
        await _read_parents(conn),
        await _read_objects(conn),
        tuple(astuple(grant) for grant in await read_grants(conn)),
    )


async def hold(conn: AsyncConnection) -> None:
    """Keep policy and accounts from other writers until the transaction ends."""
    # A write that changes nothing takes the lock on either database.
    await conn.execute(update(policy_version).values(version=policy_version.c.version))


async def sealed_rows(conn: AsyncConnection) -> PolicyRows:
    """The policy about to be changed, kept from other writers until the transaction ends.

    BrokenSeal if a row is not what the last change left: a new digest would cover it up.
    """
    await hold(conn)
    rows = await read_policy_rows(conn)
    if rows.sealed:
        return rows
    raise BrokenSeal("策略内容与版本摘要不符：请先查明是谁改动了策略，再作修改")


async def seal(conn: AsyncConnection, change: Change) -> int:
    """Digest and version of what the caller made of `sealed_rows`, and who did it; the version."""
    rows = await read_policy_rows(conn)
    version = await bump_version(conn, rows.digest_of_rows)
    await note(conn, change, version)
    return version


async def note(conn: AsyncConnection, change: Change, version: int) -> None:
    """Add one line to the history of the policy."""
    row = {
        "at": datetime.now(UTC),
        "who": change.who,
        "what": change.what,
        "before": change.before,
        "after": change.after,
        "basis": change.basis,
        "version": version,
    }
    await conn.execute(insert(policy_change), row)


async def add_denial(conn: AsyncConnection, line: Line, *, by: str) -> int:
    """The kill switch: a deny line on one person's word, in the caller's transaction; the version.

    `line`: (id, nine columns, basis), already checked. IntegrityError for a line that is there,
    ValueError for one that denies nothing, BrokenSeal.
    """
    row = _rule_row(line)
    if row["effect"] != "deny":
        raise ValueError("an allow line needs two people")
    await sealed_rows(conn)
    stamp = {"written_by": by, "approved_by": by, "created_at": datetime.now(UTC)}
    await conn.execute(insert(authz_rule), row | stamp)
    after = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
    return await seal(conn, Change(by, "rule.deny", "", after, str(row["basis"])))


async def adopt(
    conn: AsyncConnection, lines: Sequence[Line], *, by: str, approved_by: str, basis: str
) -> tuple[int, int, int]:
    """Make these the lines of the policy, in the caller's transaction: (version, added, removed).

    `lines`: (id, nine columns, basis), already checked. A line that is there keeps its signatures,
    a new one is written by `by` and approved by `approved_by`; ValueError if these are one
    person, BrokenSeal.
    """
    if by == approved_by:
        raise ValueError("an allow line needs two people")
    await sealed_rows(conn)
    held = set((await conn.execute(select(authz_rule.c.id))).scalars())
    wanted = {line[0]: line for line in lines}
    gone, new = (
        sorted(held - wanted.keys()),
        [wanted[name] for name in sorted(wanted.keys() - held)],
    )
    for name in gone:
        await conn.execute(delete(authz_rule).where(authz_rule.c.id == name))
    stamp = {"written_by": by, "approved_by": approved_by, "created_at": datetime.now(UTC)}
    await _insert(conn, authz_rule, [_rule_row(line) | stamp for line in new])
    before, after = json.dumps(gone), json.dumps([line[0] for line in new])
    version = await seal(conn, Change(by, "policy.adopt", before, after, basis))
    return version, len(new), len(gone)


async def seed_policy(
    conn: AsyncConnection,
    rules: Sequence[Line],
    parents: Sequence[tuple[str, str]],
    objects: Sequence[tuple[str, str, str]],
    by: str,
) -> int:
    """Replace the whole policy in the caller's transaction, grants included; the new version.

    `rules`: (id, nine columns, basis), already checked (``authz.start.seed`` does);
    `objects`: (object, provider, sharing class).
    """
    before = await read_policy_rows(conn)
    for table in (authz_rule, role_parent, authz_object, share_grant):
        await conn.execute(delete(table))
    stamp = {"written_by": by, "approved_by": by, "created_at": datetime.now(UTC)}
    await _insert(conn, authz_rule, [_rule_row(line) | stamp for line in rules])
    await _insert(conn, role_parent, [{"role": r, "parent": p} for r, p in parents])
    await _insert(conn, authz_object, [_object_row(*entry) for entry in objects])
    seeded = [(*entry, "") for entry in objects]
    digest = policy_digest([line[1:] for line in rules], parents, seeded, ())
    version = await bump_version(conn, digest)
    await note(conn, Change(by, "seed", before.digest, digest, "初始策略"), version)
    return version


async def _insert(conn: AsyncConnection, table: Table, rows: list[dict[str, object]]) -> None:
    if rows:
        await conn.execute(insert(table), rows)


def _rule_row(line: Line) -> dict[str, object]:
    row: dict[str, object] = dict(zip(("id", *_LINE, "basis"), line, strict=True))
    return row | {"until": date.fromisoformat(str(row["until"]))}


def _object_row(name: str, provider: str, share_class: str) -> dict[str, object]:
    return {"object": name, "provider_dept": provider, "share_class": share_class, "basis": None}
