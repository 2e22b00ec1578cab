"""Tokens of outside issuers: found by the issuer they name, verified by the key it publishes.

What a token says of itself decides only which published key it must fit. Claims once verified are
kept as ours are, but with the key: when the issuer takes the key away, or has been away too long,
the claims count no more.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from cachetools import TLRUCache

from hub.identity.issuers import Issuer
from hub.identity.jwks import KeySet, PublicKey
from hub.identity.tokens import CACHED, SKEW_S, Claims, Demands, claims_of, header_of, invalid


class Outsider:
    """One outside issuer; `name` as in the settings. `clock` gives seconds since 1970."""

    def __init__(
        self, name: str, issuer: Issuer, audience: str, keys: KeySet, clock: Callable[[], float]
    ) -> None:
        self._name, self._issuer, self._keys = name, issuer, keys
        self._demands = Demands(issuer.iss, issuer.aud or audience, clock)
        self._known: TLRUCache[bytes, tuple[Claims, PublicKey]] = TLRUCache(
            CACHED, ttu=lambda _digest, known, _now: known[0].exp + SKEW_S, timer=clock
        )

    async def verify(self, token: str) -> Claims:
        """The token's claims. Unauthenticated TOKEN_INVALID, TOKEN_EXPIRED, ISSUER_DOWN."""
        header = header_of(token)
        if header.kid is None:
            raise invalid()
        key = await self._keys.key(header.kid)
        if key is None or key.algorithm != header.algorithm:
            raise invalid()
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        claims, verified_by = self._known.get(digest, (None, None))
        if claims is None or verified_by is not key:
            claims = self._checked(token, key)
            self._known[digest] = (claims, key)
        return claims

    async def close(self) -> None:
        """End what is under way."""
        await self._keys.close()

    def _checked(self, token: str, key: PublicKey) -> Claims:
        said = self._demands.claims(token, key.key, key.algorithm)
        purposes = said.get("purposes")
        if purposes is None:  # others say it in the standard's own word
            scope = said.get("scope", "")
            purposes = scope.split() if isinstance(scope, str) else None
        if not isinstance(purposes, list):
            raise invalid()
        account = said.get(self._issuer.account)
        found = claims_of(said, account, purposes, issuer=self._name, dept=self._issuer.dept)
        # Its clients are its own: none of them is one that is registered here.
        return replace(found, client=f"{self._name}/{found.client}")


def outsiders(
    issuers: Mapping[str, Issuer],
    audience: str,
    ca_file: Path | None,
    clock: Callable[[], float] = time.time,
) -> dict[str, Outsider]:
    """Every outside issuer by its ``iss``. Nothing is fetched yet."""
    return {
        one.iss: Outsider(name, one, audience, KeySet(one.jwks, ca_file), clock)
        for name, one in issuers.items()
    }
