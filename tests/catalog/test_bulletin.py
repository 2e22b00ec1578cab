"""What is counted and what it weighs: read strictly, kept with a snapshot, valid for its time."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from typing import Any

import pytest

from catalog.bulletin import Edition, edition_of, in_force, plain, read_editions
from catalog.errors import CatalogError
from catalog.load import HERE, load
from catalog.table import Table

BASES = {"MEASURES_ART_15": None}


def written() -> dict[str, Any]:
    """The file's first edition as if it were the only one, to be changed."""
    first = both()["edition"][0]
    del first["valid_until"]
    return {"edition": [first]}


def both() -> dict[str, Any]:
    """The whole file."""
    found: dict[str, Any] = tomllib.loads((HERE / "bulletin.toml").read_text(encoding="utf-8"))
    return found


def read(data: dict[str, Any]) -> tuple[Edition, ...]:
    return read_editions(Table("bulletin.toml", "", data), BASES)


def test_the_file_is_two_editions_by_article_15_that_wait_for_the_county() -> None:
    told = [
        (e.code, e.legal_basis, e.standing, e.freeze_day, e.valid_from, e.valid_until)
        for e in load().bulletins
    ]
    same = ("MEASURES_ART_15", "DEFAULT", 3)
    assert told == [
        ("BULLETIN_2022", *same, date(2022, 7, 18), date(2026, 10, 31)),
        ("BULLETIN_2026_11", *same, date(2026, 11, 1), None),
    ]
    for edition in load().bulletins:
        assert load().codes["FigureCode"] == {f.code: f.title for f in edition.figures}


def test_the_second_edition_is_the_first_with_appeals_and_content() -> None:
    first, second = load().bulletins
    differ = {f.code for f, g in zip(first.figures, second.figures, strict=True) if f != g}
    assert differ == {"appeals", "surveys", "satisfied"}
    assert (second.components, second.ranked) == (first.components, first.ranked)
    assert set(second.made_from) - set(first.made_from) == {"appeal", "survey"}
    assert (first.satisfied_from, second.satisfied_from) == (None, 4)


@pytest.mark.parametrize("number", [0, 1])
def test_an_edition_is_kept_as_json_and_comes_back(number: int) -> None:
    edition = load().bulletins[number]
    assert edition_of(json.loads(json.dumps(plain(edition)))) == edition


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("like", "NOBODY", "is no earlier edition"),
        ("made_from", ["bread"], "must be a list of case order"),
        ("made_from", [], "must be a list of case order"),
        ("satisfied_from", 6, "from 1 to 5"),
        ("legal_basis", "NOBODYS", "is no legal basis"),
        ("weights", 3, "is unknown"),
        ("valid_from", date(2026, 10, 31), "must end before the next edition begins"),
    ],
)
def test_a_successor_is_read_as_strictly(key: str, value: object, said: str) -> None:
    data = both()
    data["edition"][1][key] = value
    with pytest.raises(CatalogError, match=said):
        read(data)


def test_a_successor_has_the_figures_of_the_edition_before_it() -> None:
    data = both()
    data["edition"][1]["figure"][0]["code"] = "smiles"
    with pytest.raises(CatalogError, match="`smiles` is no figure of `BULLETIN_2022`"):
        read(data)


def test_a_month_goes_by_the_edition_that_holds_on_its_first_day() -> None:
    data = written()
    data["edition"][0]["valid_until"] = date(2026, 10, 31)
    data["edition"].append(
        written()["edition"][0] | {"code": "NEXT", "valid_from": date(2026, 11, 1)}
    )
    editions = read(data)
    chosen = {
        day: one.code if (one := in_force(editions, date.fromisoformat(day))) else None
        for day in ("2022-07-17", "2022-07-18", "2026-10-31", "2026-11-01", "2030-01-01")
    }
    assert list(chosen.values()) == [None, "BULLETIN_2022", "BULLETIN_2022", "NEXT", "NEXT"]


def _no_basis(e: dict[str, Any]) -> None:
    e["legal_basis"] = "NOBODYS"


def _heavier(e: dict[str, Any]) -> None:
    e["component"][0]["weight"] = 31


def _twice(e: dict[str, Any]) -> None:
    e["figure"].append(dict(e["figure"][0]))


def _half_a_rate(e: dict[str, Any]) -> None:
    del next(f for f in e["figure"] if f["unit"] == "RATE")["of"]


def _of_a_rate(e: dict[str, Any]) -> None:
    next(f for f in e["figure"] if f["unit"] == "RATE")["of"] = "closing_rate"


def _unknown_part(e: dict[str, Any]) -> None:
    e["component"][0]["part"][0]["of"] = "nothing"


def _no_part(e: dict[str, Any]) -> None:
    del e["component"][0]["part"]


def _late(e: dict[str, Any]) -> None:
    e["freeze_day"] = 31


def _no_begin(e: dict[str, Any]) -> None:
    del e["valid_from"]


def _odd_word(e: dict[str, Any]) -> None:
    e["colour"] = "red"


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (_no_basis, "edition[BULLETIN_2022].legal_basis: `NOBODYS` is no legal basis"),
        (_heavier, "edition[BULLETIN_2022].component: weights must add up to 100"),
        (_twice, "edition[BULLETIN_2022].figure: names a code twice"),
        (_half_a_rate, "edition[BULLETIN_2022].figure[closing_rate].unit: a RATE has"),
        (_of_a_rate, "edition[BULLETIN_2022].figure[closing_rate]: `closing_rate` is no COUNT"),
        (_unknown_part, "component[closing].part[nothing].of: `nothing` is no COUNT figure"),
        (_no_part, "edition[BULLETIN_2022].component[closing].part: is missing"),
        (_late, "edition[BULLETIN_2022].freeze_day: must be a whole number from 1 to 28"),
        (_no_begin, "edition[BULLETIN_2022].valid_from: is missing"),
        (_odd_word, "edition[BULLETIN_2022].colour: is unknown"),
    ],
)
def test_a_fault_is_named_by_file_key_and_remedy(spoil: Any, where: str) -> None:
    data = written()
    spoil(data["edition"][0])
    with pytest.raises(CatalogError) as caught:
        read(data)
    assert str(caught.value).startswith("bulletin.toml: ")
    assert where in str(caught.value)


def test_editions_do_not_overlap() -> None:
    data = written()
    data["edition"].append(
        written()["edition"][0] | {"code": "NEXT", "valid_from": date(2026, 11, 1)}
    )
    with pytest.raises(CatalogError, match="must end before the next edition begins"):
        read(data)
