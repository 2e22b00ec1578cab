"""Subject tokens: keyed, versioned, told by nothing but the ring."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from audit.subjects import split
from audit.tokens import SubjectTokens

OLD, NEW = b"the old key, thirty-two bytes....", b"the new key, thirty-two bytes...."


def uid(number: int) -> str:
    """A citizen_uid as the hub makes them."""
    return "1-" + hashlib.sha256(str(number).encode()).hexdigest()[:32]


def test_a_token_is_the_uid_s_block_under_a_key_of_its_own() -> None:
    key = hmac.new(OLD, b"citizen-token/2", hashlib.sha256).digest()
    block = bytes.fromhex(uid(1)[2:])
    encryptor = Cipher(AES(key), ECB()).encryptor()
    assert SubjectTokens({1: OLD}).token(uid(1)) == encryptor.update(block).hex()


@pytest.mark.parametrize(
    "other",
    [
        "uid-1",
        "",
        uid(1)[2:],
        uid(1) + "0",
        uid(1)[:-1],
        "2" + uid(1)[1:],
        "1_" + uid(1)[2:],
        uid(1).replace(uid(1)[2:], uid(1)[2:].upper()),
        "1-" + " " + uid(1)[3:],
        "1-" + "g" + uid(1)[3:],
        "1-" + "-" + uid(1)[3:],
        "1-" + "，" + uid(1)[3:],
        uid(1) + "," + uid(2),
    ],
)
def test_a_uid_of_another_shape_has_half_a_keyed_hash(other: str) -> None:
    ring = SubjectTokens({1: OLD})
    half = hmac.new(OLD, b"citizen\0" + other.encode(), hashlib.sha256).digest()[:16]
    assert ring.token(other) == half.hex()
    many = [uid(2), other, uid(3)]
    assert ring.tokens(many) == b"".join(bytes.fromhex(ring.token(u)) for u in many)


@given(st.lists(st.integers(0, 10_000), max_size=40))
def test_many_tokens_are_those_of_each_in_order(numbers: list[int]) -> None:
    ring = SubjectTokens({1: OLD})
    uids = [uid(n) for n in numbers]
    assert ring.tokens(uids) == b"".join(bytes.fromhex(ring.token(u)) for u in uids)


def test_different_uids_have_different_tokens_under_different_keys() -> None:
    uids = [uid(n) for n in range(2_000)]
    tokens = SubjectTokens({1: OLD}).tokens(uids) + SubjectTokens({1: NEW}).tokens(uids)
    assert len({*split(tokens)}) == 4_000
    assert not {*split(tokens)} & {bytes.fromhex(u[2:]) for u in uids}


def test_the_newest_key_makes_tokens_and_a_search_tries_all() -> None:
    ring = SubjectTokens({1: OLD, 3: NEW})
    assert ring.version == 3
    for one in ("uid-1", uid(1)):
        assert ring.token(one) == SubjectTokens({3: NEW}).token(one)
        assert ring.all_tokens(one) == (
            SubjectTokens({3: NEW}).token(one),
            SubjectTokens({1: OLD}).token(one),
        )


@pytest.mark.parametrize("ring", [{}, {0: OLD}, {1: b"short"}])
def test_a_ring_without_a_good_key_is_refused(ring: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        SubjectTokens(ring)


def test_a_ring_does_not_print_its_keys() -> None:
    assert repr(SubjectTokens({1: OLD, 2: NEW})) == "SubjectTokens(versions=[1, 2])"
