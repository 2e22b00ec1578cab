"""A segment that is not what it was is named; one that is only packed anew is told apart."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.note import Checkpoint, Ed25519Signer, signed
from audit.record import Draft
from audit.segments import (
    BadManifest,
    Fault,
    Manifest,
    Row,
    content_of,
    frontier_at,
    name_of,
    online_from,
    range_of,
    rows_of,
    verify_archive,
)
from audit.tree import Frontier
from tests.audit.sealed import KEYS, LOG, SIGNER, archive, seal, write

pytestmark = pytest.mark.anyio
Drafts = Callable[..., Draft]
ONE, TWO, THREE = (name_of(at, at + 8) for at in (0, 8, 16))


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """Files are files whatever the store is: SQLite alone."""
    return f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}"


@pytest.fixture
async def folder(engine: AsyncEngine, drafts: Drafts, tmp_path: Path) -> Path:
    """Three segments of eight, and a file `rows` beside them with what the store says."""
    await write(engine, [drafts(n) for n in range(26)])
    await seal(engine, 9, 26, 28)
    place = tmp_path / "archive"
    await archive(engine, place, segment=8).run()
    async with engine.connect() as connection:
        rows = await rows_of(connection)
    assert [row.first for row in rows] == [0, 8, 16]
    assert verify_archive(place, keys=KEYS, rows=rows).findings == ()
    return place


@pytest.fixture
async def rows(folder: Path, engine: AsyncEngine) -> list[Row]:
    async with engine.connect() as connection:
        return await rows_of(connection)


def data(folder: Path, name: str) -> Path:
    return folder / f"{name}.jsonl.gz"


def manifest(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


def edit(folder: Path, name: str, **changes: object) -> None:
    path = manifest(folder, name)
    one = replace(Manifest.parse(path.read_text()), **changes)  # type: ignore[arg-type]
    assert one.text != path.read_text()
    path.write_text(one.text)


def repack(folder: Path, name: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = gzip.decompress(data(folder, name).read_bytes()).splitlines(keepends=True)
    data(folder, name).write_bytes(gzip.compress(b"".join(change(lines)), 1))


def found(folder: Path, rows: list[Row] | None = None) -> set[tuple[str, str, bool]]:
    verdict = verify_archive(folder, keys=KEYS, rows=rows)
    return {(one.name, str(one.fault), one.intact) for one in verdict.findings}


def records(folder: Path) -> int:
    return verify_archive(folder, keys=KEYS).records


# -- row 14 of the matrix


async def test_a_flipped_bit_anywhere_names_the_segment(folder: Path, rows: list[Row]) -> None:
    whole, kinds = data(folder, TWO).read_bytes(), set()
    for at in (*range(12), *range(12, len(whole), 5)):
        flip(data(folder, TWO), at)
        named = found(folder, rows)
        assert {name for name, _, _ in named} == {TWO}, at
        kinds |= {(fault, intact) for _, fault, intact in named}
        data(folder, TWO).write_bytes(whole)
    # In the wrapping's own header a bit may change nothing of the records.
    assert {("UNREADABLE", False), ("RECOMPRESSED", True)} <= kinds
    assert kinds <= {("UNREADABLE", False), ("CONTENT", False), ("RECOMPRESSED", True)}
    assert found(folder, rows) == set()


async def test_every_byte_cut_off_is_found(folder: Path) -> None:
    whole = data(folder, TWO).read_bytes()
    for size in range(0, len(whole), 7):
        data(folder, TWO).write_bytes(whole[:size])
        named = found(folder)
        assert {name for name, _, _ in named} == {TWO}, size
        assert not any(intact for _, _, intact in named)


async def test_a_missing_segment_is_named(folder: Path, rows: list[Row]) -> None:
    data(folder, TWO).unlink()
    assert found(folder) == {(TWO, "MISSING", False)}
    assert records(folder) == 16
    manifest(folder, TWO).unlink()
    assert found(folder) == {(TWO, "MISSING", False)}
    assert found(folder, rows) == {(TWO, "MISSING", False)}
    data(folder, THREE).unlink()
    manifest(folder, THREE).unlink()
    assert found(folder) == set()  # nothing in the folder says that there was more
    assert found(folder, rows) == {(TWO, "MISSING", False), (THREE, "MISSING", False)}


async def test_two_segments_swapped_are_both_named(folder: Path, tmp_path: Path) -> None:
    def swap(path: Callable[[Path, str], Path]) -> None:
        path(folder, ONE).rename(tmp_path / "aside")
        path(folder, TWO).rename(path(folder, ONE))
        (tmp_path / "aside").rename(path(folder, TWO))

    swap(data)
    assert found(folder) == {(ONE, "CONTENT", False), (TWO, "CONTENT", False)}
    swap(manifest)
    assert {name for name, fault, _ in found(folder) if fault == "RENAMED"} == {ONE, TWO}
    assert records(folder) == 8
    swap(data)
    assert {name for name, fault, _ in found(folder) if fault == "RENAMED"} == {ONE, TWO}


async def test_a_segment_under_another_name_is_named(folder: Path, rows: list[Row]) -> None:
    data(folder, TWO).rename(folder / "backup.gz")
    verdict = verify_archive(folder, keys=KEYS, rows=rows)
    (one,) = verdict.findings
    assert (one.name, one.fault, one.about) == (
        TWO, Fault.RENAMED, "lies under the name backup.gz",
    )  # fmt: skip
    (folder / "backup.gz").rename(data(folder, TWO))
    other = name_of(8, 17)
    manifest(folder, TWO).rename(manifest(folder, other))
    assert (other, "RENAMED", False) in found(folder, rows)


async def test_another_packing_of_the_same_records_is_told_and_intact(
    folder: Path, rows: list[Row]
) -> None:
    before = data(folder, TWO).read_bytes()
    repack(folder, TWO, lambda lines: lines)
    assert data(folder, TWO).read_bytes() != before
    verdict = verify_archive(folder, keys=KEYS, rows=rows)
    assert [(one.name, one.fault, one.intact) for one in verdict.findings] == [
        (TWO, Fault.RECOMPRESSED, True)
    ]
    assert (verdict.intact, verdict.records, verdict.end) == (True, 24, 24)


CHANGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a record edited": lambda lines: [lines[0].replace(b"zhelai", b"bangee"), *lines[1:]],
    "a record left out": lambda lines: lines[1:],
    "a record added": lambda lines: [*lines, lines[-1]],
    "two records swapped": lambda lines: [lines[1], lines[0], *lines[2:]],
    "no end of the last line": lambda lines: [*lines[:-1], lines[-1][:-1]],
    "an empty line": lambda lines: [*lines, b"\n"],
    "a line too long": lambda lines: [*lines[:-1], b"x" * 70_000 + b"\n"],
    "nothing": lambda lines: [],
}


@pytest.mark.parametrize("what", CHANGES)
async def test_other_records_are_named_even_if_the_manifest_is_made_to_fit(
    folder: Path, what: str
) -> None:
    repack(folder, TWO, CHANGES[what])
    named = found(folder)
    assert {(name, intact) for name, _, intact in named} == {(TWO, False)}
    one = Manifest.parse(manifest(folder, TWO).read_text())
    try:
        content = content_of(data(folder, TWO), Frontier.decode(8, bytes.fromhex(one.before)))
    except ValueError:
        return
    edit(
        folder,
        TWO,
        sha256=content.sha256,
        plain_sha256=content.plain_sha256,
        plain_bytes=content.plain_bytes,
        after=content.frontier.encode().hex(),
    )
    named = found(folder)
    assert (TWO, False) in {(name, intact) for name, _, intact in named}
    assert records(folder) < 24


EDITS: dict[str, object] = {
    "log": "demo.invalid/hub/other/sha256",
    "suite": "sm3",
    "end": 15,
    "sha256": "00" * 32,
    "plain_sha256": "00" * 32,
    "plain_bytes": 1,
    "before": "00" * 32,
    "after": "00" * 32,
    "last_ts": 1,
    "proof": ("00" * 32,),
}


@pytest.mark.parametrize("name", EDITS)
async def test_an_edited_manifest_is_named(folder: Path, rows: list[Row], name: str) -> None:
    edit(folder, TWO, **{name: EDITS[name]})
    named = found(folder, rows)
    assert {one for one, _, _ in named} & {TWO, name_of(8, 15)}
    assert {one for one, _, _ in named} <= {TWO, name_of(8, 15)}
    if name in ("sha256", "plain_sha256", "plain_bytes", "after", "last_ts"):
        assert (TWO, "MANIFEST", True) in named
    data(folder, TWO).stat()  # the records are untouched: they are said to be as they were


@pytest.mark.parametrize(
    ("signer", "origin", "same_root"),
    [
        (Ed25519Signer(LOG, b"another key than that of the log"), LOG, True),
        (SIGNER, LOG, False),
        (SIGNER, "demo.invalid/hub/other/sha256", True),
    ],
)
async def test_a_checkpoint_of_another_key_root_or_log_is_named(
    folder: Path, signer: Ed25519Signer, origin: str, same_root: bool
) -> None:
    one = Manifest.parse(manifest(folder, TWO).read_text())
    there = Checkpoint.parse(one.note.partition("\n\n")[0] + "\n")
    root = there.root if same_root else bytes(32)
    edit(folder, TWO, note=str(signed(Checkpoint(origin, there.size, root), [signer])))
    assert found(folder) == {(TWO, "NOTE", False)}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"v":2}', b"[" * 100_000, b"1" * 400_000,
    ],
)  # fmt: skip
async def test_a_manifest_that_is_none_is_named(folder: Path, content: bytes) -> None:
    manifest(folder, TWO).write_bytes(content)
    assert (TWO, "MANIFEST", False) in found(folder)


async def test_a_manifest_with_values_of_other_kinds_is_none(folder: Path) -> None:
    said = json.loads(manifest(folder, TWO).read_text())
    for name, value in said.items():
        others: tuple[object, ...] = (None, [], {}, "x" if isinstance(value, int) else 1, -1)
        for other in others:
            if other == value:
                continue
            with pytest.raises(BadManifest):
                Manifest.parse(json.dumps({**said, name: other}, sort_keys=True) + "\n")
        with pytest.raises(BadManifest):
            Manifest.parse(json.dumps({k: v for k, v in said.items() if k != name}) + "\n")


async def test_files_of_others_and_of_a_killed_run_are_no_findings(folder: Path) -> None:
    (folder / "README").write_text("no segment")
    (folder / f"{name_of(24, 32)}.jsonl.gz.tmp").write_bytes(b"half")
    shutil.copy(data(folder, ONE), data(folder, name_of(24, 32)))  # named, but no manifest yet
    verdict = verify_archive(folder, keys=KEYS)
    assert (verdict.findings, verdict.records) == ((), 24)
    assert verdict.unfinished == (f"{name_of(24, 32)}.jsonl.gz.tmp", f"{name_of(24, 32)}.jsonl.gz")


async def test_without_its_neighbours_a_segment_is_judged_all_the_same(folder: Path) -> None:
    for name in (ONE, THREE):
        data(folder, name).unlink()
        manifest(folder, name).unlink()
    verdict = verify_archive(folder, keys=KEYS)
    assert [(one.first, one.end, one.fault) for one in verdict.findings] == [(0, 8, Fault.MISSING)]
    assert verdict.records == 8
    repack(folder, TWO, CHANGES["a record edited"])
    assert (TWO, "CONTENT", False) in found(folder)


# -- row 12: what the store says of the segments


ALTERED: dict[str, tuple[str, str]] = {
    "frontier": ('UPDATE audit_segment SET frontier = {x} WHERE "first" = 8', "TABLE"),
    "note": ("UPDATE audit_segment SET note = 'none' WHERE \"first\" = 8", "TABLE"),
    "path": ("UPDATE audit_segment SET path = 'other' WHERE \"first\" = 8", "TABLE"),
    "end": ('UPDATE audit_segment SET "end" = 15 WHERE "first" = 8', "TABLE"),
    "sha256": ("UPDATE audit_segment SET sha256 = 'no' WHERE \"first\" = 8", "TABLE"),
    "first": ('UPDATE audit_segment SET "first" = 9 WHERE "first" = 8', "MANIFEST"),
}


@pytest.mark.parametrize("what", ALTERED)
async def test_a_changed_row_of_the_segment_table_is_found(
    folder: Path, engine: AsyncEngine, what: str
) -> None:
    statement, fault = ALTERED[what]
    async with engine.begin() as connection:
        done = await connection.exec_driver_sql(statement.format(x=f"x'{'00' * 32}'"))
        assert done.rowcount == 1
    async with engine.connect() as connection:
        named = found(folder, await rows_of(connection))
    assert fault in {kind for _, kind, _ in named}
    assert all(one.startswith("segment-00000000000") for one, _, _ in named)


async def test_a_row_that_is_gone_is_a_segment_nobody_entered(
    folder: Path, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text('DELETE FROM audit_segment WHERE "first" = 16'))
    async with engine.connect() as connection:
        rows = await rows_of(connection)
    verdict = verify_archive(folder, keys=KEYS, rows=rows)
    assert (verdict.findings, verdict.unfinished) == ((), (THREE,))


async def test_a_frontier_is_given_where_a_segment_ends_and_nowhere_else(
    folder: Path, engine: AsyncEngine
) -> None:
    async with engine.connect() as connection:
        given = {at: await frontier_at(connection, at) for at in (0, 7, 8, 16, 24, 25)}
    assert {at for at, one in given.items() if one is not None} == {0, 8, 16, 24}
    assert all(one is None or one.size == at for at, one in given.items())


def test_what_has_left_is_counted_from_the_start_without_a_gap() -> None:
    def row(first: int, end: int, state: str) -> Row:
        return Row(first, end, "", "", b"", "", state, 0)

    assert online_from([]) == 0
    assert online_from([row(0, 8, "ARCHIVED")]) == 0
    left = [row(0, 8, "DESTROYED"), row(8, 16, "DETACHED")]
    assert online_from([*left, row(16, 24, "WRITTEN")]) == 16
    assert online_from([*left, row(24, 32, "DETACHED")]) == 16


def test_names_are_read_as_they_are_written() -> None:
    assert range_of(name_of(1_000_000, 2_000_000)) == (1_000_000, 2_000_000)
    assert [range_of(n) for n in ("", "segment-1-2", name_of(0, 1) + "x")] == [None] * 3
