"""季度红黑榜: townships and departments by score, from three frozen bulletins only (第十五条).

A component is a share of the quarter (the sum of one figure over the sum of another, each over
the three months), or the mean of several; the score is their weighted sum, an exact fraction.
A component nobody can tell, because nothing registers it or there was no such case, takes no
weight: the weights of the others are scaled up to the whole, and the result says so row by row.

Equal scores have equal ranks, and the next one as many further down; ties are listed by code.
Everybody of a rank within the list's length is on it. Whoever would stand on both lists, because
too few are ranked or all are alike, stands on neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from catalog.bulletin import WHOLE, Better, Component, Edition, GroupKind, Part, Ranked, Unit, plain
from domain.bulletin import COUNTY, canonical, digest, written

FORMAT = 1
MONTHS = 3
SCORE_DECIMALS = 4

TOO_FEW = "TOO_FEW"
"""Fewer cases than a ranking takes."""
NO_SCORE = "NO_SCORE"
"""No component can be told."""
NOT_A_TOWNSHIP = "NOT_A_TOWNSHIP"
"""What the county filed itself."""


class Colour(StrEnum):
    """Which list."""

    RED = "RED"
    BLACK = "BLACK"


@dataclass(frozen=True, slots=True)
class Place:
    """One group's place. `rank` None: it is not ranked, for `reason`.

    `cases`: what the minimum is counted in. `weights`: what each component weighed for it, out of
    WHOLE; `missing`: components and parts (``complaints.appeals``) that could not be told.
    """

    kind: GroupKind
    code: str
    cases: int
    score: Fraction | None
    rank: int | None = None
    colour: Colour | None = None
    reason: str | None = None
    weights: Mapping[str, Fraction] | None = None
    missing: tuple[str, ...] = ()


Sums = dict[tuple[GroupKind, str], dict[str, int]]
"""Group -> figure -> its sum over the three months; a figure that is absent in one has none."""


def months_of(quarter: str) -> tuple[str, str, str]:
    """The months of a quarter (``2026-Q4``). ValueError for anything else."""
    year, found, number = quarter.partition("-Q")
    if not found or len(year) != 4 or not year.isdecimal() or number not in ("1", "2", "3", "4"):
        raise ValueError("a quarter is written 2026-Q4")
    first = 3 * int(number) - 2
    one, two, three = (f"{year}-{month:02d}" for month in range(first, first + MONTHS))
    return one, two, three


def rank(quarter: str, bulletins: Sequence[str], edition: Edition) -> str:
    """The ranking's one text, from the texts of the quarter's three bulletins. ValueError."""
    wholes = [json.loads(text) for text in bulletins]
    if [whole["month"] for whole in wholes] != list(months_of(quarter)):
        raise ValueError("a quarter is ranked by its three months, in their order")
    sums = quarter_sums(wholes)
    made = [place for how in edition.ranked for place in places(sums, how, edition)]
    return canonical(
        {
            "format": FORMAT,
            "quarter": quarter,
            "bulletins": [
                {"month": whole["month"], "sha256": digest(text)}
                for whole, text in zip(wholes, bulletins, strict=True)
            ],
            "edition": plain(edition),
            "places": [_plain(place) for place in made],
        }
    )


def quarter_sums(wholes: Sequence[Mapping[str, Any]]) -> Sums:
    """Counts of the quarter. A group that a bulletin does not tell of had no case in that month."""
    counted = set.intersection(*(_counts(whole) for whole in wholes))
    found: Sums = {}
    lost: set[tuple[GroupKind, str, str]] = set()
    for group in (group for whole in wholes for group in whole["groups"]):
        kind, code, figures = GroupKind(group["kind"]), group["code"], group["figures"]
        sums = found.setdefault((kind, code), dict.fromkeys(counted, 0))
        lost |= {(kind, code, figure) for figure in group["absent"]}
        for figure in counted & figures.keys():
            sums[figure] += int(figures[figure])
    for kind, code, figure in lost:
        found[kind, code].pop(figure, None)
    return found


def _counts(whole: Mapping[str, Any]) -> set[str]:
    return {f["code"] for f in whole["edition"]["figures"] if f["unit"] == Unit.COUNT}


def places(sums: Sums, how: Ranked, edition: Edition) -> list[Place]:
    """All groups of a kind: the ranked by rank and code, then the others by code."""
    every = [
        _scored(code, figures, how, edition)
        for (kind, code), figures in sorted(sums.items())
        if kind is how.kind
    ]
    ranked = sorted(
        (one for one in every if one.score is not None), key=lambda one: (-_score(one), one.code)
    )
    scores = [_score(one) for one in ranked]
    found = [_placed(one, scores, how) for one in ranked]
    return found + [one for one in every if one.score is None]


def _scored(code: str, figures: Mapping[str, int], how: Ranked, edition: Edition) -> Place:
    cases = figures.get(how.minimum_of, 0)
    if how.kind is GroupKind.TOWNSHIP and code == COUNTY:
        return Place(how.kind, code, cases, None, reason=NOT_A_TOWNSHIP)
    if cases < how.minimum:
        return Place(how.kind, code, cases, None, reason=TOO_FEW)
    shares = {one.code: share_of(one, figures) for one in edition.components}
    told = {one: shares[one.code] for one in edition.components}
    weight = sum(one.weight for one, share in told.items() if share is not None)
    if not weight:
        return Place(how.kind, code, cases, None, reason=NO_SCORE, missing=tuple(shares))
    weights = {
        one.code: Fraction(one.weight * WHOLE, weight)
        for one, share in told.items()
        if share is not None
    }
    score = sum((weights[name] * (shares[name] or 0) for name in weights), Fraction())
    return Place(
        how.kind, code, cases, score, weights=weights, missing=_missing(edition, shares, figures)
    )


def share_of(component: Component, figures: Mapping[str, int]) -> Fraction | None:
    """From nought to one, the higher the better; None if no part can be told."""
    parts = [share for part in component.parts if (share := _part(part, figures)) is not None]
    return sum(parts, Fraction()) / len(parts) if parts else None


def _part(part: Part, figures: Mapping[str, int]) -> Fraction | None:
    of, per = figures.get(part.of), figures.get(part.per)
    if of is None or not per:
        return None
    share = min(Fraction(of, per), Fraction(1))
    return share if part.better is Better.HIGH else 1 - share


def _missing(
    edition: Edition, shares: Mapping[str, Fraction | None], figures: Mapping[str, int]
) -> tuple[str, ...]:
    found = []
    for one in edition.components:
        if shares[one.code] is None:
            found.append(one.code)
        else:
            lost = (part.of for part in one.parts if _part(part, figures) is None)
            found += [f"{one.code}.{figure}" for figure in lost]
    return tuple(found)


def _placed(one: Place, scores: Sequence[Fraction], how: Ranked) -> Place:
    score = _score(one)
    number = 1 + sum(other > score for other in scores)
    from_below = 1 + sum(other < score for other in scores)
    red, black = number <= how.red, from_below <= how.black
    colour = None if red is black else Colour.RED if red else Colour.BLACK
    return Place(
        one.kind,
        one.code,
        one.cases,
        score,
        number,
        colour,
        weights=one.weights,
        missing=one.missing,
    )


def _score(place: Place) -> Fraction:
    assert place.score is not None  # noqa: S101  only ranked places are asked
    return place.score


def _plain(place: Place) -> dict[str, Any]:
    """As JSON values; fractions exactly, the score as it is printed too."""
    made: dict[str, Any] = {
        "kind": place.kind.value,
        "code": place.code,
        "cases": place.cases,
        "rank": place.rank,
        "list": place.colour,
        "reason": place.reason,
        "missing": list(place.missing),
    }
    if place.score is not None:
        made["score"] = written(place.score, SCORE_DECIMALS)
        made["exact"] = str(place.score)
        made["weights"] = {name: str(part) for name, part in (place.weights or {}).items()}
    return made
