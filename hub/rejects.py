"""Who is turned away again and again: counted per address and reason, a record every ten seconds.

Strangers, and accounts that go on asking faster than they may (`pace.py`). A flood must not flood
the log (audit 1.4), and must not be lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from audit.log import AuditLog
from audit.record import Draft, Kind, Op, Outcome
from catalog.errors import AuditUnavailable

EVERY_S = 10.0  # a stranger's attempt is in the log at the latest then
KEPT = 1_000  # addresses counted apart; further ones are counted together


class Rejects:
    """Counts, and writes REJECTS records."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._counted: Counter[tuple[str, str, str]] = Counter()

    def add(self, ip: str, reason: str, account: str = "") -> None:
        """One more refused stranger, or request of an account."""
        key = (ip, reason, account) if len(self._counted) < KEPT else ("", reason, account)
        self._counted[key] += 1

    async def follow(self) -> None:
        """Write what was counted, again and again, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted; what cannot be written is kept for the next time."""
        counted, self._counted = self._counted, Counter()
        for (ip, reason, account), count in counted.items():
            draft = Draft(
                Kind.REJECTS,
                Outcome.DENIED,
                code=reason,
                actor=account,
                ip=ip,
                op=Op(name="account" if account else "anonymous", vars={"count": count}),
            )
            try:
                await self._log.append(draft)
            except AuditUnavailable:
                self._counted[(ip, reason, account)] += count
