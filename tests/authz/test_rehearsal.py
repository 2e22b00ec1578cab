"""Scenarios played: what is found is told in words, whatever was claimed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from authz.book import PolicyBook
from authz.errors import RuleError
from authz.rehearsal import Outcome, outcome, predicate, rehearsed
from authz.scenarios import Case, read_scenarios, shipped
from authz.scope import ANYONE, EVERYTHING, NOBODY, NOTHING, Area, Cut, Owners, Scope
from catalog.divisions import COUNTY
from catalog.load import Catalog

DAY = date(2026, 11, 1)
TOWN = '{ dept = "rev", role = "town", base = "532622205" }'
NewCase = Callable[..., Case]


@pytest.fixture
def case(tmp_path: Path, catalog: Catalog) -> NewCase:
    def make(ask: str, *claims: str, posts: str = TOWN) -> Case:
        text = "\n".join(
            ["[[case]]", 'name = "一"', f"posts = [{posts}]", f"ask = {{ {ask} }}", *claims]
        )
        (tmp_path / "cases.toml").write_text(text, encoding="utf-8")
        return read_scenarios(tmp_path / "cases.toml", catalog).cases[0]

    return make


def test_the_shipped_scenarios_are_those_of_the_tests() -> None:
    assert shipped() == Path(__file__).with_name("scenarios.toml")


ROW = 'object = "Citizen.basic", act = "read", purpose = "aid.file", region = "532622206206"'
LISTED = 'object = "Citizen.basic", purpose = "aid.file"'


@pytest.mark.parametrize(
    ("claims", "expected", "found"),
    [
        (['expect = "allow"'], "允许", "不许（REACH）"),
        (['expect = "deny"'], "不许", "不许"),
        (['expect = "deny"', 'reason = "OWNER"'], "不许（OWNER）", "不许（REACH）"),
    ],
)
def test_a_verdict_is_told_with_its_reason(
    case: NewCase,
    book: PolicyBook,
    catalog: Catalog,
    claims: list[str],
    expected: str,
    found: str,
) -> None:
    ended = outcome(case(ROW, *claims), book, catalog, DAY)
    assert ended == Outcome("一", expected, found)


def test_a_refusal_that_was_allowed_is_told(
    case: NewCase, book: PolicyBook, catalog: Catalog
) -> None:
    near = ROW.replace("532622206206", "532622205203")
    ended = outcome(case(near, 'expect = "deny"'), book, catalog, DAY)
    assert ended == Outcome("一", "不许", "允许")
    assert not ended.ok


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ('places = ["532622205"]', "者腊乡（532622205）"),
        ('places = ["532622205203"]', "老龙村委会（532622205203）"),
        ("places = []", "无"),
        ('places = ["532622"]', "砚山县（532622）"),
        ('rows = "别处"', "别处"),
    ],
)
def test_places_are_compared_as_sets_and_told_by_name(
    case: NewCase, book: PolicyBook, catalog: Catalog, claim: str, expected: str
) -> None:
    ended = outcome(case(LISTED, 'expect = "list"', claim), book, catalog, DAY)
    whole = "者腊乡（532622205）"
    assert ended.expected == expected
    assert ended.found == (whole if claim.startswith("places") else f"{whole}及其下级")
    assert ended.ok is (expected == whole)


def test_every_village_of_a_township_is_not_the_township(
    case: NewCase, book: PolicyBook, catalog: Catalog
) -> None:
    """Its own rows, at nine digits, are missing: 乡镇本级."""
    villages = [d.path for d in catalog.divisions.villages("532622205")]
    claim = f"places = {villages}".replace("'", '"')
    ended = outcome(case(LISTED, 'expect = "list"', claim), book, catalog, DAY)
    assert not ended.ok
    assert ended.expected.count("、") == len(villages) - 1


def test_a_place_without_what_lies_below_is_told_as_its_own_level(
    case: NewCase, book: PolicyBook, catalog: Catalog
) -> None:
    deny = "*,*,Citizen.*,list,532622205203,any,*,9999-12-31,deny,受保护的村"
    claims = ['expect = "list"', f'lines = ["{deny}"]', 'places = ["532622205"]']
    ended = outcome(case(LISTED, *claims), book, catalog, DAY)
    assert "老龙" not in ended.found
    assert ended.found.startswith("者腊村委会（532622205201）、克丘村委会（532622205202）、六诏")
    assert ended.found.endswith("、者腊乡（532622205）本级")


def test_columns_are_those_of_one_row(case: NewCase, book: PolicyBook, catalog: Catalog) -> None:
    ask = 'dataset = "citizen", purpose = "aid.file", region = "532622205203"'
    claims = ['expect = "columns"', 'columns = { idNumber = "明文", name = "明文" }']
    ended = outcome(case(ask, *claims), book, catalog, DAY)
    assert ended == Outcome("一", "idNumber 明文，name 明文", "idNumber 脱敏，name 明文")


def test_a_persons_facet_is_not_seen_where_the_person_is_not(
    case: NewCase, book: PolicyBook, catalog: Catalog
) -> None:
    """The line opens the facet's rows in the whole county, the clerk sees one township's people."""
    wide = "town,*,Citizen.health,read,county,any,aid.file,9999-12-31,allow,测试"
    claims = ['expect = "columns"', f'lines = ["{wide}"]', 'columns = { disease = "脱敏" }']
    ask = 'dataset = "chronic_record", purpose = "aid.file", region = "532622205203"'
    assert outcome(case(ask, *claims), book, catalog, DAY).ok
    away = ask.replace("532622205203", "532622206206")
    assert outcome(case(away, *claims), book, catalog, DAY).found == "disease 隐藏"


def test_the_day_of_a_case_comes_before_that_of_the_file(
    case: NewCase, book: PolicyBook, catalog: Catalog, tmp_path: Path
) -> None:
    line = "town,*,Citizen.health,read,subtree,any,aid.file,2026-11-01,allow,测试"
    claims = ['expect = "deny"', 'reason = "EXPIRED"', f'lines = ["{line}"]']
    ask = ROW.replace("basic", "health").replace("532622206206", "532622205203")
    undated = case(ask, *claims)
    assert outcome(undated, book, catalog, DAY).found == "允许"
    assert outcome(undated, book, catalog, date(2026, 11, 2)).ok
    dated = case(ask + ", day = 2026-11-02", *claims)
    assert outcome(dated, book, catalog, DAY).ok
    file = tmp_path / "cases.toml"
    file.write_text("day = 2026-11-02\n" + file.read_text().replace(", day = 2026-11-02", ""))
    assert [one.ok for one in rehearsed(read_scenarios(file, catalog), book, catalog, DAY)] == [
        True
    ]


def test_lines_of_a_case_are_forgotten_after_it(
    case: NewCase, book: PolicyBook, catalog: Catalog
) -> None:
    deny = 'lines = ["*,*,Citizen.*,read,county,any,*,9999-12-31,deny,测试"]'
    near = case(ROW.replace("532622206206", "532622205203"), 'expect = "allow"', deny)
    assert outcome(near, book, catalog, DAY).found == "不许（DENIED）"
    assert outcome(replace(near, lines=()), book, catalog, DAY).ok


def test_more_places_than_a_book_may_name_are_refused(
    case: NewCase, book: PolicyBook, catalog: Catalog
) -> None:
    paths = [place.path for place in catalog.divisions.by_path.values()][:101]
    lines = [f"*,*,Citizen.basic,write,{p},any,*,9999-12-31,deny,测试" for p in paths]
    many = case(ROW, 'expect = "deny"', f"lines = {lines}".replace("'", '"'))
    with pytest.raises(RuleError, match="超过 100 个"):
        outcome(many, book, catalog, DAY)


def test_a_predicate_is_text_with_its_values() -> None:
    def both(*cuts: Cut) -> Scope:
        area = Area(cuts)
        return Scope(area, area)

    mca, rest = Owners(frozenset({"mca"})), Owners(frozenset({"mca"}), True)
    nowhere = Cut(COUNTY, NOBODY, NOBODY)
    assert predicate(NOTHING, owned=False) == "false"
    assert predicate(EVERYTHING, owned=True) == "true"
    assert predicate(both(Cut(COUNTY, mca, mca)), owned=True) == "owner IN ('mca')"
    assert predicate(both(Cut(COUNTY, rest, rest)), owned=True) == "(owner NOT IN ('mca'))"
    here = both(nowhere, Cut("532622205", ANYONE, NOBODY))
    assert predicate(here, owned=False) == "region_path = '532622205'"
    children = Scope(both(nowhere).adult, both(nowhere, Cut("532622205203", ANYONE, ANYONE)).minor)
    assert predicate(children, owned=False) == "minor = 1 AND region_path = '532622205203'"
