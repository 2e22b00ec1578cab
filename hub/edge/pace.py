"""How fast an account may ask, and how much of it may run at once: RATE_LIMITED beyond that.

Requests a minute are counted for all workers (`store/rates.py`): a worker takes a share of the
minute from the store and counts against it, so that a warm request costs no statement. Operations
that run are counted by each worker: what they use up, its memory and its connections, is the
worker's own, and a worker that is killed takes its count along.

A store that does not answer limits nobody: without it no record can be written, and nothing
leaves.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from weakref import WeakValueDictionary

from cachetools import LRUCache
from sqlalchemy.exc import SQLAlchemyError

from authz.post import Asker
from catalog.errors import RateLimited
from catalog.standing import Standing
from hub.settings import Settings
from store.rates import MINUTE_S, Rates, Share

KEPT = 4_096  # accounts whose share a worker remembers
TAKE_S = 1.0  # for one row; a store that is slower does not answer
Told = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an account may do: requests a minute in all, operations at once in one worker."""

    rate: int
    running: int


def bounds_of(settings: Settings) -> Mapping[Standing, Bounds]:
    """The bounds of each class of askers."""
    return {
        Standing.PERSON: Bounds(settings.rate_person, settings.running_person),
        Standing.SYSTEM: Bounds(settings.rate_system, settings.running_system),
        Standing.GATEWAY: Bounds(settings.rate_gateway, settings.running_gateway),
    }


class Pace:
    """Lets requests through or refuses them; one per worker. `wait_s` for the store at most."""

    def __init__(
        self, rates: Rates, bounds: Mapping[Standing, Bounds], *, wait_s: float = TAKE_S
    ) -> None:
        self._rates, self._bounds, self._wait_s = rates, bounds, wait_s
        self._shares: LRUCache[str, Share] = LRUCache(KEPT)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._running: Counter[str] = Counter()
        self._refused: LRUCache[tuple[str, str | None], int] = LRUCache(KEPT)
        self.taken = 0  # shares taken from the store

    async def admit(self, asker: Asker) -> Told:
        """Count one request; the headers that say what is left. RateLimited RATE."""
        account, limit = _counted_as(asker), self._bounds[asker.standing].rate
        now = self._rates.now()
        share = self._shares.get(account)
        if share is None or _used(share, now):
            share = await self._share(account, limit, now)
        if share.left <= 0:
            said = f"请求过于频繁：每分钟最多 {limit} 次，请稍后再试"
            raise RateLimited(said, reason="RATE", retryAfter=_to_next(now))
        share.left -= 1
        return _told(limit, share, now)

    def told(self, asker: Asker) -> Told:
        """The same headers for a request that was refused."""
        limit = self._bounds[asker.standing].rate
        share = self._shares.get(_counted_as(asker)) or Share(0, 0, 0)
        return _told(limit, share, self._rates.now())

    @contextmanager
    def running(self, asker: Asker) -> Iterator[None]:
        """One operation of the account while it runs. RateLimited CONCURRENCY."""
        account, most = _counted_as(asker), self._bounds[asker.standing].running
        if self._running[account] >= most:
            said = f"同时进行的查询过多：最多 {most} 个，请稍后再试"
            raise RateLimited(said, reason="CONCURRENCY", retryAfter=1)
        self._running[account] += 1
        try:
            yield
        finally:
            self._running[account] -= 1
            if not self._running[account]:
                del self._running[account]

    def is_first(self, account: str, reason: str | None) -> bool:
        """Is this the first refusal of its kind within the minute? It has a record of its own."""
        minute = int(self._rates.now() // MINUTE_S)
        before = self._refused.get((account, reason))
        self._refused[account, reason] = minute
        return before != minute

    async def _share(self, account: str, limit: int, now: float) -> Share:
        # Many requests of one account find at one moment that its share is used up: one asks.
        async with self._turns.setdefault(account, asyncio.Lock()):
            share = self._shares.get(account)
            if share is None or _used(share, now):
                share = self._shares[account] = await self._taken(account, limit, now)
        return share

    async def _taken(self, account: str, limit: int, now: float) -> Share:
        self.taken += 1
        try:
            async with asyncio.timeout(self._wait_s):
                return await self._rates.take(account, limit)
        except (SQLAlchemyError, OSError):  # TimeoutError is an OSError
            return Share(int(now // MINUTE_S), 1, limit)


def _counted_as(asker: Asker) -> str:
    """Under which name his requests are counted; what a gateway brings is counted apart."""
    return f"{asker.principal_id}@{Standing.GATEWAY}" if asker.gateway else asker.principal_id


def _used(share: Share, now: float) -> bool:
    """Is there nothing left of it, and perhaps something elsewhere?"""
    return share.minute < now // MINUTE_S or (share.left <= 0 < share.rest)


def _to_next(now: float) -> int:
    """Whole seconds to the next minute, at least one."""
    return max(1, ceil(MINUTE_S - now % MINUTE_S))


def _told(limit: int, share: Share, now: float) -> Told:
    return (
        (b"ratelimit-limit", b"%d" % limit),
        (b"ratelimit-remaining", b"%d" % max(0, share.left + share.rest)),
        (b"ratelimit-reset", b"%d" % _to_next(now)),
    )
