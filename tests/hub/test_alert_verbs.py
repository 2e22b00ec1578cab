"""``hub audit rules`` and ``hub audit alerts`` as an officer types them, over a demonstration."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.alerts import AlertSteps
from audit.log import AuditLog, writer_name
from audit.record import Draft, Kind, Outcome
from audit.rules import RULES
from audit.verify import Exit
from audit.verify import run as verify
from hub.keys import load_keys, note_digest
from store.engine import open_engine

Hub = Callable[..., Any]
OK, USAGE, OPERATOR = 0, 2, 3
OFFICER = "auditor-01"


@pytest.fixture
def copy(county: Path, tmp_path: Path) -> Path:
    """A demonstration of one's own whose log has refusals and an alert about them."""
    folder = shutil.copytree(county, tmp_path / "county")
    asyncio.run(_alerted(f"sqlite+aiosqlite:///{folder / 'store.sqlite'}"))
    return folder


async def _alerted(url: str) -> None:
    engine = open_engine(url, pool_size=1)
    log = AuditLog(engine, writer_name("test"), "demo.invalid/hub/main/sha256")
    await log.start()
    steps = AlertSteps(engine, log, takeover_s=0)
    before = await steps.step()
    for actor in ("office-01", OFFICER):
        for number in range(12):
            await log.append(Draft(Kind.READ, Outcome.DENIED, actor=actor, request=f"r-{number}"))
    while await steps.step() < before + 24:
        pass
    await log.stop()
    await engine.dispose()


def rows(folder: Path, statement: str) -> list[Any]:
    with sqlite3.connect(folder / "store.sqlite") as connection:
        found = connection.execute(statement).fetchall()
    connection.close()
    return found


def size(folder: Path) -> int:
    return int(rows(folder, "SELECT size FROM audit_head")[0][0])


def test_rules_are_listed_with_their_words(hub: Hub, copy: Path) -> None:
    shown = hub("audit", "rules", "list", "--dir", copy)
    assert (shown.code, shown.err) == (OK, "")
    assert [line.split()[0] for line in shown.out.splitlines()] == list(RULES)
    assert "denials  账号多次被拒：600 秒内从 10 起\n" in shown.out
    assert rows(copy, "SELECT count(*) FROM audit_rule") == [(len(RULES),)]  # officers see rows
    told = json.loads(hub("audit", "rules", "list", "--json", "--dir", copy).out)
    assert told["bulk"] == {
        "title": "一小时内看过的人员过多",
        "threshold": 201,
        "window_s": 3600,
        "enabled": True,
    }


def test_a_rule_is_changed_by_an_officer_and_recorded(hub: Hub, copy: Path) -> None:
    words = ("audit", "rules", "set", "denials", "--threshold", "3", "--dir", copy)
    ran = hub(*words, "--by", OFFICER)
    assert (ran.code, ran.out) == (OK, "规则 denials：600 秒内从 3 起\n")
    found = rows(copy, "SELECT body FROM audit_event WHERE kind = 'RULE_CHANGED'")
    assert [json.loads(body)["actor"] for (body,) in found] == [OFFICER]
    off = hub("audit", "rules", "set", "denials", "--off", "--by", OFFICER, "--dir", copy)
    assert off.out == "规则 denials：600 秒内从 3 起，已停用\n"
    assert "denials  账号多次被拒：600 秒内从 3 起  已停用\n" in (
        hub("audit", "rules", "list", "--dir", copy).out
    )
    assert verify(f"sqlite+aiosqlite:///{copy / 'store.sqlite'}").exit is Exit.INTACT


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nope", "--threshold", "3", "--by", OFFICER), "没有规则 `nope`"),
        (("denials", "--by", OFFICER), "请给出 --threshold"),
        (("denials", "--threshold", "3", "--by", "office-01"), "--by 须为在岗审计员的账号"),
        (("denials", "--threshold", "3", "--by", "nobody"), "--by 须为在岗审计员的账号"),
        (("change", "--off", "--by", OFFICER), "规则 change 不能停用"),
        (("denials", "--threshold", "0", "--by", OFFICER), "Usage"),
    ],
)
def test_what_may_not_be_set_changes_nothing(
    hub: Hub, copy: Path, words: tuple[str, ...], said: str
) -> None:
    before = rows(copy, "SELECT * FROM audit_rule ORDER BY rule")
    ran = hub("audit", "rules", "set", *words, "--dir", copy)
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err.startswith(said)
    assert rows(copy, "SELECT * FROM audit_rule ORDER BY rule") == before
    assert rows(copy, "SELECT idx FROM audit_event WHERE kind = 'RULE_CHANGED'") == []


def test_a_rule_is_tried_on_the_past_without_effect(hub: Hub, copy: Path) -> None:
    before = size(copy)
    ran = hub("audit", "rules", "try", "denials", "--dir", copy)
    assert ran.out.startswith(f"{before} 条记录中，规则 denials 会告警 2 次\n  office-01  1 次")
    told = json.loads(
        hub("audit", "rules", "try", "denials", "--threshold", "13", "--json", "--dir", copy).out
    )
    assert told == {"rule": "denials", "since": 0, "records": before, "hits": 0, "about": {}}
    health = hub("audit", "rules", "try", "log-disk", "--dir", copy)
    assert (health.code, health.out) == (USAGE, "")
    assert size(copy) == before


def test_an_alert_is_listed_and_handled(hub: Hub, copy: Path) -> None:
    listed = hub("audit", "alerts", "list", "--open", "--dir", copy)
    newest, oldest = listed.out.splitlines()
    assert "denials 账号多次被拒  auditor-01  计 10" in newest
    alert = oldest.split()[0]
    note = "已电话核实：窗口培训误操作"
    ran = hub("audit", "alerts", "ack", alert, "--by", OFFICER, "--note", note, "--dir", copy)
    ((handled, text),) = rows(copy, "SELECT handled_idx, text FROM audit_alert, audit_alert_note")[
        :1
    ]
    assert (ran.code, ran.out) == (OK, f"告警 {alert} 已处置，记录第 {handled} 条\n")
    assert text == note
    ((body,),) = rows(copy, f"SELECT body FROM audit_event WHERE idx = {handled}")
    keys = load_keys(copy / "keys", create=False).audit
    assert json.loads(body)["note"] == note_digest(keys, note)
    assert "培训" not in body
    again = hub("audit", "alerts", "ack", alert, "--by", OFFICER, "--note", note, "--dir", copy)
    assert (again.code, again.err.split("：")[0]) == (USAGE, f"没有未处置的告警 `{alert}`")
    told = json.loads(hub("audit", "alerts", "list", "--json", "--dir", copy).out)
    assert [one["state"] for one in told] == ["OPEN", "HANDLED"]
    assert verify(f"sqlite+aiosqlite:///{copy / 'store.sqlite'}").exit is Exit.INTACT


@pytest.mark.parametrize(
    ("by", "note", "said"),
    [
        (OFFICER, "  好的 ", "处置情况太短"),
        ("office-01", "已经看过了", "--by 须为在岗审计员的账号"),
        (OFFICER, "关于我自己的", "不得处置关于本人的告警"),
    ],
)
def test_who_may_not_handle_it_changes_nothing(
    hub: Hub, copy: Path, by: str, note: str, said: str
) -> None:
    about_officer = rows(copy, f"SELECT id FROM audit_alert WHERE actor = '{OFFICER}'")[0][0]
    words = ("audit", "alerts", "ack", about_officer, "--by", by, "--note", note)
    ran = hub(*words, "--dir", copy)
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err.startswith(said)
    assert rows(copy, "SELECT DISTINCT state FROM audit_alert") == [("OPEN",)]
    assert rows(copy, "SELECT * FROM audit_alert_note") == []


def test_a_store_that_is_away_is_one_line(hub: Hub, production: dict[str, str]) -> None:
    ran = hub("audit", "alerts", "list", **production)
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err.startswith("数据库无法连接")


def test_a_digest_needs_the_key() -> None:
    text = "同一段文字"
    assert note_digest({1: b"a" * 32}, text) != note_digest({1: b"b" * 32}, text)
    assert note_digest({1: b"a" * 32, 2: b"b" * 32}, text) == note_digest({2: b"b" * 32}, text)
    assert len(note_digest({1: b"a" * 32}, text)) == 64
