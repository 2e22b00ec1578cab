"""Columns and subject index say what the body says, and are all the columns there are."""

from __future__ import annotations

from audit.batch import EVENT_COLUMNS
from audit.derived import COLUMNS, columns, index_rows
from audit.record import Draft, Kind, Op, ReadEntry, Stamp, entry, stamp
from store.audit import audit_event

AT = Stamp(7, 1_700_000_000_000_000, "node/boot", 3)


def test_columns_are_read_off_the_body() -> None:
    draft = Draft(
        Kind.READ,
        actor="a",
        code="X",
        op=Op("Name", "ab" * 32),
        reads=(ReadEntry("d", "s", "row", 4, 1), ReadEntry("e", "s", "row", 5, 1)),
        subjects=b"\xab" * 16,
        break_glass=True,
    )
    body = stamp(entry(draft, "the-id"), AT).body
    found = dict(zip(COLUMNS, columns(body), strict=True))
    assert {name: value for name, value in found.items() if value is not None} == {
        "idx": 7,
        "id": "the-id",
        "ts": AT.ts,
        "writer": "node/boot",
        "wseq": 3,
        "kind": "READ",
        "outcome": "OK",
        "decision_code": "X",
        "actor": "a",
        "area": "532622",
        "op_name": "Name",
        "op_hash": "ab" * 32,
        "row_count": 9,
        "subject_count": 1,
        "break_glass": True,
        "part": 1,
        "parts": 1,
    }


def test_every_column_of_the_table_is_derived() -> None:
    assert sorted(EVENT_COLUMNS) == sorted(c.name for c in audit_event.c)


def test_who_is_seen_and_sought_is_seen() -> None:
    draft = Draft(Kind.READ, subjects=b"\xab" * 16, sought=b"\xcd" * 16 + b"\xab" * 16, key_ver=2)
    assert sorted(index_rows(stamp(entry(draft, "the-id"), AT).body)) == [
        (b"\xab" * 16, 2, 7, "SEEN"),
        (b"\xcd" * 16, 2, 7, "SOUGHT"),
    ]
