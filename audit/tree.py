"""The Merkle tree over the log, as RFC 6962 section 2.1 defines it; pure.

A tree of size n is split at the largest power of two below n. Its root therefore is the
fold of the perfect subtrees that the binary digits of n name, and those ≤ 63 hashes, the
*frontier*, are all that appending needs. Proofs are the sibling hashes on the way up:

    inclusion(leaves, i)     leaf i belongs to the tree over `leaves`
    consistency(leaves, m)   the tree over leaves[:m] is the beginning of that tree

Every hash has 32 bytes; 0x00 before a leaf's bytes and 0x01 before a pair keep a pair from
ever being taken for a leaf. Which function hashes is the log's *suite*, fixed when the log
begins and part of its name: SHA-256, or SM3 (`suite.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

SUITE = "sha256"
HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf(data: bytes) -> bytes:
    """Hash of one record's bytes."""
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def pair(both: bytes) -> bytes:
    """Hash of two subtrees whose hashes are one text."""
    return sha256(b"\x01" + both).digest()


@dataclass(frozen=True, slots=True)
class Suite:
    """How a log hashes: functions, not methods, because every append calls them."""

    name: str
    leaf: Callable[[bytes], bytes]
    node: Callable[[bytes, bytes], bytes]
    pair: Callable[[bytes], bytes]  # `node` of two hashes in one text
    empty_root: bytes


SHA256 = Suite(SUITE, leaf, node, pair, EMPTY_ROOT)


class Frontier:
    """Roots of the perfect subtrees of a tree of `size` leaves, the largest first."""

    __slots__ = ("_hashes", "size", "suite")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = (), suite: Suite = SHA256) -> None:
        self.size, self._hashes, self.suite = size, list(hashes), suite
        if size < 0 or len(self._hashes) != size.bit_count():
            raise ValueError("a frontier has one hash for each binary one of its size")
        if any(len(h) != HASH_BYTES for h in self._hashes):
            raise ValueError("a frontier's hashes have 32 bytes")

    @classmethod
    def decode(cls, size: int, data: bytes, suite: Suite = SHA256) -> Frontier:
        """From `encode`; ValueError if the bytes do not belong to a tree of `size`."""
        step = HASH_BYTES
        return cls(size, (data[at : at + step] for at in range(0, len(data), step)), suite)

    def encode(self) -> bytes:
        """The hashes one after another, 32 bytes each."""
        return b"".join(self._hashes)

    def append(self, leaf_hash: bytes) -> None:
        """Add one leaf."""
        self.extend((leaf_hash,))

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Add leaves: for each as many merges as the old size ends in binary ones."""
        hashes, node, size = self._hashes, self.suite.node, self.size
        for one in leaf_hashes:
            merges, size = size, size + 1
            while merges & 1:
                one = node(hashes.pop(), one)
                merges >>= 1
            hashes.append(one)
        self.size = size

    def root(self) -> bytes:
        """Root of the tree so far."""
        if not self._hashes:
            return self.suite.empty_root
        *rest, root = self._hashes
        for left in reversed(rest):
            root = self.suite.node(left, root)
        return root

    def consistency(self, later: Sequence[bytes]) -> list[bytes]:
        """`consistency` of this tree and the one that goes on with the leaves `later`."""
        lefts, rights = list(self._hashes), list[bytes]()
        low, high = 0, self.size + len(later)
        while high != self.size and self.size:
            middle = low + split(high - low)
            if self.size <= middle:
                right = later[middle - self.size : high - self.size]
                rights.append(root_of(right, self.suite))
                high = middle
            else:
                rights.append(lefts.pop(0))
                low = middle
        # What is left of this tree is whole in the other: named unless it is all of this tree.
        return [*lefts, *rights[::-1]] if low else rights[::-1]


def root_of(leaves: Sequence[bytes], suite: Suite = SHA256) -> bytes:
    """Root over leaf hashes."""
    frontier = Frontier(suite=suite)
    for one in leaves:
        frontier.append(one)
    return frontier.root()


def inclusion(leaves: Sequence[bytes], index: int, suite: Suite = SHA256) -> list[bytes]:
    """Audit path of leaf `index`, nearest sibling first (RFC 6962 2.1.1). IndexError outside."""
    if not 0 <= index < len(leaves):
        raise IndexError("the leaf lies outside the tree")
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            path.append(root_of(leaves[middle:high], suite))
            high = middle
        else:
            path.append(root_of(leaves[low:middle], suite))
            low = middle
    return path[::-1]


def consistency(leaves: Sequence[bytes], old: int, suite: Suite = SHA256) -> list[bytes]:
    """Proof that the first `old` leaves are the beginning (RFC 6962 2.1.2)."""
    if not 0 <= old <= len(leaves):
        raise IndexError("the old tree is larger than the new one")
    proof: list[bytes] = []
    low, high = 0, len(leaves)
    if old in (low, high):
        return proof
    while high != old:
        middle = low + split(high - low)
        if old <= middle:
            proof.append(root_of(leaves[middle:high], suite))
            high = middle
        else:
            proof.append(root_of(leaves[low:middle], suite))
            low = middle
    # The verifier holds the old root already when it is a whole subtree of the new tree.
    return [root_of(leaves[low:high], suite), *proof[::-1]] if low else proof[::-1]


def verify_inclusion(
    leaf_hash: bytes,
    index: int,
    size: int,
    path: Sequence[bytes],
    root: bytes,
    suite: Suite = SHA256,
) -> bool:
    """True if `path` leads from the leaf at `index` to the `root` of a tree of `size`."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            return False
        found, at, last = _step(suite, found, sibling, at, last)
    return last == 0 and found == root


def _step(suite: Suite, found: bytes, sibling: bytes, at: int, last: int) -> tuple[bytes, int, int]:
    if not (at & 1 or at == last):
        return suite.node(found, sibling), at >> 1, last >> 1
    while not at & 1:  # the right edge skips the levels where it has no sibling
        at, last = at >> 1, last >> 1
    return suite.node(sibling, found), at >> 1, last >> 1


def verify_consistency(
    old: int,
    new: int,
    old_root: bytes,
    new_root: bytes,
    proof: Sequence[bytes],
    suite: Suite = SHA256,
) -> bool:
    """True if `proof` shows that the tree of `new` leaves begins with that of `old`."""
    if old == new:
        return not proof and old_root == new_root
    if not 0 <= old < new:
        return False
    if old == 0:
        return not proof and old_root == suite.empty_root
    return _climb(suite, old - 1, new - 1, old_root, new_root, proof)


def _climb(
    suite: Suite, at: int, last: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    while at & 1:
        at, last = at >> 1, last >> 1
    hashes = list(proof) if at else [old_root, *proof]
    if not hashes:
        return False
    was = now = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            was = suite.node(sibling, was)
        now, at, last = _step(suite, now, sibling, at, last)
    return last == 0 and was == old_root and now == new_root


def split(size: int) -> int:
    """Largest power of two below `size` (size ≥ 2)."""
    return int(1 << ((size - 1).bit_length() - 1))
