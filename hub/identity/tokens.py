"""Who asks, from a signed token: RFC 9068 access tokens, checked before anything is parsed.

Ours are ES256; those of outside issuers (`outsiders.py`) go through the same `Demands`. The
algorithm comes from the key, never from the token; headers that would bring a key or a
demand of their own (crit, jku, x5u, …) are refused. Claims once verified are kept until they
expire, by the digest of the token: verifying costs 50 µs (RS256) or 110 µs (ES256), looking up
2 µs. Posts come from the store on every request, so that a cached token holds no rights.
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
from joserfc.jwk import ECKey, RSAKey
from joserfc.jwt import JWTClaimsRegistry
from joserfc.util import urlsafe_b64decode

from catalog.errors import PurposeRequired, Unauthenticated
from store.accounts import Holder

ALGORITHM = "ES256"
TYPE = "at+jwt"
TYPES = frozenset({TYPE, f"application/{TYPE}"})
HEADERS = frozenset({"alg", "typ", "kid"})  # anything else could carry a key or a demand
SKEW_S = 60  # clocks of departments differ by seconds, not minutes
TTL_S = 600  # a token is renewed more often than rights change
MAX_TOKEN = 8 * 1024  # ours have 500 bytes; a proxy's header limit is 8 KiB
CACHED = 4_096  # more than all 223 accounts and their systems at once
DEMO_CLIENT = "hub-demo"
GRANT = "client_credentials"  # what our issuer writes into a token it gives to a client
FINGERPRINT = "x5t#S256"  # RFC 8705: the certificate a token is bound to
PURPOSE_HEADER = "x-purpose"
CERTIFICATE = b":client-cert"
"""The fingerprint of a client's certificate among the headers; only `proxies.py` puts it there.

No header of HTTP can have this name: it begins with a colon.
"""

_CODE = re.compile(r"[a-z][a-z0-9_.]{0,31}\Z")
_MISSING = "缺少访问令牌：请在 Authorization 头中携带 Bearer 令牌"
_INVALID = "访问令牌无效：请重新获取"
_EXPIRED = "访问令牌已过期：请重新获取"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. `exp`, `iat` seconds since 1970; `purposes` it may declare.

    `issuer` is an outside issuer's name in the settings, empty for our own; `dept` the only
    department whose accounts that issuer may name, empty for all. `machine`: our issuer gave it
    to a client (`oauth.py`). `epoch` is the account's when it was issued, None if the issuer knows
    none; `certificate` the fingerprint (RFC 8705) of the only one it may be used with. `gateway`:
    it came by a client that is one, as the store says (`clients.py`).
    """

    sub: str
    purposes: tuple[str, ...]
    client: str
    exp: float
    jti: str
    iat: float = 0
    issuer: str = ""
    dept: str = ""
    machine: bool = False
    epoch: int | None = None
    certificate: str | None = None
    gateway: bool = False

    def void(self, holder: Holder) -> bool:
        """Was it made void with all older tokens of the account, or may it not name the account?

        Without an epoch the moment of issue decides, and clocks may differ: in the minute after
        the deed, such tokens are still refused.
        """
        if self.dept and self.dept != holder.dept:
            return True
        if self.epoch is not None:
            return self.epoch != holder.epoch
        return holder.epoch > 0 and self.iat <= holder.epoch_at + SKEW_S


def bearer(authorization: str | None) -> str:
    """The token of an ``Authorization`` header. Unauthenticated TOKEN_MISSING or TOKEN_INVALID."""
    if authorization is None or not authorization.strip():
        raise Unauthenticated(_MISSING, reason="TOKEN_MISSING")
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise invalid()
    return token.strip()


@dataclass(frozen=True, slots=True)
class Header:
    """What a token's header may say: how it is signed, by which key."""

    algorithm: str
    kid: str | None


def header_of(token: str) -> Header:
    """The header of a token, not yet verified. Unauthenticated TOKEN_INVALID."""
    if len(token) > MAX_TOKEN:
        raise invalid()
    header = _part(token.partition(".")[0])
    if not header.keys() <= HEADERS:
        raise invalid()
    algorithm, kind, kid = (header.get(name) for name in ("alg", "typ", "kid"))
    typed = isinstance(kind, str) and kind.lower() in TYPES
    if not typed or not isinstance(algorithm, str) or not isinstance(kid, str | None):
        raise invalid()
    return Header(algorithm, kid)


def issuer_of(token: str) -> str:
    """Whom a token names as its issuer, unverified: only to find the key it must fit."""
    if len(token) > MAX_TOKEN or token.count(".") != 2:
        raise invalid()
    named = _part(token.split(".")[1]).get("iss")
    if not isinstance(named, str):
        raise invalid()
    return named


class Demands:
    """What a token must say whoever issued it. `clock` gives seconds since 1970."""

    def __init__(self, issuer: str, audience: str, clock: Callable[[], float]) -> None:
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

    def claims(self, token: str, key: ECKey | RSAKey, algorithm: str) -> dict[str, Any]:
        """The claims of a token this key signed. Unauthenticated TOKEN_INVALID, TOKEN_EXPIRED."""
        try:
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims
            self._registry.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated(_EXPIRED, reason="TOKEN_EXPIRED") from None
        except (JoseError, ValueError, RecursionError):
            raise invalid() from None
        return claims


class Tokens:
    """Issues (with a private key; the demo's embedded issuer) and verifies access tokens.

    `clock` gives seconds since 1970.
    """

    def __init__(
        self, key: ECKey, issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._key, self._issuer, self._audience, self._clock = key, issuer, audience, clock
        self._kid = key.thumbprint()
        self._demands = Demands(issuer, audience, clock)
        self._known: TLRUCache[bytes, Claims] = TLRUCache(
            CACHED, ttu=lambda _digest, claims, _now: self.end(claims), timer=clock
        )

    @property
    def issues(self) -> bool:
        """Is the private key here?"""
        return self._key.is_private

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key, as others fetch it (RFC 7517)."""
        about = {"kid": self._kid, "alg": ALGORITHM, "use": "sig"}
        return {"keys": [{**self._key.as_dict(private=False), **about}]}

    def issue(
        self,
        account: str,
        purposes: Sequence[str],
        *,
        ttl_s: int = TTL_S,
        client: str = DEMO_CLIENT,
        epoch: int = 0,
        machine: bool = False,
        certificate: str | None = None,
    ) -> str:
        """A token of `account` for `ttl_s` seconds; ValueError if the key is a public one.

        `epoch` the account's now; `machine`, `certificate` as in Claims.
        """
        if not self._key.is_private:
            raise ValueError("the issuer's private key is elsewhere")
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": account,
            "client_id": client,
            "purposes": list(purposes),
            "iat": now,
            "nbf": now,
            "exp": now + ttl_s,
            "jti": uuid.uuid4().hex,
            "epoch": epoch,
        }
        if machine:
            claims |= {"grant": GRANT, "scope": " ".join(purposes)}
        if certificate is not None:
            claims["cnf"] = {FINGERPRINT: certificate}
        return jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": self._kid}, claims, self._key)

    def verify(self, token: str) -> Claims:
        """The token's claims. Unauthenticated TOKEN_INVALID or TOKEN_EXPIRED."""
        if len(token) > MAX_TOKEN:
            raise invalid()
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
        header = header_of(token)
        if header.algorithm != ALGORITHM or header.kid not in (None, self._kid):
            raise invalid()
        claims = self._demands.claims(token, self._key, ALGORITHM)
        purposes, epoch = claims.get("purposes", []), claims.get("epoch")
        if not isinstance(purposes, list) or type(epoch) not in (int, type(None)):
            raise invalid()
        return claims_of(
            claims, claims["sub"], purposes, machine=claims.get("grant") == GRANT, epoch=epoch
        )


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


def claims_of(
    claims: Mapping[str, Any], account: object, purposes: Sequence[object], **more: Any
) -> Claims:
    """Verified claims as ours, in the types they must have; `more` fields of Claims.

    Unauthenticated TOKEN_INVALID.
    """
    client, jti = claims["client_id"], claims["jti"]
    words = [code for code in purposes if isinstance(code, str)]
    if len(words) < len(purposes) or not isinstance(client, str) or not isinstance(jti, str):
        raise invalid()
    if not isinstance(account, str) or not account:
        raise invalid()
    bound = _certificate(claims.get("cnf"))
    return Claims(
        account,
        tuple(words),
        client,
        claims["exp"],
        jti,
        claims["iat"],
        certificate=bound,
        **more,
    )


def _certificate(confirmation: object) -> str | None:
    """The certificate a token is bound to. One bound to something we do not check is refused."""
    if confirmation is None:
        return None
    if isinstance(confirmation, dict) and confirmation.keys() == {FINGERPRINT}:
        found = confirmation[FINGERPRINT]
        if isinstance(found, str) and found:
            return found
    raise invalid()


def _part(text: str) -> dict[str, Any]:
    """A part of a token as the JSON object it must be."""
    try:
        found = json.loads(urlsafe_b64decode(text.encode("ascii")))
    except (ValueError, RecursionError):
        raise invalid() from None
    if not isinstance(found, dict):
        raise invalid()
    return found


def invalid() -> Unauthenticated:
    """The refusal of a token: one text for every way it can be wrong."""
    # None of them is the asker's business.
    return Unauthenticated(_INVALID, reason="TOKEN_INVALID")
