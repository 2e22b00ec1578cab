"""One question of an officer at the command line, through the same Plan and record as any other.

Who it is the operator says; the account's posts of today decide what it may see, and its record
names it like any other reading of the log.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from catalog.errors import Readable
from hub.app import assemble
from hub.edge.decoding import JSON
from hub.release import Visit
from hub.rights import gate_of
from hub.settings import Settings
from hub.signing import sign_what_came
from hub.worker import Hub
from resolvers.answer import Question

CLIENT = "hub-cli"


class NoPost(Readable):
    """The account is not there, is suspended or holds no post today."""


async def asked(
    settings: Settings, account: str, purpose: str, text: str, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """The answer as a client gets it: ``data``, ``errors``, ``extensions`` with its receipt.

    NoPost, Forbidden, RuleError; AuditUnavailable, SQLAlchemyError or OSError for a store that
    does not answer.
    """
    async with opened(settings) as hub:
        gate = await gate_of(settings, hub.catalog, account, purpose, None)
        if gate is None:
            raise NoPost(f"账号 `{account}` 不存在、已停用或今日没有岗位")
        answer = await hub.engine.answer(Question(text, None, variables), gate, {})
        basis = hub.catalog.purposes[purpose].legal_basis
        visit = Visit("", CLIENT, "", gate.asker, basis)
        sent = await hub.release.answer(answer, visit, JSON)
    found: dict[str, Any] = json.loads(sent.body)
    return found


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Hub]:
    """The hub's parts with a log that has started, for one command; nothing follows or serves."""
    hub = assemble(settings)
    try:
        await hub.log.start()
        try:
            yield hub
        finally:
            await hub.log.stop()
            await sign_what_came(settings, hub.store)
    finally:
        for source in hub.sources.values():
            await source.close()
        await hub.store.dispose()
        hub.telemetry.close()
