"""What the bench writes: a line per number, results.json, RESULTS.md."""

from __future__ import annotations

import json

from bench.figures import Number
from bench.load import Load
from bench.report import Found, as_json, as_markdown, line
from bench.rounds import Cell, Checked


def load(rate: float) -> Load:
    return Load(rate, 1.0, 2.0, 0, 300)


FOUND = Found(
    facts={"machine": "2 cores"},
    cells=[
        Cell(
            "Q1",
            32,
            {"product": [load(70), load(60), load(66)], "limit": [load(100), load(100), load(100)]},
        )
    ],
    checks=[
        Checked("product", "Q1", 76, ()),
        Checked("limit", "Q1", 76, ("data.citizen.phone",)),
        Checked("product", "Q4", fault="no | field"),
    ],
    missing={"hive": "npm cannot be run"},
    memory_mb={"product": 108.4},
    kept=[Number("cold-document", 3.2, 4.0, "ms", most=True)],
)


def test_a_line_says_name_reached_demanded_and_verdict() -> None:
    assert line(Number("Q1/limit/32", 0.66, 0.65)).split() == ["Q1/limit/32", "0.66", "0.65", "ok"]
    assert line(Number("Q4/hive/32", None, None)).split() == ["Q4/hive/32", "–", "–", "missing"]
    kept = line(FOUND.kept[0])
    assert kept.split() == ["cold-document", "3.20", "ms", "<=", "4.00", "ok"]


def test_the_json_holds_every_number_once_and_nothing_else() -> None:
    whole = json.loads(as_json(FOUND.numbers()))
    assert list(whole) == ["numbers"]
    assert len({n["name"] for n in whole["numbers"]}) == len(whole["numbers"]) == 32
    by_name = {n["name"]: n for n in whole["numbers"]}
    assert by_name["Q1/limit/32"] == {
        "name": "Q1/limit/32",
        "reached": 0.66,
        "demanded": 0.65,
        "verdict": "ok",
    }
    assert by_name["Q1/hive/32"]["reached"] is None
    assert by_name["Q1/hive/32"]["verdict"] == "missing"
    assert by_name["Q4/hive/32"]["demanded"] is None


def test_the_page_shows_middle_and_ends_beside_the_demand() -> None:
    page = as_markdown(FOUND)
    assert "| Q1 | 32 | 0.66 | 0.60 | 0.70 | 0.65 | ok |" in page
    assert "| Q1 | 1 | – | – | – | 0.50 | missing |" in page


def test_the_page_says_what_is_missing_and_where_answers_differ() -> None:
    page = as_markdown(FOUND)
    assert "Missing: npm cannot be run" in page
    assert "| Q1 | limit | 76 | data.citizen.phone |" in page
    assert "| Q4 | product | missing | no / field |" in page
    assert "| cold-document | 3.20 ms | <= 4.00 | ok |" in page
