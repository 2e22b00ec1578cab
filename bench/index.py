"""How far the product's subject index is behind its log, and how fast it comes after.

An answer about 500 persons leaves when its record is durable; the index rows are written
afterwards. Under Q3 at full speed it cannot keep up: nobody else is loaded before it has.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.postgres import Server

LOOK_S = 0.5
GIVE_UP_S = 300.0
BEHIND = "SELECT next_idx, (SELECT size FROM audit_head) FROM audit_index"


@dataclass(frozen=True, slots=True)
class Caught:
    """What was left when the load ended: records, their index rows, seconds until it was done."""

    records: int
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Index:
    """The index in one database."""

    server: Server
    database: str

    def catch_up(self) -> Caught:
        """Wait until nothing is behind."""
        began = time.monotonic()
        first, size = self._cursor()
        reached = first
        while reached < size and time.monotonic() - began < GIVE_UP_S:
            time.sleep(LOOK_S)
            reached, size = self._cursor()
        seconds = time.monotonic() - began
        counted = f"SELECT count(*) FROM audit_subject WHERE idx >= {first}"
        rows = self.server.rows(counted, self.database)[0][0] if reached > first else 0
        return Caught(reached - first, rows, seconds)

    def _cursor(self) -> tuple[int, int]:
        found = self.server.rows(BEHIND, self.database)
        return (found[0][0], found[0][1]) if found else (0, 0)
