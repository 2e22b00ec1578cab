"""Where the invented people live: which villages a scale has, and how many people each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from random import Random

from catalog.divisions import Divisions

# 领域设计 2.7: persons, thousand; 480 in all. Invented.
POPULATION = {
    "532622101": 120,
    "532622102": 92,
    "532622103": 48,
    "532622104": 50,
    "532622201": 24,
    "532622202": 36,
    "532622203": 25,
    "532622204": 36,
    "532622205": 20,
    "532622206": 17,
    "532622207": 12,
}
TOTAL = 1_000 * sum(POPULATION.values())

HAMLETS = ("上寨", "下寨", "新寨", "老寨", "大坡", "田坝", "石洞", "龙潭")
UNEVEN = 0.4  # villages of one township differ by this much around their mean

# 汉 壮 苗 彝 回 瑶 and others (GB/T 3304, unverified), per cent of the county.
ETHNIC = {"01": 36.0, "08": 28.0, "06": 16.0, "07": 14.0, "03": 4.0, "13": 1.0, "97": 1.0}
_YI = {key: {"07": 3.0} for key in ("532622201", "532622202", "532622203", "532622207")}
_HUI = {key: {"03": 3.0} for key in ("532622102", "532622103")}
_ZHUANG = {key: {"08": 2.0} for key in ("532622204", "532622205", "532622206")}
RAISED: Mapping[str, Mapping[str, float]] = {**_YI, **_HUI, **_ZHUANG}
FIT_ROUNDS = 25  # proportional fitting: the county's shares stay as given to 0.1 %


@dataclass(frozen=True, slots=True)
class Place:
    """A village: `people` is its head count, `ethnic` the weight of each people."""

    path: str
    name: str
    township: str
    township_name: str
    people: int
    ethnic: Mapping[str, float]


def places(divisions: Divisions, scale: float, seed: int) -> list[Place]:
    """The villages of this scale in code order; at 0.01 the first of each township."""
    fitted = fitted_shares()
    found = []
    for township in divisions.townships():
        villages = divisions.villages(township.path)
        chosen = villages[: max(1, ceil(len(villages) * scale - 1e-9))]
        rng = Random(f"{seed}/places/{township.path}")  # noqa: S311  invented people, no secret
        weights = [1 + UNEVEN * (2 * rng.random() - 1) for _ in chosen]
        heads = POPULATION[township.path] * 1_000 * scale
        for village, weight in zip(chosen, weights, strict=True):
            people = round(heads * weight / sum(weights))
            shares = fitted[township.path]
            found.append(
                Place(village.path, village.name, township.path, township.name, people, shares)
            )
    return found


def fitted_shares() -> dict[str, dict[str, float]]:
    """Per township the shares of peoples (sum 1) whose county mean is ETHNIC."""
    table = {
        path: {code: share * RAISED.get(path, {}).get(code, 1.0) for code, share in ETHNIC.items()}
        for path in POPULATION
    }
    for _ in range(FIT_ROUNDS):
        for code, share in ETHNIC.items():
            mean = sum(table[p][code] * n for p, n in POPULATION.items()) * 1_000 / TOTAL
            for row in table.values():
                row[code] *= share / 100 / mean
        for row in table.values():
            whole = sum(row.values())
            row.update({code: value / whole for code, value in row.items()})
    return table
