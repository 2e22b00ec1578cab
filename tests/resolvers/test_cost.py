"""What an operation may cost at most: counted from its pages, before anything is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.limits import COST

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk

ONE = '{ case(caseNo: "SQ20520190006") { caseNo } }'
PAGE = (
    "query($n: Int) { cases(first: $n) { nodes { caseNo applicant { name } orders { orderNo } } } }"
)
NEST = "query($n: Int) { cases(first: $n) { nodes { events(first: $n) { nodes { state } } } } }"


@pytest.mark.parametrize(
    ("text", "size", "rows"),
    [
        (ONE, None, 1),
        (PAGE, 5, 5 + 5 + 50),
        (PAGE, None, 20 + 20 + 200),
        (NEST, 100, 100 + 10_000),
        (NEST, 3, 3 + 9),
    ],
)
def test_the_cost_is_the_rows_its_reads_could_bring(
    desk: Desk, text: str, size: int | None, rows: int
) -> None:
    given = {} if size is None else {"n": size}
    answer = desk.ask(desk.engine(True), "lab", text, given)
    assert answer.extensions["cost"] == rows


def test_a_nest_of_pages_is_refused_before_anything_is_asked(desk: Desk) -> None:
    nest = (
        "{ citizens(first: 100) { nodes { cases(first: 100) { nodes {"
        " events(first: 100) { nodes { state } } } } } } }"
    )
    before = desk.sent()
    answer = desk.ask(desk.engine(True), "lab", nest)
    assert desk.sent() == before
    assert not answer.executed
    told = answer.errors[0]["extensions"]
    assert told["code"] == "OPERATION_TOO_COMPLEX"
    assert (told["reason"], told["allowed"], told["actual"]) == ("cost", COST, 1_010_100)
    assert (answer.disclosure.outcome, answer.disclosure.code) == (
        "INVALID",
        "OPERATION_TOO_COMPLEX",
    )


def test_a_page_out_of_bounds_is_told_by_its_own_name(desk: Desk) -> None:
    answer = desk.ask(desk.engine(True), "lab", PAGE, {"n": 1_000_000})
    assert answer.errors[0]["extensions"]["reason"] == "PAGE_SIZE"
