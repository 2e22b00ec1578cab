"""The rounds: all systems are up, one is loaded at a time, in alternating order."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench import load
from bench.answers import differences, rows
from bench.figures import enough, turns
from bench.index import Caught
from bench.load import Load
from bench.questions import Asked
from bench.systems import System

Say = Callable[[str], None]
WARM_S = 2  # plans made, pools full, branches known to the processor
CHECKED = 10  # bodies of a question whose answers are compared


@dataclass(frozen=True, slots=True)
class Cell:
    """One question at one number of clients: system -> its loads, one per round."""

    question: str
    clients: int
    loads: Mapping[str, Sequence[Load]]
    caught: Sequence[Caught] = ()  # the product's index after each of its rounds

    def rates(self, system: str) -> list[float]:
        """Answers per second, round by round; empty if it was not asked."""
        return [one.rate for one in self.loads.get(system, ())]

    def p50(self, system: str) -> float:
        """The median of the rounds' median latencies, ms."""
        return median(one.p50 for one in self.loads[system])

    def errors(self) -> dict[str, int]:
        """System -> wrong answers in all rounds, of those that gave any."""
        counted = {name: sum(one.errors for one in loads) for name, loads in self.loads.items()}
        return {name: count for name, count in counted.items() if count}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a system answered before it was loaded. `fault`: why it is not asked at all."""

    system: str
    question: str
    objects: int = 0
    unlike: tuple[str, ...] = ()
    fault: str = ""


def checked(systems: Sequence[System], question: str) -> list[Checked]:
    """Ask everybody the same few times; compare each answer with the first system's."""
    found: list[Checked] = []
    base: list[Any] | None = None
    for system in systems:
        asked = system.asked(question)
        try:
            answers = [_answer(asked, body) for body in asked.bodies[:CHECKED]]
        except (OSError, ValueError) as error:
            found.append(Checked(system.name, question, fault=str(error)[:300]))
            continue
        base = base or answers
        unlike = [place for a, b in zip(base, answers, strict=True) for place in differences(a, b)]
        found.append(Checked(system.name, question, sum(map(rows, answers)), tuple(unlike[:5])))
    return found


def measured(
    systems: Sequence[System],
    question: str,
    clients: int,
    rounds: int,
    seconds: int,
    say: Say,
) -> Cell:
    """Warm everybody up, then load them in turns.

    wrk leaves with its connections' requests unanswered: before the next one's turn a system
    finishes them, else they would slow the next.
    """
    named = {system.name: system for system in systems}
    asked = {name: system.asked(question) for name, system in named.items()}
    lasting: dict[str, int] = {}
    loads: dict[str, list[Load]] = {name: [] for name in named}
    caught: list[Caught] = []
    for name, system in named.items():
        alone = load.run(asked[name], 1, WARM_S)
        load.run(asked[name], clients, WARM_S)
        lasting[name] = enough(seconds, clients, alone.rate)
        system.settle()
    for order in turns([*named], rounds):
        for name in order:
            loads[name].append(load.run(asked[name], clients, lasting[name]))
            caught += [one for one in (named[name].settle(),) if one]
        last = "  ".join(f"{name} {loads[name][-1].rate:.0f}/s" for name in named)
        say(f"{question} {clients:>2} clients  {last}")
    return Cell(question, clients, loads, caught)


def _answer(asked: Asked, body: str) -> Any:
    request = urllib.request.Request(
        asked.url, body.encode(), {"Content-Type": "application/json", **asked.headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            said = json.load(response)
    except urllib.error.HTTPError as error:
        raise ValueError(f"{error.code} {error.read()[:250].decode('utf-8', 'replace')}") from None
    if said.get("errors"):
        raise ValueError(str(said["errors"][0].get("message")))
    return said["data"]
