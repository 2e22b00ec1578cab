"""Which sources a node needs: rows with a basis, read strictly."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from catalog.errors import CatalogError
from catalog.load import load
from catalog.needs import Needs, read_needs
from catalog.nodes import Node
from catalog.table import Table
from domain.nodes import nodes

DAY = date(2026, 11, 2)
CATALOG = load()
ROW: dict[str, Any] = {
    "item": "TEMP_AID",
    "nodes": ["ACCEPT"],
    "sources": ["yb_settle"],
    "standing": "DEFAULT",
    "legal_basis": "MEASURES_ART_2",
    "from": date(2026, 1, 1),
}


def read(*rows: dict[str, Any]) -> Needs:
    table = Table("needs.toml", "", {"need": [dict(row) for row in rows]})
    return read_needs(table, CATALOG.items, CATALOG.sources, CATALOG.legal_bases)


def test_the_insurance_items_and_temporary_aid_need_the_insurance_source() -> None:
    pairs = {f"{item} {node}" for item, node in CATALOG.needs.nodes_of("yb_settle")}
    assert pairs == {
        *("TEMP_AID ACCEPT", "TEMP_AID VERIFY"),
        *("INSURANCE_ENROLMENT VERIFY", "INSURANCE_ENROLMENT COUNTY_DECISION"),
        *("OFFSITE_REIMBURSEMENT VERIFY", "OFFSITE_REIMBURSEMENT COUNTY_DECISION"),
        *("SERIOUS_ILLNESS_AID VERIFY", "SERIOUS_ILLNESS_AID COUNTY_DECISION"),
    }
    assert CATALOG.needs.of("TEMP_AID", Node.VERIFY, DAY) == {"mz_assist", "yb_settle"}
    assert CATALOG.needs.of("TEMP_AID", Node.DELIVER, DAY) == frozenset()
    assert CATALOG.needs.of("TEMP_AID", Node.VERIFY, date(2022, 7, 17)) == frozenset()


def test_every_row_names_nodes_of_its_item_and_sources_that_are_asked_live() -> None:
    for row in CATALOG.needs.rows:
        assert row.nodes <= set(nodes(CATALOG.items[row.item].flow)), row
    live = {"mz_assist", "rs_jiuye", "wfgz", "wj_resident", "yb_settle"}
    assert set(CATALOG.needs.sources) == live


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ROW | {"item": "NOBODY"}], "NOBODY"),
        ([ROW | {"nodes": []}], "must be a list"),
        ([ROW | {"nodes": ["SLEEP"]}], "must be a list"),
        ([ROW | {"sources": ["nowhere"]}], "no source of the catalogue"),
        ([ROW | {"sources": []}], "name one or more"),
        ([ROW | {"more": 1}], "more"),
        ([ROW, ROW | {"nodes": ["ACCEPT", "VERIFY"]}], "two rows"),
    ],
)
def test_a_row_that_says_nothing_sure_is_refused(rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        read(*rows)


def test_a_row_ends_and_another_begins() -> None:
    later = ROW | {"from": date(2027, 1, 1), "sources": ["mz_assist"]}
    found = read(ROW | {"until": date(2026, 12, 31)}, later)
    assert found.of("TEMP_AID", Node.ACCEPT, date(2026, 12, 31)) == {"yb_settle"}
    assert found.of("TEMP_AID", Node.ACCEPT, date(2027, 1, 1)) == {"mz_assist"}
