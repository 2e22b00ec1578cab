"""A child process that signs a log and kills itself at a point of its second checkpoint.

python signer_child.py URL FOLDER POINT

The points are seen from outside: events of the interpreter (files opened and renamed) and of
the database's engine, so that nothing of what is tested is changed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.anchor import Anchor
from audit.log import AuditLog, writer_name
from audit.memory import MemoryFile
from audit.note import Ed25519Signer
from audit.record import Draft, Kind
from audit.signer import Signer
from store.engine import open_engine

LOG = "demo.invalid/hub/test/sha256"
KEY = Ed25519Signer(LOG, bytes(range(32)))
RECORDS = 300  # a tile becomes whole between two checkpoints
POINTS = ("sign", "rename", "insert", "commit", "anchor", "done")


def die() -> None:
    """SIGKILL: no handler, no flush, no end of a transaction."""
    os.kill(os.getpid(), signal.SIGKILL)


def armed(point: str, engine: AsyncEngine, anchor: Path) -> None:
    """Die when `point` is reached."""

    def on_event(name: str, told: tuple[Any, ...]) -> None:
        if point == "rename" and name == "os.rename" and str(told[1]).endswith("signer.json"):
            die()
        appends = name == "open" and str(told[0]) == str(anchor) and told[2] & os.O_APPEND
        if point == "anchor" and appends:
            die()

    def on_statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if point == "insert" and statement.startswith("INSERT INTO audit_checkpoint"):
            die()

    sys.addaudithook(on_event)
    event.listen(engine.sync_engine, "before_cursor_execute", on_statement)
    if point == "commit":
        event.listen(engine.sync_engine, "commit", lambda _connection: die())


async def main(url: str, folder: Path, point: str) -> None:
    engine, anchor = open_engine(url), folder / "anchor.txt"
    log = AuditLog(engine, writer_name("child"), LOG, wait_s=10.0)
    await log.start()
    ready: list[Callable[[], None]] = []

    def keys() -> tuple[Ed25519Signer, ...]:
        if ready and point == "sign":
            die()
        return (KEY,)

    signer = Signer(engine, LOG, MemoryFile(folder / "signer.json"), keys, anchor=Anchor(anchor))
    for _ in range(2):
        drafts = (Draft(Kind.READ, request=f"r-{n}") for n in range(RECORDS))
        await asyncio.gather(*(log.append(draft) for draft in drafts))
        assert await signer.step(now=True), signer.state()
        armed(point, engine, anchor)
        ready.append(die)
        print(signer.state().size, flush=True)  # noqa: T201  the parent reads it
    die()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
