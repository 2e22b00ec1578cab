"""PolicyBook: probing is exact, counted and cached; verdicts carry their reason."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Select, Table, create_engine, insert, select
from sqlalchemy.ext.asyncio import create_async_engine

from authz.book import MAX_PATHS, PolicyBook
from authz.engine import Judge, read_model
from authz.errors import RuleError
from authz.post import Asker, Post
from authz.reference import Reason
from authz.roles import expand, pairs, parents_of, roles
from authz.rule import Rule, check_rule, minor_of
from authz.scope import EVERYTHING, NOTHING, Scope
from catalog.errors import Internal
from catalog.load import Catalog
from store.metadata import BYTES, PATH

NewAsker = Callable[..., Asker]
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
ROWS = [(place, owner, minor) for place in PLACES for owner in OWNERS for minor in (False, True)]

memo = MetaData()
row_table = Table(
    "oracle_row",
    memo,
    Column("id", Integer, primary_key=True),
    Column("region", PATH, nullable=False),
    Column("owner", BYTES, nullable=False),
    Column("minor", Integer, nullable=False),
)


def line(**change: str) -> Rule:
    start = Rule(
        "town", "*", "Citizen.basic", "read", "subtree", "any", "*", "9999-12-31", "allow", "测试"
    )
    return replace(start, **change)


def book_of(catalog: Catalog, *rules: Rule) -> PolicyBook:
    return PolicyBook(1, rules, PARENTS, catalog)


def random_rule(rng: random.Random) -> Rule:
    return Rule(
        rng.choice((*ROLES, "*")),
        rng.choice(DEPT_WORDS),
        rng.choice(OBJECTS),
        "read",
        rng.choice(("subtree", "subtree", "here", "county", rng.choice(PLACES))),
        rng.choice(OWNER_WORDS),
        rng.choice(PURPOSES),
        rng.choice(("9999-12-31", "2026-11-01", "2026-10-31")),
        rng.choice(("allow",) * 6 + ("deny",)),
        "例外：随机",
    )


def valid_rule(rng: random.Random, catalog: Catalog) -> Rule:
    while True:
        rule = random_rule(rng)
        if check_rule(rule, catalog) is None:
            return rule


def random_asker(rng: random.Random) -> Asker:
    posts = tuple(random_post(rng) for _ in range(rng.randint(1, 3)))
    return Asker("x", "official", posts, rng.choice(("aid.file", "aid.review")), DAY)


def random_post(rng: random.Random) -> Post:
    role = rng.choice(("helper", "village", "town", "dept", "office"))
    levels = {"village": (12,), "town": (9,), "helper": (9, 12), "dept": (6, 9), "office": (6,)}
    base = rng.choice([place for place in PLACES if len(place) in levels[role]])
    return Post(rng.choice(DEPTS), role, base, expand(role, PARENTS))


@dataclass(frozen=True)
class Trial:
    scope: Scope
    expected: frozenset[int]


def trials(catalog: Catalog, count: int, seed: int) -> Iterator[Trial]:
    """Random policies: the Scope, and what unsliced Casbin says row by row."""
    rng = random.Random(seed)
    for _ in range(count):
        rules = [valid_rule(rng, catalog) for _ in range(rng.randint(2, 14))]
        asker, obj = random_asker(rng), rng.choice(("Citizen.basic", "Case.basic"))
        judge = Judge([rule.line for rule in rules], read_model())
        expected = frozenset(
            number
            for number, (place, owner, minor) in enumerate(ROWS)
            if judge.allows(
                asker.posts,
                (minor_of(obj) or obj) if minor else obj,
                "read",
                asker.purpose,
                DAY,
                place,
                owner,
            )
        )
        yield Trial(book_of(catalog, *rules).scope(asker, obj, "read"), expected)


def rows() -> list[dict[str, object]]:
    return [
        {"id": n, "region": place, "owner": owner, "minor": int(minor)}
        for n, (place, owner, minor) in enumerate(ROWS)
    ]


def selected(trial: Trial) -> tuple[Select[Any], dict[str, Any]]:
    columns = row_table.c
    where = trial.scope.where(columns.region, columns.owner, columns.minor, "s")
    return select(columns.id).where(where), trial.scope.binds("s")


def portable_admits(scope: dict[str, Any], row: tuple[str, str, bool]) -> bool:
    """What another source would make of the portable form, written apart from Scope."""
    return any(_term_admits(term, row) for term in scope["any"])


def _term_admits(term: dict[str, Any], row: tuple[str, str, bool]) -> bool:
    place, owner, minor = row
    if term["class"] not in ("any", "minor" if minor else "adult"):
        return False
    owners = term["owner"]
    if owners is not None:
        inside = owner in owners.get("in", owners.get("not_in"))
        if inside is not ("in" in owners):
            return False
    if "at" in term:
        return bool(place == term["at"])
    under, excepts = str(term["under"]), term["except"]
    if any(place.startswith(path) for path in excepts):
        return False
    return place.startswith(under) and (place != under or bool(term["self"]))


def test_probing_is_casbin_is_sql_is_portable(catalog: Catalog) -> None:
    engine = create_engine("sqlite://")
    open_scopes = 0
    with engine.connect() as conn:
        memo.create_all(conn)
        conn.execute(insert(row_table), rows())
        for trial in trials(catalog, 500, seed=532622):
            admitted = {n for n, row in enumerate(ROWS) if trial.scope.admits(*row)}
            form = trial.scope.portable()
            carried = {n for n, row in enumerate(ROWS) if portable_admits(form, row)}
            statement, binds = selected(trial)
            found = set(conn.execute(statement, binds).scalars())
            assert admitted == trial.expected
            assert carried == trial.expected
            assert found == trial.expected
            open_scopes += bool(trial.expected)
    engine.dispose()
    assert open_scopes > 150  # else the trials would prove little


@pytest.mark.anyio
@pytest.mark.postgres
async def test_probing_is_sql_on_postgresql(catalog: Catalog, pg_url: str) -> None:
    engine = create_async_engine(pg_url)
    try:
        async with engine.begin() as conn:
            await conn.run_sync(memo.create_all)
            await conn.execute(insert(row_table), rows())
            for trial in trials(catalog, 120, seed=20261101):
                statement, binds = selected(trial)
                found = await conn.execute(statement, binds)
                assert set(found.scalars()) == trial.expected
    finally:
        await engine.dispose()


def test_the_laws_of_lines(catalog: Catalog) -> None:
    """A deny never enlarges, an allow never shrinks, order and duplicates do not matter."""
    rng, moved = random.Random(14), 0
    for _ in range(150):
        rules = [valid_rule(rng, catalog) for _ in range(rng.randint(1, 10))]
        extra, who = valid_rule(rng, catalog), random_asker(rng)
        aimed = {"role": who.posts[0].role, "object": "Citizen.basic", "dept": "*"}
        extra = replace(extra, **aimed, purpose="*", until="9999-12-31")

        def scope(*lines: Rule, who: Asker = who) -> Scope:
            return book_of(catalog, *lines).scope(who, "Citizen.basic", "read")

        before, after = scope(*rules), scope(*rules, extra)
        assert after.contains(before) if extra.allows else before.contains(after)
        assert scope(*reversed(rules), rules[0]) == before
        moved += before != after
    assert moved > 50


def test_the_second_judge_agrees_with_casbin(catalog: Catalog) -> None:
    rng, yes = random.Random(21), 0
    for _ in range(100):
        rules = [valid_rule(rng, catalog) for _ in range(rng.randint(2, 14))]
        book, who = book_of(catalog, *rules), random_asker(rng)
        for place, owner, minor in rng.sample(ROWS, 12):
            # Internal is raised where the two disagree.
            verdict = book.verdict(who, "Citizen.basic", "read", place, owner, minor)
            assert (verdict.reason is None) is verdict.allowed
            yes += verdict.allowed
    assert yes > 50


def test_no_lines_no_book(catalog: Catalog) -> None:
    with pytest.raises(RuleError, match="策略为空"):
        book_of(catalog)


def test_too_many_places_are_refused(catalog: Catalog) -> None:
    lines = [line(reach=f"532622{n}", effect="deny") for n in range(100, 101 + MAX_PATHS)]
    with pytest.raises(RuleError, match="具体辖区超过"):
        book_of(catalog, *lines)


def test_a_ring_of_roles_is_refused(catalog: Catalog) -> None:
    with pytest.raises(RuleError):
        PolicyBook(1, [line()], {"town": ("village",), "village": ("town",)}, catalog)


def test_a_post_of_an_unknown_department_is_refused(book: PolicyBook) -> None:
    with pytest.raises(RuleError, match="nobody"):
        book.post("nobody", "town", "532622205")


def test_without_an_allow_casbin_is_not_asked(catalog: Catalog, asker: NewAsker) -> None:
    book = book_of(catalog, line(effect="deny"), line(role="office"))
    assert book.scope(asker(("mca", "town", "532622205")), "Citizen.basic", "read") == NOTHING
    assert book.casbin_calls == 0


def test_a_warm_scope_asks_nothing(catalog: Catalog, asker: NewAsker) -> None:
    book = book_of(catalog, line())
    first = book.scope(asker(("mca", "town", "532622205")), "Citizen.basic", "read")
    # Two cuts, at and inside, anyone: four questions.
    assert book.casbin_calls == 4
    again = book.scope(asker(("mca", "town", "532622205")), "Citizen.basic", "read")
    assert again is first
    assert book.casbin_calls == 4
    assert first.minor == NOTHING.minor


def test_own_department_and_a_place_with_an_exception(catalog: Catalog, asker: NewAsker) -> None:
    book = book_of(
        catalog,
        line(role="dept", object="Case.body", owner="self"),
        line(role="*", object="Case.*", reach="532622205203", effect="deny"),
    )
    scope = book.scope(asker(("wat", "dept", "532622")), "Case.body", "read")
    assert scope.admits("532622205", "wat")
    assert not scope.admits("532622205", "mca")
    assert not scope.admits("532622205203", "wat")
    assert scope.for_owner("mca").empty


def test_a_deny_of_one_post_beats_the_allow_of_another(catalog: Catalog, asker: NewAsker) -> None:
    book = book_of(catalog, line(), line(role="dept", dept="wat", reach="county", effect="deny"))
    town, wat = ("mca", "town", "532622205"), ("wat", "dept", "532622")
    assert not book.scope(asker(town), "Citizen.basic", "read").empty
    assert book.scope(asker(town, wat), "Citizen.basic", "read").empty


def test_expiry_is_exact_at_midnight(catalog: Catalog, asker: NewAsker) -> None:
    book = book_of(catalog, line(until="2026-11-01"))
    post = ("mca", "town", "532622205")
    assert not book.scope(asker(post), "Citizen.basic", "read").empty
    assert book.scope(asker(post, day=date(2026, 11, 2)), "Citizen.basic", "read").empty


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"purpose": "aid.file"}, Reason.PURPOSE),
        ({"until": "2026-10-31"}, Reason.EXPIRED),
        ({"reach": "here"}, Reason.REACH),
        ({"owner": "mca"}, Reason.OWNER),
        ({"role": "office"}, Reason.NO_RULE),
        ({"action": "list"}, Reason.NO_RULE),
    ],
)
def test_a_no_has_its_reason_and_the_office_to_ask(
    catalog: Catalog, asker: NewAsker, change: dict[str, str], reason: Reason
) -> None:
    clerk = asker(("mca", "town", "532622205"))
    book = book_of(catalog, line(**change))
    verdict = book.verdict(clerk, "Citizen.basic", "read", "532622205203", "rev")
    assert (verdict.allowed, verdict.reason) == (False, reason)
    assert verdict.ask == "砚山县政府救助平台领导小组办公室"
    named = None if reason is Reason.NO_RULE else book.rules[0].id
    assert verdict.rule == named


def test_a_yes_names_its_line_and_a_deny_is_named(catalog: Catalog, asker: NewAsker) -> None:
    clerk = asker(("mca", "town", "532622205"))
    deny = line(reach="532622205203", effect="deny")
    book = book_of(catalog, line(), deny)
    yes = book.verdict(clerk, "Citizen.basic", "read", "532622205204", "rev")
    no = book.verdict(clerk, "Citizen.basic", "read", "532622205203", "rev")
    assert (yes.allowed, yes.rule, yes.reason, yes.ask) == (True, line().id, None, None)
    assert (no.allowed, no.rule, no.reason) == (False, deny.id, Reason.DENIED)


def test_the_nearest_miss_is_named(catalog: Catalog, asker: NewAsker) -> None:
    clerk = asker(("mca", "town", "532622205"))
    far = line(purpose="aid.file", until="2020-01-01")
    near = line(purpose="report")
    verdict = book_of(catalog, far, near).verdict(
        clerk, "Citizen.basic", "read", "532622205203", "rev"
    )
    assert verdict.rule == near.id


def test_a_child_is_judged_by_its_own_lines(catalog: Catalog, asker: NewAsker) -> None:
    clerk = asker(("mca", "town", "532622205"))
    book = book_of(catalog, line())
    assert book.verdict(clerk, "Citizen.basic", "read", "532622205", "rev").allowed
    child = book.verdict(clerk, "Citizen.basic", "read", "532622205", "rev", minor=True)
    assert (child.allowed, child.reason) == (False, Reason.NO_RULE)
    hits = book.explain(clerk, "Citizen.basic", "read", "532622205", "rev")
    assert [(hit.rule, hit.failed) for hit in hits] == [(line(), ())]


def test_two_judges_that_disagree_refuse(catalog: Catalog, asker: NewAsker) -> None:
    clerk = asker(("mca", "town", "532622205"))
    book = book_of(catalog, line())
    honest = book.scope(clerk, "Citizen.basic", "read")
    assert honest != EVERYTHING
    book._scopes[(clerk.posts, "Citizen.basic", "read", clerk.purpose, clerk.day)] = EVERYTHING
    with pytest.raises(Internal):
        book.verdict(clerk, "Citizen.basic", "read", "532622206", "rev")


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([line()], None),
        ([line(purpose="aid.file")], Reason.PURPOSE),
        ([line(until="2026-10-31")], Reason.EXPIRED),
        ([line(role="office")], Reason.NO_RULE),
        ([line(role="office"), line(effect="deny")], Reason.NO_RULE),
        ([line(), line(role="*", reach="county", effect="deny")], Reason.DENIED),
        ([line(role="*", object="Citizen.*", reach="county", effect="deny")], Reason.DENIED),
    ],
)
def test_an_empty_scope_says_why(
    catalog: Catalog, asker: NewAsker, rules: list[Rule], reason: Reason | None
) -> None:
    clerk = asker(("mca", "town", "532622205"))
    verdict = book_of(catalog, *rules).refusal(clerk, "Citizen.basic", "read")
    assert (verdict.allowed, verdict.reason) == (reason is None, reason)


def test_nobody_provides_an_unknown_object(book: PolicyBook) -> None:
    assert book.ask("Nothing.basic") is None
