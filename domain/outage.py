"""停机: when a source that is out stops a node's clock (领域设计 1.5).

An outage is *announced* (the source's daily closing hours) or *found* (it was asked and did not
answer). A found one stops every clock of a node that needs the source. Announced hours stop only
a limit that counts moments, which runs on through the night: who sets a limit in days knows that
a source is closed for some of the hours of each, and it would else be longer every day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from catalog.limits import Unit
from domain.clock import Pause, PauseReason, counts_moments


@dataclass(frozen=True, slots=True)
class Outage:
    """A source gave no answers from `start` (included) until `end` (not); None: it is still out."""

    source: str
    announced: bool
    start: datetime
    end: datetime | None


def stops(outages: Iterable[Outage], unit: Unit) -> list[Pause]:
    """The pauses that these outages are to a clock whose limit is counted in `unit`."""
    return [
        Pause(PauseReason.SOURCE_OUTAGE, one.start, one.end)
        for one in outages
        if counts_moments(unit) or not one.announced
    ]
