"""发布的汇总表: which tables are published, and what in them must be withheld.

Whoever may only count gets fixed tables of one cube, made together from one reading and kept
for a publication period. A count that is too small is withheld; and because tables add up,
what is withheld must not follow from what is published:

1. every count below its table's smallest cell is withheld (nought is no count: nobody is told
   of by it, and groups without cases are not listed);
2. a *line* is a parent count with the counts that add up to it: along one dimension, or the
   villages of one township. While a line has exactly one withheld member, that member is the
   difference of the others, so one more is withheld: the smallest other part, or the parent
   if there is no other part. Each step withholds one more, so this ends; then every line has
   no withheld member or at least two;
3. every published figure is rounded, totals and cells alike: each cell is a total of a finer
   table, and an officer who knows his own township's exact numbers could subtract them.

Lines of one step are enough: a sum over two dimensions goes through the table between, which
is published too. Known limit: combinations of several lines are not searched; against them
stands the rounding, which leaves each figure open by two either way.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import combinations

Dims = tuple[str, ...]
Cell = tuple[str, ...]
"""A group's coordinates in the order of its table's dimensions; places as 12-digit codes."""
Node = tuple[Dims, Cell]
Tables = dict[Dims, dict[Cell, int]]

CUBE = "case"
MONTH, TOWNSHIP, VILLAGE, ITEM, DEPARTMENT, STATE = DIMENSIONS = (
    "MONTH",
    "TOWNSHIP",
    "VILLAGE",
    "ITEM",
    "DEPARTMENT",
    "STATE",
)
BASE: Dims = (MONTH, VILLAGE, ITEM, DEPARTMENT, STATE)
"""What the one reading groups by; every table is a sum over it."""
TOGETHER = 3  # dimensions of a table at most: a fourth leaves cells of one or two cases
BESIDE_VILLAGE = 1  # other dimensions beside the village: a village files nine cases a month
MONTHS = 12  # complete months in a publication
ANY = "*"
"""The rule of every dimension that has none of its own; its period is the publication's."""
BEIJING = timezone(timedelta(hours=8))


def _tables() -> Iterator[Dims]:
    coarse = tuple(d for d in DIMENSIONS if d != VILLAGE)
    for size in range(TOGETHER + 1):
        yield from combinations(coarse, size)
    for size in range(BESIDE_VILLAGE + 1):
        for others in combinations([d for d in coarse if d != TOWNSHIP], size):
            yield tuple(d for d in DIMENSIONS if d == VILLAGE or d in others)


TABLES: tuple[Dims, ...] = tuple(_tables())
"""Every published table, by its dimensions in the order of DIMENSIONS."""


@dataclass(frozen=True, slots=True)
class TallyRule:
    """`tally_rule`: the smallest cell and the rounding where a dimension is used."""

    dimension: str
    min_cell: int
    round_to: int
    period: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one cube; the strictest of a table's dimensions holds for the table."""

    rules: tuple[TallyRule, ...]

    def min_cell(self, dims: Dims) -> int:
        """The smallest count a table may show."""
        return max(rule.min_cell for rule in self._of(dims))

    def round_to(self, dims: Dims) -> int:
        """Figures of a table are multiples of this."""
        return max(rule.round_to for rule in self._of(dims))

    @property
    def period(self) -> str:
        """MONTH, QUARTER or YEAR."""
        return next(rule.period for rule in self.rules if rule.dimension == ANY)

    def _of(self, dims: Dims) -> Iterator[TallyRule]:
        return (rule for rule in self.rules if rule.dimension == ANY or rule.dimension in dims)


def table_of(by: Iterable[str]) -> Dims | None:
    """The published table with exactly these dimensions, None if there is none."""
    asked = set(by)
    found = tuple(d for d in DIMENSIONS if d in asked)
    return found if found in TABLES and len(found) == len(asked) else None


# ---- when ----------------------------------------------------------------------------------


def period_of(day: date, kind: str) -> str:
    """The publication period of a Beijing day: ``2026-11``, ``2026-Q4`` or ``2026``."""
    return {
        "MONTH": f"{day:%Y-%m}",
        "QUARTER": f"{day.year}-Q{(day.month + 2) // 3}",
        "YEAR": f"{day.year}",
    }[kind]


def window(day: date, kind: str) -> tuple[datetime, datetime]:
    """From (included) and until (not) when cases of this period's publication were filed.

    The twelve complete months before the period began, in Beijing time: a month that is still
    running would say another thing every day.
    """
    month = {"MONTH": day.month, "QUARTER": (day.month - 1) // 3 * 3 + 1, "YEAR": 1}[kind]
    until = datetime(day.year, month, 1, tzinfo=BEIJING)
    back = until.year * 12 + until.month - 1 - MONTHS
    return until.replace(year=back // 12, month=back % 12 + 1), until


# ---- what ----------------------------------------------------------------------------------


def publish(base: Mapping[Cell, int], rules: Rules) -> dict[Dims, dict[Cell, int | None]]:
    """Every table of the cube as it is published: rounded counts, None where withheld.

    `base`: counts by BASE, none of them nought.
    """
    tables = sums(base)
    hidden = withheld(tables, rules)
    return {
        dims: {
            cell: None if (dims, cell) in hidden else rounded(count, rules.round_to(dims))
            for cell, count in sorted(cells.items())
        }
        for dims, cells in tables.items()
    }


def rounded(count: int, to: int) -> int:
    """The nearest multiple of `to`; halves go up."""
    return (count + to // 2) // to * to


def sums(base: Mapping[Cell, int]) -> Tables:
    """Every table of the cube, exact."""
    found: Tables = {}
    for dims in TABLES:
        counts: Counter[Cell] = Counter()
        for cell, count in base.items():
            counts[_coarser(cell, dims)] += count
        found[dims] = dict(counts)
    found[()].setdefault((), 0)  # the total is there even when nobody filed anything
    return found


def _coarser(cell: Cell, dims: Dims) -> Cell:
    at = dict(zip(BASE, cell, strict=True))
    return tuple(township(at[VILLAGE]) if d == TOWNSHIP else at[d] for d in dims)


def township(code: str) -> str:
    """The 12-digit code of the township a place lies in (of the county for the county's own)."""
    return code[:9] + "000"


def parents(node: Node) -> Iterator[Node]:
    """The counts this one is a part of, one step up: a dimension less, or village to township."""
    dims, cell = node
    for at, dim in enumerate(dims):
        if dim == VILLAGE:
            upper = (*dims[:at], TOWNSHIP, *dims[at + 1 :])
            yield upper, (*cell[:at], township(cell[at]), *cell[at + 1 :])
        else:
            yield (*dims[:at], *dims[at + 1 :]), (*cell[:at], *cell[at + 1 :])


def lines(tables: Tables) -> list[list[Node]]:
    """Every line: the parent first, then its parts that are not nought."""
    found: dict[tuple[Node, Dims], list[Node]] = {}
    for dims, cells in tables.items():
        for cell in sorted(cells):
            for parent in parents((dims, cell)):
                found.setdefault((parent, dims), [parent]).append((dims, cell))
    return list(found.values())


def withheld(tables: Tables, rules: Rules) -> set[Node]:
    """The counts that must not be shown: too small, or the difference of others."""
    value = {(dims, cell): n for dims, cells in tables.items() for cell, n in cells.items()}
    hidden = {node for node, n in value.items() if 0 < n < rules.min_cell(node[0])}
    every = lines(tables)
    through: dict[Node, list[list[Node]]] = {}
    for line in every:
        for node in line:
            through.setdefault(node, []).append(line)
    open_ = deque(every)
    while open_:
        more = _one_more(open_.popleft(), hidden, value)
        if more is not None:
            hidden.add(more)
            open_.extend(through[more])
    return hidden


def _one_more(line: list[Node], hidden: set[Node], value: Mapping[Node, int]) -> Node | None:
    """What else a line must withhold, None if nothing follows from it as it is."""
    if sum(node in hidden for node in line) != 1:
        return None
    parent, *parts = line
    others = [node for node in parts if node not in hidden]
    return min(others, key=lambda node: (value[node], node)) if others else parent
