"""The tree in tiles: any proof from a few rows, without a walk over the log.

Tiles are C2SP's (c2sp.org/tlog-tiles): 256 hashes of 32 bytes. Entry i of level 0 is the leaf
hash of record i, entry i of level k+1 the root of tile i of level k:

    level 1   tile 0 | entries 256 …      a tile is kept once it is whole: it never changes then
    level 0   tile 0 | tile 1 | … | loose leaves of the last 0 … 255 records

A proof is a few ranges of records whose roots are needed, and each range falls into perfect
subtrees, which lie in one tile each. Beyond the last whole tile of a level its entries are
loose: leaves at level 0, roots of whole tiles below elsewhere. So a proof reads at most one
whole tile and one row of loose entries (255 at most) a level, and every level covers 256 times
as many records.

Working out the loose roots of a large tree is most of a proof's time, and they never change:
who makes many proofs of one log hands in a `Roots` that remembers them.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.tree import HASH_BYTES, SHA256, Frontier, Suite, split
from store.audit import audit_event, audit_tile

HEIGHT = 8  # levels of the tree in one tile
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_BYTES
TOP = 8  # no log has 256**8 records

Roots = MutableMapping[tuple[int, int], bytes]
"""Roots of whole tiles, by (level, number)."""


class TileMissing(LookupError):
    """A row that a proof needs is not there: a tile, or leaves of records."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Tile number `n` of `level`; `hashes` are its 256 entries one after another."""

    level: int
    n: int
    hashes: bytes


class Reader(Protocol):
    """Where tiles and leaves lie. Both give exactly what was asked for, or TileMissing."""

    async def tiles(self, level: int, first: int, end: int) -> Sequence[bytes]:
        """Hashes of the whole tiles first … end-1, TILE_BYTES each."""

    async def leaves(self, first: int, end: int) -> Sequence[bytes]:
        """Leaf hashes of the records first … end-1."""


class StoreReader:
    """Reads the store over an open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def tiles(self, level: int, first: int, end: int) -> Sequence[bytes]:
        """One statement; TileMissing."""
        row = audit_tile.c
        wanted = select(row.hashes).where(row.level == level, row.n >= first, row.n < end)
        found = (await self._connection.execute(wanted.order_by(row.n))).scalars().all()
        if len(found) != end - first or any(len(hashes) != TILE_BYTES for hashes in found):
            raise TileMissing(f"level {level} has not all tiles {first} to {end - 1}")
        return found

    async def leaves(self, first: int, end: int) -> Sequence[bytes]:
        """One statement; TileMissing."""
        row = audit_event.c
        wanted = select(row.leaf).where(row.idx >= first, row.idx < end).order_by(row.idx)
        found = (await self._connection.execute(wanted)).scalars().all()
        if len(found) != end - first:
            raise TileMissing(f"not all records {first} to {end - 1} are there")
        return [bytes.fromhex(leaf) for leaf in found]


async def inclusion(
    reader: Reader, index: int, size: int, roots: Roots | None = None, suite: Suite = SHA256
) -> list[bytes]:
    """Audit path of record `index` in the tree of `size`, nearest sibling first.

    IndexError outside; TileMissing. Equal to `tree.inclusion` over all leaves.
    """
    if not 0 <= index < size:
        raise IndexError("the leaf lies outside the tree")
    spans, low, high = list[tuple[int, int]](), 0, size
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            spans.append((middle, high))
            high = middle
        else:
            spans.append((low, middle))
            low = middle
    tree = _Tree(reader, size, roots, suite)
    return [await tree.root(*span) for span in reversed(spans)]


async def consistency(
    reader: Reader, old: int, size: int, roots: Roots | None = None, suite: Suite = SHA256
) -> list[bytes]:
    """Proof that the first `old` of `size` records are the beginning.

    IndexError if `old` is larger; TileMissing. Equal to `tree.consistency` over all leaves.
    """
    if not 0 <= old <= size:
        raise IndexError("the old tree is larger than the new one")
    if old in (0, size):
        return []
    spans, low, high = list[tuple[int, int]](), 0, size
    while high != old:
        middle = low + split(high - low)
        if old <= middle:
            spans.append((middle, high))
            high = middle
        else:
            spans.append((low, middle))
            low = middle
    if low:  # else the verifier holds this root already: it is that of the old tree
        spans.append((low, high))
    tree = _Tree(reader, size, roots, suite)
    return [await tree.root(*span) for span in reversed(spans)]


async def root_at(
    reader: Reader, size: int, roots: Roots | None = None, suite: Suite = SHA256
) -> bytes:
    """Root of the tree over the first `size` records. TileMissing."""
    if size == 0:
        return suite.empty_root
    return await _Tree(reader, size, roots, suite).root(0, size)


def whole_tiles(old: int, new: int) -> Iterator[tuple[int, int]]:
    """(level, number) of the tiles that become whole from `old` to `new` records, lowest first."""
    for level in range(TOP):
        span = WIDTH ** (level + 1)
        if new < span:
            return
        for n in range(old // span, new // span):
            yield level, n


class Growth:
    """The loose entries of a tree; gives each tile as it becomes whole, lowest first.

    It knows the frontier, too: that is what the loose entries of all levels fold into.
    """

    def __init__(
        self, size: int = 0, loose: Sequence[Sequence[bytes]] = (), suite: Suite = SHA256
    ) -> None:
        self.size, self.suite = size, suite
        self._loose = [list(entries) for entries in loose] or [[]]
        if [len(entries) for entries in self._loose] != _loose_counts(size)[: len(self._loose)]:
            raise ValueError("these are not the loose entries of a tree of that size")

    @classmethod
    async def from_rows(cls, reader: Reader, size: int, suite: Suite = SHA256) -> Growth:
        """From the rows of a tree of `size` records. TileMissing."""
        tree, counts = _Tree(reader, size, None, suite), _loose_counts(size)
        spans = [WIDTH ** (level + 1) for level in range(len(counts))]
        loose = [
            await tree.entries(level, size // spans[level]) if count else []
            for level, count in enumerate(counts)
        ]
        return cls(size, loose, suite)

    def append(self, leaf: bytes) -> list[Tile]:
        """Add one leaf; the tiles that are whole now."""
        made = list[Tile]()
        self._loose[0].append(leaf)
        self.size += 1
        level, span = 0, WIDTH
        while len(self._loose[level]) == WIDTH:
            entries = self._loose[level]
            made.append(Tile(level, self.size // span - 1, b"".join(entries)))
            root = _fold(entries, self.suite)
            self._loose[level] = []
            level, span = level + 1, span * WIDTH
            if level == len(self._loose):
                self._loose.append([])
            self._loose[level].append(root)
        return made

    def frontier(self) -> Frontier:
        """Of the tree so far."""
        hashes = list[bytes]()
        for entries in reversed(self._loose):
            at = 0
            for power in reversed(range(HEIGHT)):
                if len(entries) >> power & 1:
                    hashes.append(_fold(entries[at : at + (1 << power)], self.suite))
                    at += 1 << power
        return Frontier(self.size, hashes, self.suite)


@dataclass(slots=True)
class _Tree:
    """One proof's view of a tree of `size` records: what it has read, it keeps."""

    reader: Reader
    size: int
    roots: Roots | None
    suite: Suite
    _seen: dict[tuple[int, int], Sequence[bytes]] = field(default_factory=dict)

    async def root(self, low: int, high: int) -> bytes:
        """Root over the records low … high-1, a range that a proof may ask for."""
        parts = [await self._perfect(*part) for part in _perfects(low, high)]
        root = parts.pop()
        while parts:
            root = self.suite.node(parts.pop(), root)
        return root

    async def entries(self, level: int, n: int) -> Sequence[bytes]:
        """Tile `n` of `level`: all its entries, or the loose ones if it is not whole."""
        if (level, n) not in self._seen:
            self._seen[level, n] = await self._read(level, n)
        return self._seen[level, n]

    async def _read(self, level: int, n: int) -> Sequence[bytes]:
        if (n + 1) * WIDTH ** (level + 1) <= self.size:
            (hashes,) = await self.reader.tiles(level, n, n + 1)
            return cut(hashes)
        first, end = n * WIDTH, self.size // WIDTH**level
        if level == 0:
            return await self.reader.leaves(first, end)
        return await self._roots(level - 1, first, end)

    async def _roots(self, level: int, first: int, end: int) -> Sequence[bytes]:
        """Roots of whole tiles; those that are not remembered are worked out, read at once."""
        known: Roots = {} if self.roots is None else self.roots
        found = [known.get((level, n)) for n in range(first, end)]
        unknown = [n for n, root in enumerate(found, first) if root is None]
        if unknown:
            low, high = unknown[0], unknown[-1] + 1
            tiles = await self.reader.tiles(level, low, high)
            for n in unknown:
                known[level, n] = found[n - first] = _root_of_tile(tiles[n - low], self.suite)
        return [root for root in found if root is not None]

    async def _perfect(self, height: int, at: int) -> bytes:
        """Root of the `at`th subtree of 2**height records, a perfect one."""
        level, power = divmod(height, HEIGHT)
        n, first = divmod(at << power, WIDTH)
        entries = await self.entries(level, n)
        return _fold(entries[first : first + (1 << power)], self.suite)


def _perfects(low: int, high: int) -> Iterator[tuple[int, int]]:
    """(height, number) of the perfect subtrees of a range, the largest first."""
    while low < high:
        height = (high - low).bit_length() - 1
        yield height, low >> height
        low += 1 << height


def _loose_counts(size: int) -> list[int]:
    """Loose entries a level, as many levels as have some tile or entry."""
    counts = [size % WIDTH]
    while size >= WIDTH:
        size //= WIDTH
        counts.append(size % WIDTH)
    return counts


def cut(hashes: bytes) -> list[bytes]:
    """Hashes that stand one after another, one by one."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def _root_of_tile(hashes: bytes, suite: Suite) -> bytes:
    """Root of a whole tile: `_fold` of its entries without cutting them apart."""
    both, pair = 2 * HASH_BYTES, suite.pair
    while len(hashes) > HASH_BYTES:
        parts = [hashes[at : at + both] for at in range(0, len(hashes), both)]
        hashes = b"".join([pair(part) for part in parts])
    return hashes


def _fold(entries: Sequence[bytes], suite: Suite) -> bytes:
    """Root over a power of two of entries."""
    while len(entries) > 1:
        pairs = zip(entries[::2], entries[1::2], strict=True)
        entries = [suite.node(left, right) for left, right in pairs]
    return entries[0]
