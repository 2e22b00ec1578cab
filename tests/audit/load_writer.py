"""A child process that appends without end and prints each receipt: ``idx leaf``.

python load_writer.py URL NODE [COUNT]
"""

from __future__ import annotations

import asyncio
import os
import sys

from audit.log import AuditLog, writer_name
from audit.record import Draft, Kind
from store.engine import open_engine

CLIENTS = 16


async def main(url: str, node: str, count: int | None) -> None:
    engine = open_engine(url)
    log = AuditLog(engine, writer_name(node), "demo.invalid/hub/test/sha256", wait_s=10.0)
    await log.start()
    os.write(1, b"ready\n")
    await asyncio.to_thread(sys.stdin.readline)
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
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None))
