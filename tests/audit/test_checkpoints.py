"""Signed checkpoints: which are taken, which are found wrong, and what outsiders' copies add."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.drill import made
from audit.note import Checkpoint, Ed25519Signer, Note, Signature, signed
from audit.plant import Level, Store, cut, edited, plant, recompute, taken, unlock, write
from audit.record import canonical
from audit.tile_rows import Rows
from audit.tree import leaf
from audit.verify import BadEvidence, Code, DatedKey, Evidence, Exit, Verdicts, check, dated_keys
from audit.verify.walk import NoCheckpoint
from store.audit import audit_checkpoint, audit_event, audit_subject, audit_tile

pytestmark = pytest.mark.anyio
LOG = "demo.invalid/hub/test/sha256"
OLD, NEW, THIEF = (Ed25519Signer(LOG, bytes([n]) * 32) for n in (1, 2, 3))
RECORDS = 400
STORE = made(RECORDS, LOG)
LAST = max(STORE.sizes)  # 390
DAY = datetime.fromtimestamp(STORE.bodies[-1]["ts"] // 1_000_000, UTC).date()
EVIDENCE = Evidence((DatedKey(OLD.verifier),))

Deed = Callable[[AsyncConnection], Awaitable[Any]]


@pytest.fixture
async def signed_log(engine: AsyncEngine) -> AsyncEngine:
    """Four hundred records a second apart, a checkpoint each 25, the last ten uncovered."""
    async with engine.begin() as connection:
        await write(connection, STORE, [OLD])
    return engine


async def do(engine: AsyncEngine, deed: Deed) -> None:
    async with engine.begin() as connection:
        await unlock(connection)
        await deed(connection)


async def notes(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        query = select(audit_checkpoint.c.note).order_by(audit_checkpoint.c.size)
        return list((await connection.execute(query)).scalars())


def rewrite(size: int, note: str) -> Deed:
    """Another note at a size; proves that there was one."""

    async def deed(connection: AsyncConnection) -> None:
        here = audit_checkpoint.c.size == size
        was = (await connection.execute(select(audit_checkpoint.c.note).where(here))).scalar_one()
        assert was != note
        done = await connection.execute(update(audit_checkpoint).where(here).values(note=note))
        assert done.rowcount == 1

    return deed


def at(size: int) -> Checkpoint:
    rows = Rows()
    rows.extend([leaf(canonical(body).encode()) for body in STORE.bodies[:size]])
    return Checkpoint(LOG, size, rows.root())


def outside(folder: Path, *pieces: str, name: str = "anchors.txt") -> Evidence:
    file = folder / name
    file.write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    return Evidence(EVIDENCE.keys, (file,))


def told(verdicts: Verdicts) -> tuple[Exit, dict[Code, int]]:
    return verdicts.exit, dict(verdicts.counts)


async def test_a_signed_log_is_intact_and_its_last_checkpoint_told(
    signed_log: AsyncEngine,
) -> None:
    verdicts = await check(signed_log, evidence=EVIDENCE)
    assert told(verdicts) == (Exit.INTACT, {})
    assert (verdicts.size, verdicts.checkpoints, verdicts.last_good) == (RECORDS, 16, LAST)
    assert verdicts.anchored is None
    assert (verdicts.integrity, verdicts.anchoring) == (True, True)


@pytest.mark.parametrize("window", [1, 7, 256, 1000])
async def test_windows_change_nothing_about_checkpoints(
    signed_log: AsyncEngine, window: int
) -> None:
    if window == 1:
        await do(signed_log, lambda c: plant(c, cut(30), Level.RESIGNED, [OLD]))
    verdicts = await check(signed_log, evidence=EVIDENCE, window=window)
    assert verdicts.exit is Exit.INTACT
    assert verdicts.checkpoints == (1 if window == 1 else 16)


async def test_without_keys_roots_are_compared_and_signatures_not(
    signed_log: AsyncEngine,
) -> None:
    stranger = signed(at(100), [THIEF])
    await do(signed_log, rewrite(100, str(stranger)))
    assert (await check(signed_log)).exit is Exit.INTACT
    await do(signed_log, rewrite(100, str(signed(Checkpoint(LOG, 100, bytes(32)), [THIEF]))))
    verdicts = await check(signed_log)
    assert told(verdicts) == (Exit.TAMPERED, {Code.FORK: 1})
    assert verdicts.bad_range == (75, 100)


# ---- signatures (row 15)


async def test_rotation_is_clean_with_both_keys_and_named_with_the_old_one(
    engine: AsyncEngine,
) -> None:
    async with engine.begin() as connection:
        await write(connection, STORE, [OLD])
        await unlock(connection)
        for size in STORE.sizes[8:]:
            keys = [OLD, NEW] if size <= 300 else [NEW]
            await rewrite(size, str(signed(at(size), keys)))(connection)
    both = Evidence((DatedKey(OLD.verifier), DatedKey(NEW.verifier)))
    verdicts = await check(engine, evidence=both)
    assert (told(verdicts), verdicts.last_good) == ((Exit.INTACT, {}), LAST)
    verdicts = await check(engine, evidence=EVIDENCE)
    later = sum(size > 300 for size in STORE.sizes)
    assert told(verdicts) == (Exit.INCOMPLETE, {Code.UNKNOWN_SIGNATURE: later})
    assert (verdicts.first_bad, verdicts.last_good, later) == (325, 300, 4)
    assert (verdicts.integrity, verdicts.anchoring) == (True, False)


@pytest.mark.parametrize(
    ("since", "until", "exit_"),
    [
        (None, None, Exit.INTACT),
        (DAY, None, Exit.INTACT),
        (date(2026, 9, 21), date(2026, 9, 30), Exit.INTACT),
        (date(2026, 1, 1), date(2026, 9, 1), Exit.TAMPERED),
        (date(2026, 12, 1), None, Exit.TAMPERED),
    ],
)
async def test_a_key_signs_on_its_days_only(
    signed_log: AsyncEngine, since: date | None, until: date | None, exit_: Exit
) -> None:
    assert date(2026, 9, 21) <= DAY <= date(2026, 9, 30)
    verdicts = await check(signed_log, evidence=Evidence((DatedKey(OLD.verifier, since, until),)))
    wrong = {Code.CHECKPOINT_SIG: 16} if exit_ is Exit.TAMPERED else {}
    assert told(verdicts) == (exit_, wrong)


def spoilt(note: Note, how: str) -> str:
    (one,) = note.signatures
    strangers = [Signature(f"w{n}.example", bytes([n] * 4), bytes(64)) for n in range(1, 17)]
    wrong = Signature(one.name, one.key_id, bytes([one.raw[0] ^ 1]) + one.raw[1:])
    return {
        "another key's signature": str(signed(Checkpoint.parse(note.text), [THIEF])),
        "its signature, one bit changed": str(Note(note.text, (wrong,))),
        "stripped": note.text + "\n",
        "stripped of all but a stranger's": str(Note(note.text, (strangers[0],))),
        "seventeen signatures": str(Note(note.text, (*strangers, one))),
        "of an unknown algorithm": str(Note(note.text, (Signature(LOG, b"\xff123", bytes(80)),))),
        "of another size": str(
            signed(Checkpoint(LOG, 150, Checkpoint.parse(note.text).root), [OLD])
        ),
        "of another log": str(signed(Checkpoint("x/y", 200, bytes(32)), [OLD])),
        "no note": "nothing\n",
    }[how]


@pytest.mark.parametrize(
    ("how", "code", "exit_"),
    [
        ("another key's signature", Code.UNKNOWN_SIGNATURE, Exit.INCOMPLETE),
        ("its signature, one bit changed", Code.CHECKPOINT_SIG, Exit.TAMPERED),
        ("stripped", Code.CHECKPOINT_SIG, Exit.TAMPERED),
        ("stripped of all but a stranger's", Code.UNKNOWN_SIGNATURE, Exit.INCOMPLETE),
        ("seventeen signatures", Code.CHECKPOINT_SIG, Exit.TAMPERED),
        ("of an unknown algorithm", Code.UNKNOWN_SIGNATURE, Exit.INCOMPLETE),
        ("of another size", Code.CHECKPOINT_SIG, Exit.TAMPERED),
        ("of another log", Code.CHECKPOINT_SIG, Exit.TAMPERED),
        ("no note", Code.CHECKPOINT_SIG, Exit.TAMPERED),
    ],
)
async def test_a_spoilt_note_is_a_finding_of_its_own(
    signed_log: AsyncEngine, how: str, code: Code, exit_: Exit
) -> None:
    note = Note.parse((await notes(signed_log))[7])
    assert Checkpoint.parse(note.text).size == 200
    await do(signed_log, rewrite(200, spoilt(note, how)))
    verdicts = await check(signed_log, evidence=EVIDENCE)
    assert told(verdicts) == (exit_, {code: 1})
    assert (verdicts.first_bad, verdicts.last_good) == (200, LAST)


# ---- cadence


async def test_records_that_no_checkpoint_covered_in_time_are_missing_evidence(
    signed_log: AsyncEngine,
) -> None:
    async def away(connection: AsyncConnection) -> None:
        here = audit_checkpoint.c.size.between(101, 199)
        assert (await connection.execute(delete(audit_checkpoint).where(here))).rowcount == 3

    await do(signed_log, away)
    verdicts = await check(signed_log, evidence=EVIDENCE)
    assert told(verdicts) == (Exit.INCOMPLETE, {Code.CHECKPOINT_GAP: 1})
    assert verdicts.first_bad == 100
    assert verdicts.findings[0].about == "no checkpoint for 99 s of records"


async def test_a_tail_of_more_than_a_minute_is_missing_evidence(
    signed_log: AsyncEngine,
) -> None:
    async def away(connection: AsyncConnection) -> None:
        here = audit_checkpoint.c.size > 325
        assert (await connection.execute(delete(audit_checkpoint).where(here))).rowcount == 3

    await do(signed_log, away)
    verdicts = await check(signed_log, evidence=EVIDENCE)
    assert told(verdicts) == (Exit.INCOMPLETE, {Code.CHECKPOINT_GAP: 1})
    assert (verdicts.first_bad, verdicts.last_good) == (325, 325)


async def test_a_log_that_never_had_a_checkpoint_lacks_evidence_only_if_keys_are_known(
    signed_log: AsyncEngine,
) -> None:
    async def none(connection: AsyncConnection) -> None:
        assert (await connection.execute(delete(audit_checkpoint))).rowcount == 16

    await do(signed_log, none)
    assert (await check(signed_log)).exit is Exit.INTACT
    verdicts = await check(signed_log, evidence=EVIDENCE)
    assert told(verdicts) == (Exit.INCOMPLETE, {Code.CHECKPOINT_GAP: 1})


# ---- tiles


@pytest.mark.parametrize("how", ["missing", "changed", "one too many"])
async def test_tiles_are_those_of_the_records(signed_log: AsyncEngine, how: str) -> None:
    async def deed(connection: AsyncConnection) -> None:
        (tile,) = (await connection.execute(select(audit_tile))).all()
        assert (tile.level, tile.n, len(tile.hashes)) == (0, 0, 8192)
        if how == "missing":
            done = await connection.execute(delete(audit_tile))
        elif how == "changed":
            hashes = tile.hashes[:3200] + bytes(32) + tile.hashes[3232:]
            done = await connection.execute(update(audit_tile).values(hashes=hashes))
        else:
            more = {"level": 0, "n": 1, "hashes": tile.hashes}
            done = await connection.execute(insert(audit_tile), more)
        assert done.rowcount == 1

    await do(signed_log, deed)
    verdicts = await check(signed_log, evidence=EVIDENCE, window=90)
    assert told(verdicts) == (Exit.TAMPERED, {Code.TILE: 1})
    assert verdicts.first_bad == {"missing": 0, "changed": 100, "one too many": RECORDS}[how]
    assert (verdicts.integrity, verdicts.anchoring, verdicts.indexes) == (True, True, False)


# ---- from outside (rows 10, 11, 13)


async def test_what_outsiders_hold_fits_an_untouched_log(
    signed_log: AsyncEngine, tmp_path: Path
) -> None:
    hashed = leaf(b"x").hex()
    evidence = outside(
        tmp_path,
        *(await notes(signed_log)),
        str(signed(Checkpoint("other/log", 5, bytes(32)), [THIEF])),
        f'{{"idx":3,"leaf":"{hashed}","log":"other/log"}}',
        "a note that was cut while it was writ",
    )
    verdicts = await check(signed_log, evidence=evidence)
    assert (told(verdicts), verdicts.anchored) == ((Exit.INTACT, {}), LAST)


@pytest.mark.parametrize("size", [RECORDS - 1, LAST, 365, 1, 0])
async def test_a_cut_tail_is_found_by_who_has_a_longer_note(
    signed_log: AsyncEngine, tmp_path: Path, size: int
) -> None:
    """By one record, by a checkpoint, to nearly nothing, to nothing: signed anew throughout."""
    kept = [*(await notes(signed_log)), str(signed(at(RECORDS), [OLD]))]
    await do(signed_log, lambda c: plant(c, cut(size), Level.RESIGNED, [OLD]))
    async with signed_log.connect() as connection:
        count = (await connection.execute(select(func.count()).select_from(audit_event))).scalar()
    assert count == size
    inside = await check(signed_log, evidence=EVIDENCE)
    assert Code.TRUNCATED not in inside.counts
    verdicts = await check(signed_log, evidence=outside(tmp_path, *kept))
    assert verdicts.counts[Code.TRUNCATED] == 1
    assert (verdicts.exit, verdicts.first_bad) == (Exit.TAMPERED, size)
    assert verdicts.completeness is False


async def test_a_stored_checkpoint_beyond_the_last_record_tells_of_a_cut_tail(
    signed_log: AsyncEngine,
) -> None:
    async def deed(connection: AsyncConnection) -> None:
        store = await taken(connection)
        await recompute(connection, LOG, store.bodies[:380], covered=375)
        done = await connection.execute(delete(audit_subject).where(audit_subject.c.idx >= 380))
        assert done.rowcount > 0

    await do(signed_log, deed)
    verdicts = await check(signed_log, evidence=EVIDENCE)
    assert verdicts.counts[Code.TRUNCATED] == 1
    assert verdicts.exit is Exit.TAMPERED


async def test_a_rewritten_history_is_told_as_the_range_between_two_notes(
    signed_log: AsyncEngine, tmp_path: Path
) -> None:
    kept = await notes(signed_log)
    change = edited(133, {"actor": "somebody-else"})
    await do(signed_log, lambda c: plant(c, change, Level.RESIGNED, [OLD]))
    changed = await notes(signed_log)
    assert [a == b for a, b in zip(kept, changed, strict=True)] == [True] * 5 + [False] * 11
    assert (await check(signed_log, evidence=EVIDENCE)).exit is Exit.INTACT
    verdicts = await check(signed_log, evidence=outside(tmp_path, *kept))
    assert told(verdicts) == (Exit.TAMPERED, {Code.FORK: 1})
    assert (verdicts.first_bad, verdicts.bad_range) == (125, (125, 150))
    assert (verdicts.last_good, verdicts.anchored) == (125, 125)


async def test_two_hubs_on_copies_of_one_store_are_told_apart(
    signed_log: AsyncEngine, tmp_path: Path
) -> None:
    """Both sign with the true key; whoever holds the notes of one sees the other as a fork."""
    kept = await notes(signed_log)
    other = [dict(body, actor="copy") if body["idx"] >= 250 else body for body in STORE.bodies]
    await do(signed_log, lambda c: write(c, Store(LOG, tuple(other), STORE.sizes), [OLD]))
    assert (await check(signed_log, evidence=EVIDENCE)).exit is Exit.INTACT
    verdicts = await check(signed_log, evidence=outside(tmp_path, *kept))
    assert (verdicts.counts, verdicts.bad_range) == ({Code.FORK: 1}, (250, 275))


async def test_a_receipt_catches_what_came_after_the_last_note(
    signed_log: AsyncEngine, tmp_path: Path
) -> None:
    async with signed_log.connect() as connection:
        query = select(audit_event.c.leaf).where(audit_event.c.idx == 397)
        hashed = (await connection.execute(query)).scalar_one()
    receipt = f'{{"idx":397,"leaf":"{hashed}","log":"{LOG}"}}'
    evidence = outside(tmp_path, receipt)
    assert told(await check(signed_log, evidence=evidence)) == (Exit.INTACT, {})
    change = edited(397, {"actor": "somebody-else"})
    await do(signed_log, lambda c: plant(c, change, Level.RESIGNED, [OLD]))
    assert (await check(signed_log, evidence=EVIDENCE)).exit is Exit.INTACT
    verdicts = await check(signed_log, evidence=evidence)
    assert (told(verdicts), verdicts.first_bad) == ((Exit.TAMPERED, {Code.FORK: 1}), 397)


async def test_files_that_hold_nothing_of_this_log_are_no_proof(
    signed_log: AsyncEngine, tmp_path: Path
) -> None:
    for text in ("", "garbage\n\n\n", str(signed(Checkpoint("x/y", 5, bytes(32)), [OLD])), "{}\n"):
        verdicts = await check(signed_log, evidence=outside(tmp_path, text))
        assert verdicts.exit is Exit.TAMPERED
        assert set(verdicts.counts) == {Code.CHECKPOINT_SIG}
    with pytest.raises(BadEvidence):
        await check(signed_log, evidence=Evidence(EVIDENCE.keys, (tmp_path / "none",)))


# ---- from a checkpoint on


async def test_from_a_checkpoint_on_only_what_follows_is_read(signed_log: AsyncEngine) -> None:
    done: list[tuple[int, int]] = []
    verdicts = await check(
        signed_log, evidence=EVIDENCE, since=300, window=50, progress=lambda *at: done.append(at)
    )
    assert told(verdicts) == (Exit.INTACT, {})
    assert (verdicts.since, verdicts.size, verdicts.last_good) == (300, RECORDS, LAST)
    assert [first for first, _ in done] == [350, 400]


async def test_from_a_checkpoint_that_does_not_prove_the_tree_all_is_read(
    signed_log: AsyncEngine,
) -> None:
    async def deed(connection: AsyncConnection) -> None:
        query = update(audit_event).where(audit_event.c.idx == 290).values(leaf="00" * 32)
        assert (await connection.execute(query)).rowcount == 1

    await do(signed_log, deed)
    verdicts = await check(signed_log, evidence=EVIDENCE, since=300)
    assert (verdicts.since, told(verdicts)) == (0, (Exit.TAMPERED, {Code.LEAF: 1}))
    with pytest.raises(NoCheckpoint):
        await check(signed_log, evidence=EVIDENCE, since=301)


async def test_from_a_checkpoint_signed_by_a_stranger_all_is_read(
    signed_log: AsyncEngine,
) -> None:
    await do(signed_log, rewrite(300, str(signed(at(300), [THIEF]))))
    verdicts = await check(signed_log, evidence=EVIDENCE, since=300)
    assert (verdicts.since, told(verdicts)) == (
        0,
        (Exit.INCOMPLETE, {Code.UNKNOWN_SIGNATURE: 1}),
    )


# ---- lists of keys


def test_a_list_of_keys_has_days_or_none() -> None:
    lines = [f"{OLD.verifier.vkey} 2026-01-01 2026-06-08", "", f"{NEW.verifier.vkey} 2026-06-01 -"]
    old, new = dated_keys(lines)
    assert (old.key, old.since, old.until) == (OLD.verifier, date(2026, 1, 1), date(2026, 6, 8))
    assert (new.key, new.since, new.until) == (NEW.verifier, date(2026, 6, 1), None)
    assert [old.line, new.line] == [lines[0], lines[2]]
    (bare,) = dated_keys([OLD.verifier.vkey])
    assert bare == DatedKey(OLD.verifier)
    for wrong in ("x", f"{OLD.verifier.vkey} today -", f"{OLD.verifier.vkey} 2026-01-01"):
        with pytest.raises(BadEvidence, match="line 2"):
            dated_keys(["", wrong])
