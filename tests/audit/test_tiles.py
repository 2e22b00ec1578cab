"""Tiles: the proofs of the whole tree from a few rows, and how few those rows are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from audit import tree
from audit.tiles import (
    HEIGHT,
    TILE_BYTES,
    WIDTH,
    Growth,
    StoreReader,
    Tile,
    TileMissing,
    consistency,
    inclusion,
    root_at,
    whole_tiles,
)
from store.audit import audit_event, audit_tile

LARGEST = 140_000  # three levels, the second with two whole tiles and some loose
LEAVES = [tree.leaf(str(n).encode()) for n in range(LARGEST)]
SMALL = 70


@dataclass(slots=True)
class Rows:
    """A reader over a list, as a checkpoint of `size` would have left the rows; it counts."""

    size: int
    tiles_read: list[tuple[int, int]] = field(default_factory=list)
    leaves_read: int = 0

    async def tiles(self, level: int, first: int, end: int) -> Sequence[bytes]:
        assert end * WIDTH ** (level + 1) <= self.size  # whole below the checkpoint
        self.tiles_read.extend((level, n) for n in range(first, end))
        return [TILES[level, n] for n in range(first, end)]

    async def leaves(self, first: int, end: int) -> Sequence[bytes]:
        assert end <= self.size
        self.leaves_read += end - first
        return LEAVES[first:end]


def _grown(size: int) -> tuple[Growth, dict[tuple[int, int], bytes]]:
    growth, made = Growth(), dict[tuple[int, int], bytes]()
    for one in LEAVES[:size]:
        made |= {(tile.level, tile.n): tile.hashes for tile in growth.append(one)}
    return growth, made


GROWTH, TILES = _grown(LARGEST)


def _span(low: int, high: int) -> bytes:
    """Root over a range, quickly: the naive definitions over 140,000 leaves take seconds each."""
    size = high - low
    if size == 1:
        return LEAVES[low]
    if low % size == 0 and size.bit_count() == 1:
        return PERFECT.setdefault((low, size), _halves(low, high))
    return _halves(low, high)


def _halves(low: int, high: int) -> bytes:
    found = PERFECT.get((low, high - low))
    middle = low + tree.split(high - low)
    return found or tree.node(_span(low, middle), _span(middle, high))


PERFECT: dict[tuple[int, int], bytes] = {}


def _path(at: int, low: int, high: int) -> list[bytes]:
    if high - low == 1:
        return []
    middle = low + tree.split(high - low)
    if at < middle:
        return [*_path(at, low, middle), _span(middle, high)]
    return [*_path(at, middle, high), _span(low, middle)]


def _proof(old: int, low: int, high: int, whole: bool = True) -> list[bytes]:
    if old == high:
        return [] if whole else [_span(low, high)]
    middle = low + tree.split(high - low)
    if old <= middle:
        return [*_proof(old, low, middle, whole), _span(middle, high)]
    return [*_proof(old, middle, high, False), _span(low, middle)]


def test_every_small_tree_has_the_proofs_of_the_whole_tree() -> None:
    async def judged() -> int:
        count = 0
        for size in range(SMALL + 1):
            leaves = LEAVES[:size]
            assert await root_at(Rows(size), size) == tree.root_of(leaves)
            for index in range(size):
                assert await inclusion(Rows(size), index, size) == tree.inclusion(leaves, index)
            for old in range(size + 1):
                assert await consistency(Rows(size), old, size) == tree.consistency(leaves, old)
            count += 2 * size + 2
        return count

    assert asyncio.run(judged()) == SMALL * (SMALL + 1) + 2 * (SMALL + 1)


EDGES = [WIDTH**k + d for k in (1, 2) for d in (-1, 0, 1)] + [2 * WIDTH**2, LARGEST]
SIZES = st.one_of(st.sampled_from(EDGES), st.integers(1, LARGEST))


@given(SIZES, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_large_trees_too_and_no_rescan(size: int, random: Random) -> None:
    async def judged() -> None:
        index, old = random.randrange(size), random.randrange(size + 1)
        for made, wanted in (
            (inclusion(rows := Rows(size), index, size), _path(index, 0, size)),
            (consistency(more := Rows(size), old, size), _proof(old, 0, size) if old else []),
        ):
            assert await made == wanted
        for read in (rows, more):
            _few(read, size)
        assert await root_at(Rows(size), size) == _span(0, size)

    asyncio.run(judged())


def _few(rows: Rows, size: int) -> None:
    """A tile a level for the path, and the loose entries of each level once."""
    levels = -(-size.bit_length() // HEIGHT)
    loose = [size // WIDTH ** (level + 1) % WIDTH for level in range(levels)]
    assert rows.leaves_read <= size % WIDTH
    assert len(rows.tiles_read) <= levels + sum(loose)
    assert sum(loose) <= levels * (WIDTH - 1)


def test_a_proof_in_three_levels_reads_what_it_must() -> None:
    """140,000 = 2 · 256² + 34 · 256 + 224 records."""
    rows = Rows(LARGEST)
    roots: dict[tuple[int, int], bytes] = {}
    first = asyncio.run(inclusion(rows, 100_000, LARGEST, roots))
    path = [(0, 100_000 // WIDTH), (1, 100_000 // WIDTH**2)]
    loose = [(0, n) for n in range(512, 546)] + [(1, 0), (1, 1)]
    assert sorted(rows.tiles_read) == sorted(path + loose)
    assert rows.leaves_read == 224
    # Roots are remembered: the next proof reads its path alone.
    again = Rows(LARGEST)
    second = asyncio.run(inclusion(again, 100_001, LARGEST, roots))
    assert sorted(again.tiles_read) == path
    assert (len(roots), again.leaves_read) == (36, 224)
    assert [first[1:], len(first)] == [second[1:], 18]
    assert tree.verify_inclusion(LEAVES[100_000], 100_000, LARGEST, first, _span(0, LARGEST))


def test_outside_the_tree_there_is_no_proof() -> None:
    with pytest.raises(IndexError):
        asyncio.run(inclusion(Rows(3), 3, 3))
    with pytest.raises(IndexError):
        asyncio.run(consistency(Rows(3), 4, 3))


def test_which_tiles_become_whole() -> None:
    assert list(whole_tiles(0, 255)) == []
    assert list(whole_tiles(0, 256)) == [(0, 0)]
    assert list(whole_tiles(255, 513)) == [(0, 0), (0, 1)]
    assert list(whole_tiles(65_279, 65_536)) == [(0, 254), (0, 255), (1, 0)]
    assert list(whole_tiles(65_536, 65_537)) == []
    assert set(TILES) == set(whole_tiles(0, LARGEST))
    assert {len(hashes) for hashes in TILES.values()} == {TILE_BYTES}


@given(SIZES, st.integers(0, 600))
@settings(max_examples=40, deadline=None)
def test_growth_goes_on_from_rows_where_it_stopped(size: int, more: int) -> None:
    more = min(more, LARGEST - size)
    growth = asyncio.run(Growth.from_rows(Rows(size), size))
    assert growth.frontier().root() == _span(0, size)
    made = [tile for one in LEAVES[size : size + more] for tile in growth.append(one)]
    assert [(t.level, t.n) for t in sorted(made, key=lambda t: (t.level, t.n))] == list(
        whole_tiles(size, size + more)
    )
    assert all(TILES[tile.level, tile.n] == tile.hashes for tile in made)
    assert (growth.size, growth.frontier().root()) == (size + more, _span(0, size + more))


def test_loose_entries_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="loose entries"):
        Growth(2, [LEAVES[:1]])


@pytest.mark.anyio
async def test_the_store_gives_what_is_there_and_says_what_is_not(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(audit_event.insert(), [_event(n) for n in range(300)])
        await connection.execute(audit_tile.insert(), [_row(Tile(0, 0, TILES[0, 0]))])
    async with engine.connect() as connection:
        reader = StoreReader(connection)
        for index in (0, 255, 256, 299):
            path = await inclusion(reader, index, 300)
            assert path == tree.inclusion(LEAVES[:300], index)
        assert await consistency(reader, 257, 300) == tree.consistency(LEAVES[:300], 257)
        assert await root_at(reader, 300) == tree.root_of(LEAVES[:300])
        with pytest.raises(TileMissing):
            await inclusion(reader, 5, 600)
        with pytest.raises(TileMissing):
            await inclusion(reader, 299, 301)


def _row(tile: Tile) -> dict[str, object]:
    return {"level": tile.level, "n": tile.n, "hashes": tile.hashes}


def _event(n: int) -> dict[str, object]:
    """The least that the table takes; only the leaf is read."""
    return {
        "idx": n,
        "id": str(n),
        "ts": n,
        "writer": "w",
        "wseq": n + 1,
        "kind": "READ",
        "outcome": "OK",
        "row_count": 0,
        "subject_count": 0,
        "break_glass": False,
        "part": 1,
        "parts": 1,
        "leaf": LEAVES[n].hex(),
        "body": "{}",
    }
