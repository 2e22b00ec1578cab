"""Every data set of the catalogue has a sample question, and the schema takes each of them."""

from __future__ import annotations

from graphql import parse, validate

from catalog.load import load
from schema.build import build
from schema.samples import sample

SCHEMA = build(load()).schema


def test_every_type_of_the_catalogue_has_a_sample_that_the_schema_takes() -> None:
    found = {d.name: sample(SCHEMA, d.type) for d in load().datasets.values()}
    assert [name for name, text in found.items() if text is None] == []
    for name, text in found.items():
        assert text is not None
        assert validate(SCHEMA, parse(text)) == [], name


def test_a_sample_shows_the_shortest_way_with_what_must_be_given() -> None:
    assert sample(SCHEMA, "MinLiving") == (
        "query Sample($by: CitizenKey!) {\n"
        "  citizen(by: $by) {\n"
        "    civilAffairs {\n"
        "      minLiving {\n"
        "        certificateNo name relation division insuredPersons monthlyAmount paidMonth"
        " status\n"
        "      }\n"
        "    }\n"
        "  }\n"
        "}"
    )
    assert sample(SCHEMA, "Department") is not None


def test_there_is_no_sample_of_what_no_query_reaches() -> None:
    assert sample(SCHEMA, "NoSuchType") is None
    assert sample(SCHEMA, "CaseChanged") is None
    assert sample(SCHEMA, "Sex") is None
