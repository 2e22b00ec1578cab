"""What is made of a hidden value says no more than the catalogue lets it say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks.conftest import ROADS
from tests.resolvers.conftest import data_of

if TYPE_CHECKING:
    from tests.attacks.conftest import County

BAND = re.compile(r"\d{3}0–\d{3}9\Z")
GRADES = {"M1", "M2", "M3", "M4"}


def persons(value: Any) -> list[dict[str, Any]]:
    """Every object of an answer that has a birth date in it."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) and "birthDate" in value else []
    return own + [person for one in below for person in persons(one)]


@pytest.mark.parametrize("road", ROADS)
def test_beside_a_hidden_birth_date_stands_a_decade(county: County, road: str) -> None:
    way = ROADS[road]
    answer = county.answer(way.document(), way.variables(county.shown()))
    found = persons(data_of(answer))
    assert found
    for person in found:
        assert person["birthDate"] is None
        assert BAND.match(person["birthBand"])
        states = {entry["field"]: entry["state"] for entry in person["access"]}
        assert states["birthDate"] in ("MASKED", "DENIED")


@pytest.mark.parametrize("road", ROADS)
def test_a_masked_phone_is_stars_and_four_digits(county: County, road: str) -> None:
    way = ROADS[road]
    answer = county.answer(way.document(), way.variables(county.shown()))
    phones = [p["phone"] for p in persons(data_of(answer)) if p["phone"] is not None]
    assert phones
    assert all(re.fullmatch(r"\*{4}(\d{4})?", phone) for phone in phones)


def test_a_masked_address_is_the_name_of_the_village(county: County) -> None:
    way = ROADS["relation of a household"]
    answer = county.answer(way.document(), way.variables(county.shown()))
    ((village,),) = county.rows("SELECT name FROM division WHERE path = ?", county.shown().village)
    shown = {p["address"] for p in persons(data_of(answer))}
    assert shown == {village, None}  # a child's is not shown at all


def test_a_facet_says_how_well_the_names_agree_and_not_the_name(county: County) -> None:
    """The match grade is made of both names in full; a village sees a surname of either."""
    text = (
        "query($i: ID!) { citizen(by: {id: $i}) { civilAffairs { minLiving {"
        " name provenance { matchGrade quality } access { field state } } } } }"
    )
    answer = county.answer(
        text, {"i": county.shown().citizen}, account="zhelai-village-01", purpose="aid.file"
    )
    record = data_of(answer)["citizen"]["civilAffairs"]["minLiving"]
    assert record["name"] == f"{county.shown().name[0]}*"
    assert record["provenance"]["matchGrade"] in GRADES
    assert {"field": "name", "state": "MASKED"} in record["access"]


def test_months_and_places_of_counts_are_made_of_open_columns(county: County) -> None:
    case = county.desk.catalog.datasets["case"]
    made_of = [case.by_name[name] for name in ("filedAt", "item", "state", "overdue")]
    assert {field.mask.value for field in made_of} == {"NONE"}
    assert {field.object for field in made_of} == {case.object}


def test_no_field_of_the_catalogue_is_computed_from_another(county: County) -> None:
    """Who adds one declares what it needs, so that its rights are those of all of it."""
    keys = {
        name
        for dataset in county.desk.catalog.datasets.values()
        for field in dataset.fields
        for name in type(field).__dataclass_fields__
    }
    assert "needs" not in keys
    assert keys == {
        "name", "column", "title", "description", "type", "object", "sensitivity", "mask",
        "nullable", "decode", "code", "values", "exposed", "deprecated",
    }  # fmt: skip
