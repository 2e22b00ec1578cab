"""One segment of the archive as a SQLite file of its own, for searching.

Never into the store: what has left the log does not come back to it. The file has the tables
`audit_event` and `audit_subject` with the columns of the store, made anew from the bodies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import create_engine

from audit.batch import EVENT_COLUMNS
from audit.derived import SUBJECT_COLUMNS, columns, index_rows
from audit.note import VerifierKey
from audit.segments import (
    DATA,
    MANIFEST,
    UNFINISHED,
    BadManifest,
    Fault,
    Manifest,
    SegmentFinding,
    bodies,
    name_of,
    range_of,
    verify_segment,
)
from audit.suite import suite_of
from store.audit import audit_event, audit_subject

WINDOW = 1_000


class RestoreError(Exception):
    """Why there is nothing to search in: `reason` NO_SEGMENT, EXISTS or SEGMENT."""

    def __init__(self, reason: str, findings: Sequence[SegmentFinding] = ()) -> None:
        super().__init__(reason)
        self.reason, self.findings = reason, tuple(findings)


def restore(
    folder: Path, first: int, target: Path, *, keys: Sequence[VerifierKey] = ()
) -> Manifest:
    """Verify the segment that begins with `first`, then write it to `target`, a new file.

    RestoreError; OSError if `target` cannot be written.
    """
    manifest = _manifest(folder, first)
    if target.exists():
        raise RestoreError("EXISTS")
    findings, content = verify_segment(folder, manifest, keys=keys)
    if content is None or not all(one.intact for one in findings):
        raise RestoreError("SEGMENT", findings)
    draft = target.with_name(target.name + UNFINISHED)
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        _fill(draft, folder / (manifest.name + DATA), suite_of(manifest.suite).leaf)
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def _manifest(folder: Path, first: int) -> Manifest:
    for path in sorted(folder.glob(f"segment-{first:012d}-*{MANIFEST}")):
        span = range_of(path.name.removesuffix(MANIFEST))
        try:
            manifest = Manifest.parse(path.read_text(encoding="utf-8"))
        except (BadManifest, UnicodeDecodeError):
            found = SegmentFinding(
                *(span or (first, first + 1)), path.name, Fault.MANIFEST, "cannot be read"
            )
            raise RestoreError("SEGMENT", [found]) from None
        if span and manifest.name == name_of(*span):
            return manifest
    raise RestoreError("NO_SEGMENT")


def _fill(draft: Path, source: Path, leaf: Callable[[bytes], bytes]) -> None:
    engine = create_engine(f"sqlite:///{draft}")
    try:
        with engine.begin() as connection, source.open("rb") as file:
            audit_event.metadata.create_all(connection, tables=[audit_event, audit_subject])
            lines = bodies(file)
            while window := list(islice(lines, WINDOW)):
                read = [(json.loads(line), line) for line in window]
                events = [(*columns(body), leaf(line).hex(), line.decode()) for body, line in read]
                named = [dict(zip(EVENT_COLUMNS, row, strict=True)) for row in events]
                connection.execute(audit_event.insert(), named)
                subjects = [row for body, _ in read for row in index_rows(body)]
                if subjects:
                    rows = [dict(zip(SUBJECT_COLUMNS, row, strict=True)) for row in subjects]
                    connection.execute(audit_subject.insert(), rows)
    finally:
        engine.dispose()
