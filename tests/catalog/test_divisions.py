"""区划: the tree, its region paths, and what lies inside what."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.divisions import (
    Level,
    covers,
    is_region_path,
    load_divisions,
    place_at,
    region_path,
)
from catalog.errors import CatalogError
from catalog.load import load


def test_the_county_has_eleven_townships_and_108_villages() -> None:
    divisions = load().divisions
    assert len(divisions) == 122
    assert len(divisions.townships()) == 11
    villages = divisions.villages()
    assert len(villages) == 108
    assert sum(v.name.endswith("村委会") for v in villages) == 86
    assert sum(v.name.endswith("社区") for v in villages) == 22
    counted = {t.name: len(divisions.villages(t.path)) for t in divisions.townships()}
    assert list(counted.values()) == [14, 20, 9, 13, 7, 10, 6, 12, 7, 6, 4]


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("532622000000", "532622"),
        ("532622205000", "532622205"),
        ("532622205201", "532622205201"),
    ],
)
def test_a_region_path_is_the_code_cut_at_its_level(code: str, path: str) -> None:
    assert region_path(code) == path
    assert is_region_path(path)


@pytest.mark.parametrize("code", ["532622", "53262220520a", "５32622205201", ""])
def test_what_is_no_code_has_no_path(code: str) -> None:
    with pytest.raises(ValueError, match="12 digits"):
        region_path(code)


@pytest.mark.parametrize("path", ["", "532", "53262220", "532622205000", "532623", "532622000"])
def test_what_is_cut_elsewhere_is_no_region_path(path: str) -> None:
    assert not is_region_path(path)


@pytest.mark.parametrize(
    ("outer", "inner", "inside"),
    [
        ("532622", "532622205201", True),
        ("532622205", "532622205201", True),
        ("532622205", "532622205", True),
        ("532622205", "532622206201", False),
        ("532622205201", "532622205", False),
        ("53262220", "532622205", False),
        ("532622000000", "532622205", False),
    ],
)
def test_inside_holds_at_level_borders_only(outer: str, inner: str, inside: bool) -> None:
    assert covers(outer, inner) is inside


def test_every_village_lies_in_its_township_and_no_other() -> None:
    divisions = load().divisions
    for village in divisions.villages():
        around = [t.path for t in divisions.townships() if covers(t.path, village.path)]
        assert around == [village.parent]
        assert village.level is Level.VILLAGE


def test_an_alias_of_an_unknown_place_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "divisions.csv").write_text(
        "code,name,level,parent\n532622000000,砚山县,county,\n", encoding="utf-8"
    )
    (tmp_path / "division_aliases.csv").write_text(
        "scheme,code,canonical\nCIVIL_GB10114,532622100000,532622101000\n", encoding="utf-8"
    )
    with pytest.raises(CatalogError) as caught:
        load_divisions(tmp_path)
    assert str(caught.value) == (
        "division_aliases.csv: line 2: canonical code not in divisions.csv: add it"
    )


def test_a_place_lies_in_one_place_of_each_level_above_it() -> None:
    levels = (Level.COUNTY, Level.TOWNSHIP, Level.VILLAGE)
    village, township = "532622205003", "532622205"
    assert [place_at(village, level) for level in levels] == ["532622", township, village]
    assert [place_at(township, level) for level in levels] == ["532622", township, None]
    with pytest.raises(KeyError):
        place_at(village, Level.PREFECTURE)
