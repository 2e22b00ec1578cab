"""Subject tokens: keyed, versioned, told by nothing but the ring."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from audit.tokens import SubjectTokens

OLD, NEW = b"the old key, thirty-two bytes....", b"the new key, thirty-two bytes...."


def test_a_token_is_the_first_half_of_a_keyed_hash() -> None:
    said = SubjectTokens({1: OLD}).token("uid-1")
    assert said == hmac.new(OLD, b"citizen\0uid-1", hashlib.sha256).digest()[:16].hex()


def test_the_newest_key_makes_tokens_and_a_search_tries_all() -> None:
    ring = SubjectTokens({1: OLD, 3: NEW})
    assert ring.version == 3
    assert ring.token("uid-1") == SubjectTokens({3: NEW}).token("uid-1")
    assert ring.all_tokens("uid-1") == (
        SubjectTokens({3: NEW}).token("uid-1"),
        SubjectTokens({1: OLD}).token("uid-1"),
    )


@pytest.mark.parametrize("ring", [{}, {0: OLD}, {1: b"short"}])
def test_a_ring_without_a_good_key_is_refused(ring: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        SubjectTokens(ring)


def test_a_ring_does_not_print_its_keys() -> None:
    assert repr(SubjectTokens({1: OLD, 2: NEW})) == "SubjectTokens(versions=[1, 2])"
