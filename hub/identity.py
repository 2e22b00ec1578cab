"""Who asks, from a signed token: RFC 9068 access tokens, ES256, checked before anything is parsed.

The algorithm comes from the key, never from the token; headers that would bring a key or a
demand of their own (crit, jku, x5u, …) are refused. Claims once verified are kept until they
expire, by the digest of the token: verifying costs 70 µs, looking up 1 µs. Posts come from
the store on every request, so that a cached token holds no rights.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cachetools import TLRUCache
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey
from joserfc.jwt import JWTClaimsRegistry
from joserfc.util import urlsafe_b64decode

from catalog.errors import PurposeRequired, Unauthenticated

ALGORITHM = "ES256"
TYPE = "at+jwt"
TYPES = frozenset({TYPE, f"application/{TYPE}"})
HEADERS = frozenset({"alg", "typ", "kid"})  # anything else could carry a key or a demand
SKEW_S = 60  # clocks of departments differ by seconds, not minutes
TTL_S = 600  # a token is renewed more often than rights change
MAX_TOKEN = 8 * 1024  # ours have 500 bytes; a proxy's header limit is 8 KiB
CACHED = 4_096  # more than all 223 accounts and their systems at once
DEMO_CLIENT = "hub-demo"
PURPOSE_HEADER = "x-purpose"

_CODE = re.compile(r"[a-z][a-z0-9_.]{0,31}\Z")
_MISSING = "缺少访问令牌：请在 Authorization 头中携带 Bearer 令牌"
_INVALID = "访问令牌无效：请重新获取"
_EXPIRED = "访问令牌已过期：请重新获取"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. `exp` seconds since 1970; `purposes` it may declare."""

    sub: str
    purposes: tuple[str, ...]
    client: str
    exp: float
    jti: str


def bearer(authorization: str | None) -> str:
    """The token of an ``Authorization`` header. Unauthenticated TOKEN_MISSING or TOKEN_INVALID."""
    if authorization is None or not authorization.strip():
        raise Unauthenticated(_MISSING, reason="TOKEN_MISSING")
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _invalid()
    return token.strip()


class Tokens:
    """Issues (with a private key; the demo's embedded issuer) and verifies access tokens.

    `clock` gives seconds since 1970.
    """

    def __init__(
        self, key: ECKey, issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._key, self._issuer, self._audience, self._clock = key, issuer, audience, clock
        self._kid = key.thumbprint()
        self._registry = JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=SKEW_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
            client_id={"essential": True},
        )
        self._known: TLRUCache[bytes, Claims] = TLRUCache(
            CACHED, ttu=lambda _digest, claims, _now: self.end(claims), timer=clock
        )

    def issue(
        self,
        account: str,
        purposes: Sequence[str],
        *,
        ttl_s: int = TTL_S,
        client: str = DEMO_CLIENT,
    ) -> str:
        """A token of `account` for `ttl_s` seconds; ValueError if the key is a public one."""
        if not self._key.is_private:
            raise ValueError("the issuer's private key is elsewhere")
        now = int(self._clock())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": account,
            "client_id": client,
            "purposes": list(purposes),
            "iat": now,
            "nbf": now,
            "exp": now + ttl_s,
            "jti": uuid.uuid4().hex,
        }
        return jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": self._kid}, claims, self._key)

    def verify(self, token: str) -> Claims:
        """The token's claims. Unauthenticated TOKEN_INVALID or TOKEN_EXPIRED."""
        if len(token) > MAX_TOKEN:
            raise _invalid()
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._checked(token)
            self._known[digest] = known
        return known

    def now(self) -> float:
        """Seconds since 1970 by the clock that tokens are measured with."""
        return self._clock()

    def end(self, claims: Claims) -> float:
        """The moment by that clock from which the token is expired."""
        return claims.exp + SKEW_S

    def _checked(self, token: str) -> Claims:
        self._check_header(token)
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            self._registry.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated(_EXPIRED, reason="TOKEN_EXPIRED") from None
        except (JoseError, ValueError, RecursionError):
            raise _invalid() from None
        return _claims(claims)

    def _check_header(self, token: str) -> None:
        try:
            header = json.loads(urlsafe_b64decode(token.partition(".")[0].encode("ascii")))
        except (ValueError, RecursionError):
            raise _invalid() from None
        if not isinstance(header, dict) or not header.keys() <= HEADERS:
            raise _invalid()
        kind, kid = header.get("typ"), header.get("kid", self._kid)
        typed = isinstance(kind, str) and kind.lower() in TYPES
        if header.get("alg") != ALGORITHM or not typed or kid != self._kid:
            raise _invalid()


def purpose(headers: Mapping[str, str], claims: Claims, known: Container[str]) -> str:
    """The one purpose of this operation; `known` the catalogue's codes.

    ``X-Purpose`` must be one the token may declare; absent, the token's only one counts.
    PurposeRequired MISSING (with several to choose from) or UNKNOWN.
    """
    allowed = [code for code in claims.purposes if code in known]
    asked = headers.get(PURPOSE_HEADER, "").strip()
    choice = "、".join(allowed) or "无"
    if not asked and len(allowed) == 1:
        return allowed[0]
    if not asked:
        raise PurposeRequired(f"请在 X-Purpose 头中说明用途；可用用途：{choice}", reason="MISSING")
    if asked not in allowed:
        shown = f"用途 `{asked}`" if _CODE.match(asked) else "X-Purpose 头"
        raise PurposeRequired(
            f"{shown} 不可用：未登记或不在令牌范围内；可用用途：{choice}", reason="UNKNOWN"
        )
    return asked


def _claims(claims: Mapping[str, Any]) -> Claims:
    purposes, client = claims.get("purposes", []), claims["client_id"]
    listed = isinstance(purposes, list) and all(isinstance(code, str) for code in purposes)
    if not listed or not isinstance(client, str):
        raise _invalid()
    return Claims(claims["sub"], tuple(purposes), client, claims["exp"], claims["jti"])


def _invalid() -> Unauthenticated:
    # One text for every way a token can be wrong: none of them is the asker's business.
    return Unauthenticated(_INVALID, reason="TOKEN_INVALID")
