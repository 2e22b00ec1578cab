"""A tree that grows, kept as the last, unfinished tile of every level.

    level 0   leaf hashes            up to 255, then they are tile (0, n) and its root goes up
    level 1   roots of level-0 tiles up to 255, then they are tile (1, n) …

So few hashes give the root at any size, and every whole tile as it comes to be. The rows of
a tree in the store are found from its tiles and its last leaves; they prove nothing until
their root has been compared with a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.tree import EMPTY_ROOT, HASH_BYTES, Frontier, node
from store.audit import audit_event, audit_tile

WIDTH = 256  # hashes a tile (c2sp.org/tlog-tiles)
LEVELS = 8  # 256^8 records: no log reaches it


class NoRows(ValueError):
    """Tiles or leaves that a tree of this size has are not in the store."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A whole tile: 256 hashes, one after another."""

    level: int
    n: int
    hashes: bytes


class Rows:
    """The unfinished tile of each level, level 0 first, of a tree of `size` leaves."""

    __slots__ = ("_rows", "size")

    def __init__(self, size: int = 0, rows: Iterable[Sequence[bytes]] = ()) -> None:
        self.size = size
        self._rows: list[list[bytes]] = [list(row) for row in rows] or [[]]

    def extend(self, leaves: Sequence[bytes]) -> list[Tile]:
        """Append leaf hashes; the tiles that have become whole."""
        made: list[Tile] = []
        at = 0
        while at < len(leaves):
            row = self._rows[0]
            taken = leaves[at : at + WIDTH - len(row)]
            row += taken
            at += len(taken)
            self.size += len(taken)
            if len(row) == WIDTH:
                self._close(0, made)
        return made

    def _close(self, level: int, made: list[Tile]) -> None:
        row, self._rows[level] = self._rows[level], []
        made.append(Tile(level, (self.size >> 8 * (level + 1)) - 1, b"".join(row)))
        if level + 1 == len(self._rows):
            self._rows.append([])
        above = self._rows[level + 1]
        above.append(tile_root(row))
        if len(above) == WIDTH:
            self._close(level + 1, made)

    def frontier(self) -> Frontier:
        """Roots of the perfect subtrees, as the head row holds them."""
        hashes: list[bytes] = []
        for row in reversed(self._rows):
            hashes += _perfect(row)
        return Frontier(self.size, hashes)

    def root(self) -> bytes:
        """Root of the tree so far."""
        return self.frontier().root() if self.size else EMPTY_ROOT


def tile_root(hashes: Sequence[bytes]) -> bytes:
    """Root over a whole tile: a number of hashes that is a power of two."""
    row = hashes
    while len(row) > 1:
        row = [node(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def split(hashes: bytes) -> list[bytes]:
    """The hashes of a tile one by one."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def _perfect(row: Sequence[bytes]) -> Iterator[bytes]:
    """Roots of the perfect subtrees over a row, the largest first."""
    at = 0
    while at < len(row):
        wide = 1 << ((len(row) - at).bit_length() - 1)
        yield tile_root(row[at : at + wide])
        at += wide


async def stored_rows(connection: AsyncConnection, size: int) -> Rows:
    """Rows of the first `size` records, from stored tiles and leaves. NoRows if some are missing.

    Not proved: compare `root()` with a checkpoint whose signature holds.
    """
    rows = [await _leaves(connection, size - size % WIDTH, size)]
    for level in range(1, LEVELS):
        end = size >> 8 * level
        if not end:
            break
        rows.append(await _roots(connection, level - 1, end - end % WIDTH, end))
    return Rows(size, rows)


async def _leaves(connection: AsyncConnection, first: int, end: int) -> list[bytes]:
    query = select(audit_event.c.leaf).where(audit_event.c.idx >= first, audit_event.c.idx < end)
    found = (await connection.execute(query.order_by(audit_event.c.idx))).scalars().all()
    if len(found) != end - first:  # archived records are not there, the tile they are in is
        return await _begun(connection, end)
    try:
        return [bytes.fromhex(one) for one in found]
    except ValueError:
        raise NoRows("a leaf is no hash") from None


async def _begun(connection: AsyncConnection, end: int) -> list[bytes]:
    table = audit_tile.c
    query = select(table.hashes).where(table.level == 0, table.n == end // WIDTH)
    hashes = (await connection.execute(query)).scalar()
    if hashes is None:
        raise NoRows("leaves are missing")
    return split(hashes)[: end % WIDTH]


async def _roots(connection: AsyncConnection, level: int, first: int, end: int) -> list[bytes]:
    table = audit_tile.c
    query = select(table.hashes).where(table.level == level, table.n >= first, table.n < end)
    found = (await connection.execute(query.order_by(table.n))).scalars().all()
    if len(found) != end - first or any(len(one) != WIDTH * HASH_BYTES for one in found):
        raise NoRows("tiles are missing")
    return [tile_root(split(one)) for one in found]
