"""Documents at random, several at once, as everybody asks them: over HTTP, by the whole road."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.conformance.random_queries import CLIENTS, Tally, ask_at_random, documents, missed

if TYPE_CHECKING:
    from tests.journeys.conftest import Desk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

DOCUMENTS = 200


async def test_no_document_makes_the_hub_fail(desk: Desk) -> None:
    before = len(await desk.records())
    tally = await ask_at_random(
        desk.client, desk.headers("lab"), documents(desk.site.folder), lambda seed: seed < DOCUMENTS
    )
    assert missed(tally) == []
    assert (tally.documents, tally.requests) == (DOCUMENTS, 3 * DOCUMENTS)
    assert tally.outcomes.keys() <= {"OK", "BAD_USER_INPUT", "SOURCE_UNAVAILABLE"}
    assert tally.outcomes["OK"] > DOCUMENTS
    # Each has its record; further ones are the hub's own.
    assert len(await desk.records()) - before >= 3 * DOCUMENTS


def answer(status: int, code: str | None) -> httpx.Response:
    errors = [] if code is None else [{"extensions": {"code": code}}]
    return httpx.Response(status, json={"data": None, "errors": errors})


@pytest.mark.parametrize(
    ("status", "code"), [(500, "INTERNAL"), (200, "INTERNAL"), (503, "SOURCE_UNAVAILABLE")]
)
def test_a_failure_of_ours_is_seen(status: int, code: str) -> None:
    tally = Tally(with_data=CLIENTS)
    tally.take(7, answer(status, code))
    tally.take(8, answer(400, "BAD_USER_INPUT"))
    assert missed(tally) == [f"seed 7: {status} ['{code}']"]


def test_answers_without_data_prove_nothing() -> None:
    tally = Tally()
    tally.take(1, answer(400, "BAD_USER_INPUT"))
    assert missed(tally) == ["only 0 of 1 answers hold data"]
