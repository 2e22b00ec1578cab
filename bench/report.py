"""What is written: one line per number, results.json and RESULTS.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.apart import Apart
from bench.figures import CLIENTS, PEERS, QUESTIONS, Number, Spread, demanded, ratios
from bench.growth import Growth
from bench.rounds import Cell, Checked
from bench.systems import PRODUCT

NONE = "–"
SHORT = Path(__file__).with_name("SHORT.md")
"""Where a number falls short, in words; to be written anew when the numbers change."""
HEAD = """# Results

Written by `make bench`; how to read it: [README](README.md). Ratios are the product's answers per
second over the peer's, round by round in one run; the middle, the lowest and the highest are shown.
"""


@dataclass(frozen=True)
class Found:
    """All that one run found out. `facts`: name -> text about machine, versions, data."""

    facts: Mapping[str, str]
    cells: Sequence[Cell]
    checks: Sequence[Checked] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    memory_mb: Mapping[str, float] = field(default_factory=dict)
    growths: Sequence[Growth] = ()
    inside: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    apart: Apart = field(default_factory=Apart)
    kept: Sequence[Number] = ()
    profile: Sequence[Sequence[str]] = ()

    def ratio(self, question: str, peer: str, clients: int) -> Spread | None:
        """The product over a peer; None: not measured."""
        for cell in self.cells:
            if (cell.question, cell.clients) == (question, clients):
                return ratios(cell.rates(PRODUCT), cell.rates(peer))
        return None

    def numbers(self) -> list[Number]:
        """The ratios to the peers: 32 numbers, measured or missing."""
        return [
            self._number(question, peer, clients)
            for peer in PEERS
            for question in QUESTIONS
            for clients in CLIENTS
        ]

    def others(self) -> list[Number]:
        """Three databases, growth, cold document, overhead, memory."""
        grown = [n for growth in self.growths for n in growth.numbers()]
        return [*self.apart.numbers(), *grown, *self.kept]

    def _number(self, question: str, peer: str, clients: int) -> Number:
        found = self.ratio(question, peer, clients)
        reached = None if found is None else found.middle
        return Number(f"{question}/{peer}/{clients}", reached, demanded(question, peer, clients))


def shown(value: float | None) -> str:
    """Three figures that matter; a dash for nothing."""
    if value is None:
        return NONE
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def line(number: Number) -> str:
    """``Q1/limit/32  0.71  0.65  ok``: name, reached, demanded, verdict."""
    reached = shown(number.reached) + (f" {number.unit}" if number.unit else "")
    return f"{number.name:24} {reached:>12} {_wanted(number):>10}  {number.verdict}"


def as_json(numbers: Iterable[Number]) -> str:
    """results.json: the ratios to the peers, nothing else."""
    listed = [
        {
            "name": n.name,
            "reached": None if n.reached is None else round(n.reached, 3),
            "demanded": n.demanded,
            "verdict": n.verdict,
        }
        for n in numbers
    ]
    return json.dumps({"numbers": listed}, indent=1) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all but the first column to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def as_markdown(found: Found) -> str:
    """RESULTS.md."""
    return "\n".join(part for part in _parts(found) if part)


def _parts(found: Found) -> Iterator[str]:
    yield HEAD
    yield table(("what", ""), found.facts.items())
    for peer in PEERS:
        yield f"## The product over {peer}\n"
        if peer in found.missing:
            yield f"Missing: {found.missing[peer]}\n"
        yield table(RATIO_HEAD, _ratio_rows(found, peer))
    yield SHORT.read_text(encoding="utf-8")
    yield "## Answers per second and latency\n"
    yield table(RATE_HEAD, _rate_rows(found.cells))
    yield "## The subject index after the product's rounds\n"
    yield "Left when the load ended (middle of the rounds, from 1,000 rows on) and done since.\n"
    yield table(INDEX_HEAD, _index_rows(found.cells))
    yield "## Were the answers the same?\n"
    yield table(("question", "system", "objects", "differs at"), _check_rows(found))
    yield "## Memory\n"
    yield table(("system", "resident MB"), ((n, shown(mb)) for n, mb in found.memory_mb.items()))
    yield "## Citizens, cases and events in three databases\n"
    yield (
        table(RATE_HEAD, _rate_rows(found.apart.cells))
        if found.apart.cells
        else "Missing: not measured in this run\n"
    )
    for growth in found.growths:
        yield f"## Growth: {growth.what}\n"
        yield f"Median latency, 1 client, ms; demanded at most {growth.most} times the smallest.\n"
        yield table(("question", *growth.sizes, "times"), _growth_rows(growth))
    yield from _inside(found)
    if found.profile:
        yield "## Where the time of a warm Q1 goes\n"
        yield "cProfile in the server process, µs per request; the profiler itself doubles many.\n"
        yield table(("itself", "with all below", "calls", "where"), found.profile)
    yield "## Other numbers\n"
    yield table(("number", "reached", "demanded", "verdict"), map(_cells, found.others()))


def _inside(found: Found) -> Iterator[str]:
    if not found.inside:
        return
    yield "## Inside the process\n"
    yield (
        "Statements per request (the record's not counted), a document never seen, a known one,"
        " a whole answer without and only its source.\n"
    )
    head = ("county, question", "statements", "cold ms", "overhead µs", "engine µs", "source µs")
    keys = ("statements", "cold_ms", "overhead_us", "engine_us", "source_us")
    yield table(
        head,
        (
            (f"{size} {question}", *(shown(figures[key]) for key in keys))
            for size, questions in found.inside.items()
            for question, figures in questions.items()
        ),
    )


RATIO_HEAD = ("question", "clients", "middle", "lowest", "highest", "demanded", "verdict")
RATE_HEAD = ("question", "clients", "system", "answers/s", "p50 ms", "p99 ms", "bytes", "errors")

MANY = 1_000  # index rows left below which nothing is to be told
INDEX_HEAD = ("question", "clients", "records", "index rows", "seconds", "rows/s")


def _ratio_rows(found: Found, peer: str) -> Iterator[Sequence[str]]:
    for question in QUESTIONS:
        for clients in CLIENTS:
            reached = found.ratio(question, peer, clients)
            wanted = demanded(question, peer, clients)
            number = Number("", reached.middle if reached else None, wanted)
            ends = (reached.middle, reached.low, reached.high) if reached else (None,) * 3
            cells = (*map(shown, ends), shown(wanted), number.verdict)
            yield (question, str(clients), *cells)


def _rate_rows(cells: Sequence[Cell]) -> Iterator[Sequence[str]]:
    for cell in cells:
        wrong = cell.errors()
        for system, loads in cell.loads.items():
            rates = sorted(cell.rates(system))
            middle = f"{shown(rates[len(rates) // 2])} ({shown(rates[0])}–{shown(rates[-1])})"
            slowest = max(one.p99 for one in loads)
            measures = (middle, shown(cell.p50(system)), shown(slowest), f"{loads[-1].size:,}")
            yield (
                cell.question,
                str(cell.clients),
                system,
                *measures,
                str(wrong.get(system, 0)),
            )


def _index_rows(cells: Sequence[Cell]) -> Iterator[Sequence[str]]:
    for cell in cells:
        middle = sorted(cell.caught, key=lambda caught: caught.seconds)[len(cell.caught) // 2 :]
        if not middle or middle[0].rows < MANY:
            continue
        one = middle[0]
        rate = one.rows / one.seconds
        figures = (f"{one.records:,}", f"{one.rows:,}", shown(one.seconds), f"{rate:,.0f}")
        yield (cell.question, str(cell.clients), *figures)


def _check_rows(found: Found) -> Iterator[Sequence[str]]:
    for one in found.checks:
        if one.fault:
            yield (one.question, one.system, "missing", one.fault.replace("|", "/")[:120])
        else:
            yield (one.question, one.system, str(one.objects), ", ".join(one.unlike) or "nowhere")


def _growth_rows(growth: Growth) -> Iterator[Sequence[str]]:
    for question, cell in growth.cells.items():
        middles = (shown(cell.p50(size)) for size in growth.sizes)
        yield (question, *middles, shown(growth.times(question)))


def _cells(number: Number) -> Sequence[str]:
    reached = f"{shown(number.reached)} {number.unit}".strip()
    return (number.name, reached, _wanted(number), number.verdict)


def _wanted(number: Number) -> str:
    sign = "<= " if number.most and number.demanded is not None else ""
    return sign + shown(number.demanded)
