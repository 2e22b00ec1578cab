"""季度红黑榜: scores by hand, ties, those with too few cases, and weights that are shared out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.bulletin import GroupKind, edition_of, plain
from catalog.load import load
from domain.ranking import Place, months_of, places, quarter_sums, rank

EDITION = load().bulletins[0]
TOWNS, DEPARTMENTS = EDITION.ranked
COUNTS = (
    *("applications", "in_hand", "closed", "handled", "overdue", "complaints"),
    *("supervision_due", "supervision_in_time", "register_rows", "dq_open"),
)
UNREGISTERED = ("appeals", "surveys", "satisfied", "sharing_due", "sharing_in_time")
A, B, C, D, E, F, G = (f"53262220{n}000" for n in range(1, 8))
OWN = "532622000000"

Counts = tuple[int, ...]
QUARTER: Mapping[str, tuple[Counts, Counts, Counts]] = {
    # Everything closed, nothing late, the one order in time, no fault in the register.
    A: ((20, 20, 20, 20, 0, 0, 1, 1, 100, 0),) * 3,
    # No order was due: what supervision weighs goes to the others.
    B: ((20, 20, 10, 20, 5, 2, 0, 0, 100, 10),) * 3,
    # The same as B over the quarter, month by month another.
    C: (
        (30, 30, 30, 40, 15, 6, 0, 0, 100, 30),
        (20, 20, 0, 10, 0, 0, 0, 0, 100, 0),
        (10, 10, 0, 10, 0, 0, 0, 0, 100, 0),
    ),
    D: ((20, 20, 5, 20, 10, 0, 2, 1, 100, 20),) * 3,
    # Eighteen in the quarter: two too few.
    E: ((6, 6, 6, 6, 0, 0, 0, 0, 100, 0),) * 3,
    # Twenty exactly: ranked.
    F: (
        (7, 7, 0, 7, 7, 0, 0, 0, 100, 0),
        (7, 7, 0, 7, 7, 0, 0, 0, 100, 0),
        (6, 6, 0, 6, 6, 0, 0, 0, 100, 0),
    ),
    OWN: ((90, 90, 90, 90, 0, 0, 0, 0, 10, 0),) * 3,
}


def bulletin(month: str, groups: Mapping[str, Counts], kind: str = "TOWNSHIP") -> str:
    """A bulletin as far as a ranking reads it."""
    told = [
        {
            "kind": kind,
            "code": code,
            "figures": {n: str(v) for n, v in zip(COUNTS, counts, strict=True)}
            | {"closing_rate": "0.5000"},
            "absent": dict.fromkeys(UNREGISTERED, "NO_REGISTER"),
        }
        for code, counts in groups.items()
    ]
    return json.dumps({"month": month, "edition": plain(EDITION), "groups": told})


def quarter(found: Mapping[str, tuple[Counts, Counts, Counts]] = QUARTER) -> list[str]:
    return [
        bulletin(f"2026-{10 + at}", {code: months[at] for code, months in found.items()})
        for at in range(3)
    ]


def ranked(texts: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(rank("2026-Q4", texts, EDITION))["places"]
    return found


def test_a_quarter_is_ranked_as_by_hand() -> None:
    told = [
        (p["code"], p["rank"], p.get("exact"), p["list"], p["reason"]) for p in ranked(quarter())
    ]
    assert told == [
        (A, 1, "100", "RED", None),
        # 37.5 x 1/2 + 37.5 x 3/4 + 18.75 x 9/10 + 6.25 x 9/10 = 69.375, for both of them. Third
        # from above and third from below as well: on both lists, hence on neither.
        (B, 2, "555/8", None, None),
        (C, 2, "555/8", None, None),
        # (30 x 1/4 + 30 x 1/2 + 15 + 10 x 1/2 + 5 x 4/5) x 100/90
        (D, 4, "155/3", "BLACK", None),
        # 18.75 for no complaint, 6.25 for the register
        (F, 5, "25", "BLACK", None),
        (OWN, None, None, None, "NOT_A_TOWNSHIP"),
        (E, None, None, None, "TOO_FEW"),
    ]


def test_weights_nobody_can_tell_are_shared_out_and_that_is_said() -> None:
    first, second = ranked(quarter())[:2]
    assert first["weights"] == {
        "closing": "100/3",
        "timeliness": "100/3",
        "complaints": "50/3",
        "supervision": "100/9",
        "sharing_quality": "50/9",
    }
    lost = ["complaints.appeals", "satisfaction"]
    assert first["missing"] == [*lost, "sharing_quality.sharing_in_time"]
    assert second["weights"] == {
        "closing": "75/2",
        "timeliness": "75/2",
        "complaints": "75/4",
        "sharing_quality": "25/4",
    }
    assert second["missing"] == [*lost, "supervision", "sharing_quality.sharing_in_time"]
    for place in (first, second):
        assert sum(Fraction(part) for part in place["weights"].values()) == 100
    assert (first["score"], second["score"]) == ("100.0000", "69.3750")


def test_the_document_names_the_bulletins_it_was_made_from() -> None:
    texts = quarter()
    made = json.loads(rank("2026-Q4", texts, EDITION))
    assert made["bulletins"] == [
        {"month": f"2026-{10 + n}", "sha256": hashlib.sha256(text.encode()).hexdigest()}
        for n, text in enumerate(texts)
    ]
    assert edition_of(made["edition"]) == EDITION
    assert rank("2026-Q4", texts, EDITION) == rank("2026-Q4", quarter(), EDITION)


def test_all_alike_are_on_no_list() -> None:
    same = dict.fromkeys((C, A, G, B), ((20, 20, 10, 20, 5, 2, 0, 0, 100, 10),) * 3)
    assert [(p["code"], p["rank"], p["list"]) for p in ranked(quarter(same))] == [
        (code, 1, None) for code in (A, B, C, G)
    ]


def test_the_lists_of_eleven_townships_have_three_each() -> None:
    codes = [f"5326222{n:02d}000" for n in range(1, 12)]
    found = {
        code: ((20, 20, n, 20, 0, 0, 0, 0, 100, 0),) * 3 for n, code in enumerate(codes, start=1)
    }
    lists = {p["code"]: p["list"] for p in ranked(quarter(found))}
    assert [c for c in codes if lists[c] == "RED"] == codes[-3:]
    assert [c for c in codes if lists[c] == "BLACK"] == codes[:3]


def test_departments_have_two_a_list_and_no_register() -> None:
    names = ("edu", "hea", "hou", "hrss", "mca")
    found = {n: (20, 20, 4 * at, 20, 0, 0, 0, 0, 0, 0) for at, n in enumerate(names)}
    texts = [bulletin(f"2026-{m}", found, "DEPARTMENT") for m in (10, 11, 12)]
    assert [(p["code"], p["rank"], p["list"]) for p in ranked(texts)] == [
        ("mca", 1, "RED"),
        ("hrss", 2, "RED"),
        ("hou", 3, None),
        ("hea", 4, "BLACK"),
        ("edu", 5, "BLACK"),
    ]


def test_a_figure_absent_in_one_month_is_absent_in_the_quarter() -> None:
    wholes = [json.loads(text) for text in quarter()]
    del wholes[1]["groups"][0]["figures"]["complaints"]
    wholes[1]["groups"][0]["absent"]["complaints"] = "NO_REGISTER"
    sums = quarter_sums(wholes)
    assert "complaints" not in sums[GroupKind.TOWNSHIP, A]
    assert sums[GroupKind.TOWNSHIP, B]["complaints"] == 6
    assert sums[GroupKind.TOWNSHIP, B]["closed"] == 30
    first = next(p for p in places(sums, TOWNS, EDITION) if p.code == A)
    assert "complaints" in first.missing


def test_nobody_is_scored_by_nothing() -> None:
    nothing = replace(EDITION, components=EDITION.components[3:4])  # satisfaction alone
    sums = quarter_sums([json.loads(text) for text in quarter()])
    assert {p.reason for p in places(sums, TOWNS, nothing)} == {
        *("NO_SCORE", "TOO_FEW", "NOT_A_TOWNSHIP")
    }


def test_only_the_three_months_of_the_quarter_will_do() -> None:
    texts = quarter()
    for wrong in (texts[:2], [*texts, texts[0]], texts[::-1], []):
        with pytest.raises(ValueError, match="a quarter is ranked by its three months"):
            rank("2026-Q4", wrong, EDITION)
    assert months_of("2026-Q1") == ("2026-01", "2026-02", "2026-03")
    assert months_of("2026-Q4") == ("2026-10", "2026-11", "2026-12")
    for wrong_name in ("2026-Q5", "2026-Q0", "2026Q4", "26-Q4", "2026-4", "2026-Q", "x026-Q1"):
        with pytest.raises(ValueError, match="a quarter is written 2026-Q4"):
            months_of(wrong_name)


def test_the_weights_are_those_that_were_published() -> None:
    assert {c.code: c.weight for c in EDITION.components} == {
        "closing": 30,
        "timeliness": 30,
        "complaints": 15,
        "satisfaction": 10,
        "supervision": 10,
        "sharing_quality": 5,
    }
    assert (TOWNS.red, TOWNS.black, TOWNS.minimum, DEPARTMENTS.red, DEPARTMENTS.black) == (
        *(3, 3, 20),
        *(2, 2),
    )


COUNTED = st.tuples(*[st.integers(0, 40)] * len(COUNTS))


@given(st.dictionaries(st.sampled_from((A, B, C, D, E, F, G)), COUNTED, min_size=1))
def test_scores_lie_within_a_hundred_and_ranks_follow_them(found: dict[str, Counts]) -> None:
    texts = [bulletin(f"2026-{m}", found) for m in (10, 11, 12)]
    every = places(quarter_sums([json.loads(t) for t in texts]), TOWNS, EDITION)
    scored: list[Place] = [p for p in every if p.score is not None]
    assert all(p.score is not None and 0 <= p.score <= 100 for p in scored)
    for one in scored:
        above = [p for p in scored if (p.score or 0) > (one.score or 0)]
        assert one.rank == 1 + len(above)
    assert {p.rank for p in every if p.score is None} <= {None}
    mixed = [bulletin(f"2026-{m}", dict(reversed(found.items()))) for m in (10, 11, 12)]
    assert places(quarter_sums([json.loads(t) for t in mixed]), TOWNS, EDITION) == every
