"""Documents written for one corner each."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracle.county import ENUM, INT
from tests.resolvers.conftest import NOTHING

if TYPE_CHECKING:
    from tests.oracle.conftest import Bench, NewBench

LAB, AUDITOR = "lab", "auditor-01"
NULL = {"x": None}


def same(
    bench: Bench,
    text: str,
    variables: Mapping[str, Any] = NOTHING,
    *,
    account: str = LAB,
    name: str | None = None,
) -> tuple[Any, list[Any]]:
    """Both modes answer as graphql-core does; the expected data and errors."""
    for json_mode in (True, False):
        engine = bench.engine(json_mode)
        for _ in range(2):  # the second time on a warm cache
            found, _ = bench.differences(engine, account, text, variables, name)
            assert not found, found
    return bench.expected(account, text, variables, name)


# ---- what a document may hold ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "{ a: departments { code } b: departments { name } a: departments { name } }",
        "{ divisions(level: TOWNSHIP) { name ... on Division { name code } } }",
        "{ departments { ...A } } fragment A on Department { code ...B } "
        "fragment B on Department { code name }",
        "{ departments { ...B code ...B } } fragment B on Department { name code }",
        "{ departments { name: code code: name } }",
        "{ departments { datasets { fields { name } } __typename } }",
        "{ t: __typename __schema { queryType { name } } departments { code } u: __typename }",
        '{ a: __type(name: "Case") { name kind fields { name } } viewer { posts { role } } }',
        "{ cases(first: 2) { nodes { id } edges { node { caseNo access { field } } cursor } } }",
        "{ citizens(first: 2) { ... on CitizenConnection { nodes { access { field } phone "
        "education { dropout { returnStatus } } } } } }",
        "{ cases(first: 2) { ...A } } fragment A on CaseConnection { edges { ...B } } "
        "fragment B on CaseEdge { node { access { field } caseNo } }",
        "{ cases(first: 0) { totalCount nodes { id } pageInfo { hasNextPage startCursor } } }",
        "{ cases(last: 2) { nodes { id } pageInfo { hasPreviousPage } } }",
        "{ cases(first: 101) { totalCount } departments { code } }",
        "{ cases(first: -1) { totalCount } departments { code } }",
        "{ cases(first: 1, last: 1) { totalCount } }",
        '{ cases(after: "no cursor") { totalCount } a: citizens(first: 1) { totalCount } }',
        "{ cases(first: 3) { nodes { events(first: 101) { totalCount } caseNo } } }",
        '{ cases(first: 3) { nodes { events(after: "x") { totalCount } caseNo } } }',
        '{ a: division(code: "999999") { name } b: division(code: "abc") { name } }',
        '{ divisions(parent: "532623000000") { name } departments { code } }',
    ],
)
def test_a_selection_has_one_answer(bench: Bench, text: str) -> None:
    same(bench, text)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("query($n: Int) { citizens(first: $n) { totalCount nodes { id } } }", {"n": None}),
        ("query($n: Int = 2) { citizens(first: $n) { nodes { id phone address } } }", {}),
        ("query($n: Int = 2) { citizens(first: $n) { nodes { id } } }", {"n": None}),
        ("query($n: Int) { citizens(first: $n) { nodes { id } } }", {"n": 1.0}),
        ("query($n: ID!) { household(id: $n) { id } }", {"n": 7}),
        ("query($s: CaseState) { cases(filter: {state: $s}) { totalCount } }", {"s": "CLOSED"}),
        ("query($f: CaseFilter = {overdue: true}) { cases(filter: $f) { totalCount } }", {}),
        ("query($f: CaseFilter = {overdue: true}) { cases(filter: $f) { totalCount } }",
         {"f": {"state": None}}),
        ("query($f: CaseFilter = {overdue: true}) { cases(filter: $f) { totalCount } }",
         {"f": None}),
        ("query($x: Boolean!) { departments { code @skip(if: $x) } }", {"x": True}),
        ("query($x: Boolean!) { viewer { posts { role @skip(if: $x) } } }", {"x": True}),
        ("query($x: Boolean!) { cases { pageInfo { hasNextPage @skip(if: $x) } } }", {"x": True}),
        ("query($x: Boolean!) { ... @include(if: $x) { departments { code } } }", {"x": False}),
    ],
)  # fmt: skip
def test_variables_have_one_answer(bench: Bench, text: str, variables: Mapping[str, Any]) -> None:
    _, errors = same(bench, text, variables)
    assert errors == []


@pytest.mark.parametrize(
    ("kind", "use", "value"),
    [
        ("CaseState", "cases(filter: {state: $x}) { totalCount }", "NOPE"),
        ("DivisionCode!", "division(code: $x) { name }", None),
        ("DivisionCode!", "division(code: $x) { name }", 7),
        ("String!", "department(code: $x) { name }", 7),
        ("Int", "cases(first: $x) { totalCount }", 2**31),
        ("Int", "cases(first: $x) { totalCount }", 1.5),
        ("Int", "cases(first: $x) { totalCount }", True),
        ("CaseFilter", "cases(filter: $x) { totalCount }", {"nope": 1}),
        ("CitizenKey!", "citizen(by: $x) { name }", {"id": None}),
        ("CitizenKey!", "citizen(by: $x) { name }", {"id": "1", "idNumber": "2"}),
    ],
)
def test_a_variable_that_does_not_fit_stops_the_operation(
    bench: Bench, kind: str, use: str, value: Any
) -> None:
    before = bench.desk.sent()
    data, errors = same(
        bench, f"query($x: {kind}) {{ {use} departments {{ code }} }}", {"x": value}
    )
    assert data is None
    assert [(code, path) for code, _, path, _ in errors] == [("BAD_USER_INPUT", None)]
    assert bench.desk.sent() == before


def test_the_operation_that_is_named_is_run(bench: Bench) -> None:
    text = "query A { a: departments { code } } query B { b: __typename }"
    assert same(bench, text, name="B") == ({"b": "Query"}, [])
    for name in ("C", None):
        data, errors = same(bench, text, name=name)
        assert (data, [code for code, *_ in errors]) == (None, ["BAD_USER_INPUT"])


# ---- null is a value too -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "field"),
    [
        ('$x: DivisionCode = "532622205000"', "division(code: $x) { name }"),
        ('$x: ID = "nobody"', "household(id: $x) { size members { name } }"),
        ('$x: String = "none"', "case(caseNo: $x) { state }"),
        ('$x: CitizenKey = {id: "nobody"}', "citizen(by: $x) { name cases { totalCount } }"),
        ('$x: String = "Case"', "__type(name: $x) { name }"),
    ],
)
def test_null_in_an_argument_that_needs_a_value_costs_that_field_alone(
    bench: Bench, head: str, field: str
) -> None:
    text = f"query({head}) {{ a: {field} departments {{ code }} }}"
    data, errors = same(bench, text, NULL)
    assert data["a"] is None
    assert data["departments"]
    assert [(code, path) for code, _, path, _ in errors] == [("BAD_USER_INPUT", ["a"])]
    before = bench.desk.sent()
    engine = bench.engine(True)
    bench.desk.ask(engine, LAB, f"query({head}) {{ {field} }}", NULL)
    assert bench.desk.sent() == before  # nothing is asked without what it is asked by
    same(bench, text)  # without the variable its default holds


def test_null_for_a_condition_at_the_root_costs_the_answer(bench: Bench) -> None:
    text = "query($x: Boolean = true) { departments @include(if: $x) { code } viewer { account } }"
    data, errors = same(bench, text, NULL)
    assert data is None
    assert [(code, path) for code, _, path, _ in errors] == [("BAD_USER_INPUT", None)]


@pytest.mark.parametrize(
    ("selection", "paths"),
    [
        # What may be null nearest above takes the loss; of a list its first row tells.
        ("departments { code name @include(if: $x) }", ["departments.0"]),
        ("departments { code ... @include(if: $x) { name } }", ["departments.0"]),
        ("departments { code ...D @include(if: $x) }", ["departments.0"]),
        ("departments { name @skip(if: $t) @include(if: $x) }", []),
        ("departments { name @skip(if: $x) code @skip(if: $y) }", ["departments.0"]),
        ("departments { ...D name @skip(if: $x) } departments { code }", ["departments.0"]),
        (
            "departments { code datasets { name @skip(if: $x) } }",
            [f"departments.{n}.datasets.0" for n in range(8)],
        ),
        # Pages: the page itself, its rows however they are asked, what stands beside them.
        ("cases { totalCount @skip(if: $x) }", ["cases"]),
        ("cases(first: 101) { totalCount @skip(if: $x) }", ["cases"]),
        ("cases { nodes { id @skip(if: $x) } totalCount }", ["cases.nodes.0"]),
        ("cases(first: 0) { nodes { id @skip(if: $x) } totalCount }", []),
        ("cases { edges { cursor @skip(if: $x) } }", ["cases.edges.0"]),
        ("cases { nodes { id } edges { node { id @skip(if: $x) } } }", ["cases.edges.0.node"]),
        ("cases { pageInfo { hasNextPage @skip(if: $x) } }", ["cases.pageInfo"]),
        # Below rows: one error a row that has such an object, where it would ride too.
        (
            "cases(first: 2) { nodes { id applicant { name @skip(if: $x) } } }",
            ["cases.nodes.0.applicant", "cases.nodes.1.applicant"],
        ),
        (
            "cases(first: 2) { nodes { applicant { name household { id @skip(if: $x) } } } }",
            ["cases.nodes.0.applicant.household", "cases.nodes.1.applicant.household"],
        ),
        (
            "cases(first: 2) { nodes { division { name parent { name @skip(if: $x) } } } }",
            ["cases.nodes.0.division.parent", "cases.nodes.1.division.parent"],
        ),
        (
            "citizens(first: 2) { nodes { household { size members { name @skip(if: $x) } } } }",
            ["citizens.nodes.0.household.members.0", "citizens.nodes.1.household.members.0"],
        ),
        ("cases(first: 2) { nodes { id orders { kind @skip(if: $x) } } }", []),
        (
            "cases(first: 2) { nodes { id events { totalCount @skip(if: $x) } } }",
            ["cases.nodes.0.events", "cases.nodes.1.events"],
        ),
        (
            "cases(first: 2) { nodes { id events { totalCount nodes { at @skip(if: $x) } } } }",
            ["cases.nodes.0.events.nodes.0", "cases.nodes.1.events.nodes.0"],
        ),
        (
            "citizens { nodes { id civilAffairs { minLiving @skip(if: $x) { status } } } }",
            ["citizens.nodes.0.civilAffairs"],
        ),
        ("citizens { nodes { id access { field @skip(if: $x) } } }", []),
        (
            "citizens { nodes { phone access { field @skip(if: $x) } } }",
            ["citizens.nodes.0.access.0"],
        ),
        # What is no row.
        ("v: viewer { account @skip(if: $x) }", ["v"]),
        ("v: viewer { posts { role @skip(if: $x) } }", ["v.posts.0"]),
        ("a: __schema { queryType @skip(if: $x) { name } }", ["a"]),
        ('a: __type(name: "Case") { name @skip(if: $x) }', ["a"]),
        ('a: __type(name: "Case") { fields { name @skip(if: $x) } }', ["a.fields.0"]),
        ("v: viewer { account @skip(if: $x) } a: __schema { types @skip(if: $x) { name } }", ["v"]),
        ("a: __schema { types @skip(if: $x) { name } } v: viewer { account @skip(if: $x) }", ["a"]),
        # Nobody there, nothing lost.
        ('citizen(by: {id: "nobody"}) { name @skip(if: $x) }', []),
    ],
)
def test_null_for_a_condition_costs_each_object_of_its_selection(
    bench: Bench, selection: str, paths: list[str]
) -> None:
    heads = [f"${name}: Boolean = true" for name in "xyt" if f"${name})" in selection]
    fragment = "fragment D on Department { name }" if "...D" in selection else ""
    text = f"query({', '.join(heads)}) {{ {selection} w: viewer {{ account }} }} {fragment}"
    _, errors = same(bench, text, {"x": None, "y": None, "t": True})
    assert [(code, _dotted(path)) for code, _, path, _ in errors] == [
        ("BAD_USER_INPUT", path) for path in paths
    ]


@pytest.mark.parametrize(
    ("below", "path"),
    [
        ("civilAffairs { minLiving { status @skip(if: $x) } }", "civilAffairs.minLiving"),
        ("civilAffairs { minLiving { status @skip(if: $x) } } access { field state }",
         "civilAffairs.minLiving"),
        ("civilAffairs { minLiving { status access { field @skip(if: $x) } } }",
         "civilAffairs.minLiving.access.0"),
        ("civilAffairs { minLiving { status provenance { source @skip(if: $x) } } }",
         "civilAffairs.minLiving.provenance"),
        ("housing { house { structure appraisals { grade @skip(if: $x) } } }",
         "housing.house.appraisals.0"),
        ("housing { house @skip(if: $x) { structure } } household { size }", "housing"),
    ],
)  # fmt: skip
def test_null_for_a_condition_costs_departments_rows_too(
    bench: Bench, below: str, path: str
) -> None:
    text = f"query($x: Boolean = true, $id: ID!) {{ citizen(by: {{id: $id}}) {{ name {below} }} }}"
    who = {"id": bench.desk.site.shown("zhelai").citizen}
    _, errors = same(bench, text, NULL | who)
    assert [_dotted(found) for _, _, found, _ in errors] == [f"citizen.{path}"]


def _dotted(path: list[Any]) -> str:
    return ".".join(map(str, path))


@pytest.mark.parametrize("account", [LAB, AUDITOR])
def test_an_argument_is_checked_before_the_right(bench: Bench, account: str) -> None:
    text = 'query($x: ID = "x") { household(id: $x) { id } }'
    _, errors = same(bench, text, NULL, account=account)
    assert [(code, path) for code, _, path, _ in errors] == [("BAD_USER_INPUT", ["household"])]
    _, errors = same(bench, text, account=AUDITOR)
    assert [(code, path) for code, _, path, _ in errors] == [("FORBIDDEN", ["household"])]


# ---- rows that do not fit the schema -----------------------------------------------------------


@pytest.mark.parametrize("kind", [ENUM, INT])
def test_a_value_its_type_does_not_hold_is_an_error(new_bench: NewBench, kind: str) -> None:
    lists = {
        ENUM: "{ cases(first: 100) { nodes { state item channel orders { kind } } } }",
        INT: "{ citizens(first: 100) { nodes { id household { size } } } }",
    }
    with new_bench(kind) as bench:
        _, errors = bench.expected(LAB, lists[kind], NOTHING)
        assert errors  # the fault is there to be met
        same(bench, lists[kind])


# ---- a source that is down ---------------------------------------------------------------------


def test_a_source_that_is_down_is_no_matter_of_whom_it_is_not_asked_about(bench: Bench) -> None:
    folder = bench.desk.site.folder
    with contextlib.closing(sqlite3.connect(folder / "store.sqlite")) as store:
        (household,) = store.execute(
            "SELECT household_id FROM citizen GROUP BY household_id "
            "HAVING count(id18) BETWEEN 1 AND count(*) - 1 ORDER BY household_id"
        ).fetchone()
    switch = bench.switches["mz_assist"]
    text = """query($h: ID!) { household(id: $h) { members { idNumber
      civilAffairs { minLiving { status } tempAid { amount } } access { field state } } } }"""
    before = switch.refused
    switch.down = True
    try:
        data, errors = same(bench, text, {"h": household})
    finally:
        switch.down = False
    assert switch.refused > before
    assert [(code, path) for code, _, path, _ in errors] == [("SOURCE_UNAVAILABLE", ["household"])]
    states = [
        {e["state"] for e in member["access"] if e["field"].startswith("civilAffairs")}
        for member in data["household"]["members"]
    ]
    lists = [member["civilAffairs"]["tempAid"] for member in data["household"]["members"]]
    assert {str(state) for state in states} == {"{'SOURCE_DOWN'}", "{'NO_RECORD'}"}
    assert [at for at, one in enumerate(lists) if one == []] == [
        at for at, one in enumerate(states) if one == {"NO_RECORD"}
    ]
