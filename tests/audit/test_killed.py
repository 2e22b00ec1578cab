"""Roll-up and alerts in a real process, killed a dozen times: nothing is lost, nothing twice."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.alerts import AlertSteps, tried
from audit.log import AuditLog
from audit.record import Draft, Kind, Outcome
from audit.rollup import HOUR_US, Rollup
from audit.rules import DEFAULTS, Hit
from audit.verify import Exit, run
from store.audit import (
    audit_alert,
    audit_delivery,
    audit_event,
    audit_follower,
    audit_rollup_hour,
)
from store.engine import open_engine

CHILD = Path(__file__).with_name("follow_log.py")
LOG = "demo.invalid/hub/test/sha256"
KILLS = 13
STEPS = 14  # lines a child prints before it is killed
RECORDS = 1_000
MINUTE_US = 60_000_000


def test_killed_followers_raise_each_alert_once(audit_url: str) -> None:
    size = asyncio.run(filled(audit_url))
    chance = random.Random(20)
    reached = [killed(audit_url, chance.uniform(0, 0.02)) for _ in range(KILLS)]
    # Each kill came after work was done, and before all of it was.
    assert all(later > earlier for earlier, later in pairwise(reached))
    assert 0 < reached[0] < reached[-1] < size
    found, expected = asyncio.run(ended(audit_url))
    assert len(expected["told"]) > 80
    for what in expected:
        assert found[what] == expected[what], what
    assert run(audit_url).exit is Exit.INTACT


async def filled(url: str) -> int:
    """A log of refusals and emergencies, two a minute; followers that begin at its first record."""
    minutes = iter(range(10**9))
    engine = open_engine(url)
    begun = 1_790_000_000_000_000
    log = AuditLog(engine, "node/1", LOG, lambda: begun + next(minutes) * MINUTE_US // 2)
    await log.start()
    for number in range(RECORDS):
        draft = Draft(
            Kind.READ,
            Outcome.DENIED if number % 4 else Outcome.OK,
            actor=f"clerk-{number % 2}",
            client="console",
            request=f"r-{number}",
            break_glass=number % 29 == 0,
        )
        await log.append(draft)
    await log.stop()
    async with engine.begin() as connection:
        await connection.execute(insert(audit_follower), {"name": "alerts", "next_idx": 0})
    await engine.dispose()
    assert log.state().size is not None
    return int(log.state().size or 0)


def killed(url: str, after_s: float) -> int:
    """Where the alerts were when the child was killed, as far as it had said."""
    with subprocess.Popen(
        [sys.executable, "-P", str(CHILD), url], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(STEPS)]
        time.sleep(after_s)
        child.send_signal(signal.SIGKILL)
        assert child.wait(20) == -signal.SIGKILL
        lines += child.stdout.read().splitlines()[:-1]
    return max(int(line.split()[1]) for line in lines if line.startswith("alerts"))


async def ended(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what is stored once a last process has done the rest, what the bodies say must be)."""
    engine = open_engine(url)
    log = AuditLog(engine, "node/2", LOG)
    await log.start()
    alerts = AlertSteps(engine, log, takeover_s=0, channels=("webhook",))
    rollup = Rollup(engine)
    while (end := await alerts.step()) < await count(engine) or await rollup.step() < end:
        pass
    hits = [hit async for hit in tried(engine, DEFAULTS)]
    async with engine.connect() as connection:
        rows = (await connection.execute(select(audit_alert))).all()
        raised = {r.id: (r.rule, r.actor, r.count, json.loads(r.evidence)) for r in rows}
        texts = (await connection.scalars(select(audit_event.c.body))).all()
        bodies = [orjson.loads(text) for text in texts]
        told = (await connection.scalars(select(audit_delivery.c.alert_id))).all()
        rolled = (await connection.execute(select(audit_rollup_hour))).all()
    records = {r.raised_idx: r.id for r in rows}
    found = {
        "alerts": raised,
        "records": sorted((b["ref"], b["idx"]) for b in bodies if b["kind"] == "ALERT_RAISED"),
        "told": sorted(told),
        "hours": {(r.actor, r.hour, r.kind, r.outcome): r.events for r in rolled},
    }
    await log.stop()
    await engine.dispose()
    hours = Counter(
        (b.get("actor", ""), b["ts"] // HOUR_US, b["kind"], b["outcome"]) for b in bodies
    )
    expected = {
        "alerts": {h.id: _said(h) for h in hits},
        "records": sorted((id_, idx) for idx, id_ in records.items()),
        "told": sorted({h.id for h in hits}),
        "hours": dict(hours),
    }
    return found, expected


async def count(engine: AsyncEngine) -> int:
    """Records in the log."""
    async with engine.connect() as connection:
        return int(await connection.scalar(select(func.count()).select_from(audit_event)) or 0)


def _said(hit: Hit) -> tuple[str, str, int, list[int]]:
    return hit.rule, hit.actor, hit.count, list(hit.evidence)
