"""A tree that grows, kept as the last, unfinished tile of every level.

    level 0   leaf hashes            up to 255, then they are tile (0, n) and its root goes up
    level 1   roots of level-0 tiles up to 255, then they are tile (1, n) …

So few hashes give the root at any size, and every whole tile as it comes to be. The rows of
a tree in the store are found from its tiles and its last leaves; they prove nothing until
their root has been compared with a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audit.tiles import HEIGHT, TOP, WIDTH, Reader, Tile, TileMissing
from audit.tree import HASH_BYTES, SHA256, Frontier, Suite


class Rows:
    """The unfinished tile of each level, level 0 first, of a tree of `size` leaves.

    Beside each the perfect subtrees of its entries, so that a root asked for every few
    records costs a few hashes, not all those of the unfinished tiles.
    """

    __slots__ = ("_rows", "_suite", "_tops", "size")

    def __init__(
        self, size: int = 0, rows: Iterable[Sequence[bytes]] = (), suite: Suite = SHA256
    ) -> None:
        self.size, self._suite = size, suite
        self._rows: list[list[bytes]] = [list(row) for row in rows] or [[]]
        self._tops = [Frontier(suite=suite) for _ in self._rows]
        for top, row in zip(self._tops, self._rows, strict=True):
            top.extend(row)

    def extend(self, leaves: Sequence[bytes]) -> list[Tile]:
        """Append leaf hashes; the tiles that have become whole."""
        made: list[Tile] = []
        at = 0
        while at < len(leaves):
            row = self._rows[0]
            taken = leaves[at : at + WIDTH - len(row)]
            row += taken
            self._tops[0].extend(taken)
            at += len(taken)
            self.size += len(taken)
            if len(row) == WIDTH:
                self._close(0, made)
        return made

    def _close(self, level: int, made: list[Tile]) -> None:
        row, self._rows[level] = self._rows[level], []
        root, self._tops[level] = self._tops[level].root(), Frontier(suite=self._suite)
        made.append(Tile(level, (self.size >> HEIGHT * (level + 1)) - 1, b"".join(row)))
        if level + 1 == len(self._rows):
            self._rows.append([])
            self._tops.append(Frontier(suite=self._suite))
        above = self._rows[level + 1]
        above.append(root)
        self._tops[level + 1].append(root)
        if len(above) == WIDTH:
            self._close(level + 1, made)

    def frontier(self) -> Frontier:
        """Roots of the perfect subtrees, as the head row holds them."""
        hashes = b"".join([top.encode() for top in reversed(self._tops)])
        return Frontier.decode(self.size, hashes, self._suite)

    def root(self) -> bytes:
        """Root of the tree so far."""
        return self.frontier().root()


def tile_root(hashes: Sequence[bytes], suite: Suite = SHA256) -> bytes:
    """Root over a whole tile: a number of hashes that is a power of two."""
    row = hashes
    while len(row) > 1:
        row = [suite.node(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def split(hashes: bytes) -> list[bytes]:
    """The hashes of a tile one by one."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


async def stored_rows(reader: Reader, size: int, suite: Suite = SHA256) -> Rows:
    """Rows of the first `size` records, from stored tiles and leaves. TileMissing.

    Not proved: compare `root()` with a checkpoint whose signature holds.
    """
    rows = [await _leaves(reader, size)]
    for level in range(1, TOP):
        end = size >> HEIGHT * level
        if not end:
            break
        below = await reader.tiles(level - 1, end - end % WIDTH, end)
        rows.append([tile_root(split(one), suite) for one in below])
    return Rows(size, rows, suite)


async def _leaves(reader: Reader, size: int) -> Sequence[bytes]:
    """Loose leaves; of archived records they are at hand in the tile that has become whole."""
    first = size - size % WIDTH
    try:
        return await reader.leaves(first, size)
    except TileMissing:
        (whole,) = await reader.tiles(0, first // WIDTH, first // WIDTH + 1)
        return split(whole)[: size - first]
