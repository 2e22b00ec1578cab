"""One guard before each source: outage window, bulkhead, breaker, budget, deadline, bounded retry.

    closed ──`threshold` failures in a row──► open ──`cooldown_s`──► half-open
       ▲                                        ▲                        │ one probe only
       └────────────── it answers ──────────────┼────────────────────────┤
                                                └──── it fails ──────────┘

Whatever goes wrong leaves as SourceUnavailable with a closed `Reason`, so that one
department's trouble costs its own facets only. BUSY and QUOTA say nothing about a source's
health: the breaker does not count them.
Reads alone pass here: asking twice is harmless. Clocks are injected.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as Clock
from enum import StrEnum
from functools import partial
from typing import Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

import stamina

from adapters.bulkhead import Bulkhead, Full
from adapters.deadline import Deadlines
from catalog.errors import SourceUnavailable

DEADLINE_S = 3.0  # a page waits this long for its slowest department
ATTEMPTS = 2  # one more try heals a dropped connection; more only adds to a source's load
FIRST_WAIT_S, MAX_WAIT_S, JITTER_S = 0.05, 0.5, 0.05
THRESHOLD = 5  # failures in a row: not bad luck any more
COOLDOWN_S = 10.0  # a restarted system is found again within this time
OK = "OK"  # the outcome of a call that was answered; any other is its Reason
COUNTY_ZONE = ZoneInfo("Asia/Shanghai")

T = TypeVar("T")


class Reason(StrEnum):
    """Why a source does not answer (closed list of docs/errors/SOURCE_UNAVAILABLE.md)."""

    DOWN = "DOWN"
    TIMEOUT = "TIMEOUT"
    BREAKER_OPEN = "BREAKER_OPEN"
    OUTAGE_WINDOW = "OUTAGE_WINDOW"
    BUSY = "BUSY"
    QUOTA = "QUOTA"
    SCHEMA = "SCHEMA"
    TLS = "TLS"


SAID = {
    Reason.DOWN: "未能应答",
    Reason.TIMEOUT: "应答超时",
    Reason.BREAKER_OPEN: "连续失败，暂缓访问",
    Reason.OUTAGE_WINDOW: "处于停机时段",
    Reason.BUSY: "访问过多，本次未能排上",
    Reason.QUOTA: "当日调用次数已用完",
    Reason.SCHEMA: "结构与目录不符",
    Reason.TLS: "证书未通过校验",
}


class Fault(Exception):
    """What an adapter raises when its source fails. `again`: a second try may help.

    Carries no text of the source: its messages may name persons.
    """

    def __init__(self, reason: Reason = Reason.DOWN, *, again: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.again = reason, again


BLAMELESS = frozenset({Reason.BUSY, Reason.QUOTA})
"""A source that says so is well."""


class Unpaid(Exception):
    """A call may not go out. BUSY: not in time; QUOTA: not today; DOWN: nobody can tell."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Budget(Protocol):
    """What a source lets the whole hub ask: calls a day, and how fast they may follow."""

    async def take(self, until: float) -> None:
        """Return when one call may go out, before `until` (loop time); Unpaid if it may not."""


@dataclass(frozen=True, slots=True)
class Window:
    """Daily closing hours in local time; `start` included, `end` not; may pass midnight."""

    start: Clock
    end: Clock

    @classmethod
    def parse(cls, text: str) -> Window:
        """``23:30-05:30``; ValueError otherwise."""
        start, dash, end = text.partition("-")
        if not dash:
            raise ValueError("write HH:MM-HH:MM")
        return cls(Clock.fromisoformat(start.strip()), Clock.fromisoformat(end.strip()))

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def covers(self, moment: datetime) -> bool:
        """True if the aware `moment` falls into it."""
        at = moment.astimezone(COUNTY_ZONE).time()
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end

    def began(self, moment: datetime) -> datetime:
        """When it last began, at this aware `moment` or before; UTC."""
        return self._last(self.start, moment)

    def ends(self, began: datetime) -> datetime:
        """When the one that began then ends; UTC."""
        return self._last(self.end, began + timedelta(days=1))

    @staticmethod
    def _last(at: Clock, moment: datetime) -> datetime:
        local = moment.astimezone(COUNTY_ZONE)
        today = datetime.combine(local.date(), at, COUNTY_ZONE)
        found = today if today <= local else today - timedelta(days=1)
        return found.astimezone(UTC)


class BreakerState(StrEnum):
    """Where the breaker stands."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Breaker:
    """Counts failures in a row; `clock` gives seconds that only grow."""

    def __init__(
        self,
        *,
        threshold: int = THRESHOLD,
        cooldown_s: float = COOLDOWN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold, self._cooldown_s, self._clock = threshold, cooldown_s, clock
        self._opened: float | None = None
        self._probing = False
        self.failures = 0

    @property
    def state(self) -> BreakerState:
        """OPEN turns HALF_OPEN by time alone."""
        if self._opened is None:
            return BreakerState.CLOSED
        rested = self._clock() - self._opened >= self._cooldown_s
        return BreakerState.HALF_OPEN if rested else BreakerState.OPEN

    def admit(self) -> bool:
        """True if a call may go out. In HALF_OPEN one probe at a time is let through."""
        state = self.state
        if state is BreakerState.CLOSED:
            return True
        if state is BreakerState.OPEN or self._probing:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The source answered: closed, and all failures forgotten."""
        self._opened, self._probing, self.failures = None, False, 0

    def failed(self) -> None:
        """The source failed: a failed probe opens again at once."""
        self.failures += 1
        if self._probing or self.failures >= self._threshold:
            self._opened = self._clock()
        self._probing = False

    def abandoned(self) -> None:
        """The asker gave up: says nothing about the source, but frees the probe."""
        self._probing = False


@dataclass(frozen=True, slots=True)
class GuardState:
    """What the status page shows of one source; times aware UTC, latency in ms."""

    name: str
    breaker: BreakerState
    failures: int
    closed_now: bool
    last_ok: datetime | None
    last_fault: datetime | None
    last_reason: Reason | None
    latency_ms: float | None
    in_flight: int

    @property
    def answered_since(self) -> bool:
        """It has answered after its last fault."""
        if self.last_ok is None or self.last_fault is None:
            return self.last_ok is not None
        return self.last_ok > self.last_fault


Seen = Callable[[str, str, float | None], None]
"""Told of each call: source, ``OK`` or its Reason, and the seconds it took if it went out."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def unseen(_source: str, _outcome: str, _seconds: float | None) -> None:
    """Nobody looks."""


class _Paid(Generic[T]):
    """A question that is paid for each time it is asked; `asked`: it went out at least once."""

    __slots__ = ("_ask", "_budget", "_end", "asked")

    def __init__(self, ask: Callable[[], Awaitable[T]], budget: Budget, end: float) -> None:
        self._ask, self._budget, self._end = ask, budget, end
        self.asked = False

    async def __call__(self) -> T:
        await self._budget.take(self._end)
        self.asked = True
        return await self._ask()


class Guard:
    """Stands before one source. `faults`: the driver's own errors that mean "down"."""

    def __init__(
        self,
        name: str,
        *,
        title: str | None = None,
        deadline_s: float = DEADLINE_S,
        attempts: int = ATTEMPTS,
        breaker: Breaker | None = None,
        windows: tuple[Window, ...] = (),
        faults: tuple[type[Exception], ...] = (OSError,),
        bulkhead: Bulkhead | None = None,
        budget: Budget | None = None,
        seen: Seen = unseen,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name, self.deadline_s = name, deadline_s
        self._title, self._attempts = title or name, attempts
        self._breaker, self._deadlines = breaker or Breaker(), Deadlines()
        self._bulkhead, self._budget = bulkhead or Bulkhead(), budget
        self._windows, self._seen, self._now = windows, seen, now
        self._caught: tuple[type[Exception], ...] = (Fault, TimeoutError, *faults)
        self._last_ok: datetime | None = None
        self._last_fault: datetime | None = None
        self._last_reason: Reason | None = None
        self._latency_ms: float | None = None

    def until(self, budget_s: float | None = None) -> float:
        """The loop time at which a read of several calls must be done."""
        allowed = self.deadline_s if budget_s is None else min(self.deadline_s, budget_s)
        return asyncio.get_running_loop().time() + allowed

    async def run(self, ask: Callable[[], Awaitable[T]], *, until: float | None = None) -> T:
        """What `ask` answers before `until` (loop time), or SourceUnavailable.

        An error that is neither a Fault, a timeout nor one of `faults` is ours and passes.
        """
        now = asyncio.get_running_loop().time()
        end = now + self.deadline_s if until is None else until
        self._refuse_unasked(now, end)
        try:
            await self._bulkhead.enter(end)
        except Full:
            raise self._refusal(Reason.BUSY) from None
        try:
            return await self._admitted(ask, end)
        finally:
            self._bulkhead.leave()

    async def _admitted(self, ask: Callable[[], Awaitable[T]], end: float) -> T:
        # Only now: the breaker may have opened while this call waited, and a probe is one call.
        if not self._breaker.admit():
            raise self._unavailable(Reason.BREAKER_OPEN)
        paid = None if self._budget is None else _Paid(ask, self._budget, end)
        begun = asyncio.get_running_loop().time()
        try:
            answer = await self._deadlines.within(end, partial(self._tries, paid or ask))
        except Unpaid as unpaid:
            self._breaker.abandoned()
            raise self._unpaid(unpaid.reason) from None
        except Fault as fault:
            raise self._failure(fault.reason, begun) from None
        except TimeoutError:
            if paid is not None and not paid.asked:
                self._breaker.abandoned()
                raise self._unpaid(Reason.DOWN) from None  # the budget itself did not answer
            raise self._failure(Reason.TIMEOUT, begun) from None
        except BaseException:
            self._breaker.abandoned()
            raise
        self._success(begun)
        return answer

    @property
    def state(self) -> GuardState:
        """A snapshot for status page and readiness."""
        return GuardState(
            name=self.name,
            breaker=self._breaker.state,
            failures=self._breaker.failures,
            closed_now=self._closed_now(),
            last_ok=self._last_ok,
            last_fault=self._last_fault,
            last_reason=self._last_reason,
            latency_ms=self._latency_ms,
            in_flight=self._bulkhead.in_flight,
        )

    def _refuse_unasked(self, now: float, end: float) -> None:
        if self._closed_now():
            raise self._unavailable(Reason.OUTAGE_WINDOW)
        if end <= now:
            raise self._unavailable(Reason.TIMEOUT)
        if self._breaker.state is BreakerState.OPEN:
            raise self._unavailable(Reason.BREAKER_OPEN)

    async def _tries(self, ask: Callable[[], Awaitable[T]]) -> T:
        # Nearly every call is answered at once: it pays nothing for retrying.
        try:
            return await ask()
        except self._caught as error:
            first = self._fault(error)
        # Out of the handler, so that no driver's error is the context of what comes now.
        return await self._again(ask, first)

    async def _again(self, ask: Callable[[], Awaitable[T]], first: Fault) -> T:
        async for attempt in stamina.retry_context(
            on=lambda error: isinstance(error, Fault) and error.again,
            attempts=self._attempts,
            timeout=None,
            wait_initial=FIRST_WAIT_S,
            wait_max=MAX_WAIT_S,
            wait_jitter=JITTER_S,
        ):
            with attempt:
                if attempt.num == 1:
                    raise first  # that try is over; only what follows it is made here
                return await self._once(ask, first)
        raise Fault(Reason.DOWN)

    async def _once(self, ask: Callable[[], Awaitable[T]], first: Fault) -> T:
        try:
            return await ask()
        except Unpaid:
            raise Fault(first.reason) from None  # no second try is to be had: the first one stands
        except self._caught as error:
            raise self._fault(error) from None

    def _fault(self, error: Exception) -> Fault:
        # Drivers put statements and values into their errors; none of it may travel on.
        if isinstance(error, Fault):
            return error
        if isinstance(error, TimeoutError):
            return Fault(Reason.TIMEOUT)
        return Fault(Reason.DOWN, again=True)

    def _closed_now(self) -> bool:
        if not self._windows:
            return False
        now = self._now()
        return any(window.covers(now) for window in self._windows)

    def _success(self, begun: float) -> None:
        self._breaker.succeeded()
        self._last_ok = self._now()
        spent_s = asyncio.get_running_loop().time() - begun
        self._latency_ms = spent_s * 1_000
        self._seen(self.name, OK, spent_s)

    def _failure(self, reason: Reason, begun: float) -> SourceUnavailable:
        if reason in BLAMELESS:
            self._breaker.abandoned()
        else:
            self._breaker.failed()
        return self._refusal(reason, asyncio.get_running_loop().time() - begun)

    def _unpaid(self, reason: Reason) -> SourceUnavailable:
        # A budget that is away is the hub's trouble, and no news of the source.
        return self._unavailable(reason) if reason is Reason.DOWN else self._refusal(reason)

    def _refusal(self, reason: Reason, spent_s: float | None = None) -> SourceUnavailable:
        self._last_fault, self._last_reason = self._now(), reason
        return self._unavailable(reason, spent_s)

    def _unavailable(self, reason: Reason, spent_s: float | None = None) -> SourceUnavailable:
        self._seen(self.name, reason.value, spent_s)
        told, where = f"{self._title}{SAID[reason]}，其余数据照常给出", {"source": self.name}
        if reason is Reason.QUOTA:
            return SourceUnavailable(
                f"{told}；请次日再试", reason=reason.value, retryable=False, **where
            )
        return SourceUnavailable(f"{told}；请稍后再试", reason=reason.value, **where)
