"""The words of a subgraph: read strictly, and every data set can be asked for in a document."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from catalog.errors import CatalogError
from catalog.interface import Login
from catalog.load import load
from catalog.subgraph import Ask, Subgraph, read_subgraph
from catalog.table import Table

WORDS = """
type = "Resident"
key = "idCard"
fields = { chronic_record = "chronicRecords", visit = "visits.nodes", resident = "." }
"""
QUERY = 'by = "query"\nfield = "residents"\nargument = "idCards"\n'
HEALTH = Path(__file__).parents[2] / "catalog" / "datasets" / "wj_resident.toml"


def read(text: str) -> Subgraph:
    return read_subgraph(Table("x.toml", "source.graphql", tomllib.loads(text)))


def test_what_is_not_said_has_its_usual_value() -> None:
    found = read(WORDS)
    assert (found.path, found.by, found.batch, found.headers) == (
        "/graphql",
        Ask.ENTITIES,
        100,
        {},
    )
    assert found.credential.kind is Login.NONE
    assert found.fields == {
        "chronic_record": ("chronicRecords",),
        "visit": ("visits", "nodes"),
        "resident": (),
    }
    queried = read(QUERY + WORDS)
    assert (queried.field, queried.argument, queried.argument_type) == (
        "residents",
        "idCards",
        "[String!]!",
    )


@pytest.mark.parametrize(
    ("before", "after", "remedy"),
    [
        ('"Resident"', '"居民"', "type: `居民` is no name"),
        ('"idCard"', '"idCard }"', "key: `idCard }` is no name"),
        ('"idCard"', '"__typename"', "key: `__typename` is no name"),
        ('"chronicRecords"', '"chronicRecords(first: 9)"', "fields: `chronicRecords(first: 9)`"),
        ('"visits.nodes"', '"visits..nodes"', "fields: `` is no name"),
        ("fields =", "# fields =", "fields: is missing"),
        ("type =", 'path = "/x/$table"\ntype =', "path: has no slots"),
        ("type =", 'path = "/x/../y"\ntype =', "path: must be a plain path"),
        ("type =", "batch = 0\ntype =", "batch: must be 1 or more"),
        ("type =", 'by = "sql"\ntype =', "by: `sql` is unknown"),
        ("type =", 'by = "query"\ntype =', "field: is missing"),
        ("type =", 'by = "query"\nfield = "residents"\ntype =', "argument: is missing"),
        ("type =", QUERY + 'argument_type = "ID!"\ntype =', "argument_type: must be a list type"),
        ("type =", 'argument = "idCards"\ntype =', "argument: is unknown"),
        ("type =", 'token = "geheim"\ntype =', "token: is unknown"),
    ],
)
def test_a_wrong_word_is_named_with_its_remedy(before: str, after: str, remedy: str) -> None:
    assert before in WORDS
    with pytest.raises(CatalogError) as caught:
        read(WORDS.replace(before, after, 1))
    assert str(caught.value).startswith(f"x.toml: source.graphql.{remedy}")


@pytest.mark.parametrize(
    ("before", "after", "remedy"),
    [
        ('medication = "medications"\n', "", "does not say which field the table `medication` is"),
        (
            'medication = "medications"\n',
            'medication = "medications"\nmedicine = "x"\n',
            "fields: `medicine` is no data set's table",
        ),
        ('columns = ["idCard"]', 'columns = ["ehrNo"]', "finds persons by `idCard`"),
        (
            'key = { kind = "identity", columns = ["idCard"], formats = ["id18"] }',
            'key = { kind = "division", columns = ["idCard"] }\nsubject = "uid"',
            "finds persons by `idCard`",
        ),
        ('"-admitted"', '"-s.admitted"', "`s.admitted` of `serious_illness` is no name"),
        ('column = "dispensed"', 'column = "发放日期"', "`发放日期` of `medication` is no name"),
        ('person_name = "name"', 'person_name = "full name"', "`full name` of `chronic_record`"),
        ("[source.graphql.fields]", "[source.rest.fields]", "source.rest.path: is missing"),
    ],
)
def test_every_data_set_must_fit_the_subgraph(
    tmp_path: Path, before: str, after: str, remedy: str
) -> None:
    text = HEALTH.read_text(encoding="utf-8")
    assert before in text
    other = text.replace(before, after, 1).replace("wj_resident", "wj_other")
    (tmp_path / "wj_other.toml").write_text(other, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load(tmp_path)
    assert remedy in str(caught.value)


def test_a_subgraph_without_words_stops_the_start(tmp_path: Path) -> None:
    text = HEALTH.read_text(encoding="utf-8").replace("wj_resident", "wj_other")
    begin, end = text.index("[source.graphql]"), text.index("[[dataset]]")
    (tmp_path / "wj_other.toml").write_text(text[:begin] + text[end:], encoding="utf-8")
    with pytest.raises(CatalogError, match=r"source\.graphql: is missing"):
        load(tmp_path)
