"""Lens: states, the statement it yields, and what a filter may not learn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from adapters.contract import REGION
from authz.book import PolicyBook
from authz.gate import Gate
from authz.lens import CellState, Lens, Mode, cell_rule, youngest_adult
from authz.mask import STARS
from authz.post import Asker
from authz.roles import pairs, parents_of, roles
from authz.rule import Rule
from authz.scope import EVERYTHING, NOTHING, Scope
from catalog.errors import Internal
from catalog.grades import Mask
from catalog.load import Catalog
from store.cases import case_file
from store.metadata import metadata
from store.register import citizen
from store.sharing_requests import sharing_request, sharing_request_event
from store.words import division
from tests.authz.people import BENG_E, VILLAGE, ZHELAI, Columns, Leaf, columns_of, person

pytestmark = pytest.mark.anyio
NewAsker = Callable[..., Asker]

TOWN = ("rev", "town", ZHELAI)


PEOPLE = [
    person("a", "李甲", "539922196001010017", date(1960, 1, 1), "12012340001", VILLAGE),
    person("b", "王乙", "539922197001010025", date(1970, 1, 1), "12012340002", ZHELAI),
    person("c", "陶丙", "539922198001010033", date(1980, 1, 1), "12012340003", BENG_E),
    person("d", "李丁", None, date(2018, 1, 1), None, VILLAGE),
    person("e", "李戊", None, None, "1234", VILLAGE),
    person("f", "马己", "539922199001010041", date(1990, 1, 1), "12012340006", "532622"),
]


@pytest.fixture
async def conn(store_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(store_url)
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: metadata.create_all(sync, [*FILLED]))
        await connection.execute(insert(division), [{
            "path": VILLAGE, "code": VILLAGE, "name": "夸溪村", "level": "VILLAGE",
        }])  # fmt: skip
        await connection.execute(insert(citizen), PEOPLE)
        yield connection
    await engine.dispose()


SHARED = [sharing_request, sharing_request_event]
REQUEST: dict[str, object] = {
    **{"id": "r", "request_no": "GX2026-000001", "version": 1, "state": "SUBMITTED"},
    **{"requester": "mca", "provider": "hea", "object": "Citizen.health", "region_path": "532622"},
    **{"share_class": "CONDITIONAL", "actions": "read", "purposes": "aid.review", "items": "x"},
    **{"reach": "county", "since": date(2026, 11, 1), "until": date(2026, 11, 2)},
    **{"frequency": "DAILY", "text": "x", "basis": "x", "filed_by": "a", "overdue": False},
    **{"filed_at": datetime(2026, 11, 1, tzinfo=UTC)},
}


def event_of(number: int, requester: str, provider: str) -> dict[str, object]:
    """An event of a request between two departments."""
    row: dict[str, object] = {"id": str(number), "request_id": "r", "seq": number}
    row |= {"state": "SUBMITTED", "act": "SUBMIT", "at": datetime(2026, 11, 1, tzinfo=UTC)}
    return row | {
        **{"post": "p", "region_path": "532622"},
        **{"requester": requester, "provider": provider},
    }


FILLED = [metadata.tables[name] for name in ("household", "citizen", "division", "case_file")]


async def ask(
    conn: AsyncConnection,
    lens: Lens,
    columns: Sequence[str],
    *where: Leaf,
    table: Table = citizen,
    **params: object,
) -> list[tuple[Any, ...]]:
    statement = lens.source(columns_of(lens.dataset, table), columns, where, "r")
    ordered = statement.order_by(table.c.id)
    found = await conn.execute(ordered, lens.binds("r") | params)
    return [tuple(row) for row in found]


def citizens(gate: Gate, catalog: Catalog, mode: Mode = Mode.LIST) -> Lens:
    return gate.lens(catalog.datasets["citizen"], mode)


async def test_a_town_clerk_sees_his_township_masked(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="correct"), catalog), catalog)
    states = {name: lens.cell(name).state for name in lens.cells}
    assert states["name"] is CellState.MIXED  # clear, but children's names are masked
    assert states["birthBand"] is CellState.CLEAR
    assert states["phone"] is CellState.MIXED  # children's contact is hidden
    assert states["idNumber"] is CellState.MIXED
    letters = lens.letters(["id", "name", "phone", "idNumber"])
    # Contact and identity stand under one rule here, so that one letter tells of both.
    assert letters["phone"] == letters["idNumber"] != letters["name"]
    asked = ["id", "name", letters["name"], "phone", "idNumber", letters["phone"], "__minor"]
    assert await ask(conn, lens, asked) == [
        ("a", "李甲", "C", f"{STARS}0001", None, "M", 0),
        ("b", "王乙", "C", f"{STARS}0002", None, "M", 0),
        ("d", "李*", "M", None, None, "H", 1),
        ("e", "李*", "M", None, None, "H", 1),
    ]


async def test_an_address_is_masked_to_its_village(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="correct"), catalog), catalog)
    found = await ask(conn, lens, ["address", lens.letters(["address"])["address"], "__region"])
    assert found == [
        ("夸溪村", "M", VILLAGE),
        (None, "M", ZHELAI),  # the test's divisions hold only the village
        (None, "H", VILLAGE),
        (None, "H", VILLAGE),
    ]


async def test_a_case_number_opens_one_household(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    clerk = asker(TOWN, purpose="aid.verify", case_no="A1", bound="h1")
    lens = citizens(Gate(demo_book, clerk, catalog), catalog)
    table = columns_of(lens.dataset, citizen)
    households = {"h1": ["a"], "h2": ["b"], "h3": []}
    for household, expected in households.items():
        # Household ids live in another table; here the person's own id stands in for it.
        bound = Columns(
            table.table, table.columns, table.region, None, table.birth, citizen.c.id, table.extra
        )
        letter = lens.letters(["idNumber"])["idNumber"]
        statement = lens.source(bound, ["id", "idNumber", letter, "phone"], [], "r")
        key = expected[0] if expected else household
        found = (await conn.execute(statement, lens.binds("r") | {"r_bound": key})).all()
        assert [row[0] for row in found] == expected
        assert all(row[1] is not None and row[2] == "C" for row in found)
    assert lens.binds("r")["r_bound"] == "h1"


async def test_a_row_of_two_departments_is_seen_by_both_and_by_no_third(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    await conn.run_sync(lambda sync: metadata.create_all(sync, SHARED))
    pairs = (("mca", "hea"), ("hea", "mca"), ("mca", "hou"), ("hou", "wat"))
    await conn.execute(insert(sharing_request), REQUEST)
    rows = [event_of(number, *pair) for number, pair in enumerate(pairs)]
    await conn.execute(insert(sharing_request_event), rows)
    dataset = catalog.datasets["sharing_request_event"]
    assert (dataset.owner, dataset.party) == ("requester", "provider")
    seen = {}
    for dept in ("mca", "hea", "hou", "wat", "edu"):
        gate = Gate(demo_book, asker((dept, "dept", "532622"), purpose="share"), catalog)
        lens = gate.lens(dataset, Mode.LIST)
        found = await ask(conn, lens, ["id"], table=sharing_request_event)
        seen[dept] = [str(row[0]) for row in found]
        clear = {lens.cell(name).state for name in lens.cells}
        assert clear == {CellState.CLEAR}
    assert seen == {
        "mca": ["0", "1", "2"],
        "hea": ["0", "1"],
        "hou": ["2", "3"],
        "wat": ["3"],
        "edu": [],
    }


async def test_a_bound_lens_on_a_table_without_its_column_is_empty(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    clerk = asker(TOWN, purpose="aid.verify", case_no="A1", bound="h1")
    lens = citizens(Gate(demo_book, clerk, catalog), catalog)
    given = columns_of(lens.dataset, citizen)
    bare = Columns(given.table, given.columns, given.region, None, given.birth)
    statement = lens.source(bare, ["id"], [], "r")
    assert (await conn.execute(statement, lens.binds("r"))).all() == []


async def test_a_filter_on_a_masked_column_matches_nothing(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="correct"), catalog), catalog)
    assert not lens.filterable("phone")
    assert not lens.sortable("phone")
    probes = [("eq", "12012340001"), ("ne", "x"), ("gt", "0"), ("prefix", "1"), ("lt", "2")]
    for op, value in probes:
        assert await ask(conn, lens, ["id"], Leaf("phone", op, "v"), v=value) == []
    for op in ("is_null", "not_null"):
        assert await ask(conn, lens, ["id"], Leaf("phone", op, "")) == []


async def test_a_filter_on_a_mixed_column_matches_clear_cells_only(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="correct"), catalog), catalog)
    assert lens.filterable("name")
    assert not lens.sortable("name")
    found = await ask(conn, lens, ["id"], Leaf("name", "prefix", "v"), v="李")
    assert found == [("a",)]  # the children's names begin with 李 too
    # No null name exists, so a negated leaf finds every clear cell and no other.
    assert await ask(conn, lens, ["id"], Leaf("name", "ne", "v"), v="x") == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("eq", "b", ["b"]),
        ("ne", "b", ["a", "d", "e"]),
        ("lt", "b", ["a"]),
        ("le", "b", ["a", "b"]),
        ("gt", "b", ["d", "e"]),
        ("ge", "b", ["b", "d", "e"]),
        ("prefix", "b", ["b"]),
    ],
)
async def test_operators_on_a_clear_column(
    conn: AsyncConnection,
    demo_book: PolicyBook,
    catalog: Catalog,
    asker: NewAsker,
    op: str,
    value: str,
    expected: list[str],
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="correct"), catalog), catalog)
    found = await ask(conn, lens, ["id"], Leaf("id", op, "v"), v=value)
    assert [row[0] for row in found] == expected


async def test_raw_columns_are_compared_and_read_raw(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="correct"), catalog), catalog)
    found = await ask(conn, lens, ["citizen_uid"], Leaf("citizen_uid", "eq", "v"), v="ub")
    assert found == [("ub",)]


async def test_lookup_compares_the_identifier_without_showing_it(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    gate = Gate(demo_book, asker(TOWN, purpose="correct"), catalog)
    lens = gate.lens(catalog.datasets["citizen"], Mode.LOOKUP, "idNumber")
    assert lens.filterable("idNumber")
    assert not lens.filterable("phone")
    leaf = Leaf("idNumber", "eq", "v")
    own = await ask(conn, lens, ["id", "idNumber"], leaf, v="539922196001010017")
    # Looked-up rows are adults only, so the column is uniformly masked: no letter column.
    assert own == [("a", None)]
    # The neighbouring township's citizen and one who does not exist: the same answer.
    assert await ask(conn, lens, ["id"], leaf, v="539922198001010033") == []
    assert await ask(conn, lens, ["id"], leaf, v="539922198001010999") == []
    assert await ask(conn, lens, ["id"], Leaf("idNumber", "prefix", "v"), v="5399") == []


async def test_two_townships_share_one_text_and_one_pattern(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    for purpose in ("correct", "aid.review", "aid.file"):
        lenses = [
            citizens(
                Gate(demo_book, asker(("rev", "town", base), purpose=purpose), catalog), catalog
            )
            for base in (ZHELAI, BENG_E)
        ]
        texts = {
            str(lens.source(columns_of(lens.dataset, citizen), ["name", "phone"], [], "r"))
            for lens in lenses
        }
        assert len(texts) == 1
        assert lenses[0].pattern == lenses[1].pattern
        assert hash(lenses[0].pattern) == hash(lenses[1].pattern)
        assert lenses[0].digest != lenses[1].digest
        assert ZHELAI in lenses[0].binds("r").values()
        assert ZHELAI not in texts.pop()


async def test_hidden_columns_never_enter_a_statement(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    office = asker(("rev", "office", "532622"), purpose="report")
    lens = citizens(Gate(demo_book, office, catalog), catalog)
    assert lens.cell("phone").state is CellState.HIDDEN
    assert not lens.filterable("phone")
    with pytest.raises(Internal):
        lens.source(columns_of(lens.dataset, citizen), ["phone"], [], "r")


async def test_the_office_gets_uniform_masks_and_no_case(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    office = asker(("rev", "office", "532622"), purpose="report")
    lens = citizens(Gate(demo_book, office, catalog), catalog)
    assert lens.cell("name").state is CellState.MASKED
    statement = lens.source(columns_of(lens.dataset, citizen), ["name"], [], "r")
    assert str(statement).count("CASE") == 1  # the class of minors, in WHERE
    found = await ask(conn, lens, ["name"])
    # Children are read by key, not listed.
    assert found == [("李*",), ("王*",), ("陶*",), ("马*",)]
    reached = citizens(Gate(demo_book, office, catalog), catalog, Mode.KEY)
    assert len(await ask(conn, reached, ["id"])) == len(PEOPLE)


async def test_a_mixed_column_that_is_nowhere_clear_has_two_letters(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    office = asker(("rev", "office", "532622"), purpose="report")
    lens = citizens(Gate(demo_book, office, catalog), catalog, Mode.KEY)
    assert lens.cell("idNumber").state is CellState.MIXED
    found = await ask(conn, lens, ["idNumber", lens.letters(["idNumber"])["idNumber"]])
    assert found == [(None, "M"), (None, "M"), (None, "M"), (None, "H"), (None, "H"), (None, "M")]


async def test_an_empty_lens_hides_all_and_reads_nothing(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    auditor = asker(("rev", "auditor", "532622"), purpose="audit")
    lens = citizens(Gate(demo_book, auditor, catalog), catalog, Mode.KEY)
    assert lens.rows.empty
    assert {rule.state for rule in lens.cells.values()} == {CellState.HIDDEN}
    assert not lens.sortable("id")
    assert await ask(conn, lens, ["citizen_uid"]) == []


async def test_an_unknown_operator_is_refused(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN), catalog), catalog)
    with pytest.raises(Internal):
        lens.source(columns_of(lens.dataset, citizen), ["id"], [Leaf("id", "like", "v")], "r")


async def test_rows_without_a_region_lie_in_the_county(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    gate = Gate(demo_book, asker(("rev", "village", VILLAGE), purpose="aid.file"), catalog)
    lens = gate.lens(catalog.datasets["division"], Mode.LIST)
    assert lens.rows.whole
    given = columns_of(lens.dataset, division)
    statement = lens.source(given, ["name", "__region", "__minor"], [], "r")
    found = (await conn.execute(statement, lens.binds("r"))).all()
    assert [tuple(row) for row in found] == [("夸溪村", "532622", 0)]


async def test_cases_are_owned_by_the_row(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    await conn.execute(insert(case_file), [case("k1", "mca", VILLAGE), case("k2", "wat", ZHELAI)])
    dept = asker(("mca", "dept", "532622"), purpose="aid.file")
    lens = Gate(demo_book, dept, catalog).lens(catalog.datasets["case"], Mode.LIST)
    assert await ask(conn, lens, ["id", "body"], table=case_file) == [("k1", "诉求")]
    town = asker(TOWN, purpose="aid.file")
    wide = Gate(demo_book, town, catalog).lens(catalog.datasets["case"], Mode.LIST)
    assert await ask(conn, wide, ["id"], table=case_file) == [("k1",), ("k2",)]


def case(key: str, dept: str, region: str) -> dict[str, Any]:
    from datetime import UTC, datetime

    return {
        "id": key, "case_no": key, "item": "MIN_LIVING", "state": "ACCEPTED",
        "channel": "SELF_RAISED", "intake": "ONLINE", "applicant_id": "a", "applicant_uid": "ua",
        "region_path": region, "handling_dept": dept, "filed_at": datetime(2026, 1, 1, tzinfo=UTC),
        "overdue": False, "has_complaint": False, "body": "诉求", "decision": None,
    }  # fmt: skip


async def test_a_place_carved_out_by_a_deny_stays_dark(
    conn: AsyncConnection, catalog: Catalog, asker: NewAsker
) -> None:
    def rule(obj: str, act: str, reach: str, effect: str) -> Rule:
        role = "town" if effect == "allow" else "*"
        return Rule(role, "*", obj, act, reach, "any", "*", "9999-12-31", effect, "测试")

    lines = [
        rule("Citizen.basic", "read", "subtree", "allow"),
        rule("Citizen.contact", "read", "subtree", "allow"),
        rule("Citizen.contact", "unmask", "subtree", "allow"),
        rule("Citizen.contact", "read", VILLAGE, "deny"),
    ]
    book = PolicyBook(1, lines, parents_of(pairs(roles())), catalog)
    lens = citizens(Gate(book, asker(TOWN, purpose="correct"), catalog), catalog, Mode.KEY)
    found = await ask(conn, lens, ["id", "phone", lens.letters(["phone"])["phone"]])
    assert found == [("a", None, "H"), ("b", "12012340002", "C")]
    assert [row[0] for row in await ask(conn, lens, ["id"], Leaf("phone", "not_null", ""))] == ["b"]


async def test_fourteen_years_are_counted_by_the_calendar() -> None:
    assert youngest_adult(date(2026, 11, 1)) == date(2012, 11, 1)
    assert youngest_adult(date(2024, 2, 29)) == date(2010, 2, 28)


# ---- what names a Lens and its statement ------------------------------------------------------


async def test_the_words_of_modes_and_states_are_those_of_the_records() -> None:
    assert [mode.value for mode in Mode] == ["KEY", "LIST", "EXPORT", "LOOKUP", "COUNT", "TALLY"]
    assert [state.value for state in CellState] == ["CLEAR", "MASKED", "HIDDEN", "MIXED"]


def variants(lens: Lens) -> dict[str, Lens]:
    """The Lens with one thing of it changed."""
    shut = cell_rule(lens.rows, NOTHING, NOTHING, Mask.NONE)
    seen = cell_rule(lens.rows, lens.rows, NOTHING, Mask.HIDE)
    return {
        "itself": lens,
        "dataset": replace(lens, dataset=replace(lens.dataset, name="another")),
        "mode": replace(lens, mode=Mode.LIST),
        "identifier": replace(lens, identifier="phone"),
        "bound": replace(lens, bound="h1"),
        "rows": replace(lens, rows=NOTHING),
        "see": replace(lens, cells={**lens.cells, "sex": shut}),
        "clear": replace(lens, cells={**lens.cells, "sex": seen}),
    }


async def test_a_digest_names_all_that_decides_what_is_seen(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN), catalog), catalog, Mode.KEY)
    made = variants(lens)
    made["mask"] = replace(
        lens, cells={**lens.cells, "name": replace(lens.cell("name"), mask=Mask.HIDE)}
    )
    made["basis"] = replace(lens, basis="42|aid.review|2026-11-02")
    digests = [one.digest for one in made.values()]
    assert len(set(digests)) == len(made)
    assert {len(digest) for digest in digests} == {16}
    # Whose household it is, and by which lines he sees, are told beside it.
    assert replace(lens, bound="h1").digest == replace(lens, bound="h2").digest
    assert replace(lens, rules=()).digest == lens.digest


async def test_a_pattern_names_all_that_decides_the_statement(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN), catalog), catalog, Mode.KEY)
    patterns = [one.pattern for one in variants(lens).values()]
    assert len(set(patterns)) == len(patterns)
    same = replace(lens, basis="x", rules=(), day=date(2030, 1, 1))
    assert same.pattern == lens.pattern
    assert replace(lens, bound="h1").pattern == replace(lens, bound="h2").pattern


async def test_a_narrowed_lens_makes_nothing_anew(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    clerk = asker(TOWN, case_no="A1", bound="h1")
    lens = citizens(Gate(demo_book, clerk, catalog), catalog)
    other = lens.narrowed("h2")
    assert other.bound == "h2"
    assert other.binds("r")["r_bound"] == "h2"
    assert other.digest is lens.digest
    assert other.pattern is lens.pattern
    assert other._scopes is lens._scopes


@pytest.mark.parametrize(
    ("post", "township"),
    [
        (TOWN, ZHELAI),
        (("rev", "village", VILLAGE), ZHELAI),
        (("rev", "office", "532622"), None),
        (("rev", "auditor", "532622"), None),
    ],
)
async def test_the_township_of_all_rows_is_known_if_there_is_one(
    demo_book: PolicyBook,
    catalog: Catalog,
    asker: NewAsker,
    post: tuple[str, str, str],
    township: str | None,
) -> None:
    gate = Gate(demo_book, asker(post, purpose="report"), catalog)
    lens = citizens(gate, catalog)
    assert lens.township == township
    two = asker(TOWN, ("rev", "town", BENG_E), purpose="report")
    assert citizens(Gate(demo_book, two, catalog), catalog).township is None


async def test_columns_of_one_rule_share_a_letter(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="correct"), catalog), catalog)
    assert lens.letters(["id", "birthBand"]) == {}  # the same on every row
    assert lens.letters(["name", "phone", "idNumber", "address"]) == {
        "name": "__s1_0",
        "phone": "__s2_1",
        "idNumber": "__s2_1",
        "address": "__s2_1",
    }


async def test_a_looked_up_column_is_found_by_only_if_somebody_may_be(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    def lens(purpose: str, mode: Mode, identifier: str | None = None) -> Lens:
        gate = Gate(demo_book, asker(TOWN, purpose=purpose), catalog)
        return gate.lens(catalog.datasets["citizen"], mode, identifier)

    assert lens("correct", Mode.LOOKUP, "idNumber").filterable("idNumber")
    assert not lens("correct", Mode.LOOKUP, "idNumber").filterable("phone")
    assert not lens("correct", Mode.KEY).filterable("idNumber")
    # Under this purpose nobody is looked up at all.
    assert not lens("emergency", Mode.LOOKUP, "idNumber").filterable("idNumber")


async def test_places_are_joined_only_where_a_mask_needs_their_names(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    dataset = catalog.datasets["citizen"]
    masked, clear = (
        Gate(demo_book, asker(TOWN, purpose=purpose), catalog).lens(
            dataset, Mode.LOOKUP, "idNumber"
        )
        for purpose in ("correct", "aid.file")
    )
    assert masked.cell("address").state is CellState.MASKED
    assert clear.cell("address").state is CellState.CLEAR
    raw = columns_of(masked.dataset, citizen)

    def joins(lens: Lens, *columns: str) -> bool:
        return "division AS r_place" in str(lens.source(raw, columns, [], "r"))

    assert joins(masked, "name", "address")
    assert not joins(masked, "name", "phone")
    assert not joins(clear, "name", "address")
    mixed = citizens(Gate(demo_book, asker(TOWN, purpose="correct"), catalog), catalog)
    assert mixed.cell("address").state is CellState.MIXED
    assert joins(mixed, "address")
    assert not joins(mixed, mixed.letters(["address"])["address"])


async def test_a_statement_of_clear_rows_says_no_more_than_it_must(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    """No CASE, no condition that is always true, the class of children once."""
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="aid.file"), catalog), catalog)
    text = str(lens.source(columns_of(lens.dataset, citizen), ["id", "sex"], [], "r"))
    assert " ".join(text.split()) == (
        "SELECT citizen.id AS id, citizen.sex AS sex FROM citizen"
        " WHERE substr(citizen.region_path, 1, 9) = :r_0_0_lo"
    )
    found = " ".join(
        str(
            lens.source(
                columns_of(lens.dataset, citizen),
                ["name"],
                [Leaf("sex", "eq", "v"), Leaf("name", "is_null", "")],
                "r",
            )
        ).split()
    )
    child = "(citizen.birth IS NULL OR citizen.birth > :r_adult)"
    adult = "NOT " + child
    assert found == (
        f"SELECT CASE WHEN ({adult}) THEN citizen.name"
        f" WHEN true THEN substr(citizen.name, 1, 1) || '*' END AS name FROM citizen"
        f" WHERE substr(citizen.region_path, 1, 9) = :r_0_0_lo AND citizen.sex = :v"
        f" AND {adult} AND citizen.name IS NULL"
    )


async def test_a_scope_that_is_all_rows_of_a_class_is_told_by_the_class(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="aid.file"), catalog), catalog)
    rows, other = lens.rows, Gate(demo_book, asker(("rev", "town", BENG_E)), catalog)
    assert lens.classes(rows) == "all"
    assert lens.classes(Scope(rows.adult, NOTHING.minor)) == "adult"
    assert lens.classes(Scope(NOTHING.adult, rows.minor)) == "minor"
    assert lens.classes(NOTHING) is None
    assert lens.classes(citizens(other, catalog).rows) is None
    assert lens.classes(Scope(rows.adult, EVERYTHING.minor)) is None
    assert lens.classes(Scope(EVERYTHING.adult, rows.minor)) is None


async def test_what_a_right_to_unmask_opens_is_told_by_its_columns(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    opened = citizens(Gate(demo_book, asker(TOWN, purpose="aid.file"), catalog), catalog)
    closed = citizens(Gate(demo_book, asker(TOWN, purpose="aid.review"), catalog), catalog)
    assert opened.unmasks(["sex", "phone"])
    assert not opened.unmasks(["sex"])  # has no mask, so nothing opens it
    assert not opened.unmasks(["idNumber"])  # seen, but masked on every row
    assert not opened.unmasks(["x__phone", REGION])  # raw columns are never shown
    assert not opened.unmasks([])
    assert not closed.unmasks(["phone", "idNumber"])


async def test_rows_are_ordered_by_columns_that_are_clear_on_each(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="aid.file"), catalog), catalog)
    assert lens.cell("sex").state is CellState.CLEAR
    assert lens.sortable("sex") is True
    assert lens.cell("phone").state is CellState.MIXED
    assert lens.sortable("phone") is False


async def test_one_of_many_values_and_a_part_of_a_text(
    conn: AsyncConnection, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = citizens(Gate(demo_book, asker(TOWN, purpose="aid.file"), catalog), catalog)
    many: dict[str, Any] = {f"v_{at}": "a" if at else "b" for at in range(8)}
    assert await ask(conn, lens, ["id"], Leaf("id", "among8", "v"), **many) == [("a",), ("b",)]
    none: dict[str, Any] = dict.fromkeys(many)
    assert await ask(conn, lens, ["id"], Leaf("id", "among8", "v"), **none) == []
    assert await ask(conn, lens, ["id"], Leaf("phone", "contains", "v"), v="40001") == [("a",)]
    masked = citizens(Gate(demo_book, asker(TOWN, purpose="aid.review"), catalog), catalog)
    assert await ask(conn, masked, ["id"], Leaf("phone", "contains", "v"), v="0001") == []
