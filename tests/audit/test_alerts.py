"""Alerts on both databases: exactly one, its record beside it, rules that are set, notes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.alerts import (
    AlertSteps,
    NoSuchAlert,
    OwnAlert,
    Watch,
    acknowledge,
    limits_of,
    seed_rules,
    set_rule,
    tried,
)
from audit.follower import Follower
from audit.log import AuditLog
from audit.record import Draft, Kind, Outcome
from audit.rules import DEFAULTS, RULES, Limits
from audit.verify import Exit, check

pytestmark = pytest.mark.anyio
Sql = Callable[..., Awaitable[list[Row[Any]]]]
Drafts = Callable[..., Draft]
RAISED = "SELECT rule, actor, count, state FROM audit_alert ORDER BY raised_idx"
HOUR = 3_600


def refused(drafts: Drafts, number: int, **changes: Any) -> Draft:
    return drafts(number, **{"outcome": Outcome.DENIED, "code": "FORBIDDEN"} | changes)


async def caught_up(steps: AlertSteps, sql: Sql) -> int:
    """Follow to the end of the log, also over what the alerts themselves added."""
    while (reached := await steps.step()) < await size_of(sql):
        pass
    return reached


async def size_of(sql: Sql) -> int:
    ((size,),) = await sql("SELECT size FROM audit_head")
    return int(size)


async def bodies(sql: Sql, kind: str) -> list[dict[str, Any]]:
    found = await sql(f"SELECT body FROM audit_event WHERE kind = '{kind}' ORDER BY idx")
    return [orjson.loads(text) for (text,) in found]


@pytest.fixture
async def steps(engine: AsyncEngine, log: AuditLog) -> AlertSteps:
    """Alerts that have begun at the log's present head."""
    made = AlertSteps(engine, log, channels=("webhook",))
    assert await made.step() == 1
    return made


async def test_an_alert_is_a_row_a_record_and_a_delivery(
    steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql, engine: AsyncEngine
) -> None:
    for number in range(12):
        await log.append(refused(drafts, number))
    assert await caught_up(steps, sql) == 14
    assert await sql(RAISED) == [("denials", "zhelai-town-01", 10, "OPEN")]
    (row,) = await sql(
        "SELECT id, window_start, evidence, area, raised_idx, due_at FROM audit_alert"
    )
    assert json.loads(row.evidence) == list(range(1, 11))
    assert (row.area, row.raised_idx, row.due_at) == ("532622205", 13, None)
    (body,) = await bodies(sql, "ALERT_RAISED")
    assert (body["ref"], body["idx"], "actor" in body) == (row.id, 13, False)
    said = {"about": "zhelai-town-01", "count": 10, "window": row.window_start}
    assert body["op"] == {"name": "denials", "vars": said}
    assert await sql("SELECT alert_id, channel, tries FROM audit_delivery") == [
        (row.id, "webhook", 0)
    ]
    assert (await check(engine)).exit is Exit.INTACT


async def test_the_past_raises_nothing_but_can_be_tried(
    engine: AsyncEngine, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    for number in range(25):
        await log.append(refused(drafts, number))
    steps = AlertSteps(engine, log)
    assert await steps.step() == 26
    await log.append(drafts(99))
    assert await caught_up(steps, sql) == 27
    assert await sql(RAISED) == []
    found = [hit async for hit in tried(engine, {"denials": DEFAULTS["denials"]})]
    assert [(hit.rule, hit.count, hit.evidence[0]) for hit in found] == [("denials", 10, 1)]
    assert [h async for h in tried(engine, {"denials": Limits(26, 600)})] == []
    assert [h.count async for h in tried(engine, {"denials": Limits(25, 600)}, since=20)] == [25]
    assert await sql("SELECT size FROM audit_head") == [(27,)]  # nothing was written


async def test_a_lost_state_is_read_back(
    engine: AsyncEngine, steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    for number in range(9):
        await log.append(refused(drafts, number))
    assert await caught_up(steps, sql) == 10
    await log.append(refused(drafts, 9))
    successor = AlertSteps(engine, log, takeover_s=0)
    assert await caught_up(successor, sql) == 12
    assert await sql(RAISED) == [("denials", "zhelai-town-01", 10, "OPEN")]


async def test_another_process_stands_back_while_one_is_at_it(
    engine: AsyncEngine, steps: AlertSteps, log: AuditLog, drafts: Drafts
) -> None:
    other = AlertSteps(engine, log, takeover_s=0.2)
    for number in range(5):
        await log.append(drafts(number))
        await asyncio.sleep(0.06)
        assert await other.step() == number + 1  # there is something to do, and it is let be
        assert await steps.step() == number + 2
    await log.append(drafts(9))
    assert await other.step() == 6
    await asyncio.sleep(0.25)
    assert await other.step() == 7  # nobody was at it
    assert await steps.step() == 7


async def test_many_processes_raise_each_alert_once(
    engine: AsyncEngine, steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    four = [AlertSteps(engine, log, takeover_s=0, records=3) for _ in range(4)]
    for number in range(60):
        who = f"clerk-{number % 5}"
        await log.append(refused(drafts, number, actor=who, client=""))
    await asyncio.gather(*(Follower("alerts", one).catch_up(66, 40) for one in four))
    # Five alerts; the last one's record is itself read and raises nothing.
    found = await sql("SELECT actor, count(*) FROM audit_alert GROUP BY actor ORDER BY actor")
    assert [tuple(row) for row in found] == [(f"clerk-{n}", 1) for n in range(5)]
    assert len(await bodies(sql, "ALERT_RAISED")) == 5


async def test_alerts_about_alerts_do_not_exist(
    steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await seed_rules(connection)
    await sql("UPDATE audit_rule SET threshold = 1")
    await log.append(refused(drafts, 1))
    reached = [await steps.step() for _ in range(20)]
    assert reached[-1] == reached[-10] == await size_of(sql)
    rules = {row[0] for row in await sql(RAISED)}
    assert len(rules) == len(await sql(RAISED))
    assert {"denials", "denials-client"} <= rules


async def test_one_record_may_raise_many(
    steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql, engine: AsyncEngine
) -> None:
    """Twenty citizens on one page, each seen by eight accounts with the last record."""
    page = b"".join(n.to_bytes(16) for n in range(1, 21))
    for number in range(8):
        await log.append(drafts(number, actor=f"clerk-{number}", subjects=page, sought=b""))
    await caught_up(steps, sql)
    rows = await sql(
        "SELECT rule, count(*), min(raised_idx), max(raised_idx) FROM audit_alert GROUP BY rule"
    )
    assert [tuple(row) for row in rows] == [("most-read", 20, 9, 28)]
    assert (await check(engine)).exit is Exit.INTACT


async def test_a_transaction_that_fails_leaves_nothing_and_is_done_again(
    steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    for number in range(10):
        await log.append(refused(drafts, number))
    await sql("ALTER TABLE audit_delivery RENAME TO away")
    follower = Follower("alerts", steps)
    assert not await follower.catch_up(11, 0.3)
    assert follower.error is not None
    assert (await sql(RAISED), await bodies(sql, "ALERT_RAISED")) == ([], [])
    await sql("ALTER TABLE away RENAME TO audit_delivery")
    assert await follower.catch_up(12, 10)
    assert len(await sql(RAISED)) == len(await bodies(sql, "ALERT_RAISED")) == 1


# ---- rules


async def test_rules_are_seeded_once_and_changed_with_a_record(
    engine: AsyncEngine, steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    for _ in range(2):
        async with engine.begin() as connection:
            await seed_rules(connection)
    async with engine.connect() as connection:
        assert await limits_of(connection) == dict(DEFAULTS)
    before = await set_rule(engine, log, "denials", Limits(3, 60), by="auditor-01")
    assert before == DEFAULTS["denials"]
    async with engine.begin() as connection:
        await seed_rules(connection)  # an upgrade leaves it as it was set
        assert (await limits_of(connection))["denials"] == Limits(3, 60)
    (body,) = await bodies(sql, "RULE_CHANGED")
    assert (body["actor"], body["ref"], body["op"]["name"]) == ("auditor-01", "denials", "denials")
    assert body["op"]["vars"] == {
        "enabled": True,
        "enabled.before": True,
        "threshold": 3,
        "threshold.before": 10,
        "window_s": 60,
        "window_s.before": 600,
    }
    for number in range(3):
        await log.append(refused(drafts, number))
    await caught_up(steps, sql)
    assert await sql(RAISED) == [
        ("change", "auditor-01", 1, "OPEN"),
        ("denials", "zhelai-town-01", 3, "OPEN"),
    ]


async def test_a_rule_that_is_turned_off_is_silent(
    engine: AsyncEngine, steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    await set_rule(engine, log, "denials", Limits(10, 600, enabled=False), by="auditor-01")
    for number in range(20):
        await log.append(refused(drafts, number))
    await caught_up(steps, sql)
    assert [row[0] for row in await sql(RAISED)] == ["change"]


async def test_the_rule_about_changes_cannot_be_turned_off(
    engine: AsyncEngine, steps: AlertSteps, log: AuditLog, sql: Sql
) -> None:
    await set_rule(engine, log, "change", Limits(99, 1, enabled=False), by="auditor-01")
    await caught_up(steps, sql)
    await set_rule(engine, log, "denials", Limits(10, 600, enabled=False), by="auditor-01")
    await caught_up(steps, sql)
    assert [row[0] for row in await sql(RAISED)] == ["change", "change"]


# ---- handling


async def test_an_alert_is_handled_with_a_note_that_can_be_erased(
    engine: AsyncEngine, steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    for number in range(10):
        await log.append(refused(drafts, number))
    await caught_up(steps, sql)
    ((alert,),) = await sql("SELECT id FROM audit_alert")
    digest = "ab" * 32
    with pytest.raises(OwnAlert):
        await acknowledge(engine, log, alert, by="zhelai-town-01", note="是我自己", digest=digest)
    with pytest.raises(NoSuchAlert):
        await acknowledge(engine, log, "00" * 16, by="auditor-01", note="没有的", digest=digest)
    idx = await acknowledge(
        engine, log, alert, by="auditor-01", note="已核实：培训演练", digest=digest
    )
    with pytest.raises(NoSuchAlert):
        await acknowledge(engine, log, alert, by="auditor-01", note="再来一次", digest=digest)
    (body,) = await bodies(sql, "ALERT_HANDLED")
    assert (body["idx"], body["ref"], body["note"], body["actor"]) == (
        idx,
        alert,
        digest,
        "auditor-01",
    )
    rows = await sql("SELECT state, handled_by, handled_idx FROM audit_alert")
    assert rows == [("HANDLED", "auditor-01", idx)]
    assert await sql('SELECT alert_id, "by", text FROM audit_alert_note') == [
        (alert, "auditor-01", "已核实：培训演练")
    ]
    assert "培训" not in json.dumps(body, ensure_ascii=False)
    assert (await check(engine)).exit is Exit.INTACT


async def test_two_officers_at_once_handle_it_once(
    engine: AsyncEngine, steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    for number in range(10):
        await log.append(refused(drafts, number))
    await caught_up(steps, sql)
    ((alert,),) = await sql("SELECT id FROM audit_alert")
    both = await asyncio.gather(
        *(
            acknowledge(engine, log, alert, by=b, note="看过了，正常", digest="")
            for b in ("a", "b")
        ),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in both) == ["NoSuchAlert", "int"]
    assert len(await bodies(sql, "ALERT_HANDLED")) == 1


async def test_an_officer_cannot_act_unseen(
    engine: AsyncEngine, steps: AlertSteps, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    """Row 20: he reads his own record, changes a rule, deletes an alert's row."""
    await log.append(drafts(1, kind=Kind.AUDIT_READ, actor="auditor-01", subjects=b"", sought=b""))
    await set_rule(engine, log, "export", Limits(9, 9), by="auditor-01")
    await caught_up(steps, sql)
    assert await sql(RAISED) == [("change", "auditor-01", 1, "OPEN")]
    ((alert,),) = await sql("SELECT id FROM audit_alert")
    with pytest.raises(OwnAlert):
        await acknowledge(engine, log, alert, by="auditor-01", note="没问题的", digest="")
    await sql("DELETE FROM audit_alert")
    reached = await caught_up(steps, sql)
    assert [body["ref"] for body in await bodies(sql, "ALERT_RAISED")] == [alert]  # still told
    with pytest.raises(Exception, match="never changed"):
        await sql("DELETE FROM audit_event WHERE kind = 'ALERT_RAISED'")
    assert reached == await size_of(sql)
    assert len(await bodies(sql, "AUDIT_READ")) == len(await bodies(sql, "RULE_CHANGED")) == 1


# ---- what did not happen


def watching(now: Callable[[], int], **given: Any) -> Watch:
    """A watch that looks at every step."""
    return Watch(now=now, every_s=0.0, next=0.001, **given)


async def test_the_logs_own_health_is_watched(
    engine: AsyncEngine, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    later = [time.time_ns() // 1000]
    free = [0.19]
    watch = watching(lambda: later[0], free=lambda: free[0], quorum=1)
    steps = AlertSteps(engine, log, watch=watch)
    await steps.step()
    await log.append(drafts(1, kind=Kind.HEARTBEAT, subjects=b"", sought=b""))
    await caught_up(steps, sql)
    await steps.step()
    assert [tuple(row) for row in await sql(RAISED)] == [("log-disk", "", 19, "OPEN")]
    await sql(
        "INSERT INTO audit_verdict (at, size, exit, findings) VALUES (5, 3, 0, 0)",
        "INSERT INTO audit_verdict (at, size, exit, findings) VALUES (7, 3, 1, 2)",
    )
    later[0] += HOUR * 1_000_000 + 1_000_000
    for _ in range(6):
        await steps.step()
    found = sorted(row[0] for row in await sql(RAISED))
    assert found == ["log-checkpoint", "log-disk", "log-disk", "log-verify", "log-witness"]
    size = await size_of(sql)
    await sql(
        f"INSERT INTO audit_checkpoint (size, note, created_at) VALUES ({size}, 'n', 1)",
        f"INSERT INTO audit_cosignature (size, witness, line, at) VALUES ({size}, 'w', 'l', 1)",
    )
    later[0] += HOUR * 1_000_000
    free[0] = 0.2
    for _ in range(6):
        await steps.step()
    # A verdict is told once, and all is covered.
    assert sorted(row[0] for row in await sql(RAISED)) == found


async def test_an_emergency_that_nobody_reviews_is_told_once_more(
    engine: AsyncEngine, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    later = [time.time_ns() // 1000]
    steps = AlertSteps(engine, log, watch=watching(lambda: later[0], free=lambda: 1.0))
    await steps.step()
    await log.append(drafts(1, break_glass=True))
    await caught_up(steps, sql)
    (due,) = (await sql("SELECT due_at FROM audit_alert"))[0]
    await sql("UPDATE audit_rule SET enabled = false WHERE rule LIKE 'log-%'")
    seen = []
    for moment in (due, due + 1, due + 2, due + 10**12):
        later[0] = moment
        await steps.step()
        await caught_up(steps, sql)
        rows = await sql(
            "SELECT rule FROM audit_alert WHERE rule LIKE 'break%' ORDER BY raised_idx"
        )
        seen.append([row[0] for row in rows])
    once, twice = ["break-glass"], ["break-glass", "break-glass-overdue"]
    assert seen == [once, twice, twice, twice]


def test_each_rule_has_its_words_and_its_default() -> None:
    assert set(DEFAULTS) == set(RULES)
    assert all(rule.title for rule in RULES.values())
    assert all(one.threshold >= 1 and one.window_s >= 1 for one in DEFAULTS.values())
