"""What a change of policy means: gains, losses, and whether two people signed for the gains."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from authz.book import PolicyBook
from authz.difference import Change, Entry, Kind, differences, grouped, told
from authz.rule import Rule
from authz.scope import ANYONE, NOBODY, Area, Cut, Owners, Scope
from authz.versions import Version
from catalog.divisions import COUNTY
from catalog.load import Catalog

DAY = date(2026, 11, 1)
ZHELAI: Kind = ("rev", "town", "532622205")
BANGE: Kind = ("rev", "town", "532622206")
VILLAGE: Kind = ("rev", "village", "532622205203")
MCA: Kind = ("mca", "dept", "532622")
OFFICE: Kind = ("rev", "office", "532622")
LINE = Rule(
    "town", "*", "Citizen.health", "read", "subtree", "any", "aid.file", "9999-12-31",
    "allow", "测试",
)  # fmt: skip
BOTH, ALONE = ("zhang", "li"), ("zhang", "zhang")


def version(book: PolicyBook, *rules: Rule, by: tuple[str, str] = BOTH) -> Version:
    """The shipped policy with further lines, all of them signed alike."""
    return Version(book.with_rules((*book.rules, *rules)), {rule.line: by for rule in rules})


def without(book: PolicyBook, *rules: Rule) -> Version:
    return Version(book.with_rules(r for r in book.rules if r not in rules), {})


def subtree(path: str, owners: Owners = ANYONE) -> Scope:
    outside = [] if path == COUNTY else [Cut(COUNTY, NOBODY, NOBODY)]
    area = Area([*outside, Cut(path, owners, owners)])
    return Scope(area, area)


def adults(scope: Scope) -> Scope:
    nobody = Area([Cut(COUNTY, NOBODY, NOBODY)])
    return Scope(scope.adult, nobody)


def compared(
    before: Version, after: Version, catalog: Catalog, *kinds: Kind
) -> list[tuple[str, str, str, tuple[str, ...], Scope, Scope, bool]]:
    return [
        (c.post.base, c.object, c.act, c.purposes, c.gained, c.lost, c.signed)
        for c in differences(before, after, kinds, DAY, catalog)
    ]


def test_equal_policies_have_no_difference(book: PolicyBook, catalog: Catalog) -> None:
    same = version(book)
    assert compared(same, same, catalog, ZHELAI, MCA, OFFICE) == []


def test_a_line_that_gives_nothing_new_is_no_difference(book: PolicyBook, catalog: Catalog) -> None:
    again = replace(
        LINE, object="Citizen.contact", purpose="aid.file"
    )  # the village's line gave it
    assert compared(version(book), version(book, again), catalog, ZHELAI) == []


def test_a_new_line_is_a_gain_of_its_posts_alone(book: PolicyBook, catalog: Catalog) -> None:
    found = compared(version(book), version(book, LINE), catalog, ZHELAI, VILLAGE, MCA)
    nothing = adults(subtree("532622205")).without(subtree("532622205"))
    assert found == [
        (
            "532622205",
            "Citizen.health",
            "read",
            ("aid.file",),
            adults(subtree("532622205")),
            nothing,
            True,
        )
    ]
    assert nothing.empty


def test_a_line_taken_away_is_the_same_as_a_loss(book: PolicyBook, catalog: Catalog) -> None:
    (found,) = compared(version(book, LINE), version(book), catalog, ZHELAI)
    assert found[4].empty
    assert found[5] == adults(subtree("532622205"))


def test_a_line_made_narrower_shows_what_is_left_out(book: PolicyBook, catalog: Catalog) -> None:
    narrow = replace(LINE, reach="here")
    (found,) = compared(version(book, LINE), version(book, narrow), catalog, ZHELAI)
    assert found[4].empty
    area = Area([Cut(COUNTY, NOBODY, NOBODY), Cut("532622205", NOBODY, ANYONE)])
    assert found[5].adult == area


def test_purposes_under_which_the_same_lines_speak_are_told_together(
    book: PolicyBook, catalog: Catalog
) -> None:
    wide = replace(LINE, purpose="aid.file|aid.verify|report")
    (found,) = compared(version(book), version(book, wide), catalog, ZHELAI)
    assert found[3] == ("aid.file", "aid.verify", "report")
    everything = replace(LINE, purpose="*", action="list")
    (found,) = compared(version(book), version(book, everything), catalog, ZHELAI)
    # Emergency access never lists, whatever a line says.
    assert found[3] == tuple(p for p in catalog.purposes if p != "emergency")


def test_an_owner_no_row_has_is_no_gain(book: PolicyBook, catalog: Catalog) -> None:
    """民政's own rows of 健康服务: there are none, they are 卫健's."""
    own = replace(LINE, role="dept", owner="self", dept="mca", action="export")
    assert compared(version(book), version(book, own), catalog, MCA) == []
    others = replace(own, owner="hea")
    (found,) = compared(version(book), version(book, others), catalog, MCA)
    assert found[4].adult == subtree(COUNTY).adult
    cases = replace(own, object="Case.evidence")
    (found,) = compared(version(book), version(book, cases), catalog, MCA)
    assert found[4] == subtree(COUNTY, Owners(frozenset({"mca"})))


def test_a_line_that_has_ended_today_is_a_loss(book: PolicyBook, catalog: Catalog) -> None:
    ending = replace(LINE, until="2026-11-01")
    ended = replace(LINE, until="2026-10-31")
    assert len(compared(version(book, ending), version(book, ended), catalog, ZHELAI)) == 1
    assert compared(version(book, LINE), version(book, ending), catalog, ZHELAI) == []


# ---- two signatures


@pytest.mark.parametrize(("by", "signed"), [(BOTH, True), (ALONE, False)])
def test_a_gain_is_signed_by_who_wrote_and_who_approved(
    book: PolicyBook, catalog: Catalog, by: tuple[str, str], signed: bool
) -> None:
    changes = differences(version(book), version(book, LINE, by=by), [ZHELAI], DAY, catalog)
    assert [(c.signed, c.unsigned) for c in changes] == [(signed, not signed)]


def test_a_line_nobody_wrote_down_is_signed_by_nobody(book: PolicyBook, catalog: Catalog) -> None:
    proposed = version(book).under(book.rules)
    assert compared(version(book), proposed, catalog, ZHELAI, MCA, OFFICE) == []
    proposed = version(book).under((*book.rules, LINE))
    (change,) = differences(version(book), proposed, [ZHELAI], DAY, catalog)
    assert change.unsigned


def test_a_loss_needs_no_signature(book: PolicyBook, catalog: Catalog) -> None:
    deny = replace(LINE, object="Citizen.basic", effect="deny")
    changes = differences(version(book), version(book, deny, by=ALONE), [ZHELAI], DAY, catalog)
    assert [(c.object, c.gained.empty, c.unsigned) for c in changes] == [
        ("Citizen.basic", True, False)
    ]


def test_lifting_a_deny_is_a_gain_that_no_line_signs(book: PolicyBook, catalog: Catalog) -> None:
    deny = replace(LINE, object="Citizen.basic", effect="deny")
    (change,) = differences(version(book, deny), version(book), [ZHELAI], DAY, catalog)
    assert change.gained == adults(subtree("532622205"))
    assert change.unsigned


def test_a_signed_line_does_not_sign_for_a_deny_that_is_lifted_with_it(
    book: PolicyBook, catalog: Catalog
) -> None:
    deny = replace(LINE, object="Citizen.health", reach="532622205203", effect="deny")
    before, after = version(book, deny), version(book, LINE)
    (change,) = differences(before, after, [ZHELAI], DAY, catalog)
    assert change.unsigned
    (change,) = differences(before, version(book, LINE, deny), [ZHELAI], DAY, catalog)
    assert change.signed


def test_what_a_role_inherits_anew_is_signed_by_nobody(book: PolicyBook, catalog: Catalog) -> None:
    before = Version(PolicyBook(1, book.rules, {"dept": ("staff",)}, catalog), {})
    parents = {"dept": ("staff", "helper")}
    after = Version(PolicyBook(2, book.rules, parents, catalog), {})
    changes = differences(before, after, [MCA, OFFICE], DAY, catalog)
    assert {(c.post.role, c.object, c.act) for c in changes} == {("dept", "Case.basic", "read")}
    assert all(c.unsigned for c in changes)
    assert all(c.unsigned is False for c in differences(after, before, [MCA], DAY, catalog))


# ---- for people


def test_places_and_acts_that_read_the_same_are_one_line(
    book: PolicyBook, catalog: Catalog
) -> None:
    lines = (LINE, replace(LINE, action="list"))
    changes = differences(version(book), version(book, *lines), [ZHELAI, BANGE], DAY, catalog)
    assert len(changes) == 4
    assert grouped(changes, catalog) == [
        Entry(
            "town",
            "rev",
            ("532622205", "532622206"),
            "Citizen.health",
            ("read", "list"),
            ("aid.file",),
            True,
            "本辖区及其下级，不含未满十四周岁人员",
            True,
        )
    ]


def test_a_department_head_reads_who_gains_and_loses_what(
    book: PolicyBook, catalog: Catalog
) -> None:
    gone = next(
        rule
        for rule in book.rules
        if rule.role == "dept" and rule.object == "Case.evidence" and rule.action == "unmask"
    )
    after = without(book, gone)
    after = Version(after.book.with_rules((*after.book.rules, LINE)), {})
    kinds = [MCA, *(("rev", "town", d.path) for d in catalog.divisions.townships())]
    entries = grouped(differences(version(book), after, kinds, DAY, catalog), catalog)
    assert list(told(entries, catalog)) == [
        "乡（镇）经办 town@rev 砚山县政府救助平台领导小组办公室",
        "    增加 读取 健康服务 Citizen.health：本辖区及其下级，不含未满十四周岁人员；用途 受理；"
        "任职辖区 江那镇、平远镇、稼依镇等 11 处；未经两人签署",
        "县级部门经办 dept@mca 砚山县民政局",
        "    减少 查看明文 诉求佐证 Case.evidence：砚山县（532622）及其下级，民政 的数据；"
        "用途 受理、核实、审核审批、督办、校核；任职辖区 砚山县",
    ]


def test_a_kind_of_post_is_told_once_however_many_its_changes(
    book: PolicyBook, catalog: Catalog
) -> None:
    lines = (LINE, replace(LINE, object="Household.water", action="export"))
    changes: list[Change] = differences(
        version(book), version(book, *lines), [ZHELAI, VILLAGE], DAY, catalog
    )
    words = list(told(grouped(changes, catalog), catalog))
    assert len(words) == 3
    assert sum(not line.startswith("    ") for line in words) == 1
