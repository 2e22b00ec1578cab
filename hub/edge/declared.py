"""What a request says of itself beside its question: other names for our headers, its legal basis.

An X-Road security server calls ours `X-Road-Issue` (the case), `X-Road-UserId` (the human behind
the machine) and `X-Road-Id` (its message). The first two mean what our own headers mean; the
message's id goes into the record as a keyed digest, since it is the client's text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from catalog.errors import BadRequest
from hub.identity import end_users
from hub.identity.asking import CASE_HEADER, Headers
from hub.keys import note_digest

ALIASES: Mapping[bytes, bytes] = {
    b"x-road-issue": CASE_HEADER,
    b"x-road-userid": end_users.HEADER,
}
MESSAGE = b"x-road-id"
BASIS = b"x-legal-basis"
_MESSAGE = re.compile(r"[0-9A-Za-z._:/-]{8,128}\Z")


def plain(headers: Headers) -> Headers:
    """The headers under our own names. BadRequest HEADER where two names contradict each other."""
    named = [alias for alias in ALIASES if alias in headers]
    if not named:
        return headers
    found = dict(headers)
    for alias in named:
        ours = ALIASES[alias]
        if found.setdefault(ours, headers[alias]) != headers[alias]:
            raise BadRequest(
                "同一事项的两个请求头取值不同：请只保留其一",
                reason="HEADER",
                english="two headers say different things of the same matter",
            )
    return found


def basis(headers: Headers, known: Collection[str], usual: str) -> str:
    """The code of the legal basis a request names, else the purpose's. BadRequest HEADER."""
    if BASIS not in headers:
        return usual
    given = headers[BASIS].decode("latin-1").strip()
    if given not in known:
        raise BadRequest(
            "X-Legal-Basis 不是已登记的法律依据代码",
            reason="HEADER",
            english="X-Legal-Basis is no code of a registered legal basis",
        )
    return given


def message(headers: Headers, ring: Mapping[int, bytes]) -> str:
    """The keyed digest of ``X-Road-Id``; empty if there is none. BadRequest HEADER."""
    if MESSAGE not in headers:
        return ""
    given = headers[MESSAGE].decode("latin-1").strip()
    if not _MESSAGE.match(given):
        raise BadRequest(
            "X-Road-Id 须为 8 到 128 个字母、数字或 . _ : / -",
            reason="HEADER",
            english="X-Road-Id must be 8 to 128 letters, digits or . _ : / -",
        )
    return note_digest(ring, given)
