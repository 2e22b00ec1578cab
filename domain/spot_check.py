"""随机抽查 and 整改: a sample nobody can choose, and what follows from it (第十五条; 领域设计 1.9).

The sample, so that anybody can draw it again with pencil and ``sha256sum``:

1. for every key of the population write the seed, a line feed and the key, in UTF-8;
2. take the SHA-256 of it in lower-case hexadecimal: the key's lot;
3. sort the keys by their lots; the sample is the first of them, as many as were asked for.

A key's lot depends on the seed and on nothing else: not on the order of the population, not on
who else is in it. A larger sample of the same seed holds the smaller one. The seed has to be
said before the population is known (a draw of the lottery, say): who may try seeds chooses.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256

from domain.machine import Fact, Machine, Party, act


class SpotCheckState(StrEnum):
    """抽查状态; the Chinese labels stand in ``codes.toml``."""

    DRAWN = "DRAWN"
    CHECKED = "CHECKED"
    RECTIFYING = "RECTIFYING"
    RECTIFIED = "RECTIFIED"
    CLOSED = "CLOSED"


class SpotCheckAct(StrEnum):
    """What is done to a check. CLOSE without rectification: it was found in order."""

    CHECK = "CHECK"
    ORDER_RECTIFICATION = "ORDER_RECTIFICATION"
    RECTIFY = "RECTIFY"
    CLOSE = "CLOSE"


S = SpotCheckState
D = SpotCheckAct


MACHINE: Machine[SpotCheckState, SpotCheckAct] = Machine(
    start=S.DRAWN,
    ends=frozenset({S.CLOSED}),
    acts=(
        act(D.CHECK, S.DRAWN, S.CHECKED, Party.OFFICE, Fact.FINDING),
        act(
            D.ORDER_RECTIFICATION, S.CHECKED, S.RECTIFYING, Party.OFFICE, Fact.REASON, Fact.DEADLINE
        ),
        act(
            D.RECTIFY,
            S.RECTIFYING,
            S.RECTIFIED,
            Party.HANDLER,
            Fact.ROOT_CAUSE,
            Fact.MEASURE,
            stamps=Fact.RECTIFIED_AT,
        ),
        act(D.CLOSE, S.CHECKED, S.CLOSED, Party.OFFICE, Fact.IN_ORDER, stamps=Fact.CLOSED_AT),
        act(D.CLOSE, S.RECTIFIED, S.CLOSED, Party.OFFICE, Fact.RECTIFIED_AT, stamps=Fact.CLOSED_AT),
    ),
)


def draw(seed: str, population: Iterable[str], size: int) -> tuple[str, ...]:
    """The sample in the order of its lots; everybody, if the population is smaller.

    A key that is named twice has one lot. ValueError for a size below nought and a seed that
    is empty or holds a line feed (one text could then stand for two pairs of seed and key).
    """
    if size < 0:
        raise ValueError("a sample cannot be smaller than nought")
    if not seed or "\n" in seed:
        raise ValueError("a seed is one line that is not empty")
    return tuple(sorted(set(population), key=lambda key: lot(seed, key))[:size])


def lot(seed: str, key: str) -> str:
    """The lot of a key: 64 hexadecimal digits."""
    return sha256(f"{seed}\n{key}".encode()).hexdigest()


def roll(population: Iterable[str]) -> str:
    """The population as it is kept: its keys, sorted, a line feed after each."""
    return "".join(f"{key}\n" for key in sorted(set(population)))


def digest(population: Iterable[str]) -> str:
    """What the population was: the SHA-256 of its roll in UTF-8, 64 hexadecimal digits."""
    return sha256(roll(population).encode()).hexdigest()
