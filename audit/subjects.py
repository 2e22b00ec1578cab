"""How a body names its subjects: a list of tokens, or above 32 of them one text.

    up to 32   "subjects": ["9f2c…", …]              each token 32 hex digits
    more       "subjects_b64": "nyw…=="              the tokens' bytes one after another, base64

A list of 500 costs a Python step for each; one text costs none. Base64, not hex: two thirds
of the bytes, and no scan for id numbers mistakes a run of random hex digits for one.
Elsewhere in `audit/` several tokens are one `bytes`, 16 bytes each, in order, each once.
"""

from __future__ import annotations

import base64
from array import array
from collections.abc import Mapping
from typing import Any

TOKEN_BYTES = 16
LISTED = 32  # an answer that people read has fewer: their record stays readable, too
LIST, PACKED = "subjects", "subjects_b64"

_HEX = 2 * TOKEN_BYTES
_QUANTUM = 4  # base64 writes 3 bytes as 4 characters


def is_set(tokens: bytes) -> bool:
    """True for whole tokens, none of them twice."""
    if len(tokens) % TOKEN_BYTES:
        return False
    if len(tokens) <= TOKEN_BYTES:
        return True
    halves = array("Q", tokens)  # eight bytes of a token tell it from nearly every other
    if len(set(halves[::2])) * TOKEN_BYTES == len(tokens):
        return True
    return len(set(split(tokens))) * TOKEN_BYTES == len(tokens)


def split(tokens: bytes) -> list[bytes]:
    """The tokens one by one."""
    return [tokens[at : at + TOKEN_BYTES] for at in range(0, len(tokens), TOKEN_BYTES)]


def listed(tokens: bytes) -> list[str]:
    """The tokens as texts of 32 hex digits."""
    text = tokens.hex()
    return [text[at : at + _HEX] for at in range(0, len(text), _HEX)]


def seen_field(tokens: bytes) -> dict[str, Any]:
    """The body's member for those seen; none for nobody."""
    if not tokens:
        return {}
    if len(tokens) <= LISTED * TOKEN_BYTES:
        return {LIST: listed(tokens)}
    return {PACKED: base64.b64encode(tokens).decode()}


def seen_count(body: Mapping[str, Any]) -> int:
    """How many were seen. TypeError or AttributeError if the body has not a record's shape."""
    packed = body.get(PACKED, "")
    padded = len(packed) // _QUANTUM * 3 - packed.count("=")
    counted: int = len(body.get(LIST, ())) + padded // TOKEN_BYTES
    return counted


def seen_tokens(body: Mapping[str, Any]) -> list[bytes]:
    """Tokens of those seen, in order. ValueError for what is no token."""
    tokens = [bytes.fromhex(token) for token in body.get(LIST, ())]
    if PACKED not in body:
        return tokens
    packed = base64.b64decode(body[PACKED], validate=True)
    if len(packed) % TOKEN_BYTES:
        raise ValueError("a token is cut")
    return tokens + split(packed)
