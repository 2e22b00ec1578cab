"""Asking for rows by what one may not see: prefix, range, negation, null, existence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type
from sqlalchemy import create_engine, func, select

from authz.lens import Lens, Mode
from catalog.grades import Mask
from store.register import citizen
from tests.attacks.conftest import AUDITOR, reasons
from tests.authz.people import Leaf, columns_of
from tests.resolvers.conftest import data_of

if TYPE_CHECKING:
    from tests.attacks.conftest import County

ROOTS: Mapping[str, tuple[str, str, Mapping[str, str | None]]] = {
    "cases": ("case", "CaseFilter", {"department": "handling_dept", "division": "region_path"}),
    "caseStats": ("case", "CaseFilter", {"department": "handling_dept", "division": "region_path"}),
    "supervisionOrders": ("supervision_order", "SupervisionFilter", {"division": "region_path"}),
    "complaints": (
        "complaint",
        "ComplaintFilter",
        {"department": "handling_dept", "division": "region_path"},
    ),
    "spotCheckItems": (
        "spot_check_item",
        "SpotCheckItemFilter",
        {"department": "handling_dept", "division": "region_path"},
    ),
    "accountChanges": (
        "account_change",
        "AccountChangeFilter",
        {"department": "department", "division": "region_path"},
    ),
    "trainingRecords": (
        "training_record",
        "TrainingFilter",
        {"department": "department", "division": "region_path"},
    ),
    "staffingGaps": (
        "staffing_gap",
        "StaffingFilter",
        {"department": "department", "division": "region_path"},
    ),
    "riskClues": (
        "risk_clue",
        "RiskClueFilter",
        {"division": "region_path"},
    ),
    "corrections": (
        "correction",
        "CorrectionFilter",
        {"provider": "provider", "division": "region_path"},
    ),
    "sharingRequests": (
        "sharing_request",
        "SharingRequestFilter",
        {"requester": "requester", "provider": "provider"},
    ),
    "refusedOrUnanswered": ("sharing_fault", "SharingFaultFilter", {"provider": "provider"}),
    "auditEvents": (
        "audit_event",
        "AuditFilter",
        {"division": "area", "org": None, "since": None, "until": None, "shown": None},
    ),
}
"""Roots that take a filter; conditions on the raw columns that rights themselves stand on.

None: a condition of another name or kind; see `test_conditions_on_the_log_are_the_auditors`.
"""


@pytest.mark.parametrize("root", ROOTS)
def test_a_filter_has_equality_alone_and_on_columns_of_the_row_object(
    county: County, root: str
) -> None:
    name, kind, raw = ROOTS[root]
    dataset = county.desk.catalog.datasets[name]
    found = county.desk.bindings.schema.type_map[kind]
    assert isinstance(found, GraphQLInputObjectType)
    nested = [
        name
        for name, field in found.fields.items()
        if isinstance(get_named_type(field.type), GraphQLInputObjectType)
    ]
    assert nested == (["shown"] if root == "auditEvents" else [])
    plain = set(found.fields) - set(raw)
    assert {dataset.by_name[c].mask for c in plain} == {Mask.NONE}
    assert {dataset.by_name[c].object for c in plain} == {dataset.object}
    assert set(raw.values()) <= {dataset.owner, dataset.party, dataset.region.column, None}


def test_nothing_below_a_row_takes_a_condition(county: County) -> None:
    """Relations and facets are asked by their parent alone: `exists` cannot be said."""
    pages = {"first", "after", "last", "before"}
    schema = county.desk.bindings.schema
    taken = {
        f"{kind.name}.{name}": set(field.args)
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLObjectType)
        and kind not in (schema.query_type, schema.mutation_type, schema.subscription_type)
        for name, field in kind.fields.items()
        if field.args and not kind.name.startswith("__")
    }
    assert taken == {
        "Citizen.cases": pages, "Case.events": pages,
        "Complaint.events": pages, "SpotCheck.items": pages, "ComparisonRun.clues": pages,
        "AccountChange.events": pages, "AccountChange.trainings": pages,
        "Correction.events": pages, "Correction.readers": pages,
    }  # fmt: skip


@pytest.mark.parametrize("wrong", ["5399", "5399%", "539922%", "' OR '1'='1", "_" * 18, "*"])
def test_a_look_up_takes_one_whole_number(county: County, wrong: str) -> None:
    before = county.desk.sent()
    text = "query($n: String!) { citizen(by: {idNumber: $n}) { name } }"
    answer = county.answer(text, {"n": wrong})
    assert reasons(answer) == [("BAD_USER_INPUT", "ID_NUMBER")]
    assert (data_of(answer), answer.disclosure.sought) == ({"citizen": None}, ())
    assert county.desk.sent() == before


@pytest.mark.parametrize("value", ["%", "mca%", "m_a", "' OR 1=1 --", "MCA", ""])
def test_a_text_in_a_filter_is_no_pattern(county: County, value: str) -> None:
    text = "query($d: String) { cases(filter: {department: $d}) { totalCount } }"
    answer = county.answer(text, {"d": value}, account="office-01", purpose="supervise")
    assert data_of(answer) == {"cases": {"totalCount": 0}}
    whole = county.answer(text, {"d": "mca"}, account="office-01", purpose="supervise")
    assert data_of(whole)["cases"]["totalCount"] > 0


@pytest.mark.parametrize("mode", [Mode.LIST, Mode.KEY])
@pytest.mark.parametrize("column", ["phone", "idNumber", "address", "birthDate"])
def test_no_leaf_on_a_masked_column_finds_a_row(county: County, column: str, mode: Mode) -> None:
    """Below the schema, too: whatever a later filter asks, the Lens lets it find nothing."""
    lens = county.desk.gate("zhelai-town-01", "aid.review").lens(
        county.desk.catalog.datasets["citizen"], mode
    )
    assert not lens.filterable(column)
    for op in ("eq", "ne", "lt", "le", "gt", "ge", "is_null", "not_null"):
        assert found(county, lens, Leaf(column, op, "v")) == 0
    assert found(county, lens, Leaf("id", "ne", "v")) > 100


def test_a_binary_search_for_a_masked_phone_learns_nothing(county: County) -> None:
    """Eleven digits, ten guesses each: without rights every guess is answered alike."""
    dataset, known = county.desk.catalog.datasets["citizen"], ""
    masked, clear = (
        county.desk.gate("zhelai-town-01", purpose).lens(dataset, Mode.LIST)
        for purpose in ("aid.review", "aid.file")
    )
    answers = {
        found(county, masked, Leaf("phone", "prefix", "v"), known + digit)
        for known in ("", "1", "12", "120")
        for digit in "0123456789"
    }
    assert answers == {0}
    # Whoever sees the phones can search them: the question itself does work.
    for _ in range(11):
        known += next(
            d for d in "0123456789" if found(county, clear, Leaf("phone", "prefix", "v"), known + d)
        )
    assert county.rows("SELECT count(*) FROM citizen WHERE phone = ?", known)[0][0] == 1


def found(county: County, lens: Lens, leaf: Leaf, value: object = "1") -> int:
    """How many rows the store finds by one condition under a Lens."""
    engine = create_engine(f"sqlite:///{county.desk.site.folder / 'store.sqlite'}")
    rows = lens.source(columns_of(lens.dataset, citizen), ["id"], [leaf], "r").subquery()
    given = date(1970, 1, 1) if leaf.column == "birthDate" else value
    with engine.connect() as conn:
        counted = conn.execute(
            select(func.count()).select_from(rows), lens.binds("r") | {"v": given}
        )
        count: int = counted.scalar_one()
    engine.dispose()
    return count


def test_conditions_on_the_log_are_the_auditors(county: County) -> None:
    text = '{ auditEvents(filter: {actor: "%s"}) { totalCount } }'
    for actor in ("zhelai-town-01", "nobody"):
        refused = county.answer(text % actor)
        assert reasons(refused) == [("FORBIDDEN", "NO_RULE")]
    assert county.answer(text % "nobody", account=AUDITOR, purpose="audit").errors == ()
