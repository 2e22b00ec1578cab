"""Another spelling, another path, another mode: a hidden value is hidden in the source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks.conftest import AUDITOR, PERSON, ROADS, told
from tests.resolvers.conftest import data_of

if TYPE_CHECKING:
    from tests.attacks.conftest import County

SPELLINGS = {
    "plain": PERSON,
    "aliases": "name a: phone b: idNumber c: address d: birthDate birthBand",
    "named fragment": "...F",
    "nested fragments": "...G",
    "inline fragment": "... on Citizen { ... { " + PERSON + " } }",
    "merged selections": "name phone ... on Citizen { phone idNumber } ...F",
    "conditions": "name phone @include(if: true) idNumber @skip(if: false) address birthDate",
}
FRAGMENTS = {
    "named fragment": f" fragment F on Citizen {{ {PERSON} }}",
    "nested fragments": f" fragment G on Citizen {{ ...F }} fragment F on Citizen {{ {PERSON} }}",
    "merged selections": f" fragment F on Citizen {{ {PERSON} }}",
}


@pytest.mark.parametrize("json_mode", [True, False], ids=["json mode", "row mode"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("road", ROADS)
def test_a_hidden_value_is_in_no_answer(
    county: County, road: str, spelling: str, json_mode: bool
) -> None:
    who = county.shown()
    text = ROADS[road].document(SPELLINGS[spelling]) + FRAGMENTS.get(spelling, "")
    answer = county.answer(text, ROADS[road].variables(who), engine=county.engine(json_mode))
    said = told(answer).decode()
    assert answer.errors == ()
    assert who.name in said  # the road leads there
    secrets = county.secrets(who)
    assert len(secrets) >= 10
    assert [secret for secret in secrets if secret in said] == []


@pytest.mark.parametrize("road", ROADS)
def test_the_trap_is_armed(county: County, road: str) -> None:
    """The same document shows the phone to the same clerk for a purpose that may see it."""
    who, way = county.shown(), ROADS[road]
    answer = county.answer(way.document(), way.variables(who), purpose="aid.file")
    ((phone,),) = county.rows("SELECT phone FROM citizen WHERE id = ?", who.citizen)
    assert phone in told(answer).decode()


def test_a_facet_that_is_closed_shows_nothing_by_any_spelling(county: County) -> None:
    chronic = "chronic { disease } a: chronic { b: disease access { field state } } ...F"
    text = (
        "query($id: ID!) { citizen(by: {id: $id}) { health { %s } x: health { %s } } }"
        " fragment F on HealthFacet { chronic { disease } appointments { state } }"
    ).replace("%s", chronic)
    before = county.desk.sent("wj_resident")
    answer = county.answer(text, {"id": county.shown().citizen})
    data = data_of(answer)["citizen"]
    assert answer.errors == ()
    assert [value for facet in data.values() for value in _leaves(facet)] == [None] * 6
    assert county.desk.sent("wj_resident") == before


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    return [None] if value in (None, []) else [value]


@pytest.mark.parametrize("json_mode", [True, False], ids=["json mode", "row mode"])
def test_a_case_text_stays_hidden_from_a_village_on_every_road(
    county: County, json_mode: bool
) -> None:
    who = county.shown()
    asked = "caseNo body decision"
    roads = {
        f"query($n: String!) {{ case(caseNo: $n) {{ {asked} }} }}": {"n": who.case_no},
        f"{{ cases(first: 50) {{ nodes {{ {asked} }} }} }}": {},
        f"query($n: ID!) {{ citizen(by: {{id: $n}}) {{ cases {{ nodes {{ {asked} }} }} }} }}": {
            "n": who.citizen
        },
    }
    bodies = county.rows("SELECT body FROM case_file WHERE body IS NOT NULL AND body <> ''")
    assert len(bodies) > 10
    for text, variables in roads.items():
        answer = county.answer(
            text,
            variables,
            account="zhelai-village-01",
            purpose="aid.file",
            engine=county.engine(json_mode),
        )
        said = told(answer).decode()
        assert who.case_no in said
        assert [body for (body,) in bodies if body in said] == []


def test_a_count_groups_by_no_hidden_column(county: County) -> None:
    kind = county.desk.bindings.schema.type_map["CaseStat"]
    case = county.desk.catalog.datasets["case"]
    shown = set(kind.fields) - {"month", "division", "department", "count", "suppressed"}  # type: ignore[attr-defined]
    assert shown == {"item", "state", "overdue"}
    assert {case.by_name[name].mask.value for name in shown} == {"NONE"}
    assert {case.by_name[name].object for name in shown} == {"Case.basic"}


@pytest.mark.parametrize("road", ROADS)
def test_the_auditor_reaches_nobody(county: County, road: str) -> None:
    who, way, before = county.shown(), ROADS[road], county.desk.sent()
    answer = county.answer(way.document(), way.variables(who), account=AUDITOR, purpose="audit")
    assert {e["extensions"]["code"] for e in answer.errors} <= {"FORBIDDEN"}
    data = data_of(answer)
    assert [v for v in data.values() if v is not None] in ([], [{"case": None}], [[None]])
    assert who.name not in told(answer).decode()
    if way.text.startswith("query($citizen") or "citizens" in way.text:
        assert county.desk.sent() == before
