"""Facets in batches: which nests ride, and what one batch asks of its source."""

from __future__ import annotations

from dataclasses import replace

from authz.lens import CellState, Mode
from catalog.grades import Mask
from catalog.load import load
from resolvers.facet import Batch, facet_request, riding
from resolvers.plan import Kind, OutColumn, Read

CLEAR, MASKED, HIDDEN = CellState.CLEAR, CellState.MASKED, CellState.HIDDEN
HOUSE = load().datasets["house"]
PLAN = replace(load().datasets["renovation_plan"], clean=True)


def read(*, clean: bool) -> Read:
    outs = (OutColumn("batch", "batch", "RenovationPlan.batch", "String", False),)
    fields = tuple(replace(f, mask=Mask.NONE) for f in PLAN.fields)
    nest = Read(
        id=2,
        dataset=replace(PLAN, clean=clean, fields=fields),
        coordinate="House.plans",
        path=("c", "h", "p"),
        kind=Kind.NEST,
        mode=Mode.KEY,
        many=True,
        required=False,
        columns=("batch",),
        parent="x__fwbh",
        child="fwbh",
        outs=outs,
    )
    return Read(
        id=1,
        dataset=HOUSE,
        coordinate="HousingFacet.house",
        path=("c", "h"),
        kind=Kind.FACET,
        mode=Mode.KEY,
        many=False,
        required=False,
        columns=("houseNo", "structure"),
        extra=("x__fwbh",),
        child="identity",
        children=(nest,),
    )


def batch(own: CellState, below: CellState | None) -> Batch:
    states = {"houseNo": CLEAR, "structure": own}
    return Batch((own, below), states, {} if below is None else {2: {"batch": below}})


def test_a_nest_rides_only_if_it_is_clear_in_every_batch() -> None:
    facet = read(clean=True)
    assert riding(facet, [batch(CLEAR, CLEAR)]) == {2}
    assert riding(facet, [batch(CLEAR, CLEAR), batch(MASKED, CLEAR)]) == {2}
    # Rows of two batches are laid out alike, or one would be read by the other's places.
    assert riding(facet, [batch(CLEAR, CLEAR), batch(CLEAR, MASKED)]) == frozenset()
    assert riding(facet, [batch(CLEAR, CLEAR), batch(CLEAR, None)]) == frozenset()


def test_a_dirty_nest_never_rides() -> None:
    assert riding(read(clean=False), [batch(CLEAR, CLEAR)]) == frozenset()


def test_a_batch_asks_with_one_mask_a_column_and_nothing_for_hidden_ones() -> None:
    facet = read(clean=True)
    masked = facet_request(facet, batch(MASKED, CLEAR).states, (), False)
    assert masked.masks == {"structure": HOUSE.by_name["structure"].mask}
    assert (masked.rides, masked.codes, masked.extra) == ((), False, ("x__fwbh",))
    hidden = facet_request(facet, batch(HIDDEN, CLEAR).states, {2}, True)
    assert hidden.masks == {"structure": Mask.HIDE}
    assert [ride.name for ride in hidden.rides] == ["2"]
    assert hidden.codes
