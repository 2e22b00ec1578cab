"""Subjects are named in the log by keyed tokens, never by what identifies them (P3).

Decision of this project: a token is made of the store's own keyed `citizen_uid`, not of the
id number, so that no id number ever reaches `audit/`. The audit keys are a ring of their
own, kept outside the database and as long as the records: losing a key loses the view of
who saw whom. Plain hashes would be guessable, an id number has few unknown digits.

A uid ``1-`` + 32 hex digits is 16 bytes, one block: its token is that block under AES-256,
a keyed permutation, so that 500 of them are one call (ADR 0006 says why this is as good as
a keyed hash here). A uid of any other shape gets the first half of an HMAC.
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Collection, Mapping

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

from audit.subjects import TOKEN_BYTES

MIN_KEY_BYTES = 16  # a shorter key could be searched for
PURPOSE = b"citizen-token/2"  # the block cipher's key is good for nothing else

# A uid and a comma: "1-" (the version of the county's key), 32 hex digits, ",".
_STRIDE = 2 + 2 * TOKEN_BYTES + 1
_END = ","
_MARKS = ((_STRIDE - 1, b","), (1, b"-"), (0, b"1"))


class SubjectTokens:
    """`keyring`: version -> secret key. The highest version makes new tokens."""

    def __init__(self, keyring: Mapping[int, bytes]) -> None:
        """ValueError without a key, for a short one, or for a version below 1."""
        if not keyring or min(keyring) < 1:
            raise ValueError("the audit key ring needs keys with versions from 1 on")
        if any(len(key) < MIN_KEY_BYTES for key in keyring.values()):
            raise ValueError("an audit key has at least 16 bytes")
        self._keys = {v: _Key(keyring[v]) for v in sorted(keyring, reverse=True)}

    def __repr__(self) -> str:
        return f"SubjectTokens(versions={sorted(self._keys)})"

    @property
    def version(self) -> int:
        """Version of the key that makes new tokens (`Draft.key_ver`)."""
        return next(iter(self._keys))

    def tokens(self, citizen_uids: Collection[str]) -> bytes:
        """Tokens under the newest key, 16 bytes each, in the order of the uids."""
        return self._keys[self.version].tokens(citizen_uids)

    def token(self, citizen_uid: str) -> str:
        """Token of a citizen under the newest key: 32 hex digits."""
        return self.tokens((citizen_uid,)).hex()

    def all_tokens(self, citizen_uid: str) -> tuple[str, ...]:
        """Tokens under every key, the newest first: what a search must look for."""
        return tuple(key.tokens((citizen_uid,)).hex() for key in self._keys.values())


class _Key:
    """One key of the ring, ready to use. Blocks are independent: the encryptor is kept."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        block_key = hmac.digest(key, PURPOSE, "sha256")
        # Each block stands for itself, and equal uids must give equal tokens: ECB is meant.
        self._encryptor = Cipher(AES256(block_key), ECB()).encryptor()  # noqa: S305

    def tokens(self, uids: Collection[str]) -> bytes:
        blocks = _blocks(uids)
        if blocks is not None:
            return self._encryptor.update(blocks)
        return b"".join(map(self._one, uids))

    def _one(self, uid: str) -> bytes:
        block = _blocks((uid,))
        if block is not None:
            return self._encryptor.update(block)
        return hmac.digest(self._key, b"citizen\0" + uid.encode(), "sha256")[:TOKEN_BYTES]


def _blocks(uids: Collection[str]) -> bytes | None:
    """The uids' bytes if every one has the shape of a block; no step in Python for each."""
    text = bytearray(_END.join((*uids, "")), "utf-8")
    if len(text) != len(uids) * _STRIDE:
        return None
    for at, mark in _MARKS:  # from the back: what stands before a cut keeps its place
        if text[at::_STRIDE] != mark * len(uids):
            return None
    for cut, (at, _) in enumerate(_MARKS):
        del text[at :: _STRIDE - cut]
    try:
        # Capitals are hex, too, but of another uid; a mark elsewhere is no hex.
        return binascii.unhexlify(text) if text == text.lower() else None
    except binascii.Error:
        return None
