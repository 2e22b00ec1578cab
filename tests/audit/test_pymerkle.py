"""Proofs are those of an implementation that is not ours (pymerkle)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pymerkle

from audit.tiles import WIDTH, Growth, consistency, inclusion, root_at
from audit.tree import leaf, verify_consistency, verify_inclusion

SIZE = 300  # a whole tile and loose leaves; the other implementation walks them all for each proof
PAIRS = 5_000
RECORDS = [str(n).encode() for n in range(SIZE)]
LEAVES = [leaf(record) for record in RECORDS]


class Rows:
    """A reader over lists."""

    def __init__(self) -> None:
        growth = Growth()
        made = [tile for one in LEAVES for tile in growth.append(one)]
        self._tiles = [tile.hashes for tile in made if tile.level == 0]

    async def tiles(self, level: int, first: int, end: int) -> Sequence[bytes]:
        assert level == 0  # 256 tiles would be whole at 65,536 records
        return self._tiles[first:end]

    async def leaves(self, first: int, end: int) -> Sequence[bytes]:
        return LEAVES[first:end]


def test_ten_thousand_random_proofs_agree() -> None:
    other, rows, random = pymerkle.InmemoryTree(algorithm="sha256"), Rows(), Random(6962)
    for record in RECORDS:
        other.append(record)
    roots = [other.get_state(size) for size in range(SIZE + 1)]

    async def judged() -> tuple[int, int]:
        inclusions = consistencies = 0
        for _ in range(PAIRS):
            size = random.randint(1, SIZE)
            index, old = random.randrange(size), random.randint(1, size)
            path = await inclusion(rows, index, size)
            # Theirs begins with the leaf and its sibling, in the order of the log.
            theirs = _hashes(other.prove_inclusion(index + 1, size))
            theirs.remove(LEAVES[index])
            assert path == theirs
            assert verify_inclusion(LEAVES[index], index, size, path, roots[size])
            inclusions += 1
            proof = await consistency(rows, old, size)
            # Theirs has another form (each perfect part of the old tree): both must hold.
            agreed = other.prove_consistency(old, size)
            pymerkle.verify_consistency(roots[old], roots[size], agreed)
            assert verify_consistency(old, size, roots[old], roots[size], proof)
            consistencies += 1
        for size in (1, WIDTH - 1, WIDTH, WIDTH + 1, SIZE):
            assert await root_at(rows, size) == roots[size]
        return inclusions, consistencies

    assert asyncio.run(judged()) == (PAIRS, PAIRS)


def _hashes(proof: object) -> list[bytes]:
    path = proof.path  # type: ignore[attr-defined]
    return [one if isinstance(one, bytes) else bytes.fromhex(one) for one in path]
