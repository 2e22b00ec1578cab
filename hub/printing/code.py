"""The check code on a paper: chance, in groups that can be read out and typed.

Nothing leads from a number to its code: whoever has the code has held the paper.
"""

from __future__ import annotations

import secrets
import unicodedata

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No 0 and O, no 1, I and L, no U."""
LENGTH, GROUP = 16, 4  # 78 bits: nobody tries them out
NO_CODE = "-".join(["0" * GROUP] * (LENGTH // GROUP))
"""What is looked up for a text that can be no code, so that it costs as much: it is no code."""


def new_code() -> str:
    """``7K3M-QX9D-…``, of the system's own chance."""
    return grouped("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)), GROUP, "-")


def grouped(text: str, size: int, mark: str = " ") -> str:
    """The text in groups."""
    return mark.join(text[at : at + size] for at in range(0, len(text), size))


def code_of(text: str) -> str:
    """The code somebody typed, in any width and case, with any marks between; else NO_CODE."""
    plain = _plain(text).upper()
    if len(plain) != LENGTH or not {*plain} <= {*ALPHABET}:
        return NO_CODE
    return grouped(plain, GROUP, "-")


def digest_of(text: str) -> str:
    """A sha256 somebody typed, the same way; whatever it is, it is compared as a whole."""
    return _plain(text).lower()


def _plain(text: str) -> str:
    if len(text) > 4 * (LENGTH + 64):
        return ""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if c.isalnum())
