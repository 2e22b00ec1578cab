"""The keys of an outside issuer, fetched from its JWKS address and kept.

    known kid, younger than 5 min ──► at once
    known kid, older              ──► at once; fetched anew beside it
    unknown kid                   ──► fetched now, at most once a minute; else no key
    older than an hour            ──► ISSUER_DOWN: the issuer went away, its keys may be withdrawn

What is fetched replaces what was there, so a key the issuer took away is gone within five
minutes. Only keys that RS256 or ES256 can be verified with are taken; the algorithm is the key's.
One process's memory: another worker fetches for itself.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import urlsafe_b64decode

from adapters.web.http import trusted
from catalog.errors import Unauthenticated

FRESH_S = 300.0  # a key that was taken away is not used longer
KEPT_S = 3_600.0  # how long the last good keys serve without their issuer (protocol 2.5)
AGAIN_S = 60.0  # strangers' tokens of unknown keys do not become a flood at the issuer
DEADLINE_S = 5.0
MAX_BODY = 64 * 1024
MAX_KEYS = 32  # an issuer has two or three
RSA_BITS = range(2048, 8193)  # a longer one costs milliseconds a token
CURVE, CURVE_BITS = "P-256", 256
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key and the one algorithm it verifies."""

    key: ECKey | RSAKey
    algorithm: str


class Unreachable(Exception):
    """The issuer does not answer, or not with keys."""


class KeySet:
    """The keys behind one address. `clock` gives monotonic seconds."""

    def __init__(
        self,
        address: str,
        ca_file: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address, self._ca_file, self._clock = address, ca_file, clock
        self._keys: Mapping[str, PublicKey] = {}
        self._good = self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> PublicKey | None:
        """The key of this name; None if the issuer has none. Unauthenticated ISSUER_DOWN."""
        age = self._clock() - self._good
        if age >= FRESH_S or kid not in self._keys:
            fetching = self._refresh()
            if fetching is not None and (age >= KEPT_S or kid not in self._keys):
                await asyncio.shield(fetching)
        if self._clock() - self._good >= KEPT_S:
            raise Unauthenticated(
                "令牌签发方暂时无法核对：请稍后再试，或联系签发方",
                reason="ISSUER_DOWN",
                retryable=True,
            )
        return self._keys.get(kid)

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _refresh(self) -> asyncio.Task[None] | None:
        """The fetch under way, or one begun now if the last was a minute ago; else None."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if self._clock() - self._tried < AGAIN_S:
            return None
        self._tried = self._clock()
        self._fetching = asyncio.create_task(self._fetch(), name="jwks")
        return self._fetching

    async def _fetch(self) -> None:
        begun = self._clock()
        try:
            async with asyncio.timeout(DEADLINE_S):
                keys = read_keys(await _body(self._address, self._ca_file))
        except (TimeoutError, Unreachable):
            return  # the keys of before go on; how old they are is asked above
        self._keys, self._good = keys, begun


def read_keys(body: bytes) -> dict[str, PublicKey]:
    """The usable keys of a JWKS by their ``kid``; a name given twice names none.

    Unreachable if it is no set of keys or holds no usable one.
    """
    try:
        listed = json.loads(body)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreachable from None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise Unreachable
    found: dict[str, list[PublicKey]] = {}
    for one in listed:
        key = public_key(one)
        if key is not None and isinstance(one.get("kid"), str):
            found.setdefault(one["kid"], []).append(key)
    keys = {kid: named[0] for kid, named in found.items() if len(named) == 1}
    if not keys:
        raise Unreachable
    return keys


def public_key(jwk: object) -> PublicKey | None:
    """A JWK that signatures may be verified with: RSA from 2048 bits, or P-256; None otherwise."""
    if not isinstance(jwk, dict) or _PRIVATE & jwk.keys() or jwk.get("use", "sig") != "sig":
        return None
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    made = _imported(jwk)
    fits = made is not None and jwk.get("alg", made.algorithm) == made.algorithm
    return made if fits else None


def _imported(jwk: dict[str, Any]) -> PublicKey | None:
    try:
        if jwk.get("kty") == "RSA":
            size = int.from_bytes(urlsafe_b64decode(jwk["n"].encode())).bit_length()
            if size not in RSA_BITS:
                return None
            rsa = RSAKey.import_key({name: jwk[name] for name in ("kty", "n", "e")})
            return PublicKey(rsa, "RS256")
        if jwk.get("kty") == "EC" and jwk.get("crv") == CURVE:
            ec = ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")})
            return PublicKey(ec, "ES256") if ec.raw_value.key_size == CURVE_BITS else None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return None


async def _body(address: str, ca_file: Path | None) -> bytes:
    """What the address answers: 200, no redirect, no proxy of the environment, bounded."""
    verify = trusted(ca_file) if address.startswith("https:") else False
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        async with (
            httpx.AsyncClient(timeout=DEADLINE_S, trust_env=False, verify=verify) as client,
            client.stream("GET", address, headers=headers) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise Unreachable
            whole = bytearray()
            async for part in answer.aiter_raw():
                whole += part
                if len(whole) > MAX_BODY:
                    raise Unreachable
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        raise Unreachable from None
    return bytes(whole)
