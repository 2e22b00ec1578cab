"""A log for one command: what an officer does at the command line is recorded like any answer.

The command is a writer of its own: its HUB_START and HUB_STOP frame what it did.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from audit.log import AuditLog, writer_name
from catalog.workdays import ZONE
from hub.settings import Settings
from hub.signing import log_id, sign_what_came
from store.accounts import holder_of
from store.engine import open_engine

OFFICER = "auditor"


@contextlib.asynccontextmanager
async def recording(settings: Settings) -> AsyncIterator[tuple[AsyncEngine, AuditLog]]:
    """The store and a log that has started. AuditUnavailable if nothing can be recorded."""
    engine = open_engine(settings.store_url, pool_size=1)
    log = AuditLog(engine, writer_name("command"), log_id(settings), wait_s=settings.audit_wait_s)
    try:
        await log.start()
        try:
            yield engine, log
        finally:
            await log.stop()
            await sign_what_came(settings, engine)
    finally:
        await engine.dispose()


async def is_officer(engine: AsyncEngine, account: str) -> bool:
    """Whether an account is an active auditor's today."""
    today = datetime.now(ZONE).date()
    async with engine.connect() as connection:
        _, posts = await holder_of(connection, account, today)
    return any(post.role == OFFICER for post in posts)
