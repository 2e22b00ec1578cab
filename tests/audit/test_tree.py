"""RFC 6962: its vectors, and its recursive definitions at random sizes."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency,
    inclusion,
    leaf,
    node,
    root_of,
    verify_consistency,
    verify_inclusion,
)

INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [  # of the first 1…8 inputs, as published with RFC 6962's reference code
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf(str(n).encode()) for n in range(300)]
SIZES = st.integers(1, len(LEAVES))


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = naive_split(len(leaves))
    return node(naive_root(leaves[:split]), naive_root(leaves[split:]))


def naive_split(size: int) -> int:
    split = 1
    while split * 2 < size:
        split *= 2
    return split


def naive_path(at: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    split = naive_split(len(leaves))
    if at < split:
        return [*naive_path(at, leaves[:split]), naive_root(leaves[split:])]
    return [*naive_path(at - split, leaves[split:]), naive_root(leaves[:split])]


def naive_proof(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    split = naive_split(len(leaves))
    if old <= split:
        return [*naive_proof(old, leaves[:split], whole), naive_root(leaves[split:])]
    return [*naive_proof(old - split, leaves[split:], False), naive_root(leaves[:split])]


def test_leaf_and_node_are_told_apart_by_their_first_byte() -> None:
    assert leaf(b"ab") == sha256(b"\0ab").digest()
    assert node(b"a", b"b") == sha256(b"\1ab").digest()


def test_published_roots() -> None:
    hashes = [leaf(data) for data in INPUTS]
    assert [root_of(hashes[:size]).hex() for size in range(1, 9)] == ROOTS
    assert root_of([]) == EMPTY_ROOT == sha256(b"").digest()


@given(SIZES)
@settings(max_examples=60)
def test_frontier_root_is_the_recursive_root(size: int) -> None:
    frontier = Frontier()
    for one in LEAVES[:size]:
        frontier.append(one)
    assert frontier.root() == naive_root(LEAVES[:size])
    assert frontier.size == size


@given(SIZES, st.integers(0, 40))
@settings(max_examples=60)
def test_a_stored_frontier_goes_on_where_it_stopped(size: int, more: int) -> None:
    frontier = Frontier()
    for one in LEAVES[:size]:
        frontier.append(one)
    again = Frontier.decode(size, frontier.encode())
    for one in LEAVES[:more]:
        again.append(one)
    assert again.root() == naive_root(LEAVES[:size] + LEAVES[:more])
    assert len(frontier.encode()) == 32 * size.bit_count()


@pytest.mark.parametrize(("size", "data"), [(1, b""), (2, b"x" * 64), (1, b"x" * 31), (-1, b"")])
def test_a_frontier_of_the_wrong_size_is_refused(size: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="frontier"):
        Frontier.decode(size, data)


@given(SIZES.flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
@settings(max_examples=80)
def test_inclusion_proof_is_that_of_the_rfc_and_verifies(case: tuple[int, int]) -> None:
    size, at = case
    leaves = LEAVES[:size]
    path, root = inclusion(leaves, at), naive_root(leaves)
    assert path == naive_path(at, leaves)
    assert verify_inclusion(leaves[at], at, size, path, root)
    assert not verify_inclusion(leaf(b"other"), at, size, path, root)
    assert not verify_inclusion(leaves[at], at, size, [*path, root], root)
    assert not verify_inclusion(leaves[at], at, size, path, leaf(b"other"))
    if path:
        assert not verify_inclusion(leaves[at], at, size, path[:-1], root)


@given(SIZES.flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size))))
@settings(max_examples=80)
def test_consistency_proof_is_that_of_the_rfc_and_verifies(case: tuple[int, int]) -> None:
    new, old = case
    leaves = LEAVES[:new]
    proof = consistency(leaves, old)
    was, now = naive_root(leaves[:old]), naive_root(leaves)
    assert proof == naive_proof(old, leaves)
    assert verify_consistency(old, new, was, now, proof)
    assert not verify_consistency(old, new, leaf(b"other"), now, proof)
    assert not verify_consistency(old, new, was, leaf(b"other"), proof)
    assert not verify_consistency(old, new, was, now, [*proof, was])
    if proof:
        assert not verify_consistency(old, new, was, now, proof[:-1])


def test_every_tree_begins_with_the_empty_one() -> None:
    root = root_of(LEAVES[:5])
    assert consistency(LEAVES[:5], 0) == []
    assert verify_consistency(0, 5, EMPTY_ROOT, root, [])
    assert not verify_consistency(0, 5, root, root, [])
    assert not verify_consistency(6, 5, root, root, [])
    assert not verify_consistency(4, 5, root, root, [])
    assert not verify_consistency(3, 5, root, root, [])


def test_what_lies_outside_the_tree_has_no_proof() -> None:
    with pytest.raises(IndexError):
        inclusion(LEAVES[:3], 3)
    with pytest.raises(IndexError):
        consistency(LEAVES[:3], 4)
    assert not verify_inclusion(LEAVES[0], 1, 1, [], LEAVES[0])
