"""``hub authz`` as an officer types it: exit codes, words, JSON, and nothing of any person."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert

from authz.rule import Rule
from authz.start import POLICY_FILE
from hub.rights import today
from store.audit import trigger_names
from store.engine import open_engine
from store.policy import authz_rule, bump_version, read_policy_rows

Hub = Callable[..., Any]
ALLOWED, NOT, USAGE, OPERATOR = 0, 1, 2, 3
CLERK = ("--as", "zhelai-town-01")
HEALTH = ("--on", "Citizen.health", "--region", "532622205203", "--purpose", "aid.review")
BASIC = ("--on", "Citizen.basic", "--region", "532622205203", "--purpose", "aid.review")
LINE = Rule(
    "town", "*", "Citizen.health", "read", "subtree", "any", "aid.file", "9999-12-31",
    "allow", "测试",
)  # fmt: skip


@pytest.fixture
def copy(county: Path, tmp_path: Path) -> Path:
    """A demonstration of one's own, to change."""
    return shutil.copytree(county, tmp_path / "county")


def execute(folder: Path, *statements: str) -> list[Any]:
    connection = sqlite3.connect(folder / "store.sqlite")
    rows: list[Any] = []
    for statement in statements:
        rows = connection.execute(statement).fetchall()
    connection.commit()
    connection.close()
    return rows


def changed(
    folder: Path, *lines: Rule, by: tuple[str, str] = ("zhang", "li"), without: str = ""
) -> int:
    """Put lines in force (or take one out) as an approval does; the new version."""

    async def run() -> int:
        engine = open_engine(f"sqlite+aiosqlite:///{folder / 'store.sqlite'}", pool_size=1)
        async with engine.begin() as conn:
            for rule in lines:
                values = (*rule.line, rule.basis)
                row: dict[str, Any] = dict(zip(authz_rule.c.keys()[1:11], values, strict=True))
                row |= {"id": rule.id, "until": date.fromisoformat(rule.until)}
                row |= {"written_by": by[0], "approved_by": by[1], "created_at": datetime.now(UTC)}
                await conn.execute(insert(authz_rule), row)
            await conn.execute(delete(authz_rule).where(authz_rule.c.id == without))
            rows = await read_policy_rows(conn)
            version = await bump_version(conn, rows.digest_of_rows)
        await engine.dispose()
        return version

    return asyncio.run(run())


def filed(folder: Path) -> dict[str, str]:
    """A case of 者腊乡 and one of 蚌峨乡, by township."""
    rows = execute(
        folder,
        "SELECT substr(region_path, 1, 9), min(case_no) FROM case_file "
        "WHERE household_id IS NOT NULL GROUP BY 1",
    )
    return dict(rows)


# ---- explain


def test_a_no_is_explained_line_by_line(hub: Hub, county: Path) -> None:
    ran = hub("authz", "explain", *CLERK, *HEALTH, "--dir", county)
    assert (ran.code, ran.err) == (NOT, "")
    lines = ran.out.splitlines()
    assert (
        lines[0] == "账号 zhelai-town-01：乡（镇）经办 town@rev 领导小组办公室 者腊乡（532622205）"
    )
    assert lines[2] == f"策略版本 2，日期 {today().isoformat()}"
    assert lines[3] == ("结论：不许，没有适用于这些岗位的规则（NO_RULE）；可向砚山县卫生健康局申请")
    assert lines[4:6] == ["成立的规则：无", "不成立的规则："]
    assert "        岗位不符（只对角色 dept、部门 *）" in lines
    assert lines[-1] == "可读取的范围：无"
    assert "陆某乙" not in ran.out  # the account's name in the demonstration


def test_a_yes_ends_with_zero(hub: Hub, county: Path) -> None:
    ran = hub("authz", "explain", *CLERK, *BASIC, "--dir", county)
    assert (ran.code, ran.err) == (ALLOWED, "")
    assert "结论：允许" in ran.out
    assert "（办法第六条）" in ran.out
    assert ran.out.endswith("可读取的范围：者腊乡（532622205）及其下级\n")


def test_who_is_employed_how_counts(hub: Hub, county: Path) -> None:
    asked = ("--on", "Citizen.identity", "--region", "532622205203", "--purpose", "aid.review")
    words = ("authz", "explain", *CLERK, *asked, "--dir", county)
    assert hub(*words).code == ALLOWED
    employed = "UPDATE principal SET employment = '{}' WHERE id = 'zhelai-town-01'"
    execute(county, employed.format("purchased"))
    try:
        bought = hub(*words)
    finally:
        execute(county, employed.format("civil"))
    assert bought.code == NOT
    assert "购买服务人员，不得查看含敏感个人信息的对象" in bought.out
    assert "（DENIED）" in bought.out
    assert bought.out.endswith("可读取的范围：无\n")


def test_act_owner_and_minor_are_asked_as_given(hub: Hub, county: Path) -> None:
    words = ("authz", "explain", "--dir", county, "--json", "--purpose", "aid.file")
    place, mca = ("--region", "532622205203"), ("--as", "mca-dept-01", "--on", "Case.body")
    body = hub(*words, *mca, *place, "--act", "unmask", "--owner", "wat")
    data = json.loads(body.out)
    told = (data["reason"], data["owner"], data["act"])
    assert (body.code, told) == (NOT, ("OWNER", "wat", "unmask"))
    own = hub(*words, *mca, *place, "--owner", "mca")
    assert (own.code, json.loads(own.out)["allowed"]) == (ALLOWED, True)
    child = hub(*words, *CLERK, *place, "--on", "Citizen.identity", "--minor")
    assert (child.code, json.loads(child.out)["reason"]) == (NOT, "NO_RULE")
    default = hub(*words, *CLERK, *place, "--on", "Citizen.civil_affairs")
    assert (default.code, json.loads(default.out)["owner"]) == (ALLOWED, "mca")


def test_a_case_number_counts_if_the_case_is_ones_business(hub: Hub, county: Path) -> None:
    cases = filed(county)
    asked = ("--on", "Citizen.identity", "--act", "unmask", "--region", "532622205203")
    words = ("authz", "explain", *CLERK, *asked, "--purpose", "aid.verify", "--dir", county)
    bare = hub(*words)
    assert bare.code == NOT
    assert "须附本人职责内的诉求编号（CASE）" in bare.out
    opened = hub(*words, "--case-no", cases["532622205"])
    assert (opened.code, opened.err) == (ALLOWED, "")
    assert opened.out.endswith("，且只限该诉求所在家庭\n")
    for number in (cases["532622206"], "YS-NONE"):
        refused = hub(*words, "--case-no", number)
        assert (refused.code, refused.out) == (NOT, "")
        assert refused.err == (
            "FORBIDDEN: X-Case-No 所指的诉求件或督办单不存在，或不在您的职责内（CASE）\n"
        )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--as": "nobody"}, "账号 `nobody` 不存在、已停用或今日没有岗位\n"),
        ({"--on": "Citizen.nose"}, "授权对象 `Citizen.nose` 不存在：请核对拼写\n"),
        ({"--on": "Citizen.*"}, "授权对象 `Citizen.*` 不存在：请核对拼写\n"),
        (
            {"--region": "532622205000"},
            "辖区路径（末尾的 000 须去掉） `532622205000` 不存在：请核对拼写\n",
        ),
        ({"--purpose": "fun"}, "用途 `fun` 不存在：请核对拼写\n"),
        ({"--act": "look"}, "操作 `look` 不存在：请核对拼写\n"),
        ({"--owner": "xyz"}, "部门 `xyz` 不存在：请核对拼写\n"),
        (
            {"--minor": "", "--on": "Case.body"},
            "--minor 不适用于 `Case.body`：只有人员类对象区分未成年人\n",
        ),
    ],
)
def test_a_question_that_cannot_be_is_a_usage_error(
    hub: Hub, county: Path, change: dict[str, str], said: str
) -> None:
    given = dict(zip((*CLERK, *BASIC)[::2], (*CLERK, *BASIC)[1::2], strict=True)) | change
    words = [word for pair in given.items() for word in pair if word]
    ran = hub("authz", "explain", *words, "--dir", county)
    assert (ran.code, ran.out, ran.err) == (USAGE, "", said)


def test_a_suspended_account_and_a_post_that_has_ended_hold_nothing(hub: Hub, copy: Path) -> None:
    execute(copy, "UPDATE principal SET state = 'suspended' WHERE id = 'zhelai-town-01'")
    execute(copy, "UPDATE post SET ends_on = '2026-01-31' WHERE principal_id = 'office-01'")
    for account in ("zhelai-town-01", "office-01"):
        ran = hub("authz", "explain", "--as", account, *BASIC, "--dir", copy)
        assert ran.code == USAGE
        assert ran.err == f"账号 `{account}` 不存在、已停用或今日没有岗位\n"


def test_all_posts_of_an_account_go_into_one_question(hub: Hub, copy: Path) -> None:
    row = "'zz', 'zhelai-town-01', 'work', 'mca', 'dept', '532622', '2022-01-01', '9999-12-31'"
    execute(copy, f"INSERT INTO post VALUES ({row}, 'x', 'y')")
    words = ("authz", "explain", *CLERK, "--dir", copy, "--json", "--purpose", "aid.review")
    far = hub(*words, "--on", "Citizen.civil_affairs", "--region", "532622206206")
    assert far.code == ALLOWED  # 民政's post reaches the whole county, the township's does not
    assert [post["role"] for post in json.loads(far.out)["posts"]] == ["town", "dept"]


def test_a_policy_changed_by_hand_is_not_explained(hub: Hub, copy: Path) -> None:
    execute(copy, "UPDATE authz_rule SET purpose = '*' WHERE role = 'helper'")
    ran = hub("authz", "explain", *CLERK, *BASIC, "--dir", copy)
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err == "digest：策略内容与版本摘要不符：请经由审批流程修改策略\n"


@pytest.mark.parametrize(
    "words",
    [("explain", *CLERK, *BASIC), ("diff", "1", "2"), ("check",)],
    ids=lambda words: words[0],
)
def test_a_store_that_is_not_there_is_the_operators(
    hub: Hub, production: dict[str, str], words: tuple[str, ...]
) -> None:
    ran = hub("authz", *words, **production)
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err == "数据库无法连接，或尚未升级：请检查 store.url，运行 hub db upgrade\n"


# ---- diff


def test_versions_that_differ_in_accounts_alone_do_not_differ(hub: Hub, county: Path) -> None:
    ran = hub("authz", "diff", "1", "v2", "--dir", county)
    assert (ran.code, ran.err) == (ALLOWED, "")
    assert ran.out.splitlines() == [
        "策略 1 → 2，按今日在岗的 13 种岗位比较",
        "变化 0 项，没有未经两人签署的增加",
    ]


def test_a_signed_gain_is_told_and_in_order(hub: Hub, copy: Path) -> None:
    assert changed(copy, LINE) == 3
    ran = hub("authz", "diff", "2", "3", "--dir", copy)
    assert (ran.code, ran.err) == (ALLOWED, "")
    assert ran.out.splitlines()[1:] == [
        "乡（镇）经办 town@rev 砚山县政府救助平台领导小组办公室",
        "    增加 读取 健康服务 Citizen.health：本辖区及其下级，不含未满十四周岁人员；用途 受理；"
        "任职辖区 者腊乡、蚌峨乡；已由两人签署",
        "变化 1 项，没有未经两人签署的增加",
    ]
    back = hub("authz", "diff", "3", "2", "--dir", copy, "--json")
    assert back.code == ALLOWED  # a loss needs no signature
    told = json.loads(back.out)
    assert (told["before"], told["after"], told["kinds"], told["unsigned"]) == ("3", "2", 13, 0)
    assert told["changes"] == [
        {
            "role": "town",
            "dept": "rev",
            "bases": ["532622205", "532622206"],
            "object": "Citizen.health",
            "acts": ["read"],
            "purposes": ["aid.file"],
            "gained": False,
            "rows": "本辖区及其下级，不含未满十四周岁人员",
            "signed": True,
        }
    ]


def test_a_gain_one_person_signed_alone_ends_with_one(hub: Hub, copy: Path) -> None:
    assert changed(copy, LINE, by=("zhang", "zhang")) == 3
    ran = hub("authz", "diff", "1", "3", "--dir", copy)
    assert (ran.code, ran.err) == (NOT, "")
    assert ran.out.splitlines()[-1] == (
        "变化 1 项，其中 1 项增加未经两人签署：请由另一人复核规则并签署"
    )


def test_a_deny_that_is_lifted_ends_with_one(hub: Hub, copy: Path) -> None:
    rules = execute(
        copy,
        "SELECT id FROM authz_rule WHERE role = 'auditor' AND effect = 'deny' "
        "AND object = 'Citizen.*' AND action = 'read'",
    )
    changed(copy, without=rules[0][0])
    ran = hub("authz", "diff", "2", "3", "--dir", copy)
    # By itself the deny took nothing from an auditor: no line allows him what it denies.
    assert (ran.code, ran.out.splitlines()[-1]) == (ALLOWED, "变化 0 项，没有未经两人签署的增加")
    changed(copy, replace(LINE, effect="deny"))
    changed(copy, LINE)
    assert hub("authz", "diff", "4", "5", "--dir", copy).code == ALLOWED  # still denied
    changed(copy, without=replace(LINE, effect="deny").id)
    assert hub("authz", "diff", "5", "6", "--dir", copy).code == NOT
    assert hub("authz", "diff", "3", "6", "--dir", copy).code == ALLOWED  # one signed line


def test_a_file_is_compared_with_the_policy_in_force(hub: Hub, copy: Path, tmp_path: Path) -> None:
    same = hub("authz", "diff", POLICY_FILE, "--dir", copy, "--json")
    lost = {(c["role"], c["gained"]) for c in json.loads(same.out)["changes"]}
    assert (same.code, lost) == (ALLOWED, {("lab", False)})  # the demonstration's own lines
    text = POLICY_FILE.read_text(encoding="utf-8")
    proposed = tmp_path / "proposed.csv"
    proposed.write_text(text + ",".join((*LINE.line, LINE.basis)) + "\n", encoding="utf-8")
    wider = hub("authz", "diff", "proposed.csv", "--dir", copy)
    assert wider.code == NOT  # nobody has signed it yet
    assert wider.out.splitlines()[0] == "策略 2 → proposed.csv，按今日在岗的 13 种岗位比较"
    assert "增加 读取 健康服务" in wider.out
    changed(copy, LINE)
    assert hub("authz", "diff", "proposed.csv", "--dir", copy).code == ALLOWED


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("1", "9"), "没有版本 9：现行版本为 2\n"),
        (("0", "1"), "没有版本 0：现行版本为 2\n"),
        (("1", "two"), "请写两个版本号（如 3 5），或一个策略文件\n"),
        (("1", "2", "2"), "请写两个版本号（如 3 5），或一个策略文件\n"),
        (("none.csv",), "文件 none.csv 无法按 UTF-8 读取：请检查文件与权限\n"),
        (("latin.csv",), "文件 latin.csv 无法按 UTF-8 读取：请检查文件与权限\n"),
        (("bad.csv",), "header：bad.csv：首行须为 role,dept,object,action,reach,owner,purpose"),
    ],
)
def test_what_cannot_be_compared_is_a_usage_error(
    hub: Hub, county: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "latin.csv").write_bytes(b"role\xff")
    (tmp_path / "bad.csv").write_text("role\n")
    ran = hub("authz", "diff", *words, "--dir", county)
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err.startswith(said)
    assert len(ran.err.splitlines()) == 1


def test_an_archive_changed_by_hand_is_the_operators(hub: Hub, copy: Path) -> None:
    guards = [f"DROP TRIGGER policy_archive_no_{deed}" for deed in ("update", "delete")]
    assert set(trigger_names("sqlite")).isdisjoint({g.split()[-1] for g in guards})
    execute(copy, *guards, "UPDATE policy_archive SET content = replace(content, 'town', 'lead')")
    ran = hub("authz", "diff", "1", "2", "--dir", copy)
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err.startswith("digest：策略内容与版本摘要不符")


# ---- check


def test_the_shipped_scenarios_hold_in_production(hub: Hub, production: dict[str, str]) -> None:
    assert hub("db", "upgrade", **production).code == 0
    ran = hub("authz", "check", **production)
    assert (ran.code, ran.err) == (ALLOWED, "")
    lines = ran.out.splitlines()
    cases = [line for line in lines if line.startswith("[相符] ")]
    warned = [line for line in lines if line.startswith("[提示] ")]
    assert len(cases) == 122
    assert "[相符] 者腊乡经办看不到蚌峨乡的人" in cases
    assert len(warned) == 7
    assert lines[-1] == f"场景 {len(cases)} 个，不符 0 个；提示 7 条"
    assert len(lines) == len(cases) + len(warned) + 1


def test_they_hold_in_a_demonstration_whose_lab_is_open_for_children(
    hub: Hub, county: Path
) -> None:
    ran = hub("authz", "check", "--dir", county, "--json")
    assert (ran.code, ran.err) == (ALLOWED, "")
    found = json.loads(ran.out)
    assert (len(found["cases"]), found["failed"], found["warnings"]) == (122, 0, [])


CASES = """\
[[case]]
name = "看得到"
posts = [{ dept = "rev", role = "town", base = "532622205" }]
ask = { object = "Citizen.health", act = "read", purpose = "aid.file", region = "532622205203" }
expect = "allow"
"""


def test_a_claim_that_is_not_so_is_told_and_ends_with_one(
    hub: Hub, copy: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(CASES, encoding="utf-8")
    ran = hub("authz", "check", "mine.toml", "--dir", copy)
    assert (ran.code, ran.err) == (NOT, "")
    assert ran.out.splitlines()[0] == "[不符] 看得到：期望 允许，实得 不许（NO_RULE）"
    changed(copy, LINE)  # the policy in force is what is asked, not the shipped one
    told = hub("authz", "check", "mine.toml", "--dir", copy, "--json")
    assert told.code == ALLOWED
    found = json.loads(told.out)
    assert found["cases"] == [{"name": "看得到", "expected": "允许", "found": "允许", "ok": True}]
    assert found["failed"] == 0
    assert found["warnings"] == []


def test_lines_that_do_nothing_are_warned_of(hub: Hub, copy: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(CASES.replace('"allow"', '"deny"'), encoding="utf-8")
    past = replace(LINE, until="2020-12-31")
    village = replace(LINE, role="village")
    changed(copy, past, village, LINE)
    found = json.loads(hub("authz", "check", "mine.toml", "--dir", copy, "--json").out)
    named = [w["rules"] for w in found["warnings"] if w["rules"]]
    assert named == [[past.id], [LINE.id, village.id]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "文件 mine.toml 无法按 UTF-8 读取：请检查文件与权限\n"),
        ("[[case", "mine.toml: syntax: is not TOML in UTF-8"),
        (CASES.replace("town", "mayor"), "role：角色 `mayor` 不存在"),
        (CASES.replace("aid.file", "fun"), "mine.toml: case[看得到].ask.purpose: `fun` is no"),
    ],
)
def test_a_file_that_cannot_be_read_ends_with_two(
    hub: Hub, county: Path, tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    ran = hub("authz", "check", "mine.toml", "--dir", county)
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err.startswith(said)
    assert len(ran.err.splitlines()) == 1


def test_the_three_verbs_record_nothing_and_change_nothing(hub: Hub, copy: Path) -> None:
    def told() -> list[Any]:
        return execute(
            copy, "SELECT version, (SELECT count(*) FROM audit_event) FROM policy_version"
        )

    before = told()
    hub("authz", "explain", *CLERK, *BASIC, "--dir", copy)
    hub("authz", "diff", "1", "2", "--dir", copy)
    hub("authz", "check", "--dir", copy)
    assert told() == before
