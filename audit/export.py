"""A range of the log for somebody outside: approved, recorded before and after, in place at once.

    jsonl   bodies verbatim, one a line, with all that proves them: `manifest.json` (frontier at
            the first record, root at the end, a checkpoint over it) and `audit_verify.py`
    csv     a sheet for people          ocsf   events for a security system

    EXPORT_INTENT ─► range, window by window ─► folder beside its place ─► EXPORT_RESULT ─► rename

An export nobody approved, or one person approved for himself, does not begin, and that he
tried is recorded. If its result cannot be recorded, the folder is thrown away again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit import ocsf, sheet
from audit.log import AuditLog
from audit.note import BadNote, Checkpoint, Note
from audit.record import Draft, Kind, Op, Outcome, ReadEntry
from audit.suite import suite_in
from audit.tile_rows import Rows, stored_rows
from audit.tiles import StoreReader, TileMissing, consistency
from audit.tree import Suite
from store.audit import audit_checkpoint, audit_event, audit_head

WINDOW = 2_000  # records a step
SECOND_ABOVE = 500  # rows: more need a second approver
FORMATS = {"jsonl": "records.jsonl", "csv": "records.csv", "ocsf": "events.jsonl"}
VERIFIER = Path(__file__).with_name("audit_verify.py")

Progress = Callable[[int, int], None]


class NotApproved(ValueError):
    """The approvals that an export of this size needs are not there."""


class NoRange(ValueError):
    """No such records."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants what, why, and who approved it; accounts and a reason's code.

    `end` None: up to the newest checkpoint, or all there is if there is none.
    """

    format: str
    reason: str
    by: str
    approved_by: str
    second: str = ""
    first: int = 0
    end: int | None = None

    def approved(self, rows: int) -> None:
        """NotApproved unless three (for few rows two) different accounts stand behind it."""
        if not (self.reason and self.by and self.approved_by):
            raise NotApproved("reason, by and approved-by are needed")
        if self.by == self.approved_by:
            raise NotApproved("nobody approves for himself")
        if rows > SECOND_ABOVE and not self.second:
            raise NotApproved(f"more than {SECOND_ABOVE} records need a second approver")
        if self.second in (self.by, self.approved_by):
            raise NotApproved("the second approver is a third account")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: records first … end-1, in `folder`."""

    folder: Path
    first: int
    end: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Range:
    log: str
    first: int
    end: int
    note: str | None


async def export(
    engine: AsyncEngine,
    log: AuditLog,
    order: Order,
    out: Path,
    *,
    vkeys: Sequence[str] = (),
    progress: Progress | None = None,
) -> Exported:
    """Write the export to the folder `out`, which must not exist.

    NotApproved, NoRange, FileExistsError; AuditUnavailable if it cannot be recorded.
    """
    async with engine.connect() as connection:
        span = await _range(connection, order)
    try:
        order.approved(span.end - span.first)
    except NotApproved:
        await log.append(replace(_draft(Kind.EXPORT_INTENT, order, span), outcome=Outcome.DENIED))
        raise
    place = _Place(out)
    intent = await log.append(_draft(Kind.EXPORT_INTENT, order, span))
    ref = str(intent.idx)
    with place:
        try:
            async with engine.connect() as connection:
                digest = await _written(connection, order, span, place.draft, vkeys, progress)
        except Exception:
            failed = _draft(Kind.EXPORT_RESULT, order, span, ref=ref)
            await log.append(replace(failed, outcome=Outcome.FAILED))
            raise
        await log.append(_draft(Kind.EXPORT_RESULT, order, span, sha256=digest, ref=ref))
        place.settle()
    return Exported(out, span.first, span.end, digest)


class _Place:
    """A folder beside the one that is wanted; it takes its name once all is well, or goes."""

    def __init__(self, out: Path) -> None:
        if out.exists():
            raise FileExistsError(out)
        self._out = self.draft = out

    def __enter__(self) -> _Place:
        self.draft = Path(tempfile.mkdtemp(prefix=f".{self._out.name}-", dir=self._out.parent))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.draft, ignore_errors=True)

    def settle(self) -> None:
        """In one step."""
        self.draft.chmod(0o750)
        self.draft.rename(self._out)


async def _range(connection: AsyncConnection, order: Order) -> _Range:
    head = (await connection.execute(select(audit_head.c.log, audit_head.c.size))).one_or_none()
    if head is None:
        raise NoRange("no log")
    size = audit_checkpoint.c.size
    newest = (await connection.execute(select(func.max(size)).where(size <= head.size))).scalar()
    end = order.end if order.end is not None else (newest or head.size)
    if not 0 <= order.first < end <= head.size:
        raise NoRange(f"the log has records 0 to {head.size - 1}")
    query = select(audit_checkpoint.c.note).where(size >= end, size <= head.size)
    note = (await connection.execute(query.order_by(size).limit(1))).scalar()
    if note is None:
        query = select(audit_checkpoint.c.note).where(size <= end).order_by(size.desc())
        note = (await connection.execute(query.limit(1))).scalar()
    return _Range(head.log, order.first, end, note)


async def _written(
    connection: AsyncConnection,
    order: Order,
    span: _Range,
    folder: Path,
    vkeys: Sequence[str],
    progress: Progress | None,
) -> str:
    """Write all files; the digest of the one with the records."""
    reader = StoreReader(connection)
    suite = suite_in(span.log)
    tree = await _tree_at(connection, reader, span.first, suite)
    frontier = tree.frontier().encode().hex()
    file = _File(folder / FORMATS[order.format])
    try:
        if order.format == "csv":
            file.add(sheet.heading().encode())
        async for texts in _windows(connection, span):
            tree.extend([suite.leaf(text.encode()) for text in texts])
            file.add(b"".join(_lines(order.format, texts, span.log)))
            if progress is not None:
                progress(tree.size - span.first, span.end - span.first)
    finally:
        file.close()
    manifest: dict[str, Any] = {
        "format": "ysa1-jsonl" if order.format == "jsonl" else order.format,
        "file": FORMATS[order.format],
        "log": span.log,
        "first": span.first,
        "end": span.end,
        "sha256": file.sha256,
        "reason": order.reason,
    }
    if order.format == "jsonl":
        manifest |= {
            "frontier": frontier,
            "root": tree.root().hex(),
            "note": span.note,
            "consistency": await _consistency(reader, span),
            "vkeys": list(vkeys),
        }
        _write(folder / VERIFIER.name, VERIFIER.read_bytes())
    _write(folder / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    return file.sha256


async def _tree_at(
    connection: AsyncConnection, reader: StoreReader, size: int, suite: Suite
) -> Rows:
    """The tree before the first record: from tiles, or without them from every leaf."""
    try:
        return await stored_rows(reader, size, suite)
    except TileMissing:
        tree = Rows(suite=suite)
        for first in range(0, size, WINDOW):
            tree.extend(await reader.leaves(first, min(first + WINDOW, size)))
        return tree


async def _consistency(reader: StoreReader, span: _Range) -> list[str]:
    try:
        size = Checkpoint.parse(Note.parse(span.note or "").text).size
        if size <= span.end:
            return []
        proof = await consistency(reader, span.end, size, suite=suite_in(span.log))
    except (BadNote, TileMissing):
        return []  # the verifier will say so
    return [one.hex() for one in proof]


async def _windows(connection: AsyncConnection, span: _Range) -> AsyncIterator[list[str]]:
    """Bodies of the range, in steps. NoRange if one is not there."""
    at, table = span.first, audit_event.c
    while at < span.end:
        query = select(table.body).where(table.idx >= at, table.idx < span.end)
        found = await connection.execute(query.order_by(table.idx).limit(WINDOW))
        texts = list(found.scalars())
        if len(texts) != min(WINDOW, span.end - at):
            raise NoRange("records are missing: verify the log first")
        yield texts
        at += len(texts)


def _lines(format_: str, texts: Sequence[str], log: str) -> list[bytes]:
    if format_ == "jsonl":
        return [text.encode() + b"\n" for text in texts]
    bodies: list[Mapping[str, Any]] = [orjson.loads(text) for text in texts]
    if format_ == "csv":
        return [sheet.line(body).encode() for body in bodies]
    return [orjson.dumps(ocsf.event(body, log)) + b"\n" for body in bodies]


class _File:
    """A file that knows its digest and is on disk when it is closed."""

    def __init__(self, path: Path) -> None:
        self._stream, self._digest = path.open("wb"), hashlib.sha256()

    def add(self, data: bytes) -> None:
        self._stream.write(data)
        self._digest.update(data)

    def close(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _write(path: Path, data: bytes) -> None:
    file = _File(path)
    file.add(data)
    file.close()


def _draft(kind: Kind, order: Order, span: _Range, *, sha256: str = "", ref: str = "") -> Draft:
    """Fields, rows, digest, receiver and approvers of an export."""
    rows = span.end - span.first
    said: dict[str, str | int | bool] = {
        "format": order.format,
        "first": span.first,
        "end": span.end,
    }
    names = {
        "receiver": order.by,
        "approvedBy": order.approved_by,
        "secondBy": order.second,
        "sha256": sha256,
    }
    said |= {name: value for name, value in names.items() if value}
    fields = sheet.FIELDS if order.format == "csv" else ("body",)
    shown = {f"AuditEvent.{field}": rows for field in fields}
    read = ReadEntry("audit_event", "audit", "list", rows if sha256 else 0, 0, clear=shown)
    return Draft(
        kind,
        code=order.reason,
        actor=order.by,
        purpose="audit",
        op=Op("auditExport", type="export", vars=said),
        reads=(read,),
        ref=ref,
    )
