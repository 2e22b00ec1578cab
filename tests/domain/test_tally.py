"""Published tables: nothing withheld follows from what is shown, whatever was counted."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.tally import (
    ANY,
    BASE,
    DIMENSIONS,
    TABLES,
    Cell,
    Dims,
    Node,
    Rules,
    TallyRule,
    parents,
    period_of,
    publish,
    rounded,
    sums,
    table_of,
    township,
    window,
    withheld,
)

RULES = Rules(
    (
        TallyRule(ANY, 5, 5, "MONTH"),
        TallyRule("ITEM", 10, 5, "MONTH"),
        TallyRule("DEPARTMENT", 10, 5, "MONTH"),
    )
)
PLACES = ("532622000000", "532622101000", "532622101001", "532622101002", "532622205001")
MONTHS = ("2026-01", "2026-02", "2026-03")
ITEMS = (("APPOINTMENT", "hea"), ("CHRONIC_CARE", "hea"), ("TEMP_AID", "mca"))
STATES = ("ACCEPTED", "CLOSED", "DENIED")

Base = dict[Cell, int]


def cell(month: str, place: str, item: tuple[str, str], state: str) -> Cell:
    return (month, place, *item, state)


CELLS = st.builds(
    cell,
    st.sampled_from(MONTHS),
    st.sampled_from(PLACES),
    st.sampled_from(ITEMS),
    st.sampled_from(STATES),
)
BASES = st.dictionaries(CELLS, st.integers(1, 25), max_size=60)


# ---- somebody who subtracts, written without the module's own lines ----------------------------


def coarser(dims: Dims, one: Cell, upper: Dims) -> Cell:
    """The coordinates of a cell in a table with fewer dimensions, or townships for villages."""
    at = dict(zip(dims, one, strict=True))
    if "TOWNSHIP" in upper and "VILLAGE" in dims:
        at["TOWNSHIP"] = township(at["VILLAGE"])
    return tuple(at[d] for d in upper)


def steps() -> Iterator[tuple[Dims, Dims]]:
    """(table, table it adds up to): one dimension less, or villages added up to townships."""
    for dims in TABLES:
        for upper in TABLES:
            gone = set(dims) - set(upper)
            new = set(upper) - set(dims)
            if (len(gone), new) == (1, set()) or (gone, new) == ({"VILLAGE"}, {"TOWNSHIP"}):
                yield dims, upper


def derivable(exact: Mapping[Dims, Mapping[Cell, int]], hidden: set[Node]) -> set[Node]:
    """Cells that are the only unknown of a sum over published figures, rounding undone."""
    found: set[Node] = set()
    for dims, upper in steps():
        for total in exact[upper]:
            parts = [(dims, c) for c in exact[dims] if coarser(dims, c, upper) == total]
            unknown = [n for n in ((upper, total), *parts) if n in hidden]
            if len(unknown) == 1:
                found.add(unknown[0])
    return found


def hidden_of(tables: Mapping[Dims, Mapping[Cell, int | None]]) -> set[Node]:
    return {(d, c) for d, cells in tables.items() for c, n in cells.items() if n is None}


# ---- what holds for every county ---------------------------------------------------------------


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(BASES)
def test_nothing_withheld_is_a_difference_of_what_is_shown(base: Base) -> None:
    exact = sums(base)
    assert derivable(exact, hidden_of(publish(base, RULES))) == set()


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(BASES)
def test_what_is_shown_is_rounded_and_large_enough(base: Base) -> None:
    exact, shown = sums(base), publish(base, RULES)
    assert {d: set(c) for d, c in shown.items()} == {d: set(c) for d, c in exact.items()}
    for dims, cells in shown.items():
        smallest = 10 if {"ITEM", "DEPARTMENT"} & set(dims) else 5
        for one, count in cells.items():
            true = exact[dims][one]
            if 0 < true < smallest:
                assert count is None
            if count is not None:
                assert count == rounded(true, 5)
                assert (count % 5, abs(count - true) <= 2) == (0, True)
                assert count >= smallest or (dims, true) == ((), 0)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(BASES, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(base: Base, rng: random.Random) -> None:
    mixed = list(base.items())
    rng.shuffle(mixed)
    assert publish(dict(mixed), RULES) == publish(base, RULES)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(CELLS, st.integers(10, 60), max_size=40))
def test_where_nothing_is_small_nothing_is_withheld(base: Base) -> None:
    assert hidden_of(publish(base, RULES)) == set()


def test_the_subtraction_is_seen_when_only_small_cells_are_withheld() -> None:
    base = {
        cell("2026-01", PLACES[2], ITEMS[2], "CLOSED"): 30,
        cell("2026-02", PLACES[2], ITEMS[2], "CLOSED"): 40,
        cell("2026-03", PLACES[2], ITEMS[2], "CLOSED"): 3,
    }
    exact = sums(base)
    small: set[Node] = {(("MONTH",), ("2026-03",))}
    assert derivable(exact, small) == small
    # The smallest of the others goes with it, in every table that says the same.
    shown = publish(base, RULES)
    assert shown[("MONTH",)] == {("2026-01",): None, ("2026-02",): 40, ("2026-03",): None}
    assert shown[()] == {(): 75}


def test_a_village_is_not_what_its_township_lacks() -> None:
    one, two = "532622101001", "532622101002"
    base = {
        cell("2026-01", one, ITEMS[2], "CLOSED"): 4,
        cell("2026-01", two, ITEMS[2], "CLOSED"): 50,
        cell("2026-01", "532622205001", ITEMS[2], "CLOSED"): 20,
    }
    shown = publish(base, RULES)
    assert shown[("TOWNSHIP",)] == {("532622101000",): 55, ("532622205000",): 20}
    assert shown[("VILLAGE",)] == {(one,): None, (two,): None, ("532622205001",): 20}


def test_a_lone_small_part_takes_its_total_along() -> None:
    base = {
        cell("2026-01", PLACES[2], ITEMS[2], "CLOSED"): 7,
        cell("2026-02", PLACES[4], ITEMS[0], "CLOSED"): 40,
        cell("2026-03", PLACES[4], ITEMS[0], "CLOSED"): 60,
    }
    shown = publish(base, RULES)
    # Seven may be shown by month, not by item; but January is nothing but that one item.
    assert shown[("ITEM",)][("TEMP_AID",)] is None
    assert shown[("MONTH", "ITEM")][("2026-01", "TEMP_AID")] is None
    assert shown[("MONTH",)][("2026-01",)] is None
    assert shown[()] == {(): 105}


def test_an_empty_county_has_a_total_of_nought_and_no_groups() -> None:
    shown = publish({}, RULES)
    assert shown[()] == {(): 0}
    assert sum(len(cells) for cells in shown.values()) == 1


# ---- the tables --------------------------------------------------------------------------------


def test_the_tables_are_closed_under_adding_up() -> None:
    assert len(TABLES) == len(set(TABLES)) == 31
    for dims in TABLES:
        for upper, _ in parents((dims, ("532622101001",) * len(dims))):
            assert upper in TABLES
    assert {len(d) for d in TABLES if "VILLAGE" in d} == {1, 2}
    assert max(map(len, TABLES)) == 3
    assert set(BASE) | {"TOWNSHIP"} == set(DIMENSIONS)


@pytest.mark.parametrize(
    ("by", "table"),
    [
        ((), ()),
        (("STATE", "MONTH", "TOWNSHIP"), ("MONTH", "TOWNSHIP", "STATE")),
        (("STATE", "VILLAGE"), ("VILLAGE", "STATE")),
        (("MONTH", "VILLAGE", "STATE"), None),
        (("MONTH", "TOWNSHIP", "ITEM", "STATE"), None),
        (("OVERDUE",), None),
        (("MONTH", "OVERDUE"), None),
        (("TOWNSHIP", "VILLAGE"), None),
    ],
)
def test_a_table_is_found_by_its_dimensions_in_any_order(
    by: tuple[str, ...], table: Dims | None
) -> None:
    assert table_of(by) == table


def test_the_strictest_dimension_rules_a_table() -> None:
    assert [RULES.min_cell(d) for d in ((), ("MONTH",), ("MONTH", "ITEM"))] == [5, 5, 10]
    assert RULES.round_to(("ITEM",)) == 5
    assert RULES.period == "MONTH"


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (2, 0), (3, 5), (7, 5), (8, 10), (12, 10)])
def test_rounding_is_to_the_nearest(count: int, shown: int) -> None:
    assert rounded(count, 5) == shown


# ---- periods -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "day", "period", "since", "until"),
    [
        ("MONTH", date(2026, 11, 20), "2026-11", (2025, 10, 31), (2026, 10, 31)),
        ("MONTH", date(2026, 1, 1), "2026-01", (2024, 12, 31), (2025, 12, 31)),
        ("QUARTER", date(2026, 11, 20), "2026-Q4", (2025, 9, 30), (2026, 9, 30)),
        ("YEAR", date(2026, 11, 20), "2026", (2024, 12, 31), (2025, 12, 31)),
    ],
)
def test_a_publication_holds_the_twelve_months_before_its_period(
    kind: str,
    day: date,
    period: str,
    since: tuple[int, int, int],
    until: tuple[int, int, int],
) -> None:
    assert period_of(day, kind) == period
    # Midnight in Beijing is 16:00 UTC of the day before.
    assert window(day, kind) == (
        datetime(*since, 16, tzinfo=UTC),
        datetime(*until, 16, tzinfo=UTC),
    )


def test_withheld_is_a_superset_of_the_small() -> None:
    base = {cell("2026-01", PLACES[2], ITEMS[0], "CLOSED"): 9}
    tables = sums(base)
    hidden = withheld(tables, RULES)
    assert (("ITEM",), ("APPOINTMENT",)) in hidden
    # Everything is this one count, so everything goes.
    assert hidden == {(d, c) for d, cells in tables.items() for c in cells}
