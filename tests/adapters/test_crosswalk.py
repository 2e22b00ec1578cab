"""区划: eight of eleven civil codes are another township's code (领域设计 2.4, traps 3 and 4)."""

from __future__ import annotations

import pytest

from adapters.crosswalk import parse_place, place_spellings, to_canonical, to_foreign
from catalog.divisions import COUNTY, Divisions
from catalog.load import load
from catalog.states import CodeScheme

NBS, CIVIL, LOCAL = CodeScheme.NBS_STAT, CodeScheme.CIVIL_GB10114, CodeScheme.DEPT_LOCAL

# Township, its NBS code, its civil code, the township an NBS reader of the civil code sees.
TABLE = [
    ("江那镇", "532622101", "532622100", None),
    ("平远镇", "532622102", "532622101", "江那镇"),
    ("稼依镇", "532622103", "532622102", "平远镇"),
    ("阿猛镇", "532622104", "532622103", "稼依镇"),
    ("阿舍彝族乡", "532622201", "532622200", None),
    ("维摩彝族乡", "532622202", "532622201", "阿舍彝族乡"),
    ("盘龙彝族乡", "532622203", "532622202", "维摩彝族乡"),
    ("八嘎乡", "532622204", "532622203", "盘龙彝族乡"),
    ("者腊乡", "532622205", "532622204", "八嘎乡"),
    ("蚌峨乡", "532622206", "532622205", "者腊乡"),
    ("干河彝族乡", "532622207", "532622207", "干河彝族乡"),
]


@pytest.fixture(scope="module")
def divisions() -> Divisions:
    return load().divisions


@pytest.mark.parametrize(("name", "nbs", "civil", "confused"), TABLE)
def test_a_code_means_a_township_only_with_its_scheme(
    divisions: Divisions, name: str, nbs: str, civil: str, confused: str | None
) -> None:
    place = divisions.get(nbs + "000")
    assert place is not None
    assert place.name == name
    assert to_canonical(divisions, NBS, nbs + "000") == nbs + "000"
    assert to_canonical(divisions, CIVIL, civil + "000") == nbs + "000"
    assert to_foreign(divisions, CIVIL, nbs + "000") == civil + "000"
    misread = divisions.get(civil + "000")
    assert (misread.name if misread else None) == confused


def test_eight_civil_codes_would_move_a_township_into_its_neighbour() -> None:
    assert sum(wrong not in (None, name) for name, _, _, wrong in TABLE) == 8


@pytest.mark.parametrize("scheme", [NBS, CIVIL, LOCAL])
def test_every_place_survives_the_way_out_and_back(
    divisions: Divisions, scheme: CodeScheme
) -> None:
    below = [d for d in divisions.by_path.values() if d.path != COUNTY]
    assert len(below) == 11 + 108
    for place in below:
        foreign = to_foreign(divisions, scheme, place.code)
        assert foreign is not None
        assert to_canonical(divisions, scheme, foreign) == place.code


@pytest.mark.parametrize(
    ("scheme", "code"),
    [(NBS, "532622999000"), (CIVIL, "532622206000"), (NBS, "532622205"), (LOCAL, "不存在村")],
)
def test_an_unknown_code_is_no_place(divisions: Divisions, scheme: CodeScheme, code: str) -> None:
    assert to_canonical(divisions, scheme, code) is None


def test_an_unknown_place_has_no_foreign_code(divisions: Divisions) -> None:
    assert to_foreign(divisions, CIVIL, "532622999000") is None
    assert to_foreign(divisions, LOCAL, "532622999000") is None


def test_a_village_is_written_with_or_without_its_suffix(divisions: Divisions) -> None:
    assert place_spellings(divisions, "532622205202") == (
        "者腊乡/克丘村委会",
        "者腊乡/克丘",
        "者腊乡/克丘村",
    )


def test_the_twin_characters_are_one_in_their_township_only(divisions: Divisions) -> None:
    twins = place_spellings(divisions, "532622206201")
    assert twins[0] == "蚌峨乡/蚌蛾村委会"
    assert {"蚌峨乡/蚌蛾", "蚌峨乡/蚌峨", "蚌蛾乡/蚌峨村委会"} <= set(twins)
    elsewhere = [
        text
        for place in divisions.by_path.values()
        if not place.path.startswith("532622206")
        for text in place_spellings(divisions, place.path)
    ]
    assert not [text for text in elsewhere if "峨" in text or "蛾" in text]


def test_every_spelling_names_exactly_one_place(divisions: Divisions) -> None:
    seen: dict[str, str] = {}
    for path in divisions.by_path:
        for text in place_spellings(divisions, path):
            assert seen.setdefault(text, path) == path
            assert parse_place(divisions, text) == path
    assert place_spellings(divisions, COUNTY) == ()
    assert len(seen) > 300


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("者腊乡/者腊村委会", "532622205201"),
        ("砚山县者腊乡 者腊村", "532622205201"),
        ("云南省文山州砚山县者腊乡", "532622205"),
        ("蚌峨乡蚌峨", "532622206201"),
        ("蚌蛾村委会", "532622206201"),
        ("克丘", "532622205202"),
        ("蚌峨", None),
        ("者腊乡/蚌蛾", None),
        ("平远镇/克丘", None),
        ("", None),
    ],
)
def test_free_text_is_a_place_or_nothing(divisions: Divisions, text: str, path: str | None) -> None:
    assert parse_place(divisions, text) == path
