"""What an order, a cursor or a group could say of a value: nothing one may not see."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from graphql import GraphQLEnumType, GraphQLObjectType

from authz.gate import Gate
from authz.lens import Mode
from tests.attacks.conftest import AUDITOR, NEIGHBOUR, TOWN, reasons
from tests.resolvers.conftest import data_of

if TYPE_CHECKING:
    from resolvers.answer import Answer
    from tests.attacks.conftest import County

EDGES = "totalCount edges { cursor node { __typename } } pageInfo { endCursor }"
PAGES: Mapping[str, tuple[str, str, str]] = {
    "list of persons": ("citizens(PAGE) { %s }", TOWN, NEIGHBOUR),
    "list of cases": ("cases(PAGE) { %s }", TOWN, NEIGHBOUR),
    "list of orders": ("supervisionOrders(PAGE) { %s }", TOWN, NEIGHBOUR),
    "relation of a case": ('case(caseNo: "CASE") { events(PAGE) { %s } }', TOWN, "office-01"),
    "relation of a person": ('citizen(by: {id: "ONE"}) { cases(PAGE) { %s } }', TOWN, "office-01"),
    "the log": ("auditEvents(PAGE) { %s }", AUDITOR, "lab"),
}
"""Where pages are: the field, whose cursor it is, and somebody else who may read there too."""
PURPOSES = {TOWN: "aid.review", NEIGHBOUR: "aid.review", AUDITOR: "audit", "office-01": "report"}
PAGED = [name for name in PAGES if name != "the log"]  # this county's log is empty


def page(county: County, road: str, account: str, at: str | None, **more: Any) -> Answer:
    """Two rows behind a cursor."""
    who = county.shown()
    field = PAGES[road][0].replace("CASE", who.case_no).replace("ONE", who.citizen)
    field = field.replace("%s", EDGES).replace("PAGE", "first: 2, after: $at")
    purpose = PURPOSES.get(account, "aid.review")
    text = f"query($at: String) {{ {field} }}"
    return county.answer(text, {"at": at}, account=account, purpose=purpose, **more)


def cursors(answer: Answer) -> list[str]:
    found = data_of(answer)
    while "edges" not in found:
        found = next(iter(found.values()))
    return [edge["cursor"] for edge in found["edges"]]


# ---- order -------------------------------------------------------------------------------------


def test_nobody_chooses_an_order(county: County) -> None:
    """Every argument of every field: none of them orders, ranks or takes an extreme."""
    names = {
        argument
        for kind in county.desk.bindings.schema.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for field in kind.fields.values()
        for argument in field.args
    }
    assert names == {
        "by", "id", "code", "caseNo", "orderNo", "complaintNo", "correctionNo", "changeNo",
        "requestNo", "clueNo", "month", "name",
        "division", "filter", "level", "parent", "provider", "first", "after", "last", "before",
        "input", "of", "actor", "since", "until", "count", "size", "seed", "idx",
        "representations", "area",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["citizen", "household", "case", "case_event",
                                  "supervision_order", "audit_event", "complaint",
                                  "complaint_event", "spot_check", "spot_check_item",
                                  "account_change", "account_change_event",
                                  "training_record", "staffing_gap",
                                  "comparison_run", "risk_clue",
                                  "correction", "correction_event",
                                  "correction_reader", "sharing_request",
                                  "sharing_request_event", "sharing_fault"])  # fmt: skip
def test_a_list_stands_in_an_order_everybody_may_know(county: County, name: str) -> None:
    """By place, time of an open column or number; never by a column that is masked for anyone."""
    dataset = county.desk.catalog.datasets[name]
    ordered = {column for column, _ in dataset.order}
    masked = {f.column for f in dataset.fields if f.mask.value != "NONE"}
    other = {f.column for f in dataset.fields if f.object != dataset.object}
    assert ordered
    assert ordered & (masked | other) == set()


@pytest.mark.parametrize("mode", [Mode.LIST, Mode.KEY])
def test_a_masked_column_is_not_fit_to_sort_group_or_rank_by(county: County, mode: Mode) -> None:
    gate = county.desk.gate(TOWN, "aid.review")
    lens = gate.lens(county.desk.catalog.datasets["citizen"], mode)
    assert [
        c for c in ("phone", "idNumber", "address", "birthDate", "ethnic") if lens.sortable(c)
    ] == []
    # Children are masked among clear adults, so that a name is not fit either.
    assert not lens.sortable("name")
    assert lens.sortable("id")


def test_groups_are_of_six_open_columns(county: County) -> None:
    kind = county.desk.bindings.schema.type_map["CaseDimension"]
    assert isinstance(kind, GraphQLEnumType)
    assert set(kind.values) == {
        "MONTH", "TOWNSHIP", "VILLAGE", "ITEM", "DEPARTMENT", "STATE", "OVERDUE"
    }  # fmt: skip
    stat = county.desk.bindings.schema.type_map["CaseStat"]
    assert isinstance(stat, GraphQLObjectType)
    assert [n for n in stat.fields if n.startswith(("min", "max", "sum", "avg"))] == []


# ---- cursors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("road", PAGED)
def test_no_value_of_a_row_stands_in_its_cursor(county: County, road: str) -> None:
    found = cursors(page(county, road, PAGES[road][1], None))
    rows = county.rows("SELECT id, region_path FROM citizen WHERE region_path LIKE '532622205%'")
    rows += county.rows("SELECT id, filed_at FROM case_file")
    rows += county.rows("SELECT id, at FROM case_event")
    known = {str(value).encode() for row in rows for value in row}
    assert found
    for cursor in found:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        assert [value for value in known if value in raw or value.decode() in cursor] == []


@pytest.mark.parametrize("road", PAGED)
def test_a_changed_cursor_is_refused(county: County, road: str) -> None:
    account = PAGES[road][1]
    (cursor, *_) = cursors(page(county, road, account, None))
    assert page(county, road, account, cursor).errors == ()
    for at in (0, len(cursor) // 2, len(cursor) - 2):
        broken = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        assert refused(county, road, account, broken) == "BAD_CURSOR"
    assert refused(county, road, account, cursor[:-4]) == "BAD_CURSOR"


@pytest.mark.parametrize("road", PAGED)
def test_a_cursor_is_good_for_nobody_else(county: County, road: str) -> None:
    _, owner, other = PAGES[road]
    (cursor, *_) = cursors(page(county, road, owner, None))
    assert page(county, road, other, None).errors == ()
    assert refused(county, road, other, cursor) == "BAD_CURSOR"


@pytest.mark.parametrize("road", PAGED)
def test_a_cursor_of_one_list_opens_no_other(county: County, road: str) -> None:
    (cursor, *_) = cursors(page(county, road, PAGES[road][1], None))
    for other in PAGES:
        if other != road:
            assert refused(county, other, PAGES[other][1], cursor) == "BAD_CURSOR"


@pytest.mark.parametrize("road", PAGED)
def test_after_a_change_of_the_policy_one_starts_again(county: County, road: str) -> None:
    account = PAGES[road][1]
    (cursor, *_) = cursors(page(county, road, account, None))
    asker = county.desk.asker(account, PURPOSES[account])
    newer = Gate(county.book(county.desk.book.version + 1), asker, county.desk.catalog)
    stale = page(county, road, account, cursor, gate=newer)
    assert reasons(stale) == [("BAD_USER_INPUT", "CURSOR_STALE")]
    assert page(county, road, account, None, gate=newer).errors == ()


def refused(county: County, road: str, account: str, cursor: str) -> str | None:
    """Why a cursor is refused; nothing of it is repeated."""
    answer = page(county, road, account, cursor)
    ((code, reason),) = reasons(answer)
    assert code == "BAD_USER_INPUT"
    assert cursor not in repr(answer.errors)
    return reason


def test_the_same_rows_have_the_same_cursors_for_one_asker_alone(county: County) -> None:
    road, engine = "list of cases", county.engine()
    first = cursors(page(county, road, TOWN, None, engine=engine))
    assert cursors(page(county, road, TOWN, None, engine=engine)) == first
    seen = cursors(page(county, road, "office-01", None, engine=engine))
    assert not set(first) & set(seen)
