"""A witness's memory: never back, never forgotten, bounded."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from audit.note import Cosigner
from audit.witness import Answer, Evidence, recognised
from hub.witness.record import KEPT, Record, Reply, Unusable, check, evidence, held, make
from tests.witness.signed_log import ORIGIN, SignedLog

LOG = SignedLog().grow(40)
WITNESS = Cosigner("audit.invalid/w1", bytes(range(1, 33)))
SECOND = Cosigner("audit.invalid/w2", bytes(range(2, 34)))
NOW = 1_800_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "witness.sqlite"
    make(made)
    return made


def added(
    file: Path, *asked: tuple[int, int, SignedLog], by: tuple[Cosigner, ...] = (WITNESS,)
) -> list[Reply]:
    """What a witness that has just started answers to these submissions, one after the other."""

    async def run() -> list[Reply]:
        record = Record(file, by, lambda: NOW)
        try:
            replies = []
            for old, size, log in asked:
                submission = log.submission(old, size)
                new, note = recognised(submission, {ORIGIN: (LOG.signer.verifier,)})
                replies.append(await record.add(submission, new, note))
            return replies
        finally:
            await record.close()

    return asyncio.run(run())


def sql(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def test_what_was_signed_is_remembered_by_the_next_start(file: Path) -> None:
    (first,) = added(file, (0, 12, LOG))
    assert (first.answer, first.size) == (Answer.COSIGNED, 12)
    (one,) = held(file)
    assert (one.origin, one.size, one.root, one.at) == (ORIGIN, 12, LOG.checkpoint(12).root, NOW)
    assert one.note == str(LOG.note(12)) + first.lines
    second, third = added(file, (0, 30, LOG), (12, 30, LOG))
    assert second == Reply(Answer.CONFLICT, 12)
    assert (third.answer, held(file)[0].size) == (Answer.COSIGNED, 30)


def test_every_key_of_the_witness_signs(file: Path) -> None:
    (reply,) = added(file, (0, 12, LOG), by=(WITNESS, SECOND))
    assert reply.lines == "".join(
        key.sign(LOG.note(12).text, NOW).line for key in (WITNESS, SECOND)
    )


def test_a_contradicting_log_is_kept_once_and_the_rest_is_bounded(file: Path) -> None:
    added(file, (0, 12, LOG))
    fork = LOG.forked(7, 12)
    added(file, *[(12, 12, fork)] * 3)
    assert [(p.kind, p.size) for p in evidence(file)] == [("FORK", 12)]
    others = [(12, 13 + n, LOG.forked(7, 13 + n)) for n in range(KEPT + 5)]
    assert {r.answer for r in added(file, *others)} == {Answer.NOT_PROVED}
    kinds = [p.kind for p in evidence(file)]
    assert (kinds.count(Evidence.FORK), kinds.count(Evidence.PROOF)) == (1, KEPT)
    assert held(file)[0].size == 12


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE seen SET size = 11",
        "UPDATE seen SET root = zeroblob(32)",
        "UPDATE seen SET origin = 'x'",
        "DELETE FROM seen",
        "DELETE FROM evidence",
        "UPDATE evidence SET kind = 'PROOF'",
    ],
)
def test_the_file_itself_refuses_to_go_back(file: Path, statement: str) -> None:
    added(file, (0, 12, LOG), (12, 12, LOG.forked(7, 12)))
    with pytest.raises(sqlite3.IntegrityError, match="a witness does not"):
        sql(file, statement)
    assert held(file)[0].size == 12


def test_a_write_that_fails_leaves_nothing(file: Path) -> None:
    added(file, (0, 12, LOG))
    sql(
        file,
        "CREATE TRIGGER full BEFORE UPDATE ON seen BEGIN SELECT RAISE(ABORT, 'no room'); END",
    )
    with pytest.raises(sqlite3.Error, match="no room"):
        added(file, (12, 30, LOG))
    sql(file, "DROP TRIGGER full")
    assert held(file)[0].size == 12
    assert added(file, (12, 30, LOG))[0].answer is Answer.COSIGNED


def test_a_memory_is_never_made_over_another(file: Path) -> None:
    with pytest.raises(Unusable, match="已经存在"):
        make(file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_not_there_or_another_s_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="--create"):
        check(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "text").write_text("no database " * 100)
    with pytest.raises(Unusable, match="--create"):
        check(tmp_path / "text")
    sql(tmp_path / "other.sqlite", "CREATE TABLE seen (x)")
    with pytest.raises(Unusable, match="不是本程序的见证记录"):
        check(tmp_path / "other.sqlite")
    with pytest.raises(Unusable, match="无法建立"):
        make(tmp_path / "no folder" / "w.sqlite")
