"""A signed-in browser: a cookie's secret on one side, a row of the store on the other (ADR 0045).

    cookie   256 bits of chance
    row      digest of the secret; the access token, sealed under the secret; purpose; case number

Neither alone lets anybody in: the row's reader has no secret, the cookie's thief no row once the
browser has signed out. The token is judged anew on every page like any other (`asking.py`), so a
session ends with its token, with the account, and when nobody has used it for a while.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from catalog.errors import SourceUnavailable
from store import sessions
from store.sessions import Kept

SECRET_BYTES = 32
NONCE_BYTES = 12  # AES-GCM's own
SECRET_LENGTH = 43  # of 32 bytes in base64url
SEEN_EVERY = 10  # a tenth of the idle time: a row is not written for every page


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in. `mark` names the session in the log; `idle`: nobody used it for too long.

    `csrf`: what a form of this browser's pages brings back.
    """

    secret: str
    account: str
    token: str
    purpose: str
    case_no: str
    until: int
    idle: bool

    @property
    def mark(self) -> str:
        """The digest of the secret."""
        return mark_of(self.secret)

    @property
    def csrf(self) -> str:
        """The word of its forms."""
        return csrf_of(self.secret)


class Sessions:
    """Sessions in the store, for all workers. `clock` gives seconds since 1970.

    SourceUnavailable if the store does not answer.
    """

    def __init__(self, store: AsyncEngine, idle_s: int, clock: Callable[[], float]) -> None:
        self._store, self._idle_s, self._clock = store, idle_s, clock

    async def begin(
        self, conn: AsyncConnection, account: str, token: str, purpose: str, until: int
    ) -> Session:
        """A new session in the caller's transaction; `until` the token's end."""
        secret, now = new_secret(), int(self._clock())
        row = Kept(mark_of(secret), account, _sealed(secret, token), purpose, "", now, now, until)
        await sessions.keep(conn, row)
        return Session(secret, account, token, purpose, "", until, idle=False)

    async def found(self, secret: str) -> Session | None:
        """The session of a cookie, idle or not; None for a cookie of none."""
        if len(secret) != SECRET_LENGTH:
            return None
        digest, now = mark_of(secret), int(self._clock())
        try:
            async with self._store.connect() as conn:
                row = await sessions.kept(conn, digest)
            if row is None:
                return None
            idle = now - row.seen_at > self._idle_s
            if not idle and now - row.seen_at > self._idle_s // SEEN_EVERY:
                async with self._store.begin() as conn:
                    await sessions.seen(conn, digest, now)
        except (SQLAlchemyError, OSError):
            raise SourceUnavailable("账号库暂时不可用", reason="DOWN", source="hub") from None
        token = _opened(secret, row.sealed)
        if token is None:
            return None
        return Session(secret, row.account, token, row.purpose, row.case_no, row.until, idle)

    def now(self) -> float:
        """Seconds since 1970 by the clock that sessions are measured with."""
        return self._clock()

    async def turn(self, session: Session, purpose: str, case_no: str) -> None:
        """Its pages ask for this from now on."""
        async with self._store.begin() as conn:
            await sessions.turn(conn, session.mark, purpose, case_no)


def new_secret() -> str:
    """A cookie's value."""
    return secrets.token_urlsafe(SECRET_BYTES)


def mark_of(secret: str) -> str:
    """How the store names a session: nobody gets from it to the secret."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def csrf_of(secret: str) -> str:
    """What a form of this browser brings back: follows from the cookie, does not tell it."""
    return _derived(secret, b"form").hex()


def is_csrf(secret: str, given: str) -> bool:
    """Did the form come from a page that was given to this browser?"""
    return hmac.compare_digest(csrf_of(secret).encode(), given.encode("utf-8", "replace"))


def _derived(secret: str, use: bytes) -> bytes:
    return hmac.digest(secret.encode("utf-8", "replace"), b"hub console " + use, "sha256")


def _sealed(secret: str, token: str) -> str:
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(_derived(secret, b"seal")).encrypt(nonce, token.encode(), None)
    return base64.b64encode(nonce + sealed).decode()


def _opened(secret: str, sealed: str) -> str | None:
    raw = base64.b64decode(sealed)
    try:
        opened = AESGCM(_derived(secret, b"seal")).decrypt(
            raw[:NONCE_BYTES], raw[NONCE_BYTES:], None
        )
    except InvalidTag:
        return None
    return opened.decode()
