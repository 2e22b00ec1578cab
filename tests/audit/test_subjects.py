"""Up to 32 subjects are a list that people can read, more are one text; both say the same."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from audit.subjects import is_set, listed, seen_count, seen_field, seen_tokens


def tokens(count: int) -> bytes:
    return b"".join(hashlib.sha256(n.to_bytes(4)).digest()[:16] for n in range(count))


@pytest.mark.parametrize(
    ("count", "field"),
    [
        (1, "subjects"),
        (32, "subjects"),
        (33, "subjects_b64"),
        (34, "subjects_b64"),
        (500, "subjects_b64"),
    ],
)
def test_what_is_written_is_read_again(count: int, field: str) -> None:
    body = seen_field(tokens(count))
    assert list(body) == [field]
    assert seen_count(body) == count
    assert b"".join(seen_tokens(body)) == tokens(count)


def test_nobody_is_no_member() -> None:
    assert seen_field(b"") == {}
    assert (seen_count({}), seen_tokens({})) == (0, [])


def test_five_hundred_are_eleven_kilobytes() -> None:
    assert len(seen_field(tokens(500))["subjects_b64"]) == 10_668


def test_a_list_is_of_hex_digits() -> None:
    assert listed(bytes(16) + b"\xab" * 16) == ["00" * 16, "ab" * 16]


@pytest.mark.parametrize(
    ("given", "good"),
    [
        (b"", True),
        (bytes(16), True),
        (bytes(17), False),
        (bytes(15), False),
        (bytes(32), False),
        (b"a" * 16 + b"b" * 16 + b"a" * 16, False),
        (b"a" * 8 + b"b" * 8 + b"a" * 8 + b"c" * 8, True),  # alike in their first half
        (b"b" * 8 + b"a" * 8 + b"c" * 8 + b"a" * 8, True),  # alike in their second half
        (tokens(500), True),
        (tokens(500) + tokens(1), False),
    ],
)
def test_tokens_are_whole_and_none_is_there_twice(given: bytes, good: bool) -> None:
    assert is_set(given) is good


@pytest.mark.parametrize("text", ["AAAA", "中", "A" * 22 + "= ", "A" * 21 + "-=="])
def test_a_text_that_holds_no_tokens_is_no_list_of_them(text: str) -> None:
    body: dict[str, Any] = {"subjects_b64": text}
    with pytest.raises(ValueError, match=r"cut|ASCII|base64|padding|discontinuous|excess|Only"):
        seen_tokens(body)
