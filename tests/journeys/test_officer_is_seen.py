"""The officer himself: what he reads is a record, and what he removes is missed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, select

from audit.batch import now_us
from audit.log import AuditLog, writer_name
from audit.verify import Exit
from audit.verify import run as verify
from audit.verify.verdict import Code
from hub.signing import log_id
from store.audit import audit_alert
from store.engine import open_engine

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

OFFICER, TOWN = "auditor-01", "zhelai-town-01"
OWN = '{ auditEvents(first: 50, filter: {actor: "auditor-01"}) { nodes { idx kind actor } } }'
RAISED = "{ auditEvents(first: 50, filter: {kind: ALERT_RAISED}) { nodes { idx } } }"


async def test_reading_ones_own_record_is_the_next_record(desk: Desk) -> None:
    first = await desk.ask(OFFICER, OWN)
    second = await desk.ask(OFFICER, OWN)
    own = (await desk.record(first))["idx"]
    newest = second.json()["data"]["auditEvents"]["nodes"][0]
    assert newest == {"idx": own, "kind": "AUDIT_READ", "actor": OFFICER}
    assert own not in [n["idx"] for n in first.json()["data"]["auditEvents"]["nodes"]]
    assert (await desk.record(second))["idx"] > own


async def test_an_alert_that_is_deleted_is_missed_and_its_record_stays(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    async with open_desk(site_copy) as desk:
        for _ in range(10):
            refused = await desk.ask(TOWN, "{ __schema { types { name } } }")
            assert refused.status_code == 403
        (idx,) = await _raised(desk)
        async with desk.hub.store.begin() as connection:
            gone = await connection.execute(
                delete(audit_alert).where(audit_alert.c.raised_idx == idx)
            )
            assert gone.rowcount == 1
        told = (await desk.ask(OFFICER, RAISED)).json()["data"]["auditEvents"]["nodes"]
        assert {"idx": idx} in told
        name = log_id(desk.hub.settings)
    await _two_minutes_later(site_copy.store_url, name)  # a row may be a moment behind its record
    verdicts = await asyncio.to_thread(verify, site_copy.store_url)
    assert verdicts.exit is Exit.TAMPERED
    assert verdicts.counts == {Code.ALERT: 1}
    assert verdicts.findings[0].idx == idx


async def _two_minutes_later(url: str, name: str) -> None:
    engine = open_engine(url)
    log = AuditLog(engine, writer_name("later"), name, lambda: now_us() + 120_000_000)
    await log.start()
    await log.stop()
    await engine.dispose()


async def _raised(desk: Desk) -> list[int]:
    """Where the alert about the refusals is recorded, once it is."""
    wanted = select(audit_alert.c.raised_idx).where(
        audit_alert.c.rule == "denials", audit_alert.c.actor == TOWN
    )
    for _ in range(300):
        async with desk.hub.store.connect() as connection:
            if found := list(await connection.scalars(wanted)):
                return found
        await asyncio.sleep(0.1)
    raise AssertionError("no alert came")
