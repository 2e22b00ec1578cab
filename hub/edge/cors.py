"""Which foreign pages may read our answers (CORS): those whose origin the operator has listed.

An origin that is not listed gets no header that allows anything; its browser then keeps the
answer from the page. Cookies never count: nobody is recognised by one, and nothing here lets a
browser send one. What a page may ask for is one list, told to all alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Told = tuple[tuple[bytes, bytes], ...]
"""Headers of an answer."""

ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?\Z")
"""What a browser writes: scheme, host, port if it is not the scheme's own; no path, no star."""

ASKED = (
    "Authorization, Content-Type, X-Purpose, X-Case-No, X-End-User,"
    " X-Purpose-Note, X-Legal-Basis, X-Road-Issue, X-Road-UserId, X-Road-Id, traceparent,"
    " Idempotency-Key"
)
"""What a page may send along."""

EXPOSED = (
    "X-Request-Id, traceparent, X-Audit-Id, X-Audit-Receipt, RateLimit-Limit, RateLimit-Remaining,"
    " RateLimit-Reset, Retry-After, X-Sandbox, ETag"
)
"""What a page may read of an answer's head."""

MAX_AGE_S = 600  # Chromium keeps it for two hours at most, others a day; a list changes sooner
_NOTHING: Told = ()


class Cors:
    """The list of one hub. `origins` as ORIGIN."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._listed: Mapping[bytes, Told] = {
            origin.encode(): (
                (b"access-control-allow-origin", origin.encode()),
                (b"access-control-expose-headers", EXPOSED.encode()),
            )
            for origin in origins
        }

    def told(self, origin: bytes | None) -> Told:
        """What an answer says to a page of this origin; nothing to one that is not listed."""
        return _NOTHING if origin is None else self._listed.get(origin, _NOTHING)

    def permitted(self, origin: bytes, methods: bytes) -> Told:
        """What the answer to a browser's question beforehand says besides; nothing as above."""
        if origin not in self._listed:
            return _NOTHING
        return (
            (b"access-control-allow-methods", methods),
            (b"access-control-allow-headers", ASKED.encode()),
            (b"access-control-max-age", b"%d" % MAX_AGE_S),
        )


def asks_beforehand(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """Is this a browser that asks whether a page may ask? It carries no token and no question."""
    return (
        method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers
    )
