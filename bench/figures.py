"""What was measured, as numbers: ratios per round, their middle and ends, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from types import MappingProxyType

CLIENTS = (1, 32)
PEERS = ("limit", "postgraphile", "strawberry", "hive")
QUESTIONS = ("Q1", "Q2", "Q3", "Q4")

DEMANDED: Mapping[str, tuple[tuple[float, float | None], ...]] = MappingProxyType(
    {
        "limit": ((0.50, 0.65), (0.75, 0.75), (0.90, 0.90), (0.90, 0.95)),
        "postgraphile": ((1.8, 3.0), (2.5, 3.0), (2.0, 3.5), (2.0, 1.8)),
        "strawberry": ((12.0, 45.0), (18.0, 45.0), (14.0, 28.0), (2.5, 3.5)),
        "hive": ((12.0, 20.0), (6.0, 5.0), (4.0, 6.0), (2.0, None)),
    }
)
"""Peer -> for each question the ratio demanded with 1 and with 32 clients (plan 7).

None: no demand. Hive's gateway sends one upstream call for equal requests in flight.
"""

ANSWERS_EACH, LONGEST_S = 3, 20  # answers a client waits for, seconds of a round at most
OK, SHORT, MISSING = "ok", "short", "missing"


@dataclass(frozen=True, slots=True)
class Spread:
    """Middle and ends of what the rounds gave."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Number:
    """One number to reach. `reached` None: not measured; `demanded` None: no demand."""

    name: str
    reached: float | None
    demanded: float | None
    unit: str = ""
    most: bool = False  # a number not to exceed

    @property
    def verdict(self) -> str:
        """ok, short or missing."""
        if self.reached is None:
            return MISSING
        if self.demanded is None:
            return OK
        held = self.reached <= self.demanded if self.most else self.reached >= self.demanded
        return OK if held else SHORT


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(min(values), median(values), max(values))


def nearest(values: Sequence[float], share: float) -> float:
    """The smallest of at least one value that `share` of them (0 … 1) do not exceed."""
    return sorted(values)[max(0, ceil(len(values) * share) - 1)]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread | None:
    """Ours over theirs, round by round: what slows both in a round leaves it as it is.

    None if a round is missing, or a peer answered nothing in one.
    """
    if not ours or len(ours) != len(theirs) or min(theirs) <= 0:
        return None
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def demanded(question: str, peer: str, clients: int) -> float | None:
    """The ratio demanded; None: none is."""
    return DEMANDED[peer][QUESTIONS.index(question)][CLIENTS.index(clients)]


def enough(seconds: int, clients: int, rate: float) -> int:
    """Seconds after which what is unanswered at the end no longer counts.

    A slow system has answered little when the clients leave: with `rate` answers a second to
    one client, 32 clients first see one after 32 / rate seconds. Each gets a few.
    """
    if rate <= 0:
        return LONGEST_S
    return max(seconds, min(LONGEST_S, ceil(ANSWERS_EACH * clients / rate)))


def turns(systems: Sequence[str], rounds: int) -> list[list[str]]:
    """Who is loaded in which order: each round begins with another, each second runs backwards."""
    order = []
    for number in range(rounds):
        first = number % len(systems)
        turned = [*systems[first:], *systems[:first]]
        order.append(turned[::-1] if number % 2 else turned)
    return order
