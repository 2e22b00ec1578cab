"""Whole tiles of the tree: what proofs are made from, compared with the recomputed ones."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.tile_rows import split
from audit.tiles import HEIGHT, WIDTH, Tile
from audit.verify.verdict import Code, Found
from store.audit import audit_tile


async def judge(
    connection: AsyncConnection, found: Found, made: Sequence[Tile], covered: int
) -> None:
    """`made` from the records; each must be stored if a checkpoint of `covered` covers it."""
    if not made:
        return
    stored = await _stored(connection, made)
    for tile in made:
        hashes = stored.get((tile.level, tile.n))
        span = 1 << HEIGHT * tile.level  # records under one hash
        first = tile.n * span * WIDTH
        if hashes is None:
            if first + span * WIDTH <= covered:
                about = f"tile {tile.level}/{tile.n} is missing"
                found.within(first, first + span * WIDTH, Code.TILE, about)
        elif hashes != tile.hashes:
            at = _differs(hashes, tile.hashes)
            about = f"tile {tile.level}/{tile.n} is not that of the records"
            found.within(first + at * span, first + (at + 1) * span, Code.TILE, about)


async def judge_end(connection: AsyncConnection, found: Found, size: int) -> None:
    """No tile may be stored that a tree of `size` has not."""
    table = audit_tile.c
    query = select(table.level, func.max(table.n), func.min(table.n)).group_by(table.level)
    for level, last, first in await connection.execute(query):
        whole = size >> HEIGHT * (level + 1) if level >= 0 else 0
        if last >= whole or first < 0:
            found.add(size, Code.TILE, f"tile {level}/{last} is stored, but not whole")


async def _stored(
    connection: AsyncConnection, made: Sequence[Tile]
) -> dict[tuple[int, int], bytes]:
    table = audit_tile.c
    spans = [
        (table.level == level) & table.n.between(min(ns), max(ns))
        for level in sorted({tile.level for tile in made})
        if (ns := [tile.n for tile in made if tile.level == level])
    ]
    query = select(table.level, table.n, table.hashes).where(or_(*spans))
    return {(level, n): hashes for level, n, hashes in await connection.execute(query)}


def _differs(one: bytes, other: bytes) -> int:
    """The first place at which two tiles differ."""
    pairs = zip(split(one), split(other), strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), 0)
