"""A person is the same by every path: the same cells in the same states, to whoever asks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from tests.resolvers.conftest import data_of

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk
    from tests.resolvers.documents import Facts

PERSONS = 12
PATHS = {
    "root by id": ("query($v: ID!) { citizen(by: {id: $v}) { %s } }", "id"),
    "look-up": ("query($v: String!) { citizen(by: {idNumber: $v}) { %s } }", "number"),
    "member": ("query($v: ID!) { household(id: $v) { members { %s } } }", "household"),
    "applicant": ("query($v: String!) { case(caseNo: $v) { applicant { %s } } }", "case"),
    "applicant of an order's case": (
        "query($v: String!) { supervisionOrder(orderNo: $v) { case { applicant { %s } } } }",
        "order",
    ),
    "member of an applicant's household": (
        "query($v: String!) { case(caseNo: $v) { applicant { household { members { %s } } } } }",
        "case",
    ),
    "entity": (
        'query($v: ID!) { _entities(representations: [{__typename: "Citizen", id: $v}]) {'
        " ... on Citizen { %s } } }",
        "id",
    ),
    "entity by digest": (
        "query($v: [_Any!]!) { _entities(representations: $v) { ... on Citizen { %s } } }",
        "digest",
    ),
    "member of an entity": (
        "query($v: ID!) { _entities("
        'representations: [{__typename: "Household", id: $v}]) { ...H } }'
        " fragment H on Household { members { %s } }",
        "household",
    ),
    "listed": (
        "query($v: DivisionCode) { citizens(division: $v, first: 100) { nodes { %s } } }",
        "place",
    ),
}
ASKERS = (
    ("zhelai-village-01", "aid.file"),
    ("zhelai-town-01", "aid.file"),
    ("zhelai-town-01", "aid.review"),
    ("mca-dept-01", "aid.review"),
    ("office-01", "report"),
    ("office-01", "supervise"),
    ("lab", "aid.review"),
)


def cells(desk: Desk) -> str:
    """Every column of a person, some facets, and the state of each."""
    kind = desk.bindings.schema.type_map["Citizen"]
    assert isinstance(kind, GraphQLObjectType)
    columns = [n for n, f in kind.fields.items() if is_leaf_type(get_named_type(f.type))]
    assert len(columns) == 12
    facets = "civilAffairs { minLiving { name status access { field state } } }"
    facets += " housing { house { houseNo structure } } health { chronic { disease } }"
    return f"{' '.join(columns)} {facets} division {{ code }} access {{ field state source }}"


def people(desk: Desk, facts: Facts) -> list[dict[str, Any]]:
    """Persons of the own township by all their keys; applicants and their households first."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(desk.site.folder / "store.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute(
            "SELECT c.id, c.id18 AS number, c.household_id AS household, f.case_no AS 'case',"
            " o.order_no AS 'order', c.citizen_uid AS digest,"
            " substr(c.region_path || '000000', 1, 12) AS place"
            " FROM citizen c LEFT JOIN case_file f ON f.applicant_id = c.id"
            " LEFT JOIN supervision_order o ON o.case_id = f.id"
            " WHERE c.region_path LIKE '532622205%' AND (f.id IS NOT NULL OR c.household_id IN"
            " (SELECT household_id FROM citizen WHERE id = ?) OR c.id IN"
            " (SELECT id FROM citizen WHERE region_path LIKE '532622205%' ORDER BY id LIMIT 6))"
            " ORDER BY c.id = ? DESC, o.order_no IS NULL, c.id",
            (desk.site.shown("zhelai").citizen,) * 2,
        )
        found = {row["id"]: dict(row) for row in reversed(rows.fetchall())}
    ordered = list(reversed(found.values()))
    home = desk.site.shown("zhelai").household
    own = [one for one in ordered if one["household"] == home]
    return [*own, *(one for one in ordered if one not in own)][:PERSONS]


def persons(value: Any) -> list[dict[str, Any]]:
    """Every person of an answer."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) and "birthBand" in value else []
    return own + [one for part in below for one in persons(part)]


@pytest.mark.parametrize("json_mode", [True, False], ids=["json mode", "row mode"])
@pytest.mark.parametrize(("account", "purpose"), ASKERS)
def test_by_every_path_the_same_cells_in_the_same_states(
    desk: Desk, facts: Facts, account: str, purpose: str, json_mode: bool
) -> None:
    desk = desk.behind_a_gateway()
    engine, asked, met = desk.engine(json_mode), cells(desk), Counter[str]()
    for one in people(desk, facts):
        found: dict[str, dict[str, Any]] = {}
        for path, (text, key) in PATHS.items():
            if one[key] is None:
                continue
            given = {"__typename": "Citizen", "idDigest": one[key]} if key == "digest" else one[key]
            answer = desk.ask(
                engine, account, text.replace("%s", asked), {"v": given}, purpose=purpose
            )
            codes = {e["extensions"]["code"] for e in answer.errors}
            assert codes <= {"FORBIDDEN"}  # a path that is shut, never a fault
            mine = [p for p in persons(data_of(answer)) if p["id"] == one["id"]]
            if mine:
                found[path] = mine[0]
                met[path] += 1
        told = {repr(person) for person in found.values()}
        assert len(told) <= 1, (one["id"], account, found)
        met["compared"] += len(found) > 1
    assert met["compared"] >= (3 if account == "zhelai-village-01" else PERSONS // 2)
    assert min(met[p] for p in ("root by id", "look-up", "member", "applicant")) > 0
    assert (met["entity"], met["entity by digest"]) == (met["root by id"], met["look-up"])
    assert met["member of an entity"] == met["member"]
    assert (met["listed"] > 0) is (account != "mca-dept-01")


def test_the_persons_are_adults_and_children_with_and_without_cases(
    desk: Desk, facts: Facts
) -> None:
    found = people(desk, facts)
    assert len(found) == PERSONS
    assert desk.site.shown("zhelai").child in [one["id"] for one in found]
    assert {one["case"] is None for one in found} == {True, False}
    assert {one["order"] is None for one in found} == {True, False}
