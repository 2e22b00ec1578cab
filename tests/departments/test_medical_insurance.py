"""examples/departments/medical_insurance.py over the county (quirks: tests/adapters)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.departments.conftest import Ask, Serve

pytestmark = pytest.mark.loopback

PROGRAM, SOURCE = "medical_insurance", "yb_settle"


def pages(client: httpx.Client, infno: str, certnos: list[str]) -> list[dict[str, Any]]:
    """Every row of every page."""
    found: list[dict[str, Any]] = []
    for page in range(1, 100):
        asked = {"certnos": certnos, "pageNum": page, "pageSize": 100}
        answer = client.post("/fsi/api", json={"infno": infno, "input": asked}).json()
        assert answer["infcode"] == 0
        found += answer["output"]["list"]
        if len(found) >= answer["output"]["total"]:
            return found
    raise AssertionError("the pages never end")


@pytest.mark.parametrize(("infno", "table"), [("9161", "enrolment"), ("9162", "settlement")])
def test_its_answers_are_the_rows_of_its_file(
    serve: Serve, rows: Ask, infno: str, table: str
) -> None:
    asked = f"SELECT DISTINCT certno FROM {table} WHERE certno IS NOT NULL ORDER BY 1"
    every = [row["certno"] for row in rows(SOURCE, asked)]
    found = []
    with serve(PROGRAM, SOURCE) as client:
        client.headers["appKey"] = "demo"
        for start in range(0, len(every), 100):
            found += pages(client, infno, every[start : start + 100])
    stands = rows(SOURCE, f"SELECT * FROM {table} WHERE certno IS NOT NULL")
    assert len(stands) > 100
    assert sorted(map(_text, found)) == sorted(map(_text, stands))


def _text(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)
