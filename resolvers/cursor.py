"""Signed and sealed cursors (AES-SIV): a place in one list, for one asker, under one Lens.

The sealed text holds the sort values of a row and the Lens digest; what list, filter, order,
principal and purpose it belongs to is authenticated beside it. Another asker or filter gets
BAD_CURSOR; the same asker after a change of rights gets CURSOR_STALE and starts again, so
that a page never has a silent gap.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from catalog.errors import BadUserInput


@dataclass(frozen=True, slots=True)
class Place:
    """What a cursor belongs to; `lens` is the digest of the rights it was made under."""

    listing: str
    principal: str
    purpose: str
    lens: str

    def bound(self) -> list[bytes]:
        """What is authenticated but not kept in the cursor."""
        return [self.listing.encode(), self.principal.encode(), self.purpose.encode()]


class Cursors:
    """Seals with the newest key, opens with any; keys by their one-byte number."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._keys = {number: AESSIV(key) for number, key in keys.items()}
        self._newest = max(self._keys)

    def seal(self, place: Place, values: Sequence[Any]) -> str:
        """URL-safe text; equal rows under equal rights give equal cursors."""
        plain = orjson.dumps([place.lens, *(_flat(v) for v in values)])
        sealed = self._keys[self._newest].encrypt(plain, place.bound())
        return base64.urlsafe_b64encode(bytes([self._newest]) + sealed).decode().rstrip("=")

    def open(self, place: Place, text: str) -> list[Any]:
        """The sort values. BadUserInput BAD_CURSOR or CURSOR_STALE."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            plain = self._keys[raw[0]].decrypt(raw[1:], place.bound())
        except (binascii.Error, ValueError, KeyError, IndexError, InvalidTag):
            raise BadUserInput("游标无效：请从第一页重新开始", reason="BAD_CURSOR") from None
        lens, *values = orjson.loads(plain)
        if lens != place.lens:
            raise BadUserInput("权限已变化，游标失效：请从第一页重新开始", reason="CURSOR_STALE")
        return [_full(v) for v in values]


def _flat(value: Any) -> Any:
    return {"t": value.isoformat()} if isinstance(value, datetime) else value


def _full(value: Any) -> Any:
    return datetime.fromisoformat(value["t"]) if isinstance(value, dict) else value
