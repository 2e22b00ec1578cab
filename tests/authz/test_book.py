"""PolicyBook: probing is exact, counted and cached; verdicts carry their reason."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Select, Table, create_engine, insert, select
from sqlalchemy.ext.asyncio import create_async_engine

from authz.book import MAX_PATHS, PolicyBook
from authz.errors import RuleError
from authz.post import Asker
from authz.reference import Reason, allowed
from authz.rule import Rule
from authz.scope import EVERYTHING, NOTHING, Scope
from catalog.errors import Internal
from catalog.load import Catalog
from store.metadata import BYTES, PATH
from tests.authz.policies import (
    POLICIES,
    ROWS,
    Row,
    Trial,
    admitted,
    book_of,
    line,
    random_asker,
    share,
    trials,
    valid_rule,
)

NewAsker = Callable[..., Asker]
PARTS = 4  # two processes share them
JUDGED_AGAIN = 100  # policies of a daily run, a dozen rows each

memo = MetaData()
row_table = Table(
    "oracle_row",
    memo,
    Column("id", Integer, primary_key=True),
    Column("region", PATH, nullable=False),
    Column("owner", BYTES, nullable=False),
    Column("minor", Integer, nullable=False),
)


def rows() -> list[dict[str, object]]:
    return [
        {"id": n, "region": place, "owner": owner, "minor": int(minor)}
        for n, (place, owner, minor) in enumerate(ROWS)
    ]


def selected(scope: Scope) -> tuple[Select[Any], dict[str, Any]]:
    columns = row_table.c
    where = scope.where(columns.region, columns.owner, columns.minor, "s")
    return select(columns.id).where(where), scope.binds("s")


def portable_admits(scope: dict[str, Any], row: Row) -> bool:
    """What another source would make of the portable form, written apart from Scope."""
    return any(_term_admits(term, row) for term in scope["any"])


def _term_admits(term: dict[str, Any], row: Row) -> bool:
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


def judged_again(trial: Trial) -> set[Row]:
    """What the second judge says, line by line and without a Scope."""
    who = trial.asker
    return {
        row
        for row in ROWS
        if allowed(trial.book.explain(who, trial.obj, "read", row[0], row[1], row[2]))
    }


@pytest.mark.parametrize("part", range(PARTS))
def test_probing_is_casbin_is_the_second_judge_is_sql_is_portable(
    catalog: Catalog, part: int
) -> None:
    engine = create_engine("sqlite://")
    seen = opened = 0
    with engine.connect() as conn:
        memo.create_all(conn)
        conn.execute(insert(row_table), rows())
        for trial in trials(catalog, part, PARTS):
            expected, form = trial.judged(), trial.scope.portable()
            statement, binds = selected(trial.scope)
            found = {ROWS[n] for n in conn.execute(statement, binds).scalars()}
            assert admitted(trial.scope) == expected, trial.number
            assert {row for row in ROWS if portable_admits(form, row)} == expected, trial.number
            assert found == expected, trial.number
            assert judged_again(trial) == expected, trial.number
            seen, opened = seen + 1, opened + bool(expected)
    engine.dispose()
    assert len(ROWS) >= 60
    assert seen == len(range(part, POLICIES, PARTS))
    assert opened > seen // 5  # else the trials would prove little


@pytest.mark.anyio
@pytest.mark.postgres
@pytest.mark.parametrize("part", range(PARTS))
async def test_probing_is_sql_on_postgresql(catalog: Catalog, pg_url: str, part: int) -> None:
    """The same policies; that probing is Casbin's own answer is shown beside SQLite."""
    engine = create_async_engine(pg_url)
    seen = 0
    try:
        async with engine.begin() as conn:
            await conn.run_sync(memo.create_all)
            await conn.execute(insert(row_table), rows())
            for trial in trials(catalog, part, PARTS):
                statement, binds = selected(trial.scope)
                found = await conn.execute(statement, binds)
                assert {ROWS[n] for n in found.scalars()} == admitted(trial.scope), trial.number
                seen += 1
    finally:
        await engine.dispose()
    assert seen == len(range(part, POLICIES, PARTS))


def test_the_second_judge_is_asked_for_every_verdict(catalog: Catalog) -> None:
    rng, yes = random.Random(21), 0
    for _ in range(share(JUDGED_AGAIN)):
        rules = [valid_rule(rng, catalog) for _ in range(rng.randint(2, 14))]
        book, who = book_of(catalog, *rules), random_asker(rng)
        for place, owner, minor in rng.sample(ROWS, 12):
            # Internal is raised where the two disagree.
            verdict = book.verdict(who, "Citizen.basic", "read", place, owner, minor)
            assert (verdict.reason is None) is verdict.allowed
            yes += verdict.allowed
    assert yes > share(JUDGED_AGAIN) // 2


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
