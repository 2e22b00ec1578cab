"""Alerts leave the hub: a signed webhook and syslog, at least once, in nobody's way.

What is to be told stands in `audit_delivery`, written with the alert. A task takes what is due,
one process at a time: it moves the row's next time ahead before it speaks, so whoever dies
meanwhile has only put it off. A receiver that is slow, wrong or gone is tried again after
5 s, 10 s, … 1 h, for ever; nothing else waits for it, and nobody but the hosts of the
settings is ever spoken to.

A receiver of the webhook checks ``X-Hub-Signature: t=SECONDS,v1=HEX``: HEX is
HMAC-SHA256(key, ``SECONDS.BODY``) over the body's bytes; it refuses what is older than five
minutes, and keeps ids, since a delivery may come twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

import httpx
from sqlalchemy import select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.rules import ABOUT_CITIZENS, RULES, SECOND
from store.audit import audit_alert, audit_delivery

WEBHOOK, SYSLOG = "webhook", "syslog"
EVERY_S = 1.0  # between two looks at what is due
TIMEOUT_S = 5.0  # a receiver has taken it by then
FIRST_S, LAST_S = 5, 3_600  # between two tries: doubled from the first to the last
DUE_AT_ONCE = 20
SIGNATURE = "X-Hub-Signature"
PRIORITY = 13 * 8 + 4  # RFC 5424: log audit, warning
ENTERPRISE = "32473"  # RFC 5612: the number for examples; the county has none of its own


class Unsent(Exception):
    """The receiver did not take it; the text is the kind of failure, for `audit_delivery`."""


class Channel(Protocol):
    """One way out."""

    async def send(self, alert: Mapping[str, Any]) -> None:
        """Return once the receiver has it. Unsent, OSError or TimeoutError if it has not."""


def told(row: Row[Any], log: str) -> dict[str, Any]:
    """What leaves of an alert: no person, no note, no token of a citizen."""
    about = "" if row.rule in ABOUT_CITIZENS else row.actor
    said = {
        "id": row.id,
        "rule": row.rule,
        "title": RULES[row.rule].title if row.rule in RULES else row.rule,
        "about": about,
        "area": row.area,
        "count": row.count,
        "windowStart": _iso(row.window_start),
        "raisedAt": _iso(row.raised_at),
        "record": row.raised_idx,
        "log": log,
    }
    return said if row.due_at is None else said | {"dueAt": _iso(row.due_at)}


def _iso(us: int) -> str:
    moment = datetime.fromtimestamp(us // SECOND, UTC).replace(microsecond=us % SECOND)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


# ---- webhook -----------------------------------------------------------------------------------


def signature(key: bytes, seconds: int, body: bytes) -> str:
    """The header's value for a body sent at this time (seconds since 1970)."""
    mac = hmac.digest(key, b"%d." % seconds + body, "sha256")
    return f"t={seconds},v1={mac.hex()}"


class Webhook:
    """POST to one address; any 2xx has taken it. No redirect is followed, no proxy asked."""

    def __init__(
        self,
        url: str,
        key: str,
        clock: Callable[[], float] = time.time,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._url, self._key, self._clock = url, key.encode(), clock
        self._timeout_s = timeout_s

    async def send(self, alert: Mapping[str, Any]) -> None:
        """One try."""
        body = json.dumps(alert, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            SIGNATURE: signature(self._key, int(self._clock()), body),
        }
        try:
            async with asyncio.timeout(self._timeout_s), _client() as client:
                answer = await client.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unsent(type(error).__name__) from None
        if not answer.is_success:
            raise Unsent(f"HTTP {answer.status_code}")


def _client() -> httpx.AsyncClient:
    # The whole try has an end of its own; this one is for each byte of a slow receiver.
    return httpx.AsyncClient(timeout=2 * TIMEOUT_S, follow_redirects=False, trust_env=False)


# ---- syslog ------------------------------------------------------------------------------------


class Syslog:
    """RFC 5424 over ``udp://host:port``, ``tcp://host:port`` (RFC 6587) or ``unix:///path``.

    A datagram tells nobody whether it came: over UDP "once it is sent" is all there is.
    """

    def __init__(self, address: str) -> None:
        self._to: SplitResult = urlsplit(address)

    async def send(self, alert: Mapping[str, Any]) -> None:
        """One try."""
        message = syslog_message(alert)
        async with asyncio.timeout(TIMEOUT_S):
            if self._to.scheme == "tcp":
                await self._stream(message)
            elif self._to.scheme == "udp":
                await self._datagram(message)
            else:
                await asyncio.to_thread(_to_path, self._to.path, message)

    async def _stream(self, message: bytes) -> None:
        _, writer = await asyncio.open_connection(self._to.hostname, self._to.port)
        try:
            writer.write(b"%d " % len(message) + message)
            await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _datagram(self, message: bytes) -> None:
        loop, to = asyncio.get_running_loop(), (self._to.hostname or "", self._to.port or 0)
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=to)
        transport.sendto(message)
        transport.close()


def _to_path(path: str, message: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(TIMEOUT_S)
        sender.sendto(message, path)


def syslog_message(alert: Mapping[str, Any]) -> bytes:
    """One message of RFC 5424, with its facts as structured data and a title for people."""
    facts = {name: str(value) for name, value in alert.items() if name != "title"}
    pairs = " ".join(f'{name}="{escaped(value)}"' for name, value in facts.items())
    text = f"[alert@{ENTERPRISE} {pairs}] \ufeff{alert['title']}"
    return f"<{PRIORITY}>1 {alert['raisedAt']} - hub - ALERT {text}".encode()


def escaped(value: str) -> str:
    """A PARAM-VALUE (RFC 5424 6.3.3): backslash, quote and closing bracket are escaped."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


# ---- what is due -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Due:
    alert: Row[Any]
    channel: str
    tries: int


class Deliveries:
    """The task of one process; `channels` by name. `clock` gives seconds since 1970."""

    def __init__(
        self,
        engine: AsyncEngine,
        channels: Mapping[str, Channel],
        log: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._channels, self._log, self._clock = engine, channels, log, clock

    async def follow(self) -> None:
        """Deliver until cancelled; a store that is away is asked again a second later."""
        while self._channels:
            with contextlib.suppress(Exception):  # whatever it was, it is still due
                await self.deliver()
            await asyncio.sleep(EVERY_S)

    async def deliver(self) -> int:
        """Try what is due, all channels at once; how many were taken."""
        due = await self._due()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(one)) for one in due]
        return sum(task.result() for task in tasks)

    async def _due(self) -> Sequence[_Due]:
        row = audit_delivery.c
        asked = (
            select(row.channel, row.tries, audit_alert)
            .join(audit_alert, audit_alert.c.id == row.alert_id)
            .where(row.done_at.is_(None), row.next_at <= self._now())
            .where(row.channel.in_(list(self._channels)))
            .order_by(row.next_at)
            .limit(DUE_AT_ONCE)
        )
        async with self._engine.connect() as connection:
            found = (await connection.execute(asked)).all()
        return [_Due(r, r.channel, r.tries) for r in found]

    async def _one(self, due: _Due) -> bool:
        if not await self._taken(due):
            return False
        try:
            await self._channels[due.channel].send(told(due.alert, self._log))
        except (Unsent, OSError, TimeoutError) as error:
            kind = str(error) if isinstance(error, Unsent) else type(error).__name__
            await self._noted(due, error=kind[:64])
            return False
        await self._noted(due, done_at=self._now(), error=None)
        return True

    async def _taken(self, due: _Due) -> bool:
        """Put the row's next try off, before this one: no other process takes it meanwhile."""
        wait = TIMEOUT_S + min(LAST_S, FIRST_S * 2 ** min(due.tries, 16))
        values = {"tries": due.tries + 1, "next_at": self._now() + int(wait * SECOND)}
        return await self._changed(due, due.tries, values)

    async def _noted(self, due: _Due, **values: Any) -> None:
        await self._changed(due, due.tries + 1, values)

    async def _changed(self, due: _Due, tries: int, values: Mapping[str, Any]) -> bool:
        row = audit_delivery.c
        changed = update(audit_delivery).where(
            row.alert_id == due.alert.id, row.channel == due.channel, row.tries == tries
        )
        async with self._engine.begin() as connection:
            done = await connection.execute(changed.where(row.done_at.is_(None)).values(values))
        return done.rowcount == 1

    def _now(self) -> int:
        return int(self._clock() * SECOND)
