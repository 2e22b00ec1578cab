"""One record after another: hash, form, columns, its writer's count and time. Pure."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from audit.derived import COLUMNS, columns
from audit.record import MAX_INT, canonical
from audit.verify.verdict import Code, Found

_ENCODED = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER  # refuses numbers beyond 2^53-1
_NONE = frozenset({float, type(None)})  # kinds of values that no record has
# In canonical text a number stands behind one of these, and a float has one of those within.
_DIGITS = b"-0123456789"
_MARKS = bytes.maketrans(b"[,eE", b"::..")
_FLOAT, _NULL = b":.", b"null"


def parsed(text: str) -> Mapping[str, Any] | None:
    """The body of a record, or None if `text` is not its canonical form (`ysa1`).

    orjson first; what it does not give back byte by byte the format's own definition judges
    (`canonical`), so nothing is taken or refused that the definition would not.
    """
    raw = text.encode("utf-8", "surrogatepass")
    try:
        body = orjson.loads(raw)
        if type(body) is not dict:
            return None
        if orjson.dumps(body, option=_ENCODED) == raw and (
            _plainly_whole(raw) or _no_floats(body.values())
        ):
            return body if _normal(text) else None
    except (ValueError, TypeError, RecursionError):
        pass
    return _by_definition(text)


def _by_definition(text: str) -> Mapping[str, Any] | None:
    try:
        body = json.loads(text)
        if isinstance(body, dict) and canonical(body) == text and _plain(body) and _normal(text):
            return body
    except (ValueError, RecursionError):
        pass  # no JSON at all is no canonical JSON either
    return None


def _plainly_whole(raw: bytes) -> bool:
    """True if canonical text can have neither float nor null; False says nothing.

    With its digits gone a float begins with its point or exponent, right behind the mark
    before it. Within a text the same may stand by chance: then the values are looked at.
    """
    return _NULL not in raw and _FLOAT not in raw.translate(_MARKS, _DIGITS)


def _no_floats(values: Collection[Any]) -> bool:
    """No float and no null, anywhere: a set of kinds for each list or object, no more."""
    kinds = set(map(type, values))
    if not _NONE.isdisjoint(kinds):
        return False
    if dict in kinds and not all(_no_floats(v.values()) for v in values if type(v) is dict):
        return False
    return list not in kinds or all(_no_floats(v) for v in values if type(v) is list)


def _normal(text: str) -> bool:
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def _plain(value: object) -> bool:
    """No float, no null, no number beyond 2^53-1, anywhere."""
    if isinstance(value, dict):
        return all(map(_plain, value.values()))
    if isinstance(value, list):
        return all(map(_plain, value))
    if isinstance(value, int):
        return abs(value) <= MAX_INT
    return isinstance(value, str)


@dataclass(slots=True)
class _WriterSeen:
    wseq: int
    ts: int
    stopped: bool = False


class Bodies:
    """What the records say of themselves and of their writers, one after another."""

    def __init__(self, found: Found, *, since: int = 0) -> None:
        self._found, self._since = found, since
        self._writers: dict[str, _WriterSeen] = {}
        self.last_ts = 0

    def judge(self, row: Sequence[Any], text: str, hashed: str) -> Mapping[str, Any] | None:
        """`row` in the order of `EVENT_COLUMNS`; the body, if it is one."""
        idx = row[0]
        if hashed != row[_LEAF]:
            self._found.add(idx, Code.LEAF, "the body's hash is not the stored leaf")
        body = parsed(text)
        if body is None:
            self._found.add(idx, Code.NOT_CANONICAL, "the body is not in canonical form")
            return None
        self._judge_columns(row, body)
        self._judge_writer(idx, body)
        return body

    def _judge_columns(self, row: Sequence[Any], body: Mapping[str, Any]) -> None:
        try:
            derived = columns(body)
        except (AttributeError, TypeError):
            return self._found.add(row[0], Code.COLUMN, "the body has not the fields of a record")
        if derived != tuple(row[:_LEAF]):
            pairs = zip(COLUMNS, derived, row, strict=False)  # the row goes on with leaf and body
            wrong = [name for name, said, stored in pairs if said != stored]
            self._found.add(row[0], Code.COLUMN, f"differs from the body: {' '.join(wrong)}")
        return None

    def _judge_writer(self, idx: int, body: Mapping[str, Any]) -> None:
        name, wseq, ts = body.get("writer"), body.get("wseq"), body.get("ts")
        if not (isinstance(name, str) and type(wseq) is int and type(ts) is int):
            return self._found.add(idx, Code.WRITER_SEQ, "the body names no writer, count and time")
        seen = self._writers.get(name)
        if seen is None:
            # Of a walk that began later the first record seen says where a writer stands.
            before = wseq - 1 if self._since else 0
            seen = self._writers[name] = _WriterSeen(before, ts)
        if wseq != seen.wseq + 1:
            self._found.add(idx, Code.WRITER_SEQ, f"count {wseq} follows {seen.wseq}")
        if ts < seen.ts:
            self._found.add(idx, Code.CLOCK_BACK, "earlier than the writer's record before it")
        seen.wseq, seen.ts, seen.stopped = wseq, ts, body.get("kind") == "HUB_STOP"
        self.last_ts = max(self.last_ts, ts)
        return None

    def judge_end(self, size: int, stored: Mapping[str, int]) -> None:
        """`stored`: the last count of each writer, as its row says."""
        reached = {writer: seen.wseq for writer, seen in self._writers.items()}
        names = reached.keys() if self._since else stored.keys() | reached.keys()
        for writer in sorted(names):
            if stored.get(writer) != reached.get(writer):
                about = f"the log ends at {reached.get(writer, 0)} of {stored.get(writer, 0)}"
                self._found.add(size, Code.WRITER_SEQ, about)

    @property
    def all_stopped(self) -> bool:
        """Every writer's last record is its HUB_STOP."""
        return all(seen.stopped for seen in self._writers.values())

    @property
    def unstopped(self) -> tuple[str, ...]:
        """Writers whose last record is not."""
        return tuple(sorted(name for name, seen in self._writers.items() if not seen.stopped))


_LEAF = len(COLUMNS)  # the row's place of the leaf; the body follows
