"""The alert rules (audit 1.12), as functions of bodies: no clock, no store, nothing kept outside.

A rule counts different things per *whom* inside a window that slides: an account's citizens,
an account's refusals, a citizen's readers. It hits when the count reaches its threshold, at
most once per whom and aligned window, so that what has been raised can be told from what is
new: `Hit.id` is the digest of rule, window and whom. Rules for which every single record
counts hit at each.

The state after a record depends on the records of the longest window before it alone. Whoever
has lost it reads them again (`Rules.feed`, hits thrown away) and goes on.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from audit.record import COUNTY
from audit.subjects import seen_tokens
from catalog.workdays import ZONE, after, is_working

SECOND = 1_000_000  # µs
HOUR_S, DAY_S = 3_600, 86_400
NIGHT_S = 11 * HOUR_S  # 20:00 to 07:00
OPENS, CLOSES = 7, 20  # o'clock in Shanghai
EVIDENCE = 100  # records named by an alert
REVIEW_DAYS = 3  # working days until a break-glass use must have been looked at
LOOKED_AT = 20  # persons a record may show and still be a look at each: a household, a short page
SWEEP = 4_096  # records between two looks for windows that have run out
TOWNSHIP = 9  # digits of a township's region path; records name places that far
IPV4_RANGE, IPV6_RANGE = 16, 32  # bits that tell one network from another

NOTHING: Mapping[str, Any] = {}
Body = Mapping[str, Any]
Found = Sequence[tuple[str, Hashable]]
"""What a record adds to a rule's count: (whom, the different thing to count)."""
Matter = Callable[["Facts"], Found]


@dataclass(frozen=True, slots=True)
class Limits:
    """A rule's row: from `threshold` on within `window_s` seconds it hits."""

    threshold: int
    window_s: int
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Hit:
    """What an alert will say. `start` µs UTC, `actor` whom it is about, `evidence` records' idx."""

    rule: str
    actor: str
    area: str
    start: int
    count: int
    evidence: tuple[int, ...] = ()
    due_at: int | None = None

    @property
    def id(self) -> str:
        """32 hex digits: the same for the same rule, window and whom, whoever finds it."""
        key = f"{self.rule}\n{self.start}\n{self.actor}".encode()
        return hashlib.sha256(key).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a rule is told to people, its defaults, and what it counts."""

    title: str
    limits: Limits
    matter: Matter | None = None
    every: bool = False  # each record hits, whatever came before
    due: bool = False  # must be handled within REVIEW_DAYS
    health: bool = False  # found by looking at the clock and the store, not by a record
    says: str = "{window_s} 秒内从 {threshold} 起"

    def said(self, limits: Limits) -> str:
        """When it hits, for people; without what is of no matter to it."""
        return self.says.format(window_s=limits.window_s, threshold=limits.threshold)


# ---- what a record says ------------------------------------------------------------------------


class Facts:
    """A body with what several rules ask of it, made once; empty texts for what is absent."""

    __slots__ = ("actor", "body", "denied", "disclosed", "idx", "kind", "looked_at", "tokens", "ts")

    def __init__(self, body: Body) -> None:
        self.body = body
        self.idx: int = body["idx"]
        self.ts: int = body["ts"]
        self.kind: str = body["kind"]
        self.actor: str = body.get("actor", "")
        outcome = body["outcome"]
        self.disclosed = outcome in ("OK", "PARTIAL") and self.kind in ("READ", "AUDIT_READ")
        self.denied = outcome == "DENIED" and self.kind != "REJECTS"
        # Citizens it showed to an account; whoever pages through a list looks at none of them.
        self.tokens = seen_tokens(body) if self.disclosed and self.actor else []
        self.looked_at = self.tokens if len(self.tokens) <= LOOKED_AT else []


def _persons(facts: Facts) -> Found:
    return [(facts.actor, token) for token in facts.tokens]


def _persons_after_hours(facts: Facts) -> Found:
    return _persons(facts) if facts.tokens and is_off_hours(facts.ts) else ()


def is_off_hours(ts: int) -> bool:
    """Whether µs UTC lie between 20:00 and 07:00 in Shanghai or on a day that is not worked."""
    return _off_hour(ts // (HOUR_S * SECOND))


@lru_cache(1_024)
def _off_hour(hour: int) -> bool:
    moment = datetime.fromtimestamp(hour * HOUR_S, UTC).astimezone(ZONE)
    return not (OPENS <= moment.hour < CLOSES and is_working(moment.date()))


def _is_elsewhere(body: Body) -> bool:
    """Did it show rows of a township that the post does not reach?"""
    own = body.get("post_area", "")[:TOWNSHIP]
    if not own or own == COUNTY:
        return False
    return any(not area.startswith(own) for area in body.get("areas", ()))


def _allowed_elsewhere(facts: Facts) -> Found:
    body = facts.body
    if facts.disclosed and facts.actor and "case" not in body and _is_elsewhere(body):
        return ((facts.actor, facts.idx),)
    return ()


def _denied_elsewhere(facts: Facts) -> Found:
    if not (facts.denied and facts.actor):
        return ()
    reads = facts.body.get("reads", ())
    beyond = any("REACH" in read.get("hidden", {}).values() for read in reads)
    return ((facts.actor, facts.idx),) if beyond else ()


def _denials(facts: Facts) -> Found:
    return ((facts.actor, facts.idx),) if facts.denied and facts.actor else ()


def _client_denials(facts: Facts) -> Found:
    client = facts.body.get("client")
    return ((client, facts.idx),) if facts.denied and client else ()


def _misses(facts: Facts) -> Found:
    """Look-ups by number that found nobody, or nobody for him: each alias is one."""
    if not facts.actor or "sought" not in facts.body:
        return ()
    found = [read.get("states", {}).get("NO_RECORD", 0) for read in facts.body.get("reads", ())]
    return [(facts.actor, (facts.idx, at)) for at in range(sum(found))]


def _runs(facts: Facts) -> Found:
    """Steps of a run of consecutive numbers, whose length the endpoint wrote (trap T16)."""
    length = facts.body.get("op", NOTHING).get("vars", NOTHING).get("run")
    if not facts.actor or not isinstance(length, int):  # a client's own variable has a type here
        return ()
    return [(facts.actor, step) for step in range(1, length + 1)]


def _readers(facts: Facts) -> Found:
    return [(token.hex(), facts.actor) for token in facts.looked_at]


def _reading_offices(facts: Facts) -> Found:
    org = facts.body.get("org")
    return [(token.hex(), org) for token in facts.looked_at] if org else ()


def _networks(facts: Facts) -> Found:
    ip = facts.body.get("ip")
    return ((facts.actor, network(ip)),) if ip and facts.actor else ()


@lru_cache(4_096)
def network(ip: str) -> str:
    """The range an address lies in: 16 bits of IPv4, 32 of IPv6; the text itself if it is none."""
    try:
        bits = IPV4_RANGE if ip_address(ip).version == 4 else IPV6_RANGE
        return str(ip_network(f"{ip}/{bits}", strict=False))
    except ValueError:
        return ip


CHANGES = frozenset({"POLICY_CHANGED", "ACCOUNT_CHANGED", "RULE_CHANGED"})


def _by_kind(*kinds: str) -> Matter:
    def matter(facts: Facts) -> Found:
        return ((facts.actor, facts.idx),) if facts.kind in kinds else ()

    return matter


def _emergencies(facts: Facts) -> Found:
    # The intent is the use; its result says the same again.
    used = facts.body.get("break_glass") and not facts.kind.endswith("_RESULT")
    return ((facts.actor, facts.idx),) if used else ()


EACH, LATE = "每一次", "超过 {window_s} 秒"
RULES: Mapping[str, Rule] = {
    "bulk": Rule("一小时内看过的人员过多", Limits(201, HOUR_S), _persons),
    "after-hours": Rule("非工作时间看过的人员过多", Limits(21, NIGHT_S), _persons_after_hours),
    "out-of-area": Rule("无诉求编号而看到辖区以外", Limits(1, HOUR_S), _allowed_elsewhere),
    "out-of-area-denied": Rule("多次被拒于辖区以外", Limits(3, 600), _denied_elsewhere),
    "denials": Rule("账号多次被拒", Limits(10, 600), _denials),
    "denials-client": Rule("同一应用多次被拒", Limits(30, 600), _client_denials),
    "enumeration": Rule("按证件多次查无此人", Limits(10, 600), _misses),
    "consecutive": Rule("逐号试查证件号码", Limits(5, 600), _runs),
    "most-read": Rule("一人被多个账号看过", Limits(8, DAY_S), _readers),
    "most-read-departments": Rule("一人被多个部门看过", Limits(3, DAY_S), _reading_offices),
    "break-glass": Rule("应急访问", Limits(1, 1), _emergencies, every=True, due=True, says=EACH),
    "break-glass-overdue": Rule("应急访问逾期未复核", Limits(1, 1), health=True, says=EACH),
    "export": Rule(
        "导出", Limits(1, 1), _by_kind("EXPORT", "EXPORT_INTENT"), every=True, says=EACH
    ),
    "dormant": Rule(
        "久未使用的账号重新使用", Limits(1, 60 * DAY_S), every=True, says="隔 {window_s} 秒后首次"
    ),
    "two-networks": Rule("同一账号来自两个网段", Limits(2, 600), _networks),
    "change": Rule(
        "策略、账号或规则变更", Limits(1, 1), _by_kind(*sorted(CHANGES)), every=True, says=EACH
    ),
    "change-use": Rule("变更者本人随即查看", Limits(1, DAY_S), says="变更后 {window_s} 秒内"),
    "log-clock": Rule("时钟跳变", Limits(1, 1), _by_kind("CLOCK_STEP"), every=True, says=EACH),
    "log-intent": Rule("有意图而无结果", Limits(1, 300), health=True, says=LATE),
    "log-verify": Rule("核验发现改动", Limits(1, 1), health=True, says=EACH),
    "log-disk": Rule("磁盘余量不足", Limits(20, HOUR_S), health=True, says="低于 {threshold}%"),
    "log-checkpoint": Rule("检查点久未签署", Limits(1, HOUR_S), health=True, says=LATE),
    "log-witness": Rule("见证久未联署", Limits(1, HOUR_S), health=True, says=LATE),
}
ALWAYS = frozenset({"change"})  # else it could be turned off unnoticed, and then all others
SILENT = frozenset({"ALERT_RAISED", "ALERT_HANDLED"})  # no alert about an alert
ABOUT_CITIZENS = frozenset({"most-read", "most-read-departments"})  # `actor` is a token there
DEFAULTS: Mapping[str, Limits] = {name: rule.limits for name, rule in RULES.items()}


# ---- counting ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Window:
    """Per whom the different things, each with its latest (ts, idx), the latest last."""

    rule: str
    limits: Limits
    matter: Matter
    kept: dict[str, dict[Hashable, tuple[int, int]]] = field(default_factory=dict)
    hit: dict[str, int] = field(default_factory=dict)  # start of the last window that hit

    def feed(self, facts: Facts, found: Found) -> Iterator[Hit]:
        ts, idx = facts.ts, facts.idx
        touched: dict[str, None] = {}
        for whom, what in found:
            things = self.kept.setdefault(whom, {})
            things.pop(what, None)
            things[what] = (ts, idx)
            touched[whom] = None
        span = self.limits.window_s * SECOND
        start = ts // span * span
        for whom in touched:
            things = self.kept[whom]
            _forget(things, ts - span)
            if len(things) >= self.limits.threshold and self.hit.get(whom) != start:
                # Times of several processes may cross by a clock's error: look at each.
                within = [at for t, at in things.values() if t > ts - span]
                if len(within) >= self.limits.threshold:
                    self.hit[whom] = start
                    evidence = tuple(sorted(set(within))[:EVIDENCE])
                    area = facts.body.get("area", COUNTY)
                    yield Hit(self.rule, whom, area, start, len(within), evidence)

    def sweep(self, ts: int) -> None:
        old = ts - self.limits.window_s * SECOND
        for whom in [w for w, things in self.kept.items() if _latest(things) <= old]:
            del self.kept[whom]
        for whom in [w for w, start in self.hit.items() if start <= old]:
            del self.hit[whom]


def _forget(things: dict[Hashable, tuple[int, int]], old: int) -> None:
    while things:
        first = next(iter(things))
        if things[first][0] > old:
            return
        del things[first]


def _latest(things: dict[Hashable, tuple[int, int]]) -> int:
    return next(reversed(things.values()))[0] if things else 0


@dataclass(slots=True)
class _Every:
    """Each record hits. Two of one whom and moment are told apart by a microsecond."""

    rule: str
    due: bool
    last: dict[str, int] = field(default_factory=dict)

    def hit(self, body: Body, whom: str, evidence: tuple[int, ...]) -> Hit:
        ts = body["ts"]
        start = self.last[whom] = max(ts, self.last.get(whom, 0) + 1)
        until = review_until(ts) if self.due else None
        return Hit(self.rule, whom, body.get("area", COUNTY), start, 1, evidence, until)


def review_until(ts: int) -> int:
    """The end of the third working day after µs UTC, µs UTC."""
    moment = datetime.fromtimestamp(ts // SECOND, UTC)
    return math.floor(after(moment, REVIEW_DAYS).timestamp()) * SECOND


class Rules:
    """All enabled rules with their state. `limits` by rule; one that is not named is off."""

    def __init__(self, limits: Mapping[str, Limits] = DEFAULTS) -> None:
        self._limits = {name: one for name, one in limits.items() if one.enabled and name in RULES}
        self._windows = [
            _Window(name, one, matter)
            for name, one in self._limits.items()
            if (matter := RULES[name].matter) is not None and not RULES[name].every
        ]
        self._singles = [
            (_Every(name, RULES[name].due), matter)
            for name in self._limits
            if (matter := RULES[name].matter) is not None and RULES[name].every
        ]
        self._dormant = _Every("dormant", due=False)
        self._last_use: dict[str, int] = {}
        self._changed: dict[str, tuple[int, int]] = {}  # who changed: ts, idx
        self._change_hit: dict[str, int] = {}
        self._intents: dict[str, Body] = {}  # by id
        self._fed = 0

    @property
    def span_s(self) -> int:
        """Seconds of records before a place that its state depends on."""
        windows = [w.limits.window_s for w in self._windows]
        windows += [self._limits[n].window_s for n in ("change-use", "log-intent") if self._has(n)]
        return max([1, *windows])

    @property
    def kept(self) -> int:
        """How many accounts, applications and citizens it remembers something of."""
        return sum(len(window.kept) for window in self._windows)

    def strangers(self, bodies: Iterable[Body]) -> set[str]:
        """Accounts whose last use before these records is not known: `used` tells it."""
        if not self._has("dormant"):
            return set()
        return {b["actor"] for b in bodies if "actor" in b} - self._last_use.keys()

    def used(self, actor: str, ts: int) -> None:
        """An account's last use before the records that are fed next."""
        self._last_use[actor] = ts

    def feed(self, body: Body) -> list[Hit]:
        """One more record, in the order of the log: what it hits."""
        self._fed += 1
        if self._fed % SWEEP == 0:
            self._sweep(body["ts"])
        if body["kind"] in SILENT:
            return []
        facts, hits = Facts(body), list[Hit]()
        for window in self._windows:
            if found := window.matter(facts):
                hits += window.feed(facts, found)
        for single, matter in self._singles:
            hits += [single.hit(body, whom, (facts.idx,)) for whom, _ in matter(facts)]
        if facts.actor:
            hits += self._after_a_rest(facts)
            hits += self._own_change(facts)
        self._intent(body)
        return hits

    def orphans(self, now: int) -> list[Hit]:
        """Intents without a result for longer than the rule's window; `now` µs UTC."""
        if not self._has("log-intent"):
            return []
        old = now - self._limits["log-intent"].window_s * SECOND
        return [
            Hit("log-intent", b.get("actor", ""), b.get("area", COUNTY), b["ts"], 1, (b["idx"],))
            for b in self._intents.values()
            if b["ts"] < old
        ]

    def _has(self, name: str) -> bool:
        return name in self._limits

    def _after_a_rest(self, facts: Facts) -> Iterator[Hit]:
        before, self._last_use[facts.actor] = self._last_use.get(facts.actor), facts.ts
        limits = self._limits.get("dormant")
        if limits and before is not None and facts.ts - before >= limits.window_s * SECOND:
            yield self._dormant.hit(facts.body, facts.actor, (facts.idx,))

    def _own_change(self, facts: Facts) -> Iterator[Hit]:
        limits, actor = self._limits.get("change-use"), facts.actor
        if limits is None:
            return
        if facts.kind in CHANGES:
            self._changed[actor] = (facts.ts, facts.idx)
        changed = self._changed.get(actor)
        if changed is None or not facts.tokens:
            return
        span = limits.window_s * SECOND
        start = facts.ts // span * span
        if facts.ts - changed[0] < span and self._change_hit.get(actor) != start:
            self._change_hit[actor] = start
            area = facts.body.get("area", COUNTY)
            yield Hit("change-use", actor, area, start, 1, (changed[1], facts.idx))

    def _intent(self, body: Body) -> None:
        """A result names its intent by `ref`: its place in the log, its id, or what both name."""
        if body["kind"] == "SUBSCRIBE_INTENT":
            return  # it lasts as long as somebody listens, and each frame has its own record
        if body["kind"].endswith("_INTENT"):
            self._intents[body["id"]] = body
        elif body["kind"].endswith("_RESULT") and "ref" in body:
            ref = body["ref"]
            for id_ in [i for i, b in self._intents.items() if ref in _names(b)]:
                del self._intents[id_]

    def _sweep(self, ts: int) -> None:
        for window in self._windows:
            window.sweep(ts)
        for id_ in [i for i, b in self._intents.items() if b["ts"] < ts - DAY_S * SECOND]:
            del self._intents[id_]  # raised a day ago


def _names(intent: Body) -> tuple[object, ...]:
    return (str(intent["idx"]), intent["id"], intent.get("ref"))
