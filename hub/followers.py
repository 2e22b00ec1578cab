"""What follows the log in every process: roll-up, alerts, and telling of them.

Each works a part of the time at most and none is waited for. One process does the work at
a time, the others find it done. A follower that cannot do its work says so in the log of the
process, once a minute while it lasts.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path

import structlog

from audit import alerts, rollup
from audit.alerts import AlertSteps, Watch
from audit.follower import Follower
from audit.rollup import Rollup
from hub.alerting import SYSLOG, WEBHOOK, Channel, Deliveries, Syslog, Webhook
from hub.settings import Settings
from hub.worker import Hub
from store.engine import open_engine

CONNECTIONS = 2  # of their own: look-ups and accounts do not wait for a follower
JUDGE_REST = 9  # rules are Python: a tenth of a core is theirs, the rest the answers'
SAID_EVERY_S = 60.0
FINISH_S = 10.0  # a stop waits no longer; what is left then the next start does
_log = structlog.get_logger("hub.followers")


async def follow(hub: Hub, log: str) -> None:
    """Until cancelled. `log` is the log's name."""
    settings = hub.settings
    engine = open_engine(settings.store_url, pool_size=CONNECTIONS)
    channels = channels_of(settings)
    watch = Watch(free=lambda: free_share(settings.data_dir), quorum=settings.witness_quorum)
    steps = AlertSteps(engine, hub.log, channels=tuple(channels), watch=watch)
    both = (Follower(rollup.NAME, Rollup(engine)), Follower(alerts.NAME, steps, rest=JUDGE_REST))
    try:
        async with asyncio.TaskGroup() as group:
            for one in both:
                group.create_task(one.follow(), name=one.name)
            group.create_task(Deliveries(engine, channels, log).follow(), name="deliveries")
            group.create_task(_say(both), name="followers")
    finally:
        await engine.dispose()


async def finish(hub: Hub) -> None:
    """After the log's last record: the roll-up of all of it, if that can be done in time."""
    engine = open_engine(hub.settings.store_url, pool_size=1)
    try:
        await Follower(rollup.NAME, Rollup(engine)).catch_up(hub.log.state().size or 0, FINISH_S)
    finally:
        await engine.dispose()


def channels_of(settings: Settings) -> dict[str, Channel]:
    """The ways out that are set."""
    found: dict[str, Channel] = {}
    if settings.alerts_webhook_url and settings.alerts_webhook_key:
        found[WEBHOOK] = Webhook(settings.alerts_webhook_url, settings.alerts_webhook_key)
    if settings.alerts_syslog:
        found[SYSLOG] = Syslog(settings.alerts_syslog)
    return found


def free_share(folder: Path) -> float:
    """The share of the disk that is free, 0 … 1; 1 where nobody can tell."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return 1.0
    return usage.free / usage.total


async def _say(followers: Iterable[Follower]) -> None:
    while True:
        await asyncio.sleep(SAID_EVERY_S)
        for one in followers:
            if one.error is not None:
                _log.error("follower fails", follower=one.name, error=one.error)
