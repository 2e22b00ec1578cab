"""A running hub over a long log, asked as the security officer asks it: over HTTP, in one process.

What is timed is all he waits for: token, Plan, statement, his own record on disk, JSON. Then
what goes on behind the log while it runs: how long until an alert is raised, until a thousand
new records are signed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import httpx
from sqlalchemy import func, select

from audit.record import Draft, Kind
from bench.figures import nearest
from hub.app import assemble, create_app, running
from hub.settings import Settings
from hub.worker import Hub
from store.audit import audit_alert, audit_checkpoint, audit_follower

OFFICER, PURPOSE = "auditor-01", "audit"
PERSONS, ACCOUNTS, GROUPS, TOPS, PROOFS = 60, 20, 5, 3, 20  # how often each is asked
ALERTS, SIGNED, BURST = 6, 3, 1_000
POLL_S = 0.02
GIVE_UP_S = 60.0
WEEK = timedelta(days=7)

SUBJECT = """query S($of: AuditSubjectKey!) {
  subjectAccess(of: $of, first: 50) { nodes { idx how at actor actorOrg actorRole purpose } } }"""
ACTOR = """query A($actor: String!, $since: DateTime!) {
  actorActivity(actor: $actor, since: $since, first: 100) {
    nodes { at day hour kind outcome events subjects } } }"""
SUMMARY = """query G($by: [AuditDimension!]!) {
  accessSummary(by: $by) { actor day hour kind outcome events subjects } }"""
TOP = """query T($since: DateTime!) {
  topSubjects(since: $since) { person accounts departments events } }"""
PROOF = "query P($idx: Sequence!) { auditProof(idx: $idx) { idx leaf proof } }"
GROUPINGS = (["ACTOR"], ["DAY"], ["TOWNSHIP"], ["KIND", "OUTCOME"], ["HOUR"])


@dataclass(frozen=True, slots=True)
class Told:
    """Milliseconds for the questions, seconds for what follows the log."""

    subject_p95: float
    subject_most: float
    activity_p95: float
    summary: float
    top: float
    proof_first: float
    proof: float
    alert_p50: float
    alert_most: float
    signed: float


async def asked(settings: Settings, persons: Sequence[bytes], size: int) -> Told:
    """Run a hub and ask. `persons` are tokens, those of whom the log says most first."""
    async with running(assemble(settings)) as hub:
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            desk = _Desk(hub, client)
            return await _asked(desk, persons, size)


async def _asked(desk: _Desk, persons: Sequence[bytes], size: int) -> Told:
    since = (datetime.now(UTC) - WEEK).isoformat()
    # Parsed and planned, but nothing is known of the tree yet.
    await desk.ask(PROOF, {"idx": 2 * size})
    (first, *proofs) = [
        await desk.ms(PROOF, {"idx": size * at // (PROOFS + 2)}) for at in range(1, PROOFS + 2)
    ]
    step = max(1, len(persons) // PERSONS)
    whom = [{"of": {"person": one.hex()}} for one in persons[::step]]
    subject = [await desk.ms(SUBJECT, one) for one in (whom[0], *whom)][1:]
    who = [{"actor": f"clerk-{at:03d}", "since": since} for at in range(ACCOUNTS + 1)]
    activity = [await desk.ms(ACTOR, one) for one in who][1:]
    summary = [
        median([await desk.ms(SUMMARY, {"by": by}) for _ in range(GROUPS)]) for by in GROUPINGS
    ]
    top = [await desk.ms(TOP, {"since": since}) for _ in range(TOPS)]
    alerts = [await _alert_s(desk.hub, at) for at in range(ALERTS)]
    signed = [await _signed_s(desk.hub) for _ in range(SIGNED)]
    return Told(
        subject_p95=nearest(subject, 0.95),
        subject_most=subject[0],
        activity_p95=nearest(activity, 0.95),
        summary=max(summary),
        top=median(top),
        proof_first=first,
        proof=median(proofs),
        alert_p50=median(alerts),
        alert_most=max(alerts),
        signed=median(signed),
    )


class _Desk:
    """Where the officer asks."""

    def __init__(self, hub: Hub, client: httpx.AsyncClient) -> None:
        self.hub, self._client = hub, client
        token = hub.tokens.issue(OFFICER, [PURPOSE])
        self._headers = {"Authorization": f"Bearer {token}", "X-Purpose": PURPOSE}

    async def ask(self, text: str, variables: dict[str, Any]) -> Any:
        """The answer."""
        body = {"query": text, "variables": variables}
        return (await self._client.post("/graphql", json=body, headers=self._headers)).json()

    async def ms(self, text: str, variables: dict[str, Any]) -> float:
        """One question; ValueError if it was not answered."""
        began = time.perf_counter()
        told = await self.ask(text, variables)
        spent = (time.perf_counter() - began) * 1e3
        if "errors" in told or not any(told["data"].values()):
            raise ValueError(f"{text[:8]}: {str(told)[:300]}")
        return spent


async def _alert_s(hub: Hub, at: int) -> float:
    """Seconds from an export's record on disk until its alert stands in the table."""
    table = audit_alert.c
    about = f"exporter-{at}"
    began_at = (
        select(func.count()).select_from(audit_follower).where(audit_follower.c.name == "alerts")
    )
    await _until(hub, began_at, 1)  # a new follower begins with what comes next
    await hub.log.append(Draft(Kind.EXPORT_INTENT, code="BENCH", actor=about))
    began = time.perf_counter()
    raised = select(func.count()).select_from(audit_alert)
    await _until(hub, raised.where(table.rule == "export", table.actor == about), 1)
    return time.perf_counter() - began


async def _signed_s(hub: Hub) -> float:
    """Seconds from the last of a thousand new records on disk until a checkpoint covers it."""
    draft = Draft(Kind.READ, actor="clerk-000", purpose="aid.verify")
    receipts = await asyncio.gather(*(hub.log.append(draft) for _ in range(BURST)))
    began = time.perf_counter()
    size = max(one.idx for one in receipts) + 1
    await _until(hub, select(func.max(audit_checkpoint.c.size)), size)
    return time.perf_counter() - began


async def _until(hub: Hub, query: Any, least: int) -> None:
    end = time.monotonic() + GIVE_UP_S
    while time.monotonic() < end:
        async with hub.store.connect() as connection:
            if (await connection.scalar(query) or 0) >= least:
                return
        await asyncio.sleep(POLL_S)
    raise TimeoutError("what follows the log has not come after it")
