"""The office that does what mutations ask: one transaction a deed, with its record, once.

    receipt (is it done already?) ──► the command ──► receipt ends ──► record ──► COMMIT

The record comes last: it holds the log's head, for which every other record waits. Whatever is
raised on the way leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from authz.gate import Gate
from catalog.errors import Conflict, Forbidden, SourceUnavailable
from catalog.load import Catalog
from catalog.placing import OWN
from resolvers.commands.account_changes import ACCOUNT_COMMANDS, announced
from resolvers.commands.cases import CASE_COMMANDS
from resolvers.commands.command import Deed, Desk, Refused
from resolvers.commands.complaints import COMPLAINT_COMMANDS
from resolvers.commands.corrections import CORRECTION_COMMANDS, DISPUTING
from resolvers.commands.extensions import EXTENSION_COMMANDS
from resolvers.commands.sharing import SHARING_COMMANDS
from resolvers.commands.spot_checks import SPOT_CHECK_COMMANDS
from resolvers.commands.supervision import SUPERVISION_COMMANDS
from resolvers.deed import Done, Writing
from resolvers.disputes import Disputes
from store.deeds import Deeds, OtherDeed, Receipt, StoreBusy, StoreDown, begun, ended

COMMANDS: Mapping[str, Deed] = {
    **CASE_COMMANDS,
    **EXTENSION_COMMANDS,
    **SUPERVISION_COMMANDS,
    **COMPLAINT_COMMANDS,
    **SPOT_CHECK_COMMANDS,
    **ACCOUNT_COMMANDS,
    **CORRECTION_COMMANDS,
    **SHARING_COMMANDS,
}
"""Every command by the name of its mutation."""
ORDERS = ("supervision_order", "supervision_event")
COMPLAINTS = ("complaint", "complaint_event", "spot_check", "spot_check_item")
CORRECTIONS = ("correction", "correction_event", "correction_reader")
SHARING = ("sharing_request", "sharing_request_event", "sharing_fault")
CASES = ("case", "case_event", "work_order", "timeout_event", "risk_clue")
WRITTEN = (*CASES, *ORDERS, *COMPLAINTS, *CORRECTIONS, *SHARING)
"""Data sets whose rows deeds write: where they are placed apart, nothing can be changed here."""


def _now() -> datetime:
    return datetime.now(UTC)


class Office:
    """One per worker. `digest` makes a keyed digest of a text; `clock` gives UTC.

    `tokens`: how the access log names a person. `disputes`: who must know what is disputed.
    `policy`: waits until this worker goes by a version of the policy that a deed has made.
    `person`: the ``citizen_uid`` of an id number; `rights_moved`: returns when no worker goes on
    by the posts it knew before.
    """

    def __init__(
        self,
        deeds: Deeds,
        catalog: Catalog,
        digest: Callable[[str], str],
        tokens: Callable[[str], list[bytes]],
        disputes: Disputes,
        *,
        policy: Callable[[int], Awaitable[Any]] | None = None,
        person: Callable[[str], str],
        rights_moved: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._policy = policy
        self._deeds, self._catalog, self._clock = deeds, catalog, clock
        self._person, self._rights_moved = person, rights_moved
        self._keyed, self._tokens, self._disputes = digest, tokens, disputes
        written = (catalog.datasets[name] for name in WRITTEN)
        self._placed = next((one for one in written if one.source != OWN), None)

    async def do(
        self, name: str, arguments: Mapping[str, Any], gate: Gate, writing: Writing
    ) -> Done:
        """Do it, or give what came of it if it was done under this key before.

        Conflict IDEMPOTENCY for the key of another deed; SourceUnavailable BUSY if the store has
        no room for a writer, DOWN if it does not answer; whatever the command raises.
        """
        if self._placed is not None:
            said = f"“{self._placed.title}”存放在另一个数据库，本中枢只能查询，请在存放处办理"
            raise Forbidden(said, reason="PLACED")
        given = arguments["input"]
        receipt = Receipt(gate.asker.principal_id, writing.key, self._digest(name, given))
        try:
            done = await self._once(name, given, gate, writing, receipt)
        except Refused as refused:
            return refused.done
        except OtherDeed:
            raise Conflict(
                "此 Idempotency-Key 已用于另一个请求：请换一个", reason="IDEMPOTENCY"
            ) from None
        except StoreBusy:
            raise SourceUnavailable("中枢繁忙，请稍后再试", reason="BUSY", source="hub") from None
        except StoreDown:
            raise SourceUnavailable(
                "中枢自有库未能应答，请稍后再试", reason="DOWN", source="hub"
            ) from None
        if name in DISPUTING:
            await self._disputes.announced()
        if done.policy is not None and self._policy is not None:
            with contextlib.suppress(Forbidden):  # it is done; this worker learns of it by itself
                await self._policy(done.policy)
        if announced(name, given):
            await self._rights_moved()
        return done

    async def _once(
        self, name: str, given: Mapping[str, Any], gate: Gate, writing: Writing, receipt: Receipt
    ) -> Done:
        async with self._deeds.deed() as connection:
            now = self._clock()
            before = await begun(connection, receipt, now)
            if before is not None:
                return Done(before["kind"], before["rows"], before["values"], again=True)
            desk = Desk(connection, gate, self._catalog, now, self._tokens, self._person)
            done, told = await COMMANDS[name](desk, given)
            kept = {"kind": done.kind, "rows": done.rows, "values": done.values}
            await ended(connection, receipt, kept)
            # INVARIANT: the last statement. It holds the log's head until the commit.
            await writing.record(connection, replace(told, command=name), gate.book.version)
        return done

    def _digest(self, name: str, given: Mapping[str, Any]) -> str:
        """Keyed: a plain digest of few values can be guessed, and they may be about a person."""
        said = orjson.dumps([name, given], option=orjson.OPT_SORT_KEYS)
        return self._keyed("deed " + hashlib.sha256(said).hexdigest())
