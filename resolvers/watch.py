"""Who watches the steps of an operation, if anybody does: a callable that the Engine is given.

The Engine knows no tracing. It says which step begins, what it is about and what came of it, in
the words and numbers of `Told`; never a value of a row, an argument or a text of the asker's.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import StrEnum
from types import TracebackType
from typing import Protocol, TypedDict, Unpack


class Step(StrEnum):
    """What is watched of an operation."""

    LIMITS = "limits"
    """The document read, weighed and validated, its variables coerced, its Shape made."""
    PLAN = "plan"
    """The Plan with this asker's values."""
    READ = "read"
    """One batch asked of one source."""


class Told(TypedDict, total=False):
    """All that may be said of a step; `batch` keys asked at once, 0 for a list or a look-up."""

    source: str
    dataset: str
    batch: int
    rows: int
    decision: str


class Tell(Protocol):
    """Says something more of a step while it lasts."""

    def __call__(self, **told: Unpack[Told]) -> None: ...


class Watch(Protocol):
    """``with watch(step, …) as tell``: the step lasts as long as the block."""

    def __call__(self, step: Step, **told: Unpack[Told]) -> AbstractContextManager[Tell]: ...


class Unwatched:
    """What stands for a step that nobody watches."""

    __slots__ = ()

    def __enter__(self) -> Tell:
        return _tell_nobody

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


def _tell_nobody(**_told: Unpack[Told]) -> None:
    return None


UNWATCHED = Unwatched()


def watched(watch: Watch | None, step: Step) -> AbstractContextManager[Tell]:
    """The step, watched if there is a `watch`; without one it costs a comparison."""
    return UNWATCHED if watch is None else watch(step)
