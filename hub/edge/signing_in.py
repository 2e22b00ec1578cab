"""Who signs in to the console, and who leaves it: token and account proved, record and session.

Only a person of the offices may: a token that our issuer gave to a machine, a department's system
and the citizens' portal have no desk here. Record and session are one transaction, so nobody is
signed in whom the log does not know (ADR 0045).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from audit.record import Kind
from authz.post import Asker
from catalog.errors import AuditUnavailable, Forbidden, HubError, PurposeRequired
from catalog.workdays import ZONE
from hub.identity.asking import Headers, Known
from hub.identity.sessions import Session
from hub.identity.tokens import CERTIFICATE, MAX_TOKEN, bearer, invalid
from hub.release import Visit
from hub.worker import Hub
from store import sessions

PERSON = "official"
IDLE, VOID = "SESSION_IDLE", "SESSION_VOID"  # how the record says that nobody pressed 退出


class Door:
    """In and out; one per worker."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def into(self, token: str, brought: Headers, visit: Visit) -> Session:
        """A session for the person this token names. Whatever HubError says why not."""
        headers = _headers(token, brought)
        try:
            known, until = await self._proved(headers)
            visit = replace(visit, client=known.client, asker=known.gate.asker, basis=known.basis)
            await self._hub.pace.admit(known.gate.asker)
        except HubError as error:
            await self._refused(error, headers, visit)
            raise
        purpose = known.gate.asker.purpose
        plain = bearer(headers[b"authorization"].decode("latin-1"))
        account = known.gate.asker.principal_id
        try:
            async with (
                asyncio.timeout(self._hub.settings.audit_wait_s),
                self._hub.store.begin() as conn,
            ):
                session = await self._hub.sessions.begin(conn, account, plain, purpose, until)
                visit = replace(visit, session=self._hub.release.token(session.mark))
                await self._hub.release.signed(Kind.SIGN_IN, visit, conn)
        except (SQLAlchemyError, OSError):  # TimeoutError is an OSError
            raise AuditUnavailable("登录未能留痕，暂不能登录：请稍后再试", reason="WRITE") from None
        return session

    async def out(self, session: Session, visit: Visit, code: str = "") -> None:
        """The session lets nobody in any more, in any worker; `code` if he did not ask for it."""
        asker = Asker(session.account, PERSON, (), "", datetime.now(ZONE).date())
        visit = replace(visit, asker=asker, session=self._hub.release.token(session.mark))
        try:
            async with (
                asyncio.timeout(self._hub.settings.audit_wait_s),
                self._hub.store.begin() as conn,
            ):
                if await sessions.end(conn, session.mark):
                    await self._hub.release.signed(Kind.SIGN_OUT, visit, conn, code)
        except (SQLAlchemyError, OSError):
            raise AuditUnavailable("退出未能留痕：请稍后再试", reason="WRITE") from None

    async def _proved(self, headers: Headers) -> tuple[Known, int]:
        hub = self._hub
        claims = await hub.askers.claims(headers)
        if claims.machine:
            raise Forbidden("控制台只供工作人员本人使用", reason="PERSON")
        purposes = [code for code in claims.purposes if code in hub.catalog.purposes]
        if not purposes:
            raise PurposeRequired("令牌中没有可用的用途", reason="UNKNOWN")
        known = await hub.askers.known({**headers, b"x-purpose": purposes[0].encode()})
        if known.gate.asker.kind != PERSON:
            raise Forbidden("控制台只供工作人员本人使用", reason="PERSON")
        return known, int(claims.exp)

    async def _refused(self, error: HubError, headers: Headers, visit: Visit) -> None:
        """A known account has a record of its own, strangers are counted."""
        asker = visit.asker or await self._hub.askers.attributed(headers)
        if asker is None:
            self._hub.rejects.add(visit.ip, error.reason or error.code)
            self._hub.telemetry.metrics.stranger(error.reason or error.code)
        else:
            await self._hub.release.unsigned(error, replace(visit, asker=asker))


def _headers(token: str, brought: Headers) -> dict[bytes, bytes]:
    """A pasted token as a header; Unauthenticated for what cannot be one."""
    plain = "".join(token.removeprefix("Bearer ").split())
    if not plain or len(plain) > MAX_TOKEN or not plain.isascii():
        raise invalid()
    made = {b"authorization": f"Bearer {plain}".encode()}
    if CERTIFICATE in brought:
        made[CERTIFICATE] = brought[CERTIFICATE]
    return made
