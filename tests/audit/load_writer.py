"""A child process that appends without end and prints each receipt: ``idx leaf``.

python load_writer.py URL NODE [COUNT [POINT NTH]]

COUNT 0 is without end. On SQLite it can kill itself: when the log's connection begins the NTH
transaction after `go` (``begin``), its NTH record (``record``), moves the head (``head``), the
writer's counter (``counter``), is about to commit (``commit``) or within the millisecond after
that (``durable``). The statements are seen from outside, by the database's own trace; the child
says on stderr how many records the transaction held, and is no more.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from typing import Any

from audit.log import AuditLog, writer_name
from audit.record import Draft, Kind
from store.engine import open_engine

CLIENTS = 16
POINTS = {
    "begin": "BEGIN IMMEDIATE",
    "record": "INSERT INTO audit_event",
    "head": "UPDATE audit_head",
    "counter": "UPDATE audit_writer",
    "commit": "COMMIT",
    "durable": "COMMIT",
}


class Fuse:
    """Counts what the log's connection does once it is lit, and kills at its point."""

    def __init__(self, point: str, nth: int) -> None:
        self._point, self._left, self._records = point, nth, 0
        self.lit = False

    def armed(self) -> None:
        """Trace the log's connection when it is made."""
        sys.addaudithook(self._made)

    def _made(self, event: str, _told: tuple[Any, ...]) -> None:
        if event == "sqlite3.connect/handle" and threading.current_thread().name == "audit_0":
            sys.setprofile(self._first_used)  # it is not fit to be traced yet

    def _first_used(self, _frame: Any, event: str, called: Any) -> None:
        connection = getattr(called, "__self__", None)
        if event == "c_call" and isinstance(connection, sqlite3.Connection):
            sys.setprofile(None)
            connection.set_trace_callback(self._begun)

    def _begun(self, statement: str) -> None:
        if not self.lit:
            return
        if statement.startswith(POINTS["begin"]):
            self._records = 0
        self._records += statement.startswith(POINTS["record"])
        if statement.startswith(POINTS[self._point]):
            self._left -= 1
            if self._left == 0:
                self._blow(self._records)

    def _blow(self, records: int) -> None:
        os.write(2, f"{self._point} {records}\n".encode())
        if self._point != "durable":
            die()
        threading.Thread(target=_soon).start()  # while the database commits


def _soon() -> None:
    time.sleep(random.uniform(0, 0.001))
    die()


def die() -> None:
    """SIGKILL: no handler, no flush, no end of a transaction."""
    os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, node: str, count: int, fuse: Fuse | None) -> None:
    if fuse is not None:
        fuse.armed()
    engine = open_engine(url)
    log = AuditLog(engine, writer_name(node), "demo.invalid/hub/test/sha256", wait_s=10.0)
    await log.start()
    os.write(1, b"ready\n")
    await asyncio.to_thread(sys.stdin.readline)
    if fuse is not None:
        fuse.lit = True
    numbers = iter(range(count or sys.maxsize))

    async def client() -> None:
        for number in numbers:
            tokens = b"".join((number * 4 + n).to_bytes(16) for n in range(3))
            receipt = await log.append(
                Draft(Kind.READ, actor=node, request=f"{node}-{number}", subjects=tokens)
            )
            os.write(1, f"{receipt.idx} {receipt.leaf}\n".encode())

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    await log.stop()
    await engine.dispose()


if __name__ == "__main__":
    given = sys.argv[3:]
    fuse = Fuse(given[1], int(given[2])) if len(given) > 1 else None
    asyncio.run(main(sys.argv[1], sys.argv[2], int(given[0]) if given else 0, fuse))
