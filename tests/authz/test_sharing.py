"""Sharing classes and grants as lines: who gets what, for what, from when, until when."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from authz.book import PolicyBook
from authz.errors import RuleError
from authz.gate import Gate
from authz.lens import CellState
from authz.post import Asker
from authz.reference import Reason
from authz.roles import pairs, parents_of, roles
from authz.rule import ACTS, Rule, check_rule
from authz.sharing import GRANTED_ACTS, check_grant, classes_of, shared_rules
from authz.start import start_rules
from catalog.grades import SharingKind
from catalog.load import Catalog
from store.grants import Grant

NewAsker = Callable[..., Asker]
COUNTY, ZHELAI, BANGE, VILLAGE = "532622", "532622205", "532622206", "532622205203"
DESK, LEAD, MACHINE = ("mca", "dept", COUNTY), ("mca", "lead", COUNTY), ("mca", "system", COUNTY)
EMPLOYMENT = "Citizen.employment"


def granted(**change: str) -> Grant:
    """人社 lets 民政 read who is insured, for the review of aid, in November and December."""
    start = Grant(
        "g1", "SQ-2026-1", EMPLOYMENT, "hrss", "mca", "read", "county", "aid.review",
        "2026-11-01", "2026-12-31", "ACTIVE", "clerk", "lead",
    )  # fmt: skip
    return replace(start, **change)


def book_of(
    catalog: Catalog, *grants: Grant, classes: dict[str, SharingKind] | None = None
) -> PolicyBook:
    rules = (*start_rules(catalog), *shared_rules(catalog, classes, grants))
    return PolicyBook(1, rules, parents_of(pairs(roles())), catalog)


def added(catalog: Catalog, *grants: Grant) -> list[Rule]:
    """The lines that are there because of these grants."""
    return list(shared_rules(catalog, None, grants)[len(shared_rules(catalog)) :])


def admits(book: PolicyBook, asker: Asker, obj: str = EMPLOYMENT, act: str = "read") -> bool:
    return book.scope(asker, obj, act).admits(VILLAGE, "hrss")


# ---- the lines -----------------------------------------------------------------------------------


def test_a_grant_is_a_line_a_role_and_act(catalog: Catalog) -> None:
    lines = added(catalog, granted(actions="read|unmask", until="2026-12-30"))
    assert [(r.role, r.action) for r in lines] == [
        ("dept", "read"),
        ("dept", "unmask"),
        ("system", "read"),
        ("system", "unmask"),
    ]
    rest = {(r.dept, r.object, r.reach, r.owner, r.purpose, r.until, r.effect) for r in lines}
    assert rest == {("mca", EMPLOYMENT, "county", "hrss", "aid.review", "2026-12-30", "allow")}
    assert {(r.since, r.basis) for r in lines} == {("2026-11-01", "共享授权 SQ-2026-1")}


def test_the_office_is_spoken_to_in_its_own_role(catalog: Catalog) -> None:
    lines = added(catalog, granted(consumer="rev"))
    assert [(r.role, r.dept) for r in lines] == [
        ("dept", "rev"),
        ("system", "rev"),
        ("office", "rev"),
    ]


@pytest.mark.parametrize("state", ["PENDING", "REVOKED"])
def test_a_grant_that_is_not_active_is_no_line(catalog: Catalog, state: str) -> None:
    assert added(catalog, granted(state=state)) == []


def every_grant(catalog: Catalog) -> Iterable[Grant]:
    """Each object granted by its provider, with every act, reach and way to write a purpose."""
    for obj in catalog.objects.values():
        names = [obj.name] + [f"{obj.name}@minor"] * obj.name.startswith("Citizen.")
        for name in names:
            for reach in ("county", "subtree", "here", VILLAGE):
                for consumer in catalog.departments.keys() - {obj.provider}:
                    yield granted(
                        object=name,
                        provider=obj.provider,
                        consumer=consumer,
                        actions="|".join(GRANTED_ACTS),
                        reach=reach,
                        purpose="aid.review|compare",
                    )


def test_every_line_made_is_one_the_policy_takes(catalog: Catalog) -> None:
    count = 0
    for grant in every_grant(catalog):
        lines = added(catalog, grant)
        assert [check_rule(line, catalog) for line in lines] == [None] * len(lines)
        count += len(lines)
    assert count > 10_000
    closed = dict.fromkeys(catalog.objects, SharingKind.NOT_SHARED)
    denies = shared_rules(catalog, closed)
    assert all(check_rule(line, catalog) is None for line in denies)
    minors = sum(name.startswith("Citizen.") for name in catalog.objects)
    assert len(denies) == len(ACTS) * (len(catalog.objects) + minors)


# ---- who gets what -------------------------------------------------------------------------------


def test_the_consumers_desk_head_and_machine_get_it_and_nobody_else(
    catalog: Catalog, asker: NewAsker
) -> None:
    before, after = book_of(catalog), book_of(catalog, granted())
    for post in (DESK, LEAD, MACHINE):
        assert not admits(before, asker(post))
        assert admits(after, asker(post))
    others = [
        ("med", "dept", COUNTY),
        ("rev", "office", COUNTY),
        ("rev", "dept", COUNTY),
        ("mca", "authority", COUNTY),
        ("rev", "village", VILLAGE),
    ]
    assert [admits(after, asker(post)) for post in others] == [False] * 5


def test_it_gives_its_act_and_purpose_and_the_providers_rows_alone(
    catalog: Catalog, asker: NewAsker
) -> None:
    book = book_of(catalog, granted())
    desk = asker(DESK)
    assert [act for act in ACTS if admits(book, desk, act=act)] == ["read"]
    assert not admits(book, asker(DESK, purpose="aid.verify"))
    assert not admits(book, desk, "Citizen.health")
    scope = book.scope(desk, EMPLOYMENT, "read")
    assert [d for d in catalog.departments if scope.admits(VILLAGE, d)] == ["mca", "hrss"]
    assert not scope.admits(VILLAGE, "hrss", minor=True)  # children are granted by name


def test_a_grant_on_children_names_them(catalog: Catalog, asker: NewAsker) -> None:
    book = book_of(catalog, granted(object=f"{EMPLOYMENT}@minor"))
    scope = book.scope(asker(DESK), EMPLOYMENT, "read")
    assert (scope.admits(VILLAGE, "hrss"), scope.admits(VILLAGE, "hrss", True)) == (False, True)


def test_its_reach_is_the_consumers_base_or_the_place_it_names(
    catalog: Catalog, asker: NewAsker
) -> None:
    near = ("mca", "dept", BANGE)
    for reach, posts in (
        ("subtree", (False, True)),
        (ZHELAI, (True, True)),
        (BANGE, (False, False)),
    ):
        book = book_of(catalog, granted(reach=reach))
        assert (admits(book, asker(near)), admits(book, asker(DESK))) == posts


def test_what_it_shows_is_masked_until_unmask_is_granted_too(
    catalog: Catalog, asker: NewAsker
) -> None:
    facet = catalog.datasets["employment_insurance"]
    who = asker(DESK, case_no="SQ1", bound="h1")
    for actions, state in (("read", CellState.MASKED), ("read|unmask", CellState.CLEAR)):
        cells = Gate(book_of(catalog, granted(actions=actions)), who, catalog).facet(facet)
        found = cells.cells(VILLAGE)
        assert found is not None
        assert dict(found)["insuredState"] is state
    assert Gate(book_of(catalog), who, catalog).facet(facet).cells(VILLAGE) is None


# ---- from its first day to its last --------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "given"),
    [
        (date(2026, 10, 31), False),
        (date(2026, 11, 1), True),
        (date(2026, 12, 31), True),
        (date(2027, 1, 1), False),
    ],
)
def test_its_days_count_by_the_askers_day_in_one_and_the_same_book(
    catalog: Catalog, asker: NewAsker, day: date, given: bool
) -> None:
    book = book_of(catalog, granted())
    book.scope(asker(DESK, day=date(2026, 11, 20)), EMPLOYMENT, "read")  # kept for that day alone
    who = asker(DESK, day=day)
    assert admits(book, who) is given
    verdict = book.verdict(who, EMPLOYMENT, "read", VILLAGE, "hrss")
    assert (verdict.allowed, verdict.reason) == (given, None if given else Reason.EXPIRED)


def test_a_day_before_it_begins_nothing_rests_on_it(catalog: Catalog, asker: NewAsker) -> None:
    book, lines = book_of(catalog, granted()), added(catalog, granted())
    early, in_time = asker(DESK, day=date(2026, 10, 31)), asker(DESK, day=date(2026, 11, 1))
    mine = {line.id for line in lines if line.role == "dept"}
    assert mine & book.rule_ids(early, EMPLOYMENT, "read") == set()
    assert mine <= book.rule_ids(in_time, EMPLOYMENT, "read")


# ---- classes -------------------------------------------------------------------------------------


def test_the_stores_class_counts_and_the_catalogues_where_it_has_none(catalog: Catalog) -> None:
    names = {"Division.basic", "Department.basic", "Dataset.basic", "Source.health"}
    names.add("OwnActivity.basic")

    def opened(classes: dict[str, SharingKind]) -> set[str]:
        return {line.object for line in shared_rules(catalog, classes) if line.allows}

    assert opened({}) == names
    assert opened({"Dataset.basic": SharingKind.CONDITIONAL}) == names - {"Dataset.basic"}
    assert (
        opened({"Citizen.basic": SharingKind.UNCONDITIONAL}) == names
    )  # of persons: stays bounded


def test_what_is_not_shared_is_denied_whatever_grants_exist(
    catalog: Catalog, asker: NewAsker
) -> None:
    closed = {EMPLOYMENT: SharingKind.NOT_SHARED}
    grants = (granted(), granted(id="g2", object=f"{EMPLOYMENT}@minor", actions="read|unmask"))
    book = book_of(catalog, *grants, classes=closed)
    town = ("rev", "town", ZHELAI)
    for post in (DESK, LEAD, MACHINE, town):
        assert book.scope(asker(post), EMPLOYMENT, "read").empty
        assert book.scope(asker(post), EMPLOYMENT, "unmask").empty
    verdict = book.verdict(asker(DESK), EMPLOYMENT, "read", VILLAGE, "hrss", minor=True)
    assert verdict.reason is Reason.DENIED
    own = book.scope(asker(("hrss", "dept", COUNTY)), EMPLOYMENT, "read")
    assert own.admits(VILLAGE, "hrss")


def test_the_stores_objects_are_the_catalogues(catalog: Catalog) -> None:
    row = (EMPLOYMENT, "hrss", "NOT_SHARED", "保密法第九条")
    assert classes_of([row], catalog) == {EMPLOYMENT: SharingKind.NOT_SHARED}
    with pytest.raises(RuleError, match=r"`Citizen\.soul` 不存在"):
        classes_of([("Citizen.soul", "hrss", "CONDITIONAL", "")], catalog)
    with pytest.raises(RuleError, match="提供部门与目录不一致"):
        classes_of([(EMPLOYMENT, "mca", "CONDITIONAL", "")], catalog)


# ---- what makes a grant unfit --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"provider": "nobody"}, "provider"),
        ({"consumer": "nobody"}, "consumer"),
        ({"consumer": "*"}, "consumer"),
        ({"consumer": "!hrss"}, "consumer"),
        ({"consumer": "mca|med"}, "consumer"),
        ({"consumer": "hrss"}, "consumer"),
        ({"object": "Citizen.soul"}, "object"),
        ({"object": "Citizen.*"}, "object"),
        ({"object": "Household.water@minor", "provider": "wat"}, "object"),
        ({"provider": "med"}, "provider"),
        ({"actions": "write"}, "actions"),
        ({"actions": "tally"}, "actions"),
        ({"actions": "read|"}, "actions"),
        ({"actions": "*"}, "actions"),
        ({"purpose": "*"}, "purpose"),
        ({"purpose": "!audit"}, "purpose"),
        ({"purpose": "fun"}, "purpose"),
        ({"purpose": "emergency", "actions": "list"}, "purpose"),
        ({"reach": "532622105000"}, "reach"),
        ({"reach": "township"}, "reach"),
        ({"until": "2026-13-01"}, "until"),
        ({"since": "next week"}, "since"),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "until"),
        ({"request_id": "a\nb"}, "basis"),
    ],
)
def test_an_unfit_grant_is_refused_by_the_column_at_fault(
    catalog: Catalog, change: dict[str, Any], column: str
) -> None:
    grant = granted(**change)
    fault = check_grant(grant, catalog)
    assert fault is not None
    assert fault.column == column
    with pytest.raises(RuleError, match=r"^[a-z_]+：共享授权 `g1`："):
        shared_rules(catalog, None, [grant])
    assert shared_rules(catalog, None, [replace(grant, state="PENDING")]) == shared_rules(catalog)


def test_rows_with_a_department_of_their_own_are_granted_by_it(catalog: Catalog) -> None:
    grant = granted(object="Case.basic", provider="mca", consumer="hea", actions="read|list")
    assert check_grant(grant, catalog) is None
    assert {line.owner for line in added(catalog, grant)} == {"mca"}
