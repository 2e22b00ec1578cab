"""Alerts follow the log: what the rules hit becomes a row and a record, exactly once.

    cursor ─► bodies ─► Rules.feed ─► hits ──┐ one transaction: cursor, ALERT_RAISED records,
                                             └ rows of audit_alert, deliveries to be made

A process keeps the rules' state in memory and loses nothing with it: it is read back from the
longest window before the cursor. One process is at it; another that finds the cursor moving
stands back until it has stopped for `takeover_s`. Begun on a log that is already there, alerts
start at its present head: about the past there is the dry run (`tried`).

What no record can say, because it is that something did not happen, is looked at by `Watch`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.batch import now_us
from audit.follower import cursor_of, move
from audit.log import AuditLog
from audit.record import COUNTY, Draft, Kind, Op
from audit.rules import ALWAYS, DEFAULTS, RULES, SECOND, Body, Hit, Limits, Rules
from store.audit import (
    audit_alert,
    audit_alert_note,
    audit_checkpoint,
    audit_cosignature,
    audit_delivery,
    audit_event,
    audit_head,
    audit_rule,
    audit_verdict,
)

NAME = "alerts"
RECORDS = 256  # bodies read a step
RAISED = 20  # a step, or a record's more: the head's lock is held meanwhile
TAKEOVER_S = 5.0  # a cursor that stood still for so long has nobody at it
CHECK_S = 30.0  # between two looks at what did not happen

_BEGIN = text(
    "INSERT INTO audit_follower (name, next_idx) SELECT :name, size FROM audit_head "
    "WHERE id = 1 ON CONFLICT DO NOTHING"
)


class AlertSteps:
    """The steps of one process. `channels` are to be told of every alert."""

    def __init__(
        self,
        engine: AsyncEngine,
        log: AuditLog,
        *,
        channels: Sequence[str] = (),
        watch: Watch | None = None,
        takeover_s: float = TAKEOVER_S,
        records: int = RECORDS,
    ) -> None:
        self._engine, self._log, self._channels = engine, log, tuple(channels)
        self._watch, self._takeover_s, self._records = watch, takeover_s, records
        self._rules: Rules | None = None
        self._limits: Mapping[str, Limits] = {}
        self._at = -1  # the record that `_rules` expects next
        self._seen, self._since = -1, time.monotonic()  # a cursor that is not ours, since when

    async def step(self) -> int:
        """Judge some records and raise what they hit; the cursor after it."""
        try:
            return await self._step()
        except BaseException:
            self._rules = None  # whatever was judged may not have been written
            raise

    async def _step(self) -> int:
        async with self._engine.connect() as connection:
            cursor = await cursor_of(connection, NAME)
            limits = await limits_of(connection)
            size = await connection.scalar(select(audit_head.c.size)) or 0
        if cursor is None:
            return await self._begin()
        if self._rules is None or self._at != cursor or limits != self._limits:
            if not self._is_ours(cursor, size):
                return cursor
            await self._read_back(cursor, limits)
        end, hits = await self._judged(cursor)
        if end == cursor:
            await self._look(end)
        elif await self._written(cursor, end, hits):
            self._at = end
        else:
            self._rules, end = None, cursor
        return end

    async def _begin(self) -> int:
        async with self._engine.begin() as connection:
            await connection.execute(_BEGIN, {"name": NAME})
            cursor = await cursor_of(connection, NAME)
        if cursor is None:
            raise LookupError("the log has no head")
        self._at = cursor  # nobody else can have been here
        return cursor

    def _is_ours(self, cursor: int, size: int) -> bool:
        """May this process take the cursor: it was here last, or nobody has moved it for a
        while although there is something to be done."""
        if self._at == cursor:
            return True
        if cursor != self._seen or cursor == size:
            self._seen, self._since = cursor, time.monotonic()
        return cursor < size and time.monotonic() - self._since >= self._takeover_s

    async def _read_back(self, cursor: int, limits: Mapping[str, Limits]) -> None:
        self._rules, self._limits = Rules(limits), limits
        async with self._engine.connect() as connection:
            await _recall(connection, self._rules, cursor, self._records)
        self._at = cursor

    async def _judged(self, cursor: int) -> tuple[int, list[Hit]]:
        assert self._rules is not None  # noqa: S101  read back above
        async with self._engine.connect() as connection:
            bodies = await _bodies(connection, cursor, cursor + self._records)
            await _acquaint(connection, self._rules, bodies)
        # In a thread: the loop, which answers, gets its turn between any two records.
        return await asyncio.to_thread(_some_judged, self._rules, bodies, cursor)

    async def _written(self, cursor: int, end: int, hits: Sequence[Hit]) -> bool:
        async with self._engine.begin() as connection:
            if not await move(connection, NAME, cursor, end):
                return False
            await self._raise(connection, hits)
        return True

    async def _look(self, cursor: int) -> None:
        """Nothing is left to be judged: look at what did not happen."""
        if self._watch is None or not self._watch.is_due():
            return
        assert self._rules is not None  # noqa: S101  read back above
        now = self._watch.now()
        async with self._engine.connect() as connection:
            hits = await self._watch.hits(connection, self._limits, now)
        hits += self._rules.orphans(now)
        if hits:
            async with self._engine.begin() as connection:
                if await move(connection, NAME, cursor, cursor):
                    await self._raise(connection, hits)

    async def _raise(self, connection: AsyncConnection, hits: Sequence[Hit]) -> None:
        """Rows and records of those not raised before. INVARIANT: the cursor's row is held."""
        new = await _unraised(connection, hits)
        if not new:
            return
        now = now_us()
        receipts = await self._log.append_all_in(connection, [drafted(hit) for hit in new])
        rows = [_row(hit, one.idx, now) for hit, one in zip(new, receipts, strict=True)]
        # After the records, whose places the rows name: all other appends wait for this commit.
        await connection.execute(insert(audit_alert), rows)
        told = [_delivery(hit, channel, now) for hit in new for channel in self._channels]
        if told:
            await connection.execute(insert(audit_delivery), told)


def _some_judged(rules: Rules, bodies: Sequence[Body], cursor: int) -> tuple[int, list[Hit]]:
    """(the record after the last one judged, hits); whole records until there are enough hits."""
    end, hits = cursor, list[Hit]()
    for body in bodies:
        hits += rules.feed(body)
        end = body["idx"] + 1
        if len(hits) >= RAISED:
            break
    return end, hits


def drafted(hit: Hit) -> Draft:
    """The record of an alert: which rule, whom about, which window, how many."""
    said: dict[str, str | int] = {"window": hit.start, "count": hit.count}
    if hit.actor:
        said["about"] = hit.actor
    return Draft(Kind.ALERT_RAISED, op=Op(hit.rule, vars=said), area=hit.area, ref=hit.id)


def _row(hit: Hit, idx: int, now: int) -> dict[str, Any]:
    return {
        "id": hit.id,
        "rule": hit.rule,
        "actor": hit.actor,
        "area": hit.area,
        "window_start": hit.start,
        "count": hit.count,
        "evidence": json.dumps(hit.evidence),
        "state": "OPEN",
        "raised_at": now,
        "raised_idx": idx,
        "due_at": hit.due_at,
    }


def _delivery(hit: Hit, channel: str, now: int) -> dict[str, Any]:
    return {"alert_id": hit.id, "channel": channel, "tries": 0, "next_at": now}


async def _unraised(connection: AsyncConnection, hits: Sequence[Hit]) -> list[Hit]:
    by_id = {hit.id: hit for hit in hits}
    asked = select(audit_alert.c.id).where(audit_alert.c.id.in_(list(by_id)))
    for known in (await connection.scalars(asked)).all() if by_id else ():
        del by_id[known]
    return list(by_id.values())


# ---- reading the log ---------------------------------------------------------------------------


async def _bodies(connection: AsyncConnection, first: int, end: int) -> list[Body]:
    event = audit_event.c
    asked = select(event.body).where(event.idx >= first, event.idx < end).order_by(event.idx)
    texts = (await connection.scalars(asked)).all()
    return await asyncio.to_thread(lambda: [orjson.loads(text) for text in texts])


async def _acquaint(connection: AsyncConnection, rules: Rules, bodies: Sequence[Body]) -> None:
    """Tell the rules when accounts that are new to them were here last."""
    event = audit_event.c
    for actor in sorted(rules.strangers(bodies)):
        earlier = select(event.ts).where(event.actor == actor, event.idx < bodies[0]["idx"])
        ts = await connection.scalar(earlier.order_by(event.ts.desc()).limit(1))
        if ts is not None:
            rules.used(actor, ts)


async def _recall(
    connection: AsyncConnection, rules: Rules, cursor: int, records: int = RECORDS
) -> None:
    """Feed what lies within the longest window before the cursor; its hits have been raised."""
    event = audit_event.c
    last = await connection.scalar(select(event.ts).where(event.idx == cursor - 1))
    if last is None:
        return
    inside = select(func.min(event.idx)).where(event.ts > last - rules.span_s * SECOND)
    first = await connection.scalar(inside.where(event.idx < cursor))
    for at in range(cursor if first is None else first, cursor, records):
        began = time.monotonic()
        bodies = await _bodies(connection, at, min(at + records, cursor))
        await _acquaint(connection, rules, bodies)
        await asyncio.to_thread(_fed, rules, bodies)
        await asyncio.sleep(time.monotonic() - began)  # half of the time at most


def _fed(rules: Rules, bodies: Sequence[Body]) -> list[Hit]:
    return [hit for body in bodies for hit in rules.feed(body)]


async def tried(
    engine: AsyncEngine, limits: Mapping[str, Limits], since: int = 0
) -> AsyncIterator[Hit]:
    """What rules would have raised on the records from `since` on; nothing is changed."""
    rules = Rules(limits)
    async with engine.connect() as connection:
        size = await connection.scalar(select(audit_head.c.size)) or 0
        await _recall(connection, rules, since)
        for at in range(since, size, RECORDS):
            bodies = await _bodies(connection, at, min(at + RECORDS, size))
            await _acquaint(connection, rules, bodies)
            for hit in _fed(rules, bodies):
                yield hit


# ---- what did not happen -----------------------------------------------------------------------


@dataclass(slots=True)
class Watch:
    """Looks at the store and the disk every `every_s`, the first time that long after its start.

    `free` gives the share of the disk that is free (0 … 1), `quorum` how many witnesses must
    sign; `now` µs UTC.
    """

    free: Callable[[], float] | None = None
    quorum: int = 0
    every_s: float = CHECK_S
    now: Callable[[], int] = now_us
    next: float = 0.0

    def is_due(self) -> bool:
        """Whether it is time to look; if so, the next time is set."""
        now, first = time.monotonic(), not self.next
        due = not first and now >= self.next
        if first or due:
            self.next = now + self.every_s
        return due

    async def hits(
        self, connection: AsyncConnection, limits: Mapping[str, Limits], now: int
    ) -> list[Hit]:
        """What is wrong now, by the rules that are enabled."""
        looks = {
            "log-verify": self._verdicts,
            "log-disk": self._disk,
            "log-checkpoint": self._checkpoints,
            "log-witness": self._witnesses,
            "break-glass-overdue": self._overdue,
        }
        found: list[Hit] = []
        for name, look in looks.items():
            if name in limits and limits[name].enabled:
                found += await look(connection, limits[name], now)
        return found

    async def _verdicts(self, connection: AsyncConnection, _: Limits, _now: int) -> list[Hit]:
        row = audit_verdict.c
        newest = select(row.at, row.findings, row.exit).order_by(row.at.desc()).limit(1)
        found = (await connection.execute(newest)).one_or_none()
        if found is None or found.exit != 1:
            return []
        return [Hit("log-verify", "", COUNTY, found.at, found.findings)]

    async def _disk(self, _connection: AsyncConnection, limits: Limits, now: int) -> list[Hit]:
        percent = 100 if self.free is None else int(self.free() * 100)
        if percent >= limits.threshold:
            return []
        return [Hit("log-disk", "", COUNTY, _aligned(now, limits), percent)]

    async def _checkpoints(
        self, connection: AsyncConnection, limits: Limits, now: int
    ) -> list[Hit]:
        size = await connection.scalar(select(func.max(audit_checkpoint.c.size)))
        return await self._uncovered(connection, "log-checkpoint", size or 0, limits, now)

    async def _witnesses(self, connection: AsyncConnection, limits: Limits, now: int) -> list[Hit]:
        if not self.quorum:
            return []
        row = audit_cosignature.c
        enough = select(row.size).group_by(row.size).having(func.count() >= self.quorum)
        size = await connection.scalar(enough.order_by(row.size.desc()).limit(1))
        return await self._uncovered(connection, "log-witness", size or 0, limits, now)

    async def _uncovered(
        self, connection: AsyncConnection, rule: str, size: int, limits: Limits, now: int
    ) -> list[Hit]:
        """A hit if the first record that is not covered has been waiting too long."""
        first = await connection.scalar(select(audit_event.c.ts).where(audit_event.c.idx == size))
        if first is None or now - first < limits.window_s * SECOND:
            return []
        head = await connection.scalar(select(audit_head.c.size)) or 0
        return [Hit(rule, "", COUNTY, _aligned(now, limits), head - size, (size,))]

    async def _overdue(self, connection: AsyncConnection, _: Limits, now: int) -> list[Hit]:
        late = select(audit_alert).where(audit_alert.c.state == "OPEN", audit_alert.c.due_at < now)
        late = late.where(audit_alert.c.rule == "break-glass")
        return [
            Hit("break-glass-overdue", a.actor, a.area, a.window_start, 1, (a.raised_idx,))
            for a in (await connection.execute(late)).all()
        ]


def _aligned(now: int, limits: Limits) -> int:
    span = limits.window_s * SECOND
    return now // span * span


# ---- the rules' rows ---------------------------------------------------------------------------


async def seed_rules(connection: AsyncConnection, by: str = "hub") -> None:
    """Put in the rules that are not there yet, with their defaults; others stay as they are."""
    known = set((await connection.scalars(select(audit_rule.c.rule))).all())
    rows = [
        {"rule": name, **_values(one), "changed_by": by, "changed_at": now_us()}
        for name, one in DEFAULTS.items()
        if name not in known
    ]
    if rows:
        await connection.execute(insert(audit_rule), rows)


def _values(limits: Limits) -> dict[str, Any]:
    return {
        "enabled": limits.enabled,
        "threshold": limits.threshold,
        "window_s": limits.window_s,
    }


async def limits_of(connection: AsyncConnection) -> dict[str, Limits]:
    """The rules as they are set; one without a row has its default, `ALWAYS` are on."""
    rows = (await connection.execute(select(audit_rule))).all()
    found = {r.rule: Limits(r.threshold, r.window_s, r.enabled) for r in rows if r.rule in RULES}
    found |= {name: replace(found.get(name, DEFAULTS[name]), enabled=True) for name in ALWAYS}
    return {**DEFAULTS, **found}


async def set_rule(
    engine: AsyncEngine, log: AuditLog, name: str, limits: Limits, *, by: str
) -> Limits:
    """Change a rule, with its RULE_CHANGED record in the same transaction; what it was before."""
    async with engine.begin() as connection:
        await seed_rules(connection)
        before = (await limits_of(connection))[name]
        changed = update(audit_rule).where(audit_rule.c.rule == name)
        at = {"changed_by": by, "changed_at": now_us()}
        await connection.execute(changed.values(**_values(limits), **at))
        said = {f"{key}.before": value for key, value in _values(before).items()}
        said |= _values(limits)
        draft = Draft(Kind.RULE_CHANGED, actor=by, op=Op(name, vars=said), ref=name)
        await log.append_in(connection, draft)
    return before


# ---- handling an alert -------------------------------------------------------------------------


class NoSuchAlert(LookupError):
    """There is no alert of this id, or it has been handled."""


class OwnAlert(ValueError):
    """Nobody handles an alert about himself."""


async def acknowledge(
    engine: AsyncEngine, log: AuditLog, alert: str, *, by: str, note: str, digest: str
) -> int:
    """Handle an open alert: state, note and ALERT_HANDLED in one transaction; the record's idx.

    `note` is kept where it can be erased, the record has its keyed `digest`.
    """
    row, now = audit_alert.c, now_us()
    async with engine.begin() as connection:
        # An UPDATE first takes the lock: two officers at once, one of them finds it handled.
        held = update(audit_alert).where(row.id == alert, row.state == "OPEN")
        about = held.values(count=row.count).returning(row.actor, row.rule, row.area)
        found = (await connection.execute(about)).one_or_none()
        if found is None:
            raise NoSuchAlert(alert)
        if found.actor == by:
            raise OwnAlert(alert)
        said = {"alert_id": alert, "at": now, "by": by, "text": note}
        await connection.execute(insert(audit_alert_note), said)
        draft = Draft(
            Kind.ALERT_HANDLED,
            actor=by,
            op=Op(found.rule),
            area=found.area,
            ref=alert,
            note=digest,
        )
        receipt = await log.append_in(connection, draft)
        done = {"state": "HANDLED", "handled_by": by, "handled_at": now}
        handled = update(audit_alert).where(row.id == alert)
        await connection.execute(handled.values(**done, handled_idx=receipt.idx))
    return receipt.idx
