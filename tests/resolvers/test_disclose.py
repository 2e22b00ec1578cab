"""What is counted as disputed: clear cells alone, of rows and of the sides of what rides."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.contract import SEPARATOR, SUBJECT, Side
from authz.lens import CellState, Mode
from catalog.load import Catalog
from resolvers.disclose import Shown, tell, told_by_rows, told_by_sides
from resolvers.plan import Kind, PlannedRead, Read, ReadDisclosure

STATES = {
    "name": CellState.CLEAR,
    "phone": CellState.MIXED,
    "address": CellState.MASKED,
    "birthDate": CellState.HIDDEN,
}
DISPUTED = {
    "1-a": frozenset({"Citizen.name", "Citizen.phone", "Citizen.address", "Citizen.birthDate"}),
    "1-b": frozenset({"Citizen.phone", "MinLiving.status"}),
    "1-z": frozenset({"Citizen.name"}),
}
ROWS = (("1-a", "C"), ("1-b", "M"), ("1-c", "C"), ("", "C"))
"""Whose, and the letter of his telephone number."""
FOUND = {"Citizen.name": 1, "Citizen.phone": 1}


@pytest.fixture
def planned(catalog: Catalog) -> PlannedRead:
    dataset = catalog.datasets["citizen"]
    read = Read(
        0, dataset, "Query.citizens", ("citizens",), Kind.ROOT, Mode.LIST, True, False, (*STATES,)
    )
    side = Side(subject="citizen_uid", letters=("phone__s",))
    layout = {SUBJECT: 0, "phone__s": 1}
    letters = {"phone": "phone__s"}
    return PlannedRead(read, "hub", STATES, None, None, layout, side=side, letters=letters)


def counted(planned: PlannedRead, shown: Shown, disputed: Any) -> ReadDisclosure:
    told = ReadDisclosure("citizen", "hub", "list", "", ())
    tell(told, planned, shown, disputed)
    return told


def test_of_rows(planned: PlannedRead) -> None:
    rows = [(who or None, letter) for who, letter in ROWS]
    told = counted(planned, told_by_rows(planned, rows, one_by_one=True), DISPUTED)
    assert (told.disputed, told.states) == (FOUND, {"DISPUTED": 2})
    assert (told.clear["Citizen.name"], told.clear["Citizen.phone"]) == (4, 3)


def test_of_sides(planned: PlannedRead) -> None:
    texts = [SEPARATOR.join([*ROWS[0], *ROWS[1]]), None, SEPARATOR.join([*ROWS[2], *ROWS[3]])]
    told = counted(planned, told_by_sides(planned, texts, one_by_one=True), DISPUTED)
    assert (told.disputed, told.states) == (FOUND, {"DISPUTED": 2})
    assert told.subjects == {"1-a", "1-b", "1-c"}


def test_where_nothing_is_disputed_nobody_is_looked_at_one_by_one(planned: PlannedRead) -> None:
    shown = told_by_rows(planned, list(ROWS))
    assert shown.people == ()
    told = counted(planned, shown, {})
    assert (told.disputed, told.states) == ({}, {})
