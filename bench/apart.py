"""The product with citizens, cases and events in three databases, beside the same in one.

The databases are whole copies: where a data set is read is what changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench import county, systems
from bench.figures import Number, ratios
from bench.postgres import Server
from bench.rounds import Cell, Say, checked, measured

LEAST = 0.6  # of the answers per second from one database
QUESTIONS, CLIENTS = ("Q1", "Q2"), (1, 32)
ONE, THREE = "one database", "three databases"
PLACED = {"case": "cases", "supervision_order": "cases", "case_event": "events"}
"""Data set -> the source it is placed on; the others stay in the hub's own store."""


@dataclass(frozen=True, slots=True)
class Apart:
    """What was measured."""

    cells: Sequence[Cell] = ()

    def numbers(self) -> list[Number]:
        """Three over one, for each question and number of clients."""
        found = {(cell.question, cell.clients): cell for cell in self.cells}
        return [
            Number(f"apart/{question}/{clients}", _reached(found.get((question, clients))), LEAST)
            for question in QUESTIONS
            for clients in CLIENTS
        ]


def in_three(server: Server, rounds: int, seconds: int, say: Say) -> Apart:
    """Measure both, in turns."""
    template = county.template(server, max(county.SCALES))
    names = ("one", "three", "cases", "events")
    made = {name: county.copied(server, template, f"apart_{name}") for name in names}
    with ExitStack() as ending:
        for database in made.values():
            ending.callback(county.drop, server, database)
        one = systems.product(server, made["one"], ONE)
        ending.callback(one.stop)
        three = systems.product(server, made["three"], THREE, more=placed(server, made))
        ending.callback(three.stop)
        say(f"{ONE}, {THREE}")
        cells = [
            measured([one, three], question, clients, rounds, seconds, say)
            for question in QUESTIONS
            if not any(said.fault or said.unlike for said in checked([one, three], question))
            for clients in CLIENTS
        ]
    return Apart(cells)


def placed(server: Server, databases: Mapping[str, str]) -> dict[str, str]:
    """The settings that place the data sets, `databases` by source."""
    sources = _addresses(server, databases, set(PLACED.values()))
    return sources | {f"HUB_PLACED_{what.upper()}": where for what, where in PLACED.items()}


def _addresses(
    server: Server, databases: Mapping[str, str], names: Iterable[str]
) -> dict[str, str]:
    return {
        f"HUB_SOURCES_{name.upper()}": server.url(databases[name], "postgresql+asyncpg")
        for name in names
    }


def _reached(cell: Cell | None) -> float | None:
    found = ratios(cell.rates(THREE), cell.rates(ONE)) if cell else None
    return found.middle if found else None
