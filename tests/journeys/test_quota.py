"""Trying numbers out: stopped after ten that find nobody, whichever worker is asked."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import OpenDesk

pytestmark = pytest.mark.anyio
TOWN, OTHER = "zhelai-town-01", "bange-town-01"
LOOK = "query($n: String!) { citizen(by: {idNumber: $n}) { name } }"
LIMITS = {"lookup.per_hour": 60, "lookup.misses": 10}


async def test_numbers_cannot_be_tried_out_at_two_workers(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    _forget(site_copy)
    neighbour = {"n": site_copy.shown("bange").id18}  # nobody to this clerk
    async with open_desk(site_copy, **LIMITS) as one, open_desk(site_copy, **LIMITS) as two:
        for turn in range(10):
            answer = await (one, two)[turn % 2].ask(TOWN, LOOK, neighbour)
            assert (answer.status_code, answer.json().get("data")) == (200, {"citizen": None}), (
                answer.text
            )
        before = one.calls()
        for desk in (one, two):
            refused = await desk.ask(TOWN, LOOK, neighbour)
            assert refused.status_code == 403
            (error,) = refused.json()["errors"]
            told = error["extensions"]
            assert (told["code"], told["reason"]) == ("FORBIDDEN", "QUOTA")
            assert told["retryable"] is True  # within the hour
            record = await desk.record(refused)
            assert (record["outcome"], record["code"]) == ("DENIED", "FORBIDDEN")
            assert len(record["sought"]) == 1
            assert "reads" not in record
        assert one.sent(before) == {}
        # By key, and for everybody else, nothing is stopped.
        known = {"i": site_copy.shown("zhelai").citizen}
        by_key = await one.ask(TOWN, "query($i: ID!) { citizen(by: {id: $i}) { name } }", known)
        assert by_key.json()["data"]["citizen"] is not None
        found = await two.ask(OTHER, LOOK, neighbour)
        assert found.json()["data"]["citizen"] is not None


def _forget(site: Site) -> None:
    """Look-ups that other tests made in the county before it was copied."""
    with contextlib.closing(sqlite3.connect(site.folder / "store.sqlite")) as store, store:
        store.execute("DELETE FROM lookup_use")
