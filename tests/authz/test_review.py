"""What an officer is warned of: each kind found where it is, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from authz.book import PolicyBook
from authz.review import Warned, warnings
from authz.rule import Rule, check_rule
from catalog.load import Catalog

DAY = date(2026, 11, 1)
LINE = Rule(
    "town", "*", "Citizen.basic", "read", "subtree", "any", "aid.file|aid.review", "9999-12-31",
    "allow", "测试",
)  # fmt: skip
CHILD = replace(LINE, object="Citizen.basic@minor")
DENY = replace(LINE, role="*", object="Citizen.*", reach="county", purpose="*", effect="deny")


def warned(book: PolicyBook, catalog: Catalog, *rules: Rule) -> list[Warned]:
    faults = [check_rule(rule, catalog) for rule in rules]
    assert faults == [None] * len(rules)  # each of them may enter a policy
    return warnings(book.with_rules(rules), catalog, DAY)


def test_the_shipped_policy_is_closed_for_children_in_seven_groups(
    book: PolicyBook, catalog: Catalog
) -> None:
    found = warnings(book, catalog, DAY)
    groups = ("identity", "contact", "address", "income", "employment", "health", "provincial")
    titles = [f"{catalog.objects[f'Citizen.{g}'].title} Citizen.{g}" for g in groups]
    assert [one.text for one in found] == [
        f"没有未成年人规则：{title} 对未满十四周岁人员一律不开放" for title in titles
    ]


def test_a_group_with_a_line_for_children_is_not_warned_of(
    book: PolicyBook, catalog: Catalog
) -> None:
    assert len(warned(book, catalog, LINE)) == 1
    assert warned(book, catalog, LINE, CHILD) == []
    # A deny opens nothing.
    assert len(warned(book, catalog, LINE, replace(CHILD, effect="deny"))) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"until": "2026-10-31"}, "已于 2026-10-31 到期"),
        ({"dept": "!edu|mca|hrss|hou|wat|hea|med|rev"}, "没有部门符合"),
        ({"purpose": "emergency", "effect": "deny", "action": "list"}, "没有用途符合 emergency"),
        ({"reach": "532622999", "effect": "deny"}, "没有辖区 532622999"),
    ],
)
def test_a_line_that_can_do_nothing_is_named(
    book: PolicyBook, catalog: Catalog, change: dict[str, str], why: str
) -> None:
    dead = replace(LINE, object="Case.basic", **change)
    (found,) = warned(book, catalog, dead, replace(LINE, object="Household.basic"))
    assert found.rules == (dead.id,)
    assert found.text.startswith(f"不起作用的规则（{why}")
    assert dead.id in found.text


def test_the_last_day_is_not_past(book: PolicyBook, catalog: Catalog) -> None:
    assert warned(book, catalog, replace(LINE, object="Case.basic", until="2026-11-01")) == []


def test_a_role_that_is_only_inherited_is_alive_through_its_heirs(
    book: PolicyBook, catalog: Catalog
) -> None:
    assert book.holders("staff") == {"helper", "village", "town", "dept", "lead", "office"}
    assert book.holders("town") == {"town"}
    staff = replace(LINE, role="staff", object="Case.basic")
    assert warned(book, catalog, staff) == []
    bare = PolicyBook(1, [staff], {}, catalog)
    assert bare.holders("staff") == frozenset()
    assert [one.text.split("：")[0] for one in warnings(bare, catalog, DAY)] == [
        "不起作用的规则（没有岗位担任角色 staff）"
    ]


@pytest.mark.parametrize(
    ("change", "shadowed"),
    [
        ({}, True),
        ({"object": "Citizen.basic"}, True),
        ({"object": "Case.*"}, False),
        ({"action": "list"}, False),
        ({"role": "village"}, True),  # every township clerk is a village clerk
        ({"role": "office"}, False),
        ({"dept": "!hea"}, False),
        ({"reach": "subtree"}, True),
        ({"reach": "here"}, False),
        ({"reach": "532622"}, True),
        ({"reach": "532622205"}, False),
        ({"owner": "self"}, False),
        ({"owner": "!edu"}, False),
        ({"purpose": "aid.file|aid.review|report"}, True),
        ({"purpose": "aid.file"}, False),
        ({"until": "2027-01-01"}, False),
    ],
)
def test_an_allow_is_shadowed_by_a_deny_that_takes_all_of_it(
    book: PolicyBook, catalog: Catalog, change: dict[str, str], shadowed: bool
) -> None:
    deny = replace(DENY, **change)
    found = [w for w in warned(book, catalog, LINE, CHILD, deny) if w.text.startswith("被禁止")]
    rules = [one.rules for one in found]
    assert ((LINE.id, deny.id) in rules) is shadowed
    # The children's line is shadowed by what speaks of every group, and by nothing else.
    assert ((CHILD.id, deny.id) in rules) is (shadowed and deny.object == "Citizen.*")


@pytest.mark.parametrize(
    ("inner", "outer", "included"),
    [
        ({"purpose": "aid.file"}, {}, True),
        ({"reach": "here"}, {}, True),
        ({"reach": "subtree"}, {"reach": "county"}, True),
        ({"owner": "self"}, {}, True),
        ({"owner": "mca"}, {"owner": "mca|wat"}, True),
        ({"owner": "mca|edu"}, {"owner": "mca|wat"}, False),
        ({"owner": "self", "dept": "mca"}, {"owner": "mca", "dept": "*"}, True),
        ({"owner": "self", "dept": "mca|edu"}, {"owner": "mca", "dept": "*"}, False),
        ({"dept": "mca"}, {"dept": "mca|edu"}, True),
        ({"dept": "!mca"}, {"dept": "mca|edu"}, False),
        ({"until": "2026-12-31"}, {}, True),
        ({}, {"role": "helper"}, True),
        ({"role": "village"}, {"role": "dept"}, False),
        ({"object": "Case.body"}, {}, False),
    ],
)
def test_an_allow_within_another_is_named_with_it(
    book: PolicyBook,
    catalog: Catalog,
    inner: dict[str, str],
    outer: dict[str, str],
    included: bool,
) -> None:
    start = replace(LINE, object="Case.basic")
    small, large = replace(start, **inner), replace(start, **outer)
    for order in ((small, large), (large, small)):
        found = warned(book, catalog, *order)
        assert [one.rules for one in found] == ([(small.id, large.id)] if included else [])
        assert all(one.text.startswith(f"已包含在允许规则 {large.id} 之中") for one in found)


def test_of_two_lines_that_say_the_same_the_later_is_named(
    book: PolicyBook, catalog: Catalog
) -> None:
    first = replace(LINE, object="Case.basic", purpose="aid.file|aid.review")
    second = replace(first, purpose="aid.review|aid.file")
    assert [w.rules for w in warned(book, catalog, first, second)] == [(second.id, first.id)]


def test_a_deny_said_twice_is_a_second_lock(book: PolicyBook, catalog: Catalog) -> None:
    assert warned(book, catalog, DENY, replace(DENY, role="town")) == []


def test_a_dead_line_shadows_and_contains_nothing(book: PolicyBook, catalog: Catalog) -> None:
    past = replace(DENY, until="2026-10-31")
    gone = replace(LINE, until="2026-10-31", purpose="aid.file")
    found = warned(book, catalog, LINE, CHILD, gone, past)
    assert [one.rules for one in found] == [(gone.id,), (past.id,)]
