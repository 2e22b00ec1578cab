"""Scope algebra: merge, meet, fold, render, describe."""

from __future__ import annotations

import hashlib
import json

import pytest
from sqlalchemy import column, select

from authz.scope import (
    ANYONE,
    EVERYTHING,
    NOBODY,
    NOTHING,
    Area,
    Cut,
    Owners,
    Scope,
    after,
)
from catalog.load import Catalog

MCA = Owners(frozenset({"mca"}))
NOT_MCA = Owners(frozenset({"mca"}), True)
TOWN, OTHER, VILLAGE = "532622205", "532622206", "532622205203"


def area(root: Owners, *cuts: Cut) -> Area:
    return Area([Cut("532622", root, root), *cuts])


def both(one: Area) -> Scope:
    return Scope(one, one)


ZHELAI = both(area(NOBODY, Cut(TOWN, ANYONE, ANYONE)))
BENG_E = both(area(NOBODY, Cut(OTHER, ANYONE, ANYONE)))


def sql(scope: Scope) -> str:
    where = scope.where(column("region"), column("owner"), column("minor"), "s")
    return str(select(column("id")).where(where))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (MCA, ANYONE, MCA),
        (MCA, NOT_MCA, NOBODY),
        (NOT_MCA, MCA, NOBODY),
        (NOT_MCA, Owners(frozenset({"wat"}), True), Owners(frozenset({"mca", "wat"}), True)),
        (MCA, Owners(frozenset({"mca", "wat"})), MCA),
        (NOT_MCA, Owners(frozenset({"mca", "wat"})), Owners(frozenset({"wat"}))),
    ],
)
def test_owners_meet(left: Owners, right: Owners, expected: Owners) -> None:
    assert left.meet(right) == expected
    assert right.meet(left) == expected
    assert expected.within(left)


def test_an_unknown_owner_is_in_only_if_everyone_is() -> None:
    assert ANYONE.has(None)
    assert not NOT_MCA.has(None)
    assert not MCA.has(None)


def test_cuts_that_change_nothing_merge() -> None:
    padded = area(
        NOBODY,
        Cut(TOWN, ANYONE, ANYONE),
        Cut(VILLAGE, ANYONE, NOBODY),
        Cut(OTHER, NOBODY, NOBODY),
    )
    assert padded == ZHELAI.adult
    assert hash(padded) == hash(ZHELAI.adult)
    assert [cut.path for cut in padded.cuts] == ["532622", TOWN]
    assert padded != "532622"
    assert "532622205" in repr(padded)


def test_a_township_holds_itself_and_its_villages_only() -> None:
    assert ZHELAI.admits(TOWN, "rev")
    assert ZHELAI.admits(VILLAGE, "rev", minor=True)
    assert not ZHELAI.admits(OTHER, "rev")
    assert not ZHELAI.admits("532622", "rev")
    assert not ZHELAI.admits("532623", "rev")


def test_meet_of_two_townships_is_nothing() -> None:
    assert ZHELAI.meet(BENG_E) == NOTHING
    assert ZHELAI.meet(BENG_E).empty
    assert ZHELAI.meet(EVERYTHING) == ZHELAI
    assert EVERYTHING.contains(ZHELAI)
    assert not ZHELAI.contains(EVERYTHING)


def test_folding_an_owner_leaves_no_owner_test() -> None:
    scope = both(area(MCA, Cut(TOWN, ANYONE, ANYONE)))
    assert scope.for_owner("mca") == EVERYTHING
    assert scope.for_owner("wat") == ZHELAI


def test_only_the_pattern_decides_the_sql_text() -> None:
    assert ZHELAI.pattern == BENG_E.pattern
    assert sql(ZHELAI) == sql(BENG_E)
    assert ZHELAI.binds("s") == {"s_0_lo": TOWN}
    assert ZHELAI.digest != BENG_E.digest
    assert sql(ZHELAI).endswith("WHERE substr(region, 1, 9) = :s_0_lo")


def test_whole_and_empty_need_no_column() -> None:
    assert sql(EVERYTHING).endswith("WHERE true")
    assert sql(NOTHING).endswith("WHERE false")
    assert EVERYTHING.whole
    assert not ZHELAI.whole


def test_carve_outs_classes_and_owners_render() -> None:
    carved = area(
        ANYONE,
        Cut(TOWN, NOBODY, NOBODY),
        Cut(VILLAGE, ANYONE, ANYONE),
        Cut("532622101201", NOBODY, NOBODY),
    )
    scope = Scope(carved, area(NOT_MCA))
    assert sql(scope).split("WHERE ")[1] == (
        "minor != 1 AND region != :s_0_x0 AND (region < :s_0_x1 OR region >= :s_0_y1)"
        " OR minor != 1 AND region = :s_1_lo"
        " OR minor = 1 AND (owner NOT IN (:s_2_o0))"
    )
    assert scope.binds("s")["s_2_o0"] == "mca"
    assert scope.portable()["any"][1] == {"class": "adult", "owner": None, "at": VILLAGE}
    assert scope.portable()["any"][0] == {
        "class": "adult",
        "owner": None,
        "under": "532622",
        "self": True,
        "except": ["532622101201", TOWN],
    }
    assert scope.portable()["any"][2]["owner"] == {"not_in": ["mca"]}


def test_a_node_may_differ_from_its_inside() -> None:
    only_inside = both(area(NOBODY, Cut(TOWN, NOBODY, MCA)))
    assert "substr(region, 1, 9) = :s_0_lo AND region > :s_0_lo AND owner IN (:s_0_o0)" in sql(
        only_inside
    )
    below_county = both(Area([Cut("532622", NOBODY, ANYONE)]))
    assert sql(below_county).endswith("WHERE region != :s_0_lo")
    at_town = both(area(NOBODY, Cut(TOWN, ANYONE, MCA)))
    assert [term.subtree for term in at_town.terms] == [True, False]


def test_rows_without_owner_or_class_are_judged_closed() -> None:
    scope = Scope(area(MCA), area(ANYONE))
    where = scope.where(column("region"), None, None, "s")
    assert str(where) == "false OR false"
    assert not scope.admits(TOWN, None)


def test_adults_only_needs_no_class_where_rows_have_none() -> None:
    scope = Scope(ZHELAI.adult, NOTHING.adult)
    where = scope.where(column("region"), None, None, "s")
    assert str(where) == "substr(region, 1, 9) = :s_0_lo"


def test_codes_are_of_every_level(catalog: Catalog) -> None:
    codes = ZHELAI.codes(catalog.divisions)
    villages = {place.code for place in catalog.divisions.villages(TOWN)}
    assert codes == {"532622205000"} | villages
    assert len(EVERYTHING.codes(catalog.divisions)) == len(catalog.divisions.by_path)
    assert NOTHING.codes(catalog.divisions) == frozenset()
    assert not any(code.startswith("532622206") for code in codes)


def test_it_reads_in_chinese(catalog: Catalog) -> None:
    places, depts = catalog.divisions.by_path, {"mca": "民政"}
    assert NOTHING.describe() == "无"
    assert EVERYTHING.describe() == "全县"
    assert ZHELAI.describe(places) == "者腊乡（532622205）及其下级"
    assert ZHELAI.describe() == "532622205及其下级"
    own = Scope(area(MCA), area(NOT_MCA, Cut(TOWN, NOBODY, NOT_MCA)))
    text = own.describe(places, depts)
    assert "砚山县（532622）及其下级，民政 的数据，不含未满十四周岁人员" in text
    assert "（者腊乡（532622205） 除外），民政 以外部门的数据，仅未满十四周岁人员" in text
    assert "者腊乡（532622205）的下级" in text
    assert both(area(NOBODY, Cut(VILLAGE, ANYONE, ANYONE))).describe() == "532622205203本级"


def test_ones_own_place_may_be_called_so(catalog: Catalog) -> None:
    places = catalog.divisions.by_path
    assert ZHELAI.describe(places, base=TOWN) == "本辖区及其下级"
    assert ZHELAI.describe(places, base=OTHER) == "者腊乡（532622205）及其下级"
    village = both(area(NOBODY, Cut(TOWN, ANYONE, ANYONE), Cut(VILLAGE, NOBODY, NOBODY)))
    assert village.describe(places, base=VILLAGE) == "者腊乡（532622205）及其下级（本辖区 除外）"


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (MCA, ANYONE, NOBODY),
        (ANYONE, MCA, NOT_MCA),
        (NOT_MCA, NOBODY, NOT_MCA),
        (NOT_MCA, NOT_MCA, NOBODY),
        (NOT_MCA, Owners(frozenset({"wat"})), Owners(frozenset({"mca", "wat"}), True)),
        (Owners(frozenset({"mca", "wat"})), MCA, Owners(frozenset({"wat"}))),
    ],
)
def test_owners_without_others(left: Owners, right: Owners, expected: Owners) -> None:
    assert left.without(right) == expected


def test_rows_of_one_scope_and_not_of_the_other() -> None:
    assert EVERYTHING.without(NOTHING) == EVERYTHING
    assert ZHELAI.without(EVERYTHING) == NOTHING
    assert ZHELAI.without(BENG_E) == ZHELAI
    village = both(area(NOBODY, Cut(VILLAGE, ANYONE, ANYONE)))
    rest = ZHELAI.without(village)
    assert rest == both(area(NOBODY, Cut(TOWN, ANYONE, ANYONE), Cut(VILLAGE, NOBODY, NOBODY)))
    assert rest.meet(village) == NOTHING
    children = Scope(NOTHING.adult, ZHELAI.minor)
    assert ZHELAI.without(children) == Scope(ZHELAI.adult, NOTHING.minor)


def test_nine_is_followed_by_a_colon_in_byte_order() -> None:
    assert after("532622109") == "53262210:"
    assert after("532622105") == "532622106"


@pytest.mark.parametrize(
    ("scope", "portable"),
    [
        (NOTHING, '{"any":[]}'),
        (
            EVERYTHING,
            '{"any":[{"class":"any","except":[],"owner":null,"self":true,"under":"532622"}]}',
        ),
        (
            both(area(MCA, Cut(TOWN, NOBODY, NOBODY))),
            '{"any":[{"class":"any","except":["532622205"],"owner":{"in":["mca"]},"self":true,'
            '"under":"532622"}]}',
        ),
        (
            Scope(area(NOBODY, Cut(VILLAGE, NOT_MCA, NOBODY)), NOTHING.adult),
            '{"any":[{"at":"532622205203","class":"adult","owner":{"not_in":["mca"]}}]}',
        ),
        (
            Scope(NOTHING.adult, area(NOBODY, Cut(TOWN, NOBODY, ANYONE))),
            '{"any":[{"class":"minor","except":[],"owner":null,"self":false,"under":"532622205"}]}',
        ),
    ],
)
def test_a_digest_names_the_rows_to_the_letter(scope: Scope, portable: str) -> None:
    """It stands in records of the access log: the same rows have the same name for ever."""
    assert json.dumps(scope.portable(), sort_keys=True, separators=(",", ":")) == portable
    assert scope.digest == hashlib.sha256(portable.encode()).hexdigest()[:16]
    assert len(scope.digest) == 16


def test_an_area_answers_at_and_inside_every_level() -> None:
    found = area(MCA, Cut(TOWN, NOT_MCA, ANYONE), Cut(VILLAGE, NOBODY, NOBODY))
    at = {path: found.at(path) for path in ("532622", TOWN, VILLAGE, "532622205204", OTHER, "53")}
    assert at == {
        "532622": MCA, TOWN: NOT_MCA, VILLAGE: NOBODY, "532622205204": ANYONE, OTHER: MCA,
        "53": MCA,
    }  # fmt: skip
    assert [found.inside(p) for p in ("532622", TOWN, VILLAGE, OTHER)] == [
        MCA, ANYONE, NOBODY, MCA
    ]  # fmt: skip
    assert found.nested("532622") == (TOWN,)
    assert found.nested(TOWN) == (VILLAGE,)
    assert found.nested(VILLAGE) == ()


def test_what_is_inside_a_village_is_the_village() -> None:
    """Nothing lies below it, so that two ways to say so are one value."""
    one = area(NOBODY, Cut(VILLAGE, ANYONE, NOBODY))
    other = area(NOBODY, Cut(VILLAGE, ANYONE, ANYONE))
    assert one == other
    assert one.cuts[1] == Cut(VILLAGE, ANYONE, ANYONE)
    assert one.inside(VILLAGE) == ANYONE


def test_a_cut_is_kept_if_its_node_or_its_inside_differs_from_around() -> None:
    kept = {
        (at, inside): [c.path for c in area(MCA, Cut(TOWN, at, inside)).cuts]
        for at in (MCA, ANYONE)
        for inside in (MCA, ANYONE)
    }
    assert kept == {
        (MCA, MCA): ["532622"],
        (MCA, ANYONE): ["532622", TOWN],
        (ANYONE, MCA): ["532622", TOWN],
        (ANYONE, ANYONE): ["532622", TOWN],
    }


@pytest.mark.parametrize(
    ("cut", "excepted"),
    [
        (Cut("532622109", NOBODY, NOBODY), "region < :s_0_x0 OR region >= :s_0_y0"),
        (Cut(VILLAGE, NOBODY, NOBODY), "region != :s_0_x0"),
    ],
)
def test_an_exception_is_a_range_or_one_village(cut: Cut, excepted: str) -> None:
    scope = both(area(ANYONE, cut))
    assert sql(scope).endswith(f"WHERE {excepted}")
    assert scope.binds("s") == {
        "s_0_lo": "532622",
        "s_0_x0": cut.path,
        "s_0_y0": "53262210:" if len(cut.path) == 9 else "532622205204",
    }


def test_owners_are_bound_by_name_in_their_order() -> None:
    scope = both(area(Owners(frozenset({"wat", "mca", "edu"}))))
    assert sql(scope).endswith("WHERE owner IN (:s_0_o0, :s_0_o1, :s_0_o2)")
    assert scope.binds("s") == {
        "s_0_lo": "532622", "s_0_o0": "edu", "s_0_o1": "mca", "s_0_o2": "wat",
    }  # fmt: skip
    assert scope.portable() == {
        "any": [
            {"class": "any", "owner": {"in": ["edu", "mca", "wat"]}, "under": "532622",
             "self": True, "except": []},
        ]
    }  # fmt: skip


def test_children_and_adults_are_told_apart_by_one() -> None:
    minor = Scope(NOTHING.adult, EVERYTHING.minor)
    adult = Scope(EVERYTHING.adult, NOTHING.minor)
    assert sql(minor).endswith("WHERE minor = 1")
    assert sql(adult).endswith("WHERE minor != 1")
    # Rows that are nobody's age are judged as adults.
    assert str(minor.where(column("region"), column("owner"), None, "s")) == "false"
    assert str(adult.where(column("region"), column("owner"), None, "s")) == "true"


def test_words_for_every_kind_of_term(catalog: Catalog) -> None:
    wide = Owners(frozenset({"wat", "mca"}), True)
    scope = Scope(
        area(NOBODY, Cut(TOWN, MCA, NOBODY), Cut(VILLAGE, wide, NOBODY)),
        area(ANYONE, Cut(TOWN, NOBODY, NOBODY), Cut(OTHER, NOBODY, NOBODY)),
    )
    assert scope.describe() == (
        "532622205本级，mca 的数据，不含未满十四周岁人员；"
        "532622205203本级，mca、wat 以外部门的数据，不含未满十四周岁人员；"
        "532622及其下级（532622205、532622206 除外），仅未满十四周岁人员"
    )
    assert both(area(NOBODY, Cut(TOWN, NOBODY, ANYONE))).describe() == "532622205的下级"
    assert ZHELAI.describe(catalog.divisions.by_path, {}) == "者腊乡（532622205）及其下级"


def test_meeting_is_cell_by_cell_and_class_by_class() -> None:
    one = Scope(area(MCA, Cut(TOWN, ANYONE, ANYONE)), area(ANYONE))
    other = Scope(area(ANYONE, Cut(VILLAGE, NOBODY, NOBODY)), area(NOBODY))
    met = one.meet(other)
    assert met.adult == area(MCA, Cut(TOWN, ANYONE, ANYONE), Cut(VILLAGE, NOBODY, NOBODY))
    assert met.minor == area(NOBODY)
    assert one.contains(met)
    assert other.contains(met)
    assert not met.contains(one)


def test_scopes_that_differ_differ_in_pattern_where_their_text_does() -> None:
    """One pair for each thing that decides the text."""
    town, village = Cut(TOWN, ANYONE, ANYONE), Cut(VILLAGE, ANYONE, ANYONE)
    scopes = [
        EVERYTHING, NOTHING, ZHELAI,
        both(area(NOBODY, village)),
        both(area(NOBODY, Cut(TOWN, NOBODY, ANYONE))),
        both(Area([Cut("532622", NOBODY, ANYONE)])),
        both(area(ANYONE, Cut(TOWN, NOBODY, NOBODY))),
        both(area(ANYONE, Cut(VILLAGE, NOBODY, NOBODY))),
        both(area(MCA)), both(area(NOT_MCA)), both(area(Owners(frozenset({"mca", "wat"})))),
        Scope(EVERYTHING.adult, NOTHING.minor), Scope(NOTHING.adult, EVERYTHING.minor),
        both(area(NOBODY, town, Cut(VILLAGE, NOBODY, NOBODY))),
    ]  # fmt: skip
    texts = [sql(scope) for scope in scopes]
    assert len(set(texts)) == len(texts)
    assert len({scope.pattern for scope in scopes}) == len(texts)
    assert all(hash(scope.pattern) for scope in scopes)
