"""What an officer should know of a policy that is valid: lines that do nothing or say a thing
twice, and what is closed for children because no line opens it.

Nothing here is an error: a warning is for a person to judge. A line is compared with one other
line, never with several together: what is reported is certain, not everything is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from authz.book import ELSE, PolicyBook
from authz.match import covers, one_of
from authz.rule import CLASSED, EMERGENCY, EMERGENCY_ACTS, MINOR, Rule
from authz.wording import line_words, object_words
from catalog.divisions import COUNTY, is_region_path
from catalog.load import Catalog


@dataclass(frozen=True, slots=True)
class Warned:
    """A finding in words; `rules` ids of the lines it speaks of."""

    text: str
    rules: tuple[str, ...] = ()


def warnings(book: PolicyBook, catalog: Catalog, day: date) -> list[Warned]:
    """Every finding, kind by kind."""
    lines = _Lines(book, catalog, day)
    return [*lines.childless(), *lines.dead(), *lines.shadowed(), *lines.repeated()]


class _Lines:
    """A book's lines with what each of them can mean; dead ones are compared with nothing."""

    def __init__(self, book: PolicyBook, catalog: Catalog, day: date) -> None:
        self._book, self._catalog, self._day = book, catalog, day
        living = [rule for rule in book.rules if not self._why_dead(rule)]
        self._allows = [rule for rule in living if rule.allows]
        self._denies = [rule for rule in living if not rule.allows]

    def childless(self) -> Iterator[Warned]:
        """Groups that are open for adults and for no child (个人信息保护法第二十八条)."""
        allowed = {rule.object for rule in self._book.rules if rule.allows}
        for obj in self._catalog.objects:
            if obj.startswith(CLASSED) and obj in allowed and obj + MINOR not in allowed:
                named = object_words(obj, self._catalog)
                yield Warned(f"没有未成年人规则：{named} 对未满十四周岁人员一律不开放")

    def dead(self) -> Iterator[Warned]:
        """Lines that fit nobody, no purpose, no place, or no day to come."""
        for rule in self._book.rules:
            why = self._why_dead(rule)
            if why:
                yield Warned(f"不起作用的规则（{why}）：{line_words(rule)}", (rule.id,))

    def shadowed(self) -> Iterator[Warned]:
        """Allows of which one deny takes everything."""
        for rule in self._allows:
            deny = next((d for d in self._denies if self._includes(d, rule)), None)
            if deny is not None:
                text = f"被禁止规则 {deny.id} 完全覆盖的允许规则：{line_words(rule)}"
                yield Warned(text, (rule.id, deny.id))

    def repeated(self) -> Iterator[Warned]:
        """Allows that another allow includes. A deny said twice is a second lock, no waste."""
        ordered = sorted(self._allows, key=_subject)
        for _, group in groupby(ordered, key=_subject):
            yield from self._repeated(tuple(group))

    def _repeated(self, alike: Sequence[Rule]) -> Iterator[Warned]:
        for number, rule in enumerate(alike):
            others = (o for at, o in enumerate(alike) if self._within(rule, o, earlier=at < number))
            outer = next(others, None)
            if outer is not None:
                text = f"已包含在允许规则 {outer.id} 之中的规则：{line_words(rule)}"
                yield Warned(text, (rule.id, outer.id))

    def _within(self, inner: Rule, outer: Rule, *, earlier: bool) -> bool:
        """Of two lines that include each other the later one is within the earlier."""
        if inner is outer or not self._includes(outer, inner):
            return False
        return earlier or not self._includes(inner, outer)

    def _why_dead(self, rule: Rule) -> str:
        if rule.until < self._day.isoformat():
            return f"已于 {rule.until} 到期"
        if not self._book.holders(rule.role):
            return f"没有岗位担任角色 {rule.role}"
        if not self._members(rule.dept):
            return f"没有部门符合 {rule.dept}"
        if not self._purposes(rule):
            return f"没有用途符合 {rule.purpose}"
        if is_region_path(rule.reach) and rule.reach not in self._catalog.divisions.by_path:
            return f"没有辖区 {rule.reach}"
        return ""

    def _includes(self, outer: Rule, inner: Rule) -> bool:
        """Does `outer` speak wherever `inner` does: of every post, purpose, row and day?"""
        return (
            outer.action == inner.action
            and covers(outer.object, inner.object)
            and outer.until >= inner.until
            and _reaches(outer.reach, inner.reach)
            and self._purposes(inner) <= self._purposes(outer)
            and self._members(inner.dept) <= self._members(outer.dept)
            and self._book.holders(inner.role) <= self._book.holders(outer.role)
            and self._owns(outer, inner)
        )

    def _owns(self, outer: Rule, inner: Rule) -> bool:
        """Has `outer` every owner that `inner` has, for posts of every department it speaks of?"""
        return all(
            self._owners(inner.owner, dept) <= self._owners(outer.owner, dept)
            for dept in self._members(inner.dept)
        )

    def _members(self, words: str) -> frozenset[str]:
        return frozenset(dept for dept in self._catalog.departments if one_of(words, dept))

    def _owners(self, words: str, dept: str) -> frozenset[str]:
        if words == "self":
            return frozenset({dept})
        known = (*self._catalog.departments, ELSE)
        return frozenset(owner for owner in known if words == "any" or one_of(words, owner))

    def _purposes(self, rule: Rule) -> frozenset[str]:
        known = (p for p in self._catalog.purposes if one_of(rule.purpose, p))
        return frozenset(p for p in known if p != EMERGENCY or rule.action in EMERGENCY_ACTS)


def _subject(rule: Rule) -> tuple[str, str]:
    return rule.object, rule.action


def _reaches(outer: str, inner: str) -> bool:
    """Does one reach hold the other's rows, wherever a post is based?"""
    if outer in ("county", COUNTY) or outer == inner:
        return True
    if outer == "subtree":
        return inner == "here"
    return is_region_path(outer) and is_region_path(inner) and inner.startswith(outer)
