"""The drill's table is as demanded, each tampering really happened, and the source is untouched."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Table

from audit.drill import COPIED, RECORDS, Column, TooSmall, drill, made
from audit.plant import Store, write
from audit.verify import Code, Exit
from store import audit
from store.engine import open_engine
from store.metadata import metadata

FOUND = {  # beside FOUND: the code that must be among the findings, by column
    "改写正文": (Code.LEAF, Code.FORK, None, Code.FORK, Code.FORK),
    "删除一条并重新编号": (Code.WRITER_SEQ, Code.FORK, None, Code.FORK, Code.TRUNCATED),
    "插入一条伪造记录并重新编号": (Code.LEAF, Code.FORK, None, Code.FORK, Code.FORK),
    "截掉最后检查点之前起的尾部": (
        Code.HEAD,
        Code.TRUNCATED,
        None,
        Code.TRUNCATED,
        Code.TRUNCATED,
    ),
    "调换两条并重新编号": (
        Code.CLOCK_BACK,
        Code.CLOCK_BACK,
        Code.CLOCK_BACK,
        Code.FORK,
        Code.FORK,
    ),
    "只改派生列": (Code.COLUMN,) * 5,
    "删除一行，留下空缺": (Code.GAP,) * 5,
    "删除全部检查点": (Code.CHECKPOINT_GAP,) * 5,
    "删除一条人员索引": (Code.SUBJECT_INDEX,) * 5,
    "整库退回到从前": (None, None, None, Code.TRUNCATED, Code.TRUNCATED),
    "整库退回后继续写": (None, None, None, Code.FORK, Code.FORK),
    "改写最后检查点之后的记录": (Code.LEAF, None, None, None, Code.FORK),
}


def store_of(file: Path, store: Store) -> None:
    async def build() -> None:
        engine = open_engine(f"sqlite+aiosqlite:///{file}")
        async with engine.begin() as connection:
            tables = [one for one in vars(audit).values() if isinstance(one, Table)]
            await connection.run_sync(metadata.create_all, tables=tables)
            await write(connection, store, [])
        await engine.dispose()

    asyncio.run(build())


def test_every_cell_is_as_demanded(tmp_path: Path) -> None:
    table = dict(asyncio.run(drill(tmp_path)))
    assert list(table) == list(FOUND)
    cells = 0
    for name, row in table.items():
        for column, cell in row.items():
            code = FOUND[name][list(Column).index(column)]
            assert cell.holds, (name, column)
            assert (code in cell.verdicts.counts) is (code is not None), (name, column)
            assert cell.found is cell.demanded is (code is not None), (name, column)
            cells += 1
    assert cells == 56
    exits = {name: {cell.verdicts.exit for cell in row.values()} for name, row in table.items()}
    assert exits["删除全部检查点"] == {Exit.INCOMPLETE}  # evidence is missing, no record altered
    assert exits["只改派生列"] == {Exit.TAMPERED}
    roots = {cell.verdicts.root for row in table.values() for cell in row.values()}
    sizes = {cell.verdicts.size for row in table.values() for cell in row.values()}
    assert len(roots) >= 8  # they are really different logs
    assert sizes == {RECORDS, RECORDS - 1, RECORDS + 1, 151, 150}


def test_a_copy_of_a_real_log_is_drilled_and_the_log_left_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source.sqlite"
    store_of(source, made(COPIED + 50))
    before = hashlib.sha256(source.read_bytes()).hexdigest()
    (tmp_path / "place").mkdir()
    table = asyncio.run(drill(tmp_path / "place", source))
    assert [cell.holds for _, row in table for cell in row.values()] == [True] * 56
    assert hashlib.sha256(source.read_bytes()).hexdigest() == before
    assert {cell.verdicts.log for _, row in table for cell in row.values()} == {
        "demo.invalid/hub/drill/sha256"
    }
    with sqlite3.connect(tmp_path / "place" / "base.sqlite") as base:
        assert base.execute("SELECT count(*) FROM audit_event").fetchone() == (COPIED,)


def test_too_short_a_log_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source.sqlite"
    store_of(source, made(20))
    (tmp_path / "place").mkdir()
    with pytest.raises(TooSmall):
        asyncio.run(drill(tmp_path / "place", source))
