"""Machine clients at the door: by certificate, by a token of ours, or carrying another's token.

    certificate alone          the client it is registered for
    token our issuer gave it   that client, if it is let in still and the token was not revoked
    certificate and a token    the client's own token, or anybody's if the client is a gateway

The store is asked each time; `asking.py` keeps the answer for at most a second, and not beyond a
new policy version, which disabling a client is.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from catalog.errors import SourceUnavailable, Unauthenticated
from catalog.workdays import ZONE
from hub.identity.tokens import Claims, invalid
from store.clients import GATEWAY, Client, client_by_certificate, client_of, is_revoked


class Clients:
    """The store's clients. SourceUnavailable if it does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claims(self, certificate: str) -> Claims:
        """Who a client is that shows nothing but its certificate. Unauthenticated CERT_UNKNOWN."""
        async with self._store() as conn:
            client = await _of(conn, certificate)
        return Claims(
            client.principal,
            client.purposes,
            client.id,
            math.inf,
            "",
            math.inf,  # as new as can be: no token that could be older than an epoch
            certificate=certificate,
        )

    async def standing(self, claims: Claims, certificate: str | None) -> Claims:
        """The claims as far as the client they came by may still make them.

        Unauthenticated CERT_UNKNOWN, TOKEN_INVALID.
        """
        if certificate is None and not claims.machine:
            return claims
        async with self._store() as conn:
            if claims.machine:
                claims = await _of_token(conn, claims)
            if certificate is None:
                return claims
            shown = await _of(conn, certificate)
        if shown.id == claims.client:
            return replace(claims, gateway=shown.kind == GATEWAY)
        if shown.kind != GATEWAY:
            raise invalid()  # a system asks for itself alone
        return replace(claims, client=shown.id, gateway=True)

    @contextlib.asynccontextmanager
    async def _store(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as conn:
                yield conn
        except (SQLAlchemyError, OSError):
            raise SourceUnavailable("账号库暂时不可用", reason="DOWN", source="hub") from None


async def _of(conn: AsyncConnection, certificate: str) -> Client:
    client = await client_by_certificate(conn, certificate)
    if client is None or not client.live(datetime.now(ZONE).date()):
        raise Unauthenticated(
            "客户端证书未登记，或其应用已停用、到期：请联系账号管理员", reason="CERT_UNKNOWN"
        )
    return client


async def _of_token(conn: AsyncConnection, claims: Claims) -> Claims:
    client = await client_of(conn, claims.client)
    live = client is not None and client.live(datetime.now(ZONE).date())
    if client is None or not live or client.principal != claims.sub:
        raise invalid()
    if await is_revoked(conn, claims.jti):
        raise invalid()
    # What a client may ask for is the store's word, too.
    named = tuple(p for p in claims.purposes if p in client.purposes)
    return replace(claims, purposes=named, gateway=client.kind == GATEWAY)
