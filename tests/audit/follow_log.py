"""A child process that follows a log and prints each step: ``alerts 24`` or ``rollup 24``.

python follow_log.py URL
"""

from __future__ import annotations

import asyncio
import os
import sys

from audit.alerts import AlertSteps
from audit.log import AuditLog, writer_name
from audit.rollup import Rollup
from store.engine import open_engine

RECORDS = 5  # a step: many small transactions to be killed in


async def main(url: str) -> None:
    engine = open_engine(url)
    log = AuditLog(engine, writer_name("follower"), "demo.invalid/hub/test/sha256", wait_s=10.0)
    await log.start()
    alerts = AlertSteps(engine, log, takeover_s=0, records=RECORDS, channels=("webhook",))
    rollup = Rollup(engine, records=RECORDS)
    while True:
        os.write(1, f"alerts {await alerts.step()}\n".encode())
        os.write(1, f"rollup {await rollup.step()}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
