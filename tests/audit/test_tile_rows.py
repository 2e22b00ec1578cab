"""The tree kept as unfinished tiles is the tree of RFC 6962, at every size and from the store."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.drill import made
from audit.plant import taken, write
from audit.tile_rows import Rows, split, stored_rows, tile_root
from audit.tiles import StoreReader, TileMissing
from audit.tree import Frontier, leaf, root_of

LEAVES = [sha256(b"%d" % n).digest() for n in range(700)]


@given(st.integers(0, 700), st.lists(st.integers(0, 300), max_size=4))
def test_however_it_grows_root_and_frontier_are_those_of_the_tree(
    size: int, steps: list[int]
) -> None:
    rows, at, tiles = Rows(), 0, []
    for end in [*sorted(min(step, size) for step in steps), size]:
        tiles += rows.extend(LEAVES[at:end])
        at = end
    plain = Frontier()
    for one in LEAVES[:size]:
        plain.append(one)
    assert (rows.size, rows.root()) == (size, root_of(LEAVES[:size]))
    assert rows.frontier().encode() == plain.encode()
    assert [(tile.level, tile.n) for tile in tiles] == [(0, n) for n in range(size // 256)]
    for tile in tiles:
        assert split(tile.hashes) == LEAVES[256 * tile.n : 256 * (tile.n + 1)]


def test_a_tile_above_is_made_of_roots_below() -> None:
    rows, tiles, leaves = Rows(), [], [sha256(b"%d" % n).digest() for n in range(65_600)]
    for at in range(0, len(leaves), 1_000):
        tiles += rows.extend(leaves[at : at + 1_000])
    (above,) = [tile for tile in tiles if tile.level == 1]
    assert above.n == 0
    below = [tile_root(split(tile.hashes)) for tile in tiles if tile.level == 0]
    assert split(above.hashes) == below[:256]
    assert rows.root() == root_of(leaves)


@pytest.mark.anyio
async def test_the_store_gives_the_rows_of_any_size_it_has(engine: AsyncEngine) -> None:
    store = made(400)
    async with engine.begin() as connection:
        await write(connection, store, [])
    async with engine.connect() as connection:
        reader = StoreReader(connection)
        bodies = (await taken(connection)).bodies
        assert len(bodies) == 400
        grown = Rows()
        for size in (0, 1, 255, 256, 257, 300, 390):
            found = await stored_rows(reader, size)
            leaves = await reader.leaves(grown.size, size)
            grown.extend(leaves)
            assert (found.size, found.root()) == (size, grown.root()), size
        with pytest.raises(TileMissing):
            await stored_rows(reader, 600)


def test_a_leaf_is_hashed_as_a_leaf() -> None:
    rows = Rows()
    rows.extend([leaf(b"a")])
    assert rows.root() == leaf(b"a")
