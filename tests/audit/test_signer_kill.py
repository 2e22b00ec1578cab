"""A signer killed at each point between memory, database and anchor: the next one goes on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from audit import tree
from audit.anchor import Anchor
from audit.memory import MemoryFile
from audit.note import Checkpoint, Ed25519Signer, Note, opened
from audit.signer import Signer
from audit.tiles import whole_tiles
from store.audit import audit_checkpoint, audit_event, audit_tile
from store.engine import open_engine

CHILD = Path(__file__).with_name("signer_child.py")
LOG = "demo.invalid/hub/test/sha256"
KEY = Ed25519Signer(LOG, bytes(range(32)))
FIRST, SECOND = 301, 601  # records at the child's two checkpoints
LEFT = {  # what the kill left: size in memory, in the database, in the anchor
    "sign": (FIRST, FIRST, FIRST),
    "rename": (FIRST, FIRST, FIRST),
    "insert": (SECOND, FIRST, FIRST),
    "commit": (SECOND, FIRST, FIRST),
    "anchor": (SECOND, SECOND, FIRST),
    "done": (SECOND, SECOND, SECOND),
}


def _anchored(folder: Path) -> list[str]:
    blocks = (folder / "anchor.txt").read_text().split("\n\n")
    return [f"{one}\n\n{two}\n" for one, two in zip(blocks[::2], blocks[1::2], strict=False)]


async def _notes(url: str) -> dict[int, str]:
    engine = open_engine(url)
    row = audit_checkpoint.c
    async with engine.connect() as connection:
        rows = (await connection.execute(select(row.size, row.note).order_by(row.size))).all()
    await engine.dispose()
    return {row.size: row.note for row in rows}


async def _next(url: str, folder: Path) -> tuple[list[str], list[bytes], set[tuple[int, int]]]:
    """The next start: its halts, the log's leaves, the tiles that are there."""
    engine, halts = open_engine(url), list[str]()
    memory, anchor = MemoryFile(folder / "signer.json"), Anchor(folder / "anchor.txt")
    signer = Signer(engine, LOG, memory, lambda: (KEY,), anchor=anchor, halt=halts.append)
    assert await signer.step(now=True), signer.state()
    signer.release()
    async with engine.connect() as connection:
        bodies = await connection.scalars(select(audit_event.c.body).order_by(audit_event.c.idx))
        leaves = [tree.leaf(body.encode()) for body in bodies]
        row = audit_tile.c
        tiles = {(t.level, t.n) for t in await connection.execute(select(row.level, row.n))}
    await engine.dispose()
    return halts, leaves, tiles


@pytest.mark.parametrize("point", LEFT)
def test_the_next_start_goes_on_and_nothing_is_signed_twice_differently(
    audit_url: str, tmp_path: Path, point: str
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    command = [sys.executable, "-P", str(CHILD), audit_url, str(folder), point]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout.split() == [str(FIRST), str(SECOND)][: 1 + (point == "done")]

    remembered = MemoryFile(folder / "signer.json").read()
    assert remembered is not None
    stored, anchored = asyncio.run(_notes(audit_url)), _anchored(folder)
    newest = Note.parse(anchored[-1])
    left = (remembered.size, max(stored), Checkpoint.parse(newest.text).size)
    assert left == LEFT[point]  # the fault was this one
    before = {remembered.note, *stored.values(), *anchored}

    halts, leaves, tiles = asyncio.run(_next(audit_url, folder))
    after = asyncio.run(_notes(audit_url))
    assert (halts, len(leaves)) == ([], SECOND)
    assert list(after) == [FIRST, SECOND]
    assert tiles == set(whole_tiles(0, SECOND))
    said = {str(note): Checkpoint.parse(Note.parse(note).text) for note in before}
    said |= {note: opened(Note.parse(note), [KEY.verifier])[0] for note in after.values()}
    said |= {note: Checkpoint.parse(Note.parse(note).text) for note in _anchored(folder)}
    assert sorted(one.size for one in said.values()) == [FIRST, SECOND]  # one note a size
    for one in said.values():
        assert one.root == tree.root_of(leaves[: one.size])
    assert [Checkpoint.parse(Note.parse(n).text).size for n in _anchored(folder)] == [
        FIRST,
        SECOND,
    ]
