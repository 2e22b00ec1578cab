"""What two versions of the policy mean for the posts there are: who gains, who loses.

Lines are not compared but what they yield: the Scope of every kind of post, object, act and
purpose under both. A line written anew that gives nothing is no difference; a deny that is
taken away is one.

A gain is *signed* if the old lines and those allow lines that two people signed would give
it. So lifting a deny, changing what a role inherits or an allow signed by one alone never
counts as signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any

from authz.book import PolicyBook
from authz.post import Asker, Post
from authz.reference import concerns
from authz.roles import roles
from authz.rule import ACTS, EMERGENCY, EMERGENCY_ACTS, Rule, minor_of
from authz.scope import Scope
from authz.versions import Version
from authz.wording import ACT_WORDS, object_words, purposes_words
from catalog.divisions import COUNTY
from catalog.load import Catalog

Kind = tuple[str, str, str]
"""A kind of post: department, role, base (region path)."""
Pair = tuple[str, str]
"""Object and act."""
NAMED = 3  # places told by name; more are counted


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of post, object and act under some purposes: the rows gained and lost."""

    post: Post
    object: str
    act: str
    purposes: tuple[str, ...]
    gained: Scope
    lost: Scope
    signed: bool

    @property
    def unsigned(self) -> bool:
        """Something was widened without two signatures."""
        return not self.gained.empty and not self.signed


def differences(
    before: Version, after: Version, kinds: Iterable[Kind], day: date, catalog: Catalog
) -> list[Change]:
    """Every change for these kinds of post as of `day`; RuleError for a kind no post may be."""
    signed = before.book.with_rules(_signed_rules(before, after))
    compared = _Compared(before.book, after.book, signed, day, catalog)
    return [change for kind in kinds for change in compared.changes(kind)]


def _signed_rules(before: Version, after: Version) -> tuple[Rule, ...]:
    old = {rule.line for rule in before.book.rules}
    new = (rule for rule in after.book.rules if rule.allows and rule.line not in old)
    return (*before.book.rules, *(rule for rule in new if after.signed_twice(rule)))


class _Compared:
    """Two books side by side, and the one that two signatures would have made of the first."""

    def __init__(
        self, before: PolicyBook, after: PolicyBook, signed: PolicyBook, day: date, catalog: Catalog
    ) -> None:
        self._books, self._day, self._catalog = (before, after, signed), day, catalog
        self._touched = tuple(_touched(before, after, catalog))

    def changes(self, kind: Kind) -> Iterator[Change]:
        posts = [book.post(*kind) for book in self._books]
        # Who inherits otherwise may gain by lines that did not change.
        pairs = self._touched if posts[0].roles == posts[1].roles else _pairs(self._catalog)
        for obj, act in pairs:
            for purposes in self._alike(posts, obj, act):
                change = self._change(posts, obj, act, purposes)
                if not (change.gained.empty and change.lost.empty):
                    yield change

    def _alike(self, posts: Sequence[Post], obj: str, act: str) -> Iterable[tuple[str, ...]]:
        """Purposes under which the same lines speak, if they differ between the versions."""
        found: dict[tuple[frozenset[str], ...], list[str]] = {}
        for purpose in self._catalog.purposes:
            if purpose == EMERGENCY and act not in EMERGENCY_ACTS:
                continue
            lines = tuple(
                book.rule_ids(self._asker(post, purpose), obj, act)
                for book, post in zip(self._books, posts, strict=True)
            )
            if lines[0] != lines[1]:
                found.setdefault(lines, []).append(purpose)
        return map(tuple, found.values())

    def _change(
        self, posts: Sequence[Post], obj: str, act: str, purposes: tuple[str, ...]
    ) -> Change:
        before, after, signed = (
            self._rows(book.scope(self._asker(post, purposes[0]), obj, act), obj)
            for book, post in zip(self._books, posts, strict=True)
        )
        gained, lost = after.without(before), before.without(after)
        return Change(posts[1], obj, act, purposes, gained, lost, signed.contains(gained))

    def _asker(self, post: Post, purpose: str) -> Asker:
        return Asker("", "official", (post,), purpose, self._day)

    def _rows(self, scope: Scope, obj: str) -> Scope:
        if self._catalog.owned(obj):
            return scope
        return scope.for_owner(self._catalog.objects[obj].provider)


def _pairs(catalog: Catalog) -> Iterator[Pair]:
    return ((obj, act) for obj in catalog.objects for act in ACTS)


def _touched(before: PolicyBook, after: PolicyBook, catalog: Catalog) -> Iterator[Pair]:
    """Objects and acts on which a line was added or taken away."""
    ids = {rule.id for rule in before.rules} ^ {rule.id for rule in after.rules}
    changed = [rule for rule in (*before.rules, *after.rules) if rule.id in ids]
    for obj, act in _pairs(catalog):
        named = (obj, minor_of(obj) or obj)
        if any(concerns(rule, name, act) for rule in changed for name in named):
            yield obj, act


# ---- for people


@dataclass(frozen=True, slots=True)
class Entry:
    """Changes that read the same: bases of one kind of post, acts on one object, same rows.

    `rows` in words; `signed` is true of every loss.
    """

    role: str
    dept: str
    bases: tuple[str, ...]
    object: str
    acts: tuple[str, ...]
    purposes: tuple[str, ...]
    gained: bool
    rows: str
    signed: bool


def grouped(changes: Iterable[Change], catalog: Catalog) -> list[Entry]:
    """Few lines out of many changes, kind of post by kind of post, roles in their own order."""
    entries = (entry for change in changes for entry in _entries(change, catalog))
    folded = _folded(_folded(entries, "bases"), "acts")
    order = list(roles())
    return sorted(folded, key=lambda e: (order.index(e.role), e.dept))


def told(entries: Iterable[Entry], catalog: Catalog) -> Iterator[str]:
    """The entries in Chinese: a heading for each kind of post, a line for each entry."""
    for (role, dept), below in groupby(entries, key=lambda e: (e.role, e.dept)):
        yield f"{roles()[role].title} {role}@{dept} {catalog.departments[dept].title}"
        for entry in below:
            yield f"    {_entry_words(entry, catalog)}"


def _entries(change: Change, catalog: Catalog) -> Iterator[Entry]:
    post, depts = change.post, {d.code: d.short for d in catalog.departments.values()}
    base = None if post.base == COUNTY else post.base
    for gained, rows in ((True, change.gained), (False, change.lost)):
        if not rows.empty:
            yield Entry(
                post.role,
                post.dept,
                (post.base,),
                change.object,
                (change.act,),
                change.purposes,
                gained,
                rows.describe(catalog.divisions.by_path, depts, base),
                change.signed or not gained,
            )


def _folded(entries: Iterable[Entry], column: str) -> list[Entry]:
    """Entries that differ in one column alone, as one."""
    found: dict[Entry, list[str]] = {}
    for entry in entries:
        found.setdefault(_with(entry, column, ()), []).extend(getattr(entry, column))
    return [_with(entry, column, values) for entry, values in found.items()]


def _with(entry: Entry, column: str, values: Iterable[str]) -> Entry:
    changed: dict[str, Any] = {column: tuple(values)}
    return replace(entry, **changed)


def _entry_words(entry: Entry, catalog: Catalog) -> str:
    acts = "、".join(ACT_WORDS[act] for act in entry.acts)
    what = f"{acts} {object_words(entry.object, catalog)}：{entry.rows}"
    why = f"用途 {purposes_words(entry.purposes, catalog)}"
    where = f"任职辖区 {_bases(entry.bases, catalog)}"
    if not entry.gained:
        return f"减少 {what}；{why}；{where}"
    signed = "已由两人签署" if entry.signed else "未经两人签署"
    return f"增加 {what}；{why}；{where}；{signed}"


def _bases(bases: Sequence[str], catalog: Catalog) -> str:
    names = [catalog.divisions.by_path[base].name for base in bases]
    shown = "、".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown}等 {len(names)} 处"
