"""One record of the access log and its canonical bytes (format ``ysa1``).

A Draft is what the hub says about one answer: plain values, no row, no literal. It becomes
a Record once the log has numbered it. A record's *body* is UTF-8 JSON in a subset of
RFC 8785 on which the standard library and orjson agree byte for byte: ASCII keys sorted,
no floats, integers within ±(2^53-1), NFC texts without lone surrogates, nothing null (absent
instead), times in integer µs UTC, at most 64 KiB. The leaf is hashed over exactly these
bytes; all other columns of the table are derived from them (`derived.py`) and prove nothing.

No body holds a name, an id number, a phone or a free text (P3). `entry` refuses a Draft
in which anything looks like an id number, wherever it stands. A Plan's reads bring the same
code words with every answer, so the words that have passed are remembered (`_Vocabulary`);
what differs from request to request or comes from a client is checked each time.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any

import orjson

from audit.subjects import LIST, PACKED, TOKEN_BYTES, is_set, listed, seen_field

FORMAT = 1
MAX_BODY_BYTES = 64 * 1024
MAX_INT = 2**53 - 1  # what every JSON reader keeps exactly
STAMP_BYTES = 256  # room for idx, ts, v, writer and wseq
SUBJECTS_A_RECORD = 500  # 11 KB seen and 17.5 KB sought: well inside a body
READS_A_RECORD = 32  # one read has some 250 bytes, the widest data set under many rules 1.2 KB
MAX_KEY_VERSION = 32_767  # one small integer in the index
MAX_AREAS = 20  # township codes listed one by one; more are said as "many"
COUNTY = "532622"
WORDS_KEPT = 8_192  # the catalogue's coordinates and a policy's rules are some 2,000

# Codes, never sentences: letters, digits, Chinese words and the marks ids and types are
# made of. No blank, so that no free text slips in.
_CODE = re.compile(r"[\w.:/@#+=|,%!()\[\]-]{1,128}\Z")
_AREA = re.compile(r"532622(\d{3}){0,2}\Z", re.ASCII)
# Digests may hold 18 digits in a row by chance; they are told by their exact lengths.
_DIGEST = re.compile(r"(?:sha256:)?(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})\Z")
_ID_NUMBER = re.compile(r"\d{17}[\dXxＸｘ]")  # full-width digits are digits too


class BadRecord(ValueError):
    """A Draft that must not be written. Names the field, never the value."""


class Kind(StrEnum):
    """What happened (audit 1.4). INTENT is written before a deed begins, RESULT when it ended."""

    READ = "READ"
    MUTATION = "MUTATION"
    AUDIT_READ = "AUDIT_READ"
    SIGN_IN = "SIGN_IN"
    SIGN_OUT = "SIGN_OUT"
    REJECTS = "REJECTS"
    POLICY_CHANGED = "POLICY_CHANGED"
    ACCOUNT_CHANGED = "ACCOUNT_CHANGED"
    EXPORT_INTENT = "EXPORT_INTENT"
    EXPORT_RESULT = "EXPORT_RESULT"
    SHARE_INTENT = "SHARE_INTENT"
    SHARE_RESULT = "SHARE_RESULT"
    REMOTE_INTENT = "REMOTE_INTENT"
    REMOTE_RESULT = "REMOTE_RESULT"
    BREAK_GLASS_INTENT = "BREAK_GLASS_INTENT"
    BREAK_GLASS_RESULT = "BREAK_GLASS_RESULT"
    SUBSCRIBE_INTENT = "SUBSCRIBE_INTENT"
    SUBSCRIBE_RESULT = "SUBSCRIBE_RESULT"
    HUB_START = "HUB_START"
    HUB_STOP = "HUB_STOP"
    HEARTBEAT = "HEARTBEAT"
    CLOCK_STEP = "CLOCK_STEP"
    RULE_CHANGED = "RULE_CHANGED"
    ALERT_RAISED = "ALERT_RAISED"
    ALERT_HANDLED = "ALERT_HANDLED"
    WITNESS_STATE = "WITNESS_STATE"
    SEGMENT_ARCHIVED = "SEGMENT_ARCHIVED"
    SEGMENT_DESTROYED = "SEGMENT_DESTROYED"
    KEY_ROTATED = "KEY_ROTATED"
    LOG_RESTARTED = "LOG_RESTARTED"


class Outcome(StrEnum):
    """How it ended. PARTIAL: a source was down, the rest was answered."""

    OK = "OK"
    PARTIAL = "PARTIAL"
    DENIED = "DENIED"
    FAILED = "FAILED"
    INVALID = "INVALID"


@dataclass(slots=True)
class ReadEntry:
    """What one Read disclosed.

    `how` row|list|key|tally|exists; `rows` and distinct `subjects` are counts; `clear` and
    `masked` rows per schema coordinate; `hidden` coordinate and reason; `by` coordinates of
    filter, order and group; `lens` the Lens's digest; `as_of` µs UTC; `states` counts;
    `total` the count of all rows, if he was told it.
    """

    dataset: str
    source: str
    how: str
    rows: int
    subjects: int
    clear: Mapping[str, int] = field(default_factory=dict)
    masked: Mapping[str, int] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    lens: str = ""
    as_of: int | None = None
    states: Mapping[str, int] = field(default_factory=dict)
    total: int | None = None


@dataclass(slots=True)
class Op:
    """The operation: allow-listed `name`, literal-free `hash`, types (or safe values) in `vars`."""

    name: str = ""
    hash: str = ""
    type: str = ""
    vars: Mapping[str, str | int | bool] = field(default_factory=dict)


@dataclass(slots=True)
class Draft:
    """A record to be. Empty texts, tuples and None are left out of the body.

    `post_area` where the asker's post lies, `area` the region path the record is filed
    under, `areas` township codes whose rows were shown. `subjects` (seen) and `sought`
    (looked up by number, hit or not) are tokens made with key `key_ver`, 16 bytes each, one
    after another, none twice.
    `session` and `note` are keyed digests; `policy` the version of the rules.
    """

    kind: Kind
    outcome: Outcome = Outcome.OK
    code: str = ""
    actor: str = ""
    org: str = ""
    role: str = ""
    post_area: str = ""
    client: str = ""
    ip: str = ""
    session: str = ""
    request: str = ""
    trace: str = ""
    op: Op | None = None
    purpose: str = ""
    basis: str = ""
    case: str = ""
    note: str = ""
    end_user: str = ""
    area: str = COUNTY
    areas: tuple[str, ...] = ()
    linkage: tuple[str, ...] = ()
    reads: tuple[ReadEntry, ...] = ()
    subjects: bytes = b""
    sought: bytes = b""
    key_ver: int = 1
    policy: str = ""
    break_glass: bool = False
    ref: str = ""
    part: int = 1
    parts: int = 1


@dataclass(slots=True)
class Stamp:
    """What only the log knows: place in the log, time (µs UTC), writer and its own count."""

    idx: int
    ts: int
    writer: str
    wseq: int


@dataclass(slots=True)
class Entry:
    """A checked Draft with its `id`, encoded but for the stamp: `head` idx `tail` ts."""

    id: str
    body: Mapping[str, Any]
    head: str
    tail: str


@dataclass(slots=True)
class Record:
    """A numbered record: `text` is its canonical body, `body` the same as a mapping."""

    text: str
    body: Mapping[str, Any]


@dataclass(slots=True)
class Receipt:
    """Proof for the asker: place in the log, leaf hash (hex) and the log's name."""

    idx: int
    leaf: str
    log: str


def canonical(body: Mapping[str, Any]) -> str:
    """The one text of a body. TypeError or ValueError for what JSON cannot say.

    This is the format's definition, and what verify compares with; the writer's encoder is
    another (`_encoded`), so a fault in one of them would be found.
    """
    return _encode(body)


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def _encoded(body: Mapping[str, Any]) -> bytes:
    """`canonical` for a body whose texts and kinds of values are checked, ten times as fast."""
    try:
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
    except orjson.JSONEncodeError:
        _check_plain("reads", body.get("reads", []))
        raise BadRecord("the record holds what JSON cannot say") from None


def is_code(value: str) -> bool:
    """True for a word the log may hold: no blanks, at most 128 characters."""
    return _CODE.match(value) is not None


def parts(draft: Draft) -> Iterator[Draft]:
    """The draft itself, or pieces of ≤ 500 subjects and ≤ 32 reads, numbered part 1…parts.

    Each read and its counts stand in one part alone, so that sums over records stay true;
    every part repeats who, what for and under which request.
    """
    longest = max(len(draft.subjects), len(draft.sought))
    count = max(1, -(-longest // _PART_BYTES), -(-len(draft.reads) // READS_A_RECORD))
    if count == 1:
        yield draft
        return
    for number in range(count):
        span = slice(number * _PART_BYTES, (number + 1) * _PART_BYTES)
        yield replace(
            draft,
            subjects=draft.subjects[span],
            sought=draft.sought[span],
            reads=draft.reads[number * READS_A_RECORD : (number + 1) * READS_A_RECORD],
            part=number + 1,
            parts=count,
        )


_PART_BYTES = SUBJECTS_A_RECORD * TOKEN_BYTES


def entry(draft: Draft, record_id: str) -> Entry:
    """Check and encode a draft. BadRecord names the field that must not be written."""
    texts = _texts(draft)
    _check_fields(draft, texts)
    body = _body(draft, texts)
    _check_values(draft, body)
    body["id"] = record_id
    encoded = _encoded(body)
    if len(encoded) + STAMP_BYTES > MAX_BODY_BYTES:
        raise BadRecord("the record is larger than 64 KiB")
    # All that sorts before "id" is plain text, so its first place is the member's own.
    head, cut, tail = encoded.decode().partition(f'"id":"{record_id}",')
    return Entry(record_id, body, head + cut, tail[:-1])


def stamp(one: Entry, at: Stamp) -> Record:
    """The record at its place. Equal to `canonical(body)`, but encodes only what is new.

    The head lock may be held meanwhile, so the rest was encoded by `entry`. Keys are ASCII
    and in order: … id idx … trace ts v writer wseq; no other field may sort after ``ts``.
    """
    writer = _encode(at.writer)
    text = (
        f'{one.head}"idx":{at.idx},{one.tail},"ts":{at.ts},"v":{FORMAT},'
        f'"writer":{writer},"wseq":{at.wseq}}}'
    )
    stamped = {"idx": at.idx, "ts": at.ts, "v": FORMAT, "writer": at.writer, "wseq": at.wseq}
    return Record(text, {**one.body, **stamped})


def _body(draft: Draft, texts: tuple[str, ...]) -> dict[str, Any]:
    named: dict[str, Any] = {name: v for name, v in zip(_TEXTS, texts, strict=True) if v}
    named["kind"], named["outcome"] = draft.kind.value, draft.outcome.value
    if draft.op is not None:
        named |= _kept(op=_operation(draft.op))
    if draft.areas:
        named["areas"] = ["many"] if len(draft.areas) > MAX_AREAS else list(draft.areas)
    if draft.linkage:
        named["linkage"] = list(draft.linkage)
    if draft.reads:
        named["reads"] = [_read(r) for r in draft.reads]
        named["rows"] = sum([r.rows for r in draft.reads])
    if draft.sought:
        named["sought"] = listed(draft.sought)
    if draft.subjects or draft.sought:
        named |= seen_field(draft.subjects)
        named["key_ver"] = draft.key_ver
    if draft.break_glass:
        named["break_glass"] = True
    if draft.parts > 1:
        named |= {"part": draft.part, "parts": draft.parts}
    return named


_TEXTS = (
    "code",
    "actor",
    "org",
    "role",
    "post_area",
    "client",
    "ip",
    "session",
    "request",
    "trace",
    "purpose",
    "basis",
    "case",
    "note",
    "end_user",
    "area",
    "policy",
    "ref",
)
_texts = attrgetter(*_TEXTS)


def _operation(op: Op) -> dict[str, Any]:
    return _kept(name=op.name, hash=op.hash, type=op.type, vars=dict(op.vars))


def _read(read: ReadEntry) -> dict[str, Any]:
    named: dict[str, Any] = {
        "d": read.dataset,
        "src": read.source,
        "how": read.how,
        "n": read.rows,
        "s": read.subjects,
    }
    if read.as_of is not None:
        named["as_of"] = read.as_of
    if read.total is not None:
        named["total"] = read.total
    if read.lens:
        named["lens"] = read.lens
    if read.clear:
        named["clear"] = dict(read.clear)
    if read.masked:
        named["masked"] = dict(read.masked)
    if read.hidden:
        named["hidden"] = dict(read.hidden)
    if read.states:
        named["states"] = dict(read.states)
    if read.by:
        named["by"] = list(read.by)
    if read.rules:
        named["rules"] = list(read.rules)
    return named


def _kept(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}


class _Vocabulary:
    """Code words that have passed every check, at most `WORDS_KEPT`.

    ASCII only, so that each may be a key, too. INVARIANT: no account, no address, no case,
    no name of a request and no digest gets in: nothing by which a person could be told.
    """

    def __init__(self) -> None:
        self._passed: set[str] = set()

    def knows(self, words: list[str]) -> bool:
        """True if every word has passed before."""
        try:
            return self._passed.issuperset(words)
        except TypeError:  # no word at all
            return False

    def add(self, words: list[str]) -> None:
        """Words of a record that has just passed."""
        if len(self._passed) + len(words) > WORDS_KEPT:
            self._passed.clear()
        self._passed.update(w for w in words if isinstance(w, str) and w.isascii())


_of_plans = _Vocabulary()  # names of the catalogue, of sources, posts and rules
_of_documents = _Vocabulary()  # apart: a flood of documents must not wash the others out


def _plan_words(draft: Draft) -> list[str]:
    words = [word for word in _of_the_post(draft) if word]
    words += draft.linkage
    if len(draft.areas) <= MAX_AREAS:  # else they are not in the body: nothing checks them
        words += draft.areas
    for read in draft.reads:
        words += (read.dataset, read.source, read.how)
        words += read.by
        words += read.rules
        words += read.clear
        words += read.masked
        words += read.states
        if read.hidden:
            words += read.hidden
            words += read.hidden.values()
        if read.lens:
            words.append(read.lens)
    return words


_POST = ("org", "role", "post_area", "purpose", "basis", "area", "policy")
_of_the_post = attrgetter(*_POST)


def _op_words(op: Op | None) -> list[Any]:
    if op is None:
        return []
    # A variable may have a number for its value; no vocabulary knows numbers.
    return [*op.vars, *op.vars.values(), *filter(None, (op.name, op.type))]


def _are_numbers(reads: Iterable[ReadEntry]) -> bool:
    """True if all counts are whole numbers; how large they are the encoder checks."""
    numbers: list[int] = []
    for read in reads:
        numbers += (read.rows, read.subjects)
        numbers += read.clear.values()
        numbers += read.masked.values()
        numbers += read.states.values()
        if read.as_of is not None:
            numbers.append(read.as_of)
        if read.total is not None:
            numbers.append(read.total)
    return {*map(type, numbers)} <= {int}


def _check_fields(draft: Draft, texts: tuple[object, ...]) -> None:
    if {*map(type, texts)} != {str} and not all(isinstance(text, str) for text in texts):
        raise BadRecord("a field that must be text is not")
    if not _AREA.match(draft.area):
        raise BadRecord("area is no region path of the county")
    if not 1 <= draft.key_ver <= MAX_KEY_VERSION:
        raise BadRecord("key_ver is no version of a key")
    if not (is_set(draft.subjects) and is_set(draft.sought)):
        raise BadRecord("subjects and sought hold each token once, 16 bytes")


def _check_values(draft: Draft, body: Mapping[str, Any]) -> None:
    """Look at every value of the body, except at words that have passed before."""
    plan, op = _plan_words(draft), _op_words(draft.op)
    known = set(_TOKENS)
    if _of_plans.knows(plan) and _are_numbers(draft.reads):
        known |= _OF_THE_PLAN
    if _of_documents.knows(op):
        known.add("op")
        _check_plain("op", body.get("op", {}).get("hash", _NO_HASH))
    for name, value in body.items():
        if name not in known:
            _check_plain(name, value)
    # What is done with an approver names him: that is no word of a document.
    if "op" not in known and not draft.kind.endswith(("_INTENT", "_RESULT")):
        _of_documents.add(op)
    if "reads" not in known:
        _of_plans.add(plan)


_TOKENS = (LIST, PACKED, "sought")  # made here, of bytes
_OF_THE_PLAN = frozenset({"reads", "areas", "linkage", "kind", "outcome", *_POST})
_NO_HASH = "-"


def _check_plain(name: str, value: object) -> None:
    if isinstance(value, str):
        return _check_text(name, value)
    if isinstance(value, int):
        if abs(value) > MAX_INT:
            raise BadRecord(f"{name} holds a number beyond 2^53-1")
    elif isinstance(value, list):
        for item in value:
            _check_plain(name, item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not (isinstance(key, str) and key.isascii()):
                raise BadRecord(f"{name} has a key that is not ASCII")
            _check_text(name, key)
            _check_plain(name, item)
    else:
        raise BadRecord(f"{name} holds a value that is no text, whole number or yes/no")
    return None


def _check_text(name: str, value: str) -> None:
    if len(value) >= 18:
        if _DIGEST.match(value):
            return  # it is a code, too
        if _ID_NUMBER.search(value):
            raise BadRecord(f"{name} holds what looks like an id number")
    if not _CODE.match(value):
        raise BadRecord(f"{name} is no code: no blanks, no sentences, 128 characters at most")
    if not (value.isascii() or unicodedata.is_normalized("NFC", value)):
        raise BadRecord(f"{name} is not in Unicode form NFC")
