"""Policies, askers and rows drawn at random, and how many of them the properties are shown on.

``HUB_TEST_POLICIES=20000`` asks for so many in all; each property has its share. Every policy
has a number, which is its seed: the first ones are the same in every run, and a failing test
names the number.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from authz.book import PolicyBook
from authz.engine import Judge, read_model
from authz.post import Asker, Post
from authz.roles import expand, pairs, parents_of, roles
from authz.rule import Rule, check_rule, minor_of
from authz.scope import Scope
from catalog.load import Catalog

DAILY = 2_000
POLICIES = int(os.environ.get("HUB_TEST_POLICIES", DAILY))
PARENTS = parents_of(pairs(roles()))
DAY = date(2026, 11, 1)

PLACES = (
    "532622", "532622101", "532622205", "532622206", "532622209",
    "532622101201", "532622205203", "532622205204", "532622206206", "532622209200",
)  # fmt: skip
DEPTS = ("mca", "wat", "rev")
OWNERS = (*DEPTS, "edu")
ROLES = ("helper", "village", "town", "dept", "office", "staff")
OBJECTS = ("Citizen.basic", "Citizen.basic@minor", "Citizen.*", "Case.basic")
PURPOSES = ("*", "aid.file", "aid.file|aid.review", "!aid.review", "report")
DEPT_WORDS = ("*", "mca", "!mca", "mca|wat")
OWNER_WORDS = ("any", "any", "self", "mca|wat", "!mca", "edu")
LEVELS = {"village": (12,), "town": (9,), "helper": (9, 12), "dept": (6, 9), "office": (6,)}

Row = tuple[str, str, bool]
"""Region path, owner, whether a child."""
ROWS: list[Row] = [(p, owner, minor) for p in PLACES for owner in OWNERS for minor in (False, True)]


def share(daily: int) -> int:
    """A property's number of policies, from that of a daily run; never fewer."""
    return max(daily, daily * POLICIES // DAILY)


def line(**change: str) -> Rule:
    """A township's line with these columns changed."""
    start = Rule(
        "town", "*", "Citizen.basic", "read", "subtree", "any", "*", "9999-12-31", "allow", "测试"
    )
    return replace(start, **change)


def book_of(catalog: Catalog, *rules: Rule) -> PolicyBook:
    """A book of these lines alone."""
    return PolicyBook(1, rules, PARENTS, catalog)


def valid_rule(
    rng: random.Random,
    catalog: Catalog,
    objects: Sequence[str] = OBJECTS,
    acts: Sequence[str] = ("read",),
) -> Rule:
    """A line that may enter the policy."""
    while True:
        rule = _rule(rng, objects, acts)
        if check_rule(rule, catalog) is None:
            return rule


def _rule(rng: random.Random, objects: Sequence[str], acts: Sequence[str]) -> Rule:
    return Rule(
        rng.choice((*ROLES, "*")),
        rng.choice(DEPT_WORDS),
        rng.choice(objects),
        rng.choice(acts),
        rng.choice(("subtree", "subtree", "here", "county", rng.choice(PLACES))),
        rng.choice(OWNER_WORDS),
        rng.choice(PURPOSES),
        rng.choice(("9999-12-31", "2026-11-01", "2026-10-31")),
        rng.choice(("allow",) * 6 + ("deny",)),
        "例外：随机",
    )


def random_asker(rng: random.Random, *, least: int = 1) -> Asker:
    """Somebody with up to three posts."""
    posts = tuple(random_post(rng) for _ in range(rng.randint(least, 3)))
    return Asker("x", "official", posts, rng.choice(("aid.file", "aid.review")), DAY)


def random_post(rng: random.Random) -> Post:
    """A post at a place of its role's level."""
    role = rng.choice(tuple(LEVELS))
    base = rng.choice([place for place in PLACES if len(place) in LEVELS[role]])
    return Post(rng.choice(DEPTS), role, base, expand(role, PARENTS))


def admitted(scope: Scope) -> set[Row]:
    """Which of the rows a Scope holds."""
    return {row for row in ROWS if scope.admits(*row)}


@dataclass(frozen=True)
class Trial:
    """A policy, who asks and for what object."""

    number: int
    rules: tuple[Rule, ...]
    asker: Asker
    obj: str
    catalog: Catalog

    @cached_property
    def book(self) -> PolicyBook:
        """The policy as the hub holds it."""
        return book_of(self.catalog, *self.rules)

    @cached_property
    def scope(self) -> Scope:
        """What probing finds."""
        return self.book.scope(self.asker, self.obj, "read")

    def object_of(self, row: Row) -> str:
        """The object a row is judged as."""
        return (minor_of(self.obj) or self.obj) if row[2] else self.obj

    def judged(self) -> set[Row]:
        """What Casbin says row by row, holding all lines at once."""
        judge, who = Judge([rule.line for rule in self.rules], read_model()), self.asker
        return {
            row
            for row in ROWS
            if judge.allows(
                who.posts, self.object_of(row), "read", who.purpose, who.day, row[0], row[1]
            )
        }


def trial(number: int, catalog: Catalog) -> Trial:
    """The policy of a number."""
    rng = random.Random(number)
    rules = tuple(valid_rule(rng, catalog) for _ in range(rng.randint(2, 14)))
    obj = rng.choice(("Citizen.basic", "Case.basic"))
    return Trial(number, rules, random_asker(rng), obj, catalog)


def trials(catalog: Catalog, part: int, parts: int) -> Iterator[Trial]:
    """One part of the policies of a run, so that several processes share the work."""
    for number in range(part, POLICIES, parts):
        yield trial(number, catalog)
