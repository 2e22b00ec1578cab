"""Subjects are named in the log by keyed tokens, never by what identifies them (P3).

Decision of this project: a token is made of the store's own keyed `citizen_uid`, not of the
id number, so that no id number ever reaches `audit/`. The audit keys are a ring of their
own, kept outside the database and as long as the records: losing a key loses the view of
who saw whom. Plain hashes would be guessable, an id number has few unknown digits.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

TOKEN_BYTES = 16
MIN_KEY_BYTES = 16  # a shorter key could be searched for


class SubjectTokens:
    """`keyring`: version -> secret key. The highest version makes new tokens."""

    def __init__(self, keyring: Mapping[int, bytes]) -> None:
        """ValueError without a key, for a short one, or for a version below 1."""
        if not keyring or min(keyring) < 1:
            raise ValueError("the audit key ring needs keys with versions from 1 on")
        if any(len(key) < MIN_KEY_BYTES for key in keyring.values()):
            raise ValueError("an audit key has at least 16 bytes")
        self._keys = dict(sorted(keyring.items(), reverse=True))

    def __repr__(self) -> str:
        return f"SubjectTokens(versions={sorted(self._keys)})"

    @property
    def version(self) -> int:
        """Version of the key that makes new tokens (`Draft.key_ver`)."""
        return next(iter(self._keys))

    def token(self, citizen_uid: str) -> str:
        """Token of a citizen under the newest key: 32 hex digits."""
        return _token(self._keys[self.version], citizen_uid)

    def all_tokens(self, citizen_uid: str) -> tuple[str, ...]:
        """Tokens under every key, the newest first: what a search must look for."""
        return tuple(_token(key, citizen_uid) for key in self._keys.values())


def _token(key: bytes, citizen_uid: str) -> str:
    message = b"citizen\0" + citizen_uid.encode()
    return hmac.digest(key, message, "sha256")[:TOKEN_BYTES].hex()
