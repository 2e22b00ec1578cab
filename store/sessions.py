"""Signed-in browsers of the console: one row a session, found by the digest of its cookie.

The row alone lets nobody in: the token it holds is sealed under the cookie's secret
(`hub/identity/sessions.py`), and of the secret only the digest is here. In the store and not in a
worker, so that who signs out is out everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, String, Table, Text, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.metadata import BYTES, metadata

console_session = Table(
    "console_session",
    metadata,
    Column("digest", BYTES, primary_key=True),
    Column("account", BYTES, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("case_no", String(32), nullable=False),  # empty for none
    Column("begun_at", BigInteger, nullable=False),  # seconds since 1970, as the next two
    Column("seen_at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A session as the store has it; moments in seconds since 1970, `until` its token's end."""

    digest: str
    account: str
    sealed: str
    purpose: str
    case_no: str
    begun_at: int
    seen_at: int
    until: int


async def keep(conn: AsyncConnection, session: Kept) -> None:
    """A new session; those whose token has ended by now are forgotten."""
    ended = console_session.c.until < session.begun_at
    await conn.execute(delete(console_session).where(ended))
    values = {name: getattr(session, name) for name in Kept.__slots__}
    await conn.execute(insert(console_session).values(values))


async def kept(conn: AsyncConnection, digest: str) -> Kept | None:
    """The session of this digest; None if there is none, or it was ended."""
    asked = select(console_session).where(console_session.c.digest == digest)
    row = (await conn.execute(asked)).one_or_none()
    return None if row is None else Kept(*row)


async def seen(conn: AsyncConnection, digest: str, now: int) -> None:
    """It was used just now."""
    of = console_session.c.digest == digest
    await conn.execute(update(console_session).where(of).values(seen_at=now))


async def turn(conn: AsyncConnection, digest: str, purpose: str, case_no: str) -> None:
    """From now on its pages ask for this purpose and case."""
    of = console_session.c.digest == digest
    await conn.execute(update(console_session).where(of).values(purpose=purpose, case_no=case_no))


async def end(conn: AsyncConnection, digest: str) -> bool:
    """It lets nobody in any more; False if it had ended before."""
    gone = delete(console_session).where(console_session.c.digest == digest)
    return (await conn.execute(gone)).rowcount == 1
