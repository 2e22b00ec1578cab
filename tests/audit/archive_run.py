"""A process that archives: once, or once for each line it is given.

python archive_run.py URL FOLDER COPY SEGMENT           one run for each line: days ahead, batch
python archive_run.py URL FOLDER COPY SEGMENT DAYS      one run

For lines it forks, so that a test may kill run after run without waiting for imports: it prints
the child's pid, then how the child ended.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import asyncpg  # noqa: F401  a child shall not have to import it

from store.engine import open_engine
from tests.audit.sealed import archive


async def run(url: str, folder: str, copy: str, segment: str, days: str, batch: str = "20") -> None:
    engine = open_engine(url)
    try:
        await archive(
            engine,
            Path(folder),
            later_days=float(days),
            copy=Path(copy),
            segment=int(segment),
            batch=int(batch),
        ).run()
    finally:
        await engine.dispose()


def serve(given: list[str]) -> None:
    os.write(1, b"ready\n")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            url, folder, copy, segment = given
            asyncio.run(run(url, folder, copy, segment, *line.split()))
            os._exit(0)
        os.write(1, f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    if len(sys.argv) == 6:
        asyncio.run(run(*sys.argv[1:]))
    else:
        serve(sys.argv[1:])
