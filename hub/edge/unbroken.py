"""Work that is not broken off once it has begun: sources have been asked, so it is recorded.

somebody waits ──► work ──► record ──► frame
nobody waits any more ─────► record            and only then the waiting ends, as cancelled
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

Made = TypeVar("Made")
SPARE_S = 10.0  # beside its own deadlines: who asks is looked up, the record is written

_log = structlog.get_logger("hub.edge.unbroken")


async def unbroken(work: Coroutine[Any, Any, Made], deadline_s: float) -> Made:
    """What `work` makes. CancelledError, if the caller is cancelled meanwhile, after its end.

    Work of a strict answer asks its sources twice, each time for `deadline_s` at most. If it is
    not over by then and SPARE_S, whoever was cancelled breaks it off.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _over(task, 2 * deadline_s + SPARE_S)
        raise


async def _over(task: asyncio.Future[Any], within_s: float) -> None:
    """Return when it is over, however often the waiting is cancelled."""
    clock = asyncio.get_running_loop().time
    end = clock() + within_s
    while not task.done():
        if clock() >= end:
            _log.error("broken off: it does not end")
            task.cancel()
            return
        try:
            await asyncio.wait({task}, timeout=end - clock())
        except asyncio.CancelledError:
            continue  # the caller says so once, when it is over
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("internal error", exception=type(error).__name__)
