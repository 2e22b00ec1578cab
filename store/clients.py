"""Machine clients: a department's system or a gateway, and the keys by which it is known.

A client speaks for one account of kind ``system``; what it may read are that account's posts. Of
each kind of key two may live at once, so that a new one is in use before the old one goes:

    secret  `id` is the part before the dot; `material` the argon2id hash of the whole
    jwk     `id` is the RFC 7638 thumbprint; `material` the public key as JSON
    cert    `id` is the SHA-256 fingerprint (RFC 8705 x5t#S256); no material

An id is a primary key, so one public key or certificate names one client. Clients are disabled,
never removed: a name that was in the log is not given again.

Beside them what all workers must share: assertions used once (RFC 7523), tokens that were revoked
(RFC 7009), and how often an address failed to sign in. None of these rows holds a token or secret.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from catalog.errors import Readable
from store.metadata import BYTES, metadata
from store.policy import Change, bump_version, note
from store.rows import INSERT

SYSTEM, GATEWAY = "system", "gateway"
SECRET, JWK, CERT = "secret", "jwk", "cert"
ACTIVE, DISABLED = "active", "disabled"
LIVE = 2  # keys of one kind: the new one, and the old one until everybody has changed
FAILURES = 10  # failed sign-ins of one client from one address before it has to wait
RECORDED = 3 * FAILURES  # of one client from all addresses that have a record each
WINDOW_MIN = 10  # minutes over which they are counted
MINUTE_S = 60

client = Table(
    "client",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("title", String(64), nullable=False),
    Column("dept", String(32), nullable=False),
    Column("principal_id", BYTES, ForeignKey("principal.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("purposes", String(200), nullable=False),  # codes between blanks
    Column("state", String(16), nullable=False),
    Column("expires_on", Date, nullable=False),  # the last day it is let in
    CheckConstraint(f"kind IN ('{SYSTEM}', '{GATEWAY}')", name="kind"),
    CheckConstraint(f"state IN ('{ACTIVE}', '{DISABLED}')", name="state"),
    CheckConstraint("length(purposes) > 0", name="purposes"),
)

client_key = Table(
    "client_key",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("client_id", BYTES, ForeignKey("client.id"), nullable=False, index=True),
    Column("kind", String(8), nullable=False),
    Column("material", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),  # µs UTC: which of two is older must be told
    Column("state", String(8), nullable=False),
    CheckConstraint(f"kind IN ('{SECRET}', '{JWK}', '{CERT}')", name="kind"),
    CheckConstraint("state IN ('live', 'retired')", name="state"),
)

used_assertion = Table(
    "used_assertion",
    metadata,
    Column("digest", BYTES, primary_key=True),  # of client and jti
    Column("until", BigInteger, nullable=False, index=True),
)

revoked_token = Table(
    "revoked_token",
    metadata,
    Column("jti", BYTES, primary_key=True),
    Column("until", BigInteger, nullable=False, index=True),
)

sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("client_id", BYTES, primary_key=True),  # empty for whoever is no client
    Column("address", BYTES, primary_key=True),
    Column("minute", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("count", Integer, nullable=False),
)


class NoClient(Readable):
    """There is no such client, or it cannot be changed so. One Chinese line."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the store has it; `purposes` codes, `expires_on` its last day."""

    id: str
    title: str
    dept: str
    principal: str
    kind: str
    purposes: tuple[str, ...]
    state: str
    expires_on: date

    def live(self, day: date) -> bool:
        """Is it let in on this day?"""
        return self.state == ACTIVE and day <= self.expires_on


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A key of a client; `added_at` µs since 1970."""

    id: str
    client: str
    kind: str
    material: str
    added_at: int
    live: bool = True


async def read_clients(conn: AsyncConnection) -> tuple[Client, ...]:
    """All of them, by name."""
    found = await conn.execute(select(client).order_by(client.c.id))
    return tuple(_client(row) for row in found)


async def read_keys(conn: AsyncConnection, client_id: str | None = None) -> tuple[ClientKey, ...]:
    """The keys of one client, or of all; the oldest first."""
    asked = select(client_key).order_by(client_key.c.added_at, client_key.c.id)
    if client_id is not None:
        asked = asked.where(client_key.c.client_id == client_id)
    return tuple(_key(row) for row in await conn.execute(asked))


async def client_of(conn: AsyncConnection, client_id: str) -> Client | None:
    """A client by its name, whatever its state."""
    row = (await conn.execute(select(client).where(client.c.id == client_id))).first()
    return None if row is None else _client(row)


async def client_by_certificate(conn: AsyncConnection, fingerprint: str) -> Client | None:
    """The client a certificate is registered for, whatever its state."""
    joined = client.join(client_key, client_key.c.client_id == client.c.id)
    asked = (
        select(client)
        .select_from(joined)
        .where(client_key.c.id == fingerprint, client_key.c.kind == CERT)
        .where(client_key.c.state == "live")
    )
    row = (await conn.execute(asked)).first()
    return None if row is None else _client(row)


# ---- deeds, each in the caller's transaction


async def create_client(conn: AsyncConnection, made: Client, *, by: str, basis: str) -> int:
    """A new client; the new policy version. IntegrityError if the name was ever given."""
    await _insert(conn, made)
    return await _changed(conn, Change(by, "client.create", "", made.id, basis))


async def seed_client(conn: AsyncConnection, made: Client, key: ClientKey) -> None:
    """A client with its key in a store that is being founded: nobody goes by it yet."""
    await _insert(conn, made)
    await _insert_key(conn, key)


async def _insert(conn: AsyncConnection, made: Client) -> None:
    row = {
        "id": made.id,
        "title": made.title,
        "dept": made.dept,
        "principal_id": made.principal,
        "kind": made.kind,
        "purposes": " ".join(made.purposes),
        "state": made.state,
        "expires_on": made.expires_on,
    }
    await conn.execute(insert(client).values(row))


async def add_key(
    conn: AsyncConnection, key: ClientKey, *, by: str, basis: str, alone: bool = False
) -> int:
    """One key more; of its kind the oldest beyond two retire, `alone`: all others at once.

    The new policy version. NoClient, IntegrityError for a key that is known already.
    """
    known = await client_of(conn, key.client)
    if known is None:
        raise NoClient(f"应用 `{key.client}` 不存在：请核对")
    others = [k for k in await read_keys(conn, key.client) if k.live and k.kind == key.kind]
    retired = others if alone else others[: max(0, len(others) + 1 - LIVE)]
    for old in retired:
        changed = update(client_key).where(client_key.c.id == old.id)
        await conn.execute(changed.values(state="retired"))
    await _insert_key(conn, key)
    gone = " ".join(old.id for old in retired)
    return await _changed(conn, Change(by, "client.key", gone, f"{key.client} {key.id}", basis))


async def _insert_key(conn: AsyncConnection, key: ClientKey) -> None:
    row = {
        "id": key.id,
        "client_id": key.client,
        "kind": key.kind,
        "material": key.material,
        "added_at": key.added_at,
        "state": "live",
    }
    await conn.execute(insert(client_key).values(row))


async def disable_client(conn: AsyncConnection, client_id: str, *, by: str, basis: str) -> int:
    """Let a client in nowhere from now on; the new policy version. NoClient."""
    known = await client_of(conn, client_id)
    if known is None:
        raise NoClient(f"应用 `{client_id}` 不存在：请核对")
    changed = update(client).where(client.c.id == client_id)
    await conn.execute(changed.values(state=DISABLED))
    shown = (f"{client_id} {known.state}", f"{client_id} {DISABLED}")
    return await _changed(conn, Change(by, "client.disable", *shown, basis))


async def _changed(conn: AsyncConnection, change: Change) -> int:
    # A new version ends what every worker remembers of who asks (hub/identity/asking.py).
    version = await bump_version(conn)
    await note(conn, change, version)
    return version


def _client(row: Row[Any]) -> Client:
    return Client(
        row.id,
        row.title,
        row.dept,
        row.principal_id,
        row.kind,
        tuple(row.purposes.split()),
        row.state,
        row.expires_on,
    )


def _key(row: Row[Any]) -> ClientKey:
    live = row.state == "live"
    return ClientKey(row.id, row.client_id, row.kind, row.material, row.added_at, live)


# ---- what workers share


async def use_assertion(conn: AsyncConnection, client_id: str, jti: str, until: int) -> bool:
    """True the first time a client's assertion of this `jti` comes; `until` its expiry.

    In the caller's transaction. Seconds since 1970; what has expired by then is forgotten.
    """
    digest = hashlib.sha256(f"{client_id}\0{jti}".encode()).hexdigest()
    made = INSERT[conn.dialect.name](used_assertion).values(digest=digest, until=until)
    done = await conn.execute(made.on_conflict_do_nothing().returning(used_assertion.c.digest))
    return done.scalar_one_or_none() is not None


async def revoke_token(conn: AsyncConnection, jti: str, until: int) -> None:
    """Refuse a token from now on; `until` when it expires by itself (seconds since 1970)."""
    made = INSERT[conn.dialect.name](revoked_token).values(jti=jti, until=until)
    await conn.execute(made.on_conflict_do_nothing())


async def is_revoked(conn: AsyncConnection, jti: str) -> bool:
    """Was a token of this `jti` revoked?"""
    asked = select(revoked_token.c.jti).where(revoked_token.c.jti == jti)
    return (await conn.execute(asked)).first() is not None


async def forget(conn: AsyncConnection, now: int) -> None:
    """Remove what has expired by `now` and is refused for that alone."""
    for table in (used_assertion, revoked_token):
        await conn.execute(delete(table).where(table.c.until < now))
    oldest = now // MINUTE_S - WINDOW_MIN
    await conn.execute(delete(sign_in_failure).where(sign_in_failure.c.minute < oldest))


class Failures:
    """Failed sign-ins by client and address, counted in the store for all workers.

    `clock` gives seconds since 1970. SQLAlchemyError, OSError if the store does not answer.
    """

    def __init__(self, engine: AsyncEngine, clock: Callable[[], float] = time.time) -> None:
        self._engine, self._clock = engine, clock

    async def wait_s(self, client_id: str, address: str) -> int:
        """How long this client must wait at this address; 0 if it may try."""
        now = self._clock()
        oldest = int(now) // MINUTE_S - WINDOW_MIN + 1
        mine = self._mine(client_id, address)
        columns = (func.sum(sign_in_failure.c.count), func.min(sign_in_failure.c.minute))
        asked = select(*columns).where(*mine, sign_in_failure.c.minute >= oldest)
        async with self._engine.connect() as conn:
            count, first = (await conn.execute(asked)).one()
        if (count or 0) < FAILURES:
            return 0
        return max(1, int((first + WINDOW_MIN) * MINUTE_S - now))

    async def add(self, client_id: str, address: str) -> int:
        """One more; how many this client has now, from all addresses. The old ones are removed."""
        minute = int(self._clock()) // MINUTE_S
        row = {"client_id": client_id, "address": address, "minute": minute, "count": 1}
        keys = [column.name for column in sign_in_failure.primary_key]
        async with self._engine.begin() as conn:
            made = INSERT[conn.dialect.name](sign_in_failure).values(row)
            more = {"count": sign_in_failure.c.count + 1}
            await conn.execute(made.on_conflict_do_update(index_elements=keys, set_=more))
            await forget(conn, minute * MINUTE_S)
            count = func.sum(sign_in_failure.c.count)
            asked = select(count).where(sign_in_failure.c.client_id == client_id)
            return int(await conn.scalar(asked) or 0)

    @staticmethod
    def _mine(client_id: str, address: str) -> Sequence[Any]:
        return (
            sign_in_failure.c.client_id == client_id,
            sign_in_failure.c.address == address,
        )
