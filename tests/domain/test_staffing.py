"""人员缺口: 223 accounts are complete (第十二条)."""

from __future__ import annotations

from datetime import date

from catalog.load import load
from domain.staffing import StaffingGap, Station, gaps, required

DAY = date(2026, 11, 1)
SEVEN = {"edu", "mca", "hrss", "hou", "wat", "hea", "med"}


def demanded() -> dict[Station, int]:
    catalog = load()
    return required(catalog.procedures.staffing(DAY), catalog.divisions)


def test_the_article_demands_223_accounts() -> None:
    found = demanded()
    of = {
        (department, len(path)): sum(
            count
            for station, count in found.items()
            if station.department == department and len(station.path) == len(path)
        )
        for department, path in found_stations(found)
    }
    assert of == {
        ("rev", 6): 2,
        ("rev", 9): 22,
        ("rev", 12): 108,
        **{(department, 6): 2 for department in SEVEN},
        **{(department, 9): 11 for department in SEVEN},
    }
    assert sum(found.values()) == 223
    assert len(found) == 1 + 11 + 108 + 7 * 12


def found_stations(found: dict[Station, int]) -> set[tuple[str, str]]:
    return {(station.department, station.path) for station in found}


def test_complete_staff_has_no_gap_and_more_is_none_either() -> None:
    found = demanded()
    assert gaps(found, found) == ()
    assert gaps(found, {station: count + 1 for station, count in found.items()}) == ()


def test_each_account_that_is_removed_is_named() -> None:
    found = demanded()
    for station, count in found.items():
        held = found | {station: count - 1}
        (gap,) = gaps(found, held)
        assert gap == StaffingGap(station, required=count, held=count - 1)
        assert gap.missing == 1


def test_a_station_nobody_has_heard_of_is_wholly_missing() -> None:
    zhelai = Station("rev", "532622205")
    held = {station: count for station, count in demanded().items() if station != zhelai}
    (gap,) = gaps(demanded(), held)
    assert (gap.station, gap.held, gap.missing) == (zhelai, 0, 2)


def test_accounts_elsewhere_do_not_fill_a_gap() -> None:
    found = demanded()
    held = found | {Station("mca", "532622205"): 0, Station("mca", "532622206"): 2}
    assert [gap.station for gap in gaps(found, held)] == [Station("mca", "532622205")]


def test_gaps_come_in_order() -> None:
    found = demanded()
    stations = [gap.station for gap in gaps(found, {})]
    assert stations == sorted(stations)
    assert len(stations) == 204
    assert sum(gap.missing for gap in gaps(found, {})) == 223
