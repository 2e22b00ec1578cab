"""Hearing at once of news, such as a new policy: PostgreSQL's LISTEN, on a connection of its own.

What is heard says no more than "look": a notice that is lost, or a connection that breaks, costs
what is left of the poll's second. The engine's pool is not used: a session that listens must
not be handed on, and a busy pool must not make it wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import URL

from store.policy import CHANNEL

NAME = "hub-policy"
"""How the session calls itself in ``pg_stat_activity``."""
REOPEN_S = 0.5  # between two tries to connect
SILENT_S = 30.0  # without a notice; a line cut without a word shows when it is spoken on
ANSWER_S = 5.0  # for the server to answer at all
CLOSE_S = 1.0

_log = logging.getLogger("hub.store")


async def listen(
    url: URL, heard: Callable[[], None], *, channel: str = CHANNEL, name: str = NAME
) -> None:
    """Call `heard` for every committed change, and whenever the line is new, until cancelled.

    `channel`: what is listened to, the policy unless said otherwise; `name` of the session.
    """
    while True:
        try:
            await _listened(url, heard, channel, name)
        except Exception as error:  # whatever it is, the poll goes on, and so does this
            _log.warning("not listening to %s: %s", channel, type(error).__name__)
        await asyncio.sleep(REOPEN_S)


async def _listened(url: URL, heard: Callable[[], None], channel: str, name: str) -> None:
    """Until the connection ends."""
    gone = asyncio.Event()
    connection = await _connected(url, name)
    try:
        connection.add_termination_listener(lambda *_about: gone.set())
        await connection.add_listener(channel, lambda *_about: heard())
        heard()  # something may have been said while nobody listened
        while not await _happened(gone):
            await connection.execute("SELECT 1", timeout=ANSWER_S)
    finally:
        with contextlib.suppress(Exception):
            await connection.close(timeout=CLOSE_S)


async def _connected(url: URL, name: str) -> Any:
    import asyncpg  # not always installed

    given = url.get_dialect()().create_connect_args(url)[1]
    options = {k: v for k, v in given.items() if not k.startswith("prepared_statement_")}
    settings = {"application_name": name}
    return await asyncpg.connect(**options, timeout=ANSWER_S, server_settings=settings)


async def _happened(gone: asyncio.Event) -> bool:
    """True once the connection has ended; False after a long silence."""
    try:
        async with asyncio.timeout(SILENT_S):
            return await gone.wait()
    except TimeoutError:
        return False
