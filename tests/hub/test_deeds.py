"""``hub policy``: signed by who may sign, recorded with the change, in force or not at all."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authz.start import DEMO_FILE, POLICY_FILE
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.engine import single
from store.policy import read_policy_rows

Hub = Callable[..., Any]
DONE, REFUSED, USAGE, OPERATOR = 0, 1, 2, 3
START = 3  # the demonstration's policy, its accounts, and those below
PEOPLE = (
    ("sec-01", "rev", "secadmin"),
    ("hrss-lead", "hrss", "lead"),
    ("hrss-dept", "hrss", "dept"),
    ("mca-lead", "mca", "lead"),
    ("admin-01", "rev", "account_admin"),
)
SIGNED = ("--by", "hrss-lead", "--approved-by", "sec-01", "--basis", "文〔2026〕1号")
FILED = (
    *("policy", "grant", "file", "--request", "SQ-2026-1", "--object", "Citizen.employment"),
    *("--to", "mca", "--purpose", "aid.review", "--until", "2099-12-31"),
)


@pytest.fixture
def folder(county: Path, tmp_path: Path) -> Path:
    """A demonstration of one's own with people who may sign."""
    copy = shutil.copytree(county, tmp_path / "county")

    async def appoint() -> None:
        async with single(address(copy)) as conn:
            people = [
                NewPrincipal(name, "official", "某人", dept, (NewPost(dept, role, "532622"),))
                for name, dept, role in PEOPLE
            ]
            await seed_accounts(conn, people)

    asyncio.run(appoint())
    return copy


def address(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'store.sqlite'}"


def rows(folder: Path) -> Any:
    async def read() -> Any:
        async with single(address(folder), readonly=True) as conn:
            return await read_policy_rows(conn)

    return asyncio.run(read())


def records(folder: Path, kind: str) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from store.audit import audit_event

    async def read() -> list[dict[str, Any]]:
        async with single(address(folder), readonly=True) as conn:
            wanted = select(audit_event.c.body).where(audit_event.c.kind == kind)
            return [json.loads(body) for (body,) in await conn.execute(wanted)]

    return asyncio.run(read())


def test_a_grant_from_filing_to_revocation(hub: Hub, folder: Path) -> None:
    filed = hub(*FILED, "--by", "mca-lead", "--basis", "申请", "--dir", folder)
    assert (filed.code, filed.err) == (DONE, "")
    (grant,) = rows(folder).grants
    assert filed.out == f"共享授权 {grant.id} 已填写，待 hrss 的负责人批准\n"
    assert (grant.state, grant.written_by, grant.approved_by) == ("PENDING", "mca-lead", "")

    asked = (
        *("authz", "explain", "--as", "mca-dept-01", "--on", "Citizen.employment"),
        *("--region", "532622205203", "--purpose", "aid.review", "--dir", folder),
    )
    assert hub(*asked).code == 1
    signed = ("policy", "grant", "approve", grant.id, "--basis", "同意", "--dir", folder)
    for account, why in (
        ("mca-lead", "账号 `mca-lead` 无权签批：须任 hrss 的 lead 岗位\n"),
        ("hrss-dept", "账号 `hrss-dept` 无权签批：须任 hrss 的 lead 岗位\n"),
        ("nobody", "账号 `nobody` 不存在、已停用或今日没有岗位\n"),
    ):
        refused = hub(*signed, "--by", account)
        assert (refused.code, refused.err) == (REFUSED, why)
    assert rows(folder).version == START + 1
    approved = hub(*signed, "--by", "hrss-lead")
    assert (approved.code, approved.out) == (
        DONE,
        f"共享授权 {grant.id} 已生效，策略版本 {START + 2}\n",
    )
    assert hub(*asked).code == 0
    assert hub("policy", "grant", "list", "--dir", folder).out.startswith(
        f"{grant.id} ACTIVE hrss→mca Citizen.employment read aid.review county"
    )
    listed = json.loads(hub("policy", "grant", "list", "--json", "--dir", folder).out)
    assert [(one["id"], one["state"]) for one in listed] == [(grant.id, "ACTIVE")]

    ended = ("policy", "grant", "revoke", grant.id, "--by", "sec-01", "--basis", "x")
    assert hub(*ended, "--dir", folder).code == DONE
    assert hub(*asked).code == 1
    again = hub(*ended, "--dir", folder)
    assert (again.code, again.err) == (REFUSED, f"共享授权 `{grant.id}` 已经撤销\n")

    told = records(folder, "POLICY_CHANGED")
    assert [(r["op"]["name"], r["actor"], r["ref"], r["policy"]) for r in told] == [
        ("grant.file", "mca-lead", grant.id, "4"),
        ("grant.activate", "hrss-lead", grant.id, "5"),
        ("grant.revoke", "sec-01", grant.id, "6"),
    ]
    assert [(r["org"], r["role"]) for r in told] == [
        ("mca", "lead"), ("hrss", "lead"), ("rev", "secadmin"),
    ]  # fmt: skip
    assert hub("audit", "verify", "--dir", folder).code == 0


def test_who_wrote_a_grant_does_not_approve_it(hub: Hub, folder: Path) -> None:
    assert hub(*FILED, "--by", "hrss-lead", "--basis", "x", "--dir", folder).code == DONE
    (grant,) = rows(folder).grants
    refused = hub(
        *("policy", "grant", "approve", grant.id, "--by", "hrss-lead"),
        *("--basis", "x", "--dir", folder),
    )
    assert (refused.code, refused.err) == (
        REFUSED,
        f"共享授权 `{grant.id}` 由本人填写：请由另一人批准\n",
    )
    assert [r["op"]["name"] for r in records(folder, "POLICY_CHANGED")] == ["grant.file"]


def test_what_no_grant_may_be_is_usage(hub: Hub, folder: Path) -> None:
    for change, said in (
        (("--object", "Citizen.soul"), "授权对象 `Citizen.soul` 不存在：请核对拼写\n"),
        (("--to", "hrss"), "consumer：提供部门与使用部门相同：本部门的数据无须授权\n"),
        (("--acts", "write"), "actions：操作 `write` 不能授权"),
        (("--purpose", "*"), "purpose：须逐项写明用途"),
        (("--until", "someday"), "until：`someday` 不是日期"),
        (("--since", "someday"), "since：`someday` 不是日期"),
        (("--until", "2026-01-01"), "until：截止日早于起始日：请核对\n"),
        (("--reach", "532622205000"), "reach：`532622205000`"),
    ):
        ran = hub(*FILED, *change, "--by", "mca-lead", "--basis", "x", "--dir", folder)
        assert (ran.code, ran.out) == (USAGE, ""), change
        assert ran.err.startswith(said), ran.err
    assert rows(folder).grants == ()
    assert records(folder, "POLICY_CHANGED") == []


def test_one_person_denies_at_once(hub: Hub, folder: Path) -> None:
    town = (
        *("authz", "explain", "--as", "zhelai-town-01", "--on", "Citizen.basic"),
        *("--region", "532622205203", "--purpose", "aid.review", "--dir", folder),
    )
    assert hub(*town).code == 0
    deny = ("policy", "deny", "--object", "Citizen.*", "--act", "read", "--role", "town")
    refused = hub(*deny, "--by", "hrss-lead", "--basis", "x", "--dir", folder)
    assert refused.err == "账号 `hrss-lead` 无权签批：须任 secadmin 岗位\n"
    ran = hub(*deny, "--by", "sec-01", "--basis", "泄露处置", "--dir", folder)
    assert (ran.code, ran.err) == (DONE, "")
    assert hub(*town).code == 1
    again = hub(*deny, "--by", "sec-01", "--basis", "泄露处置", "--dir", folder)
    assert (again.code, again.err) == (
        REFUSED,
        "已有相同的规则或授权，或内容不合要求：请核对\n",
    )
    wrong = hub(*deny, "--reach", "532622205000", "--by", "sec-01", "--basis", "x", "--dir", folder)
    assert wrong.code == USAGE
    (told,) = records(folder, "POLICY_CHANGED")
    assert ran.out == f"策略版本 {START + 1}：禁止规则 {told['ref']} 已生效\n"


def test_a_head_denies_what_his_own_department_provides(hub: Hub, folder: Path) -> None:
    deny = ("policy", "deny", "--act", "read", "--by", "hrss-lead", "--basis", "x")
    assert hub(*deny, "--object", "Citizen.employment", "--dir", folder).code == DONE
    assert hub(*deny, "--object", "Citizen.health", "--dir", folder).code == REFUSED
    assert rows(folder).version == START + 1


def test_a_suspended_account_has_no_posts(hub: Hub, folder: Path) -> None:
    ran = hub(
        *("policy", "suspend", "zhelai-town-01", "--by", "admin-01"),
        *("--basis", "调离", "--dir", folder),
    )
    assert (ran.code, ran.out) == (DONE, f"账号 zhelai-town-01 已停用，策略版本 {START + 1}\n")
    (told,) = records(folder, "ACCOUNT_CHANGED")
    assert told["op"] == {
        "name": "account.suspend", "type": "command", "vars": {"account": "zhelai-town-01"},
    }  # fmt: skip
    missing = hub(
        *("policy", "suspend", "nobody", "--by", "admin-01", "--basis", "x", "--dir", folder)
    )
    assert (missing.code, missing.err) == (REFUSED, "账号 `nobody` 不存在：请核对\n")


def test_a_class_needs_the_provider_and_the_security_officer(hub: Hub, folder: Path) -> None:
    closed = ("policy", "reclassify", "Citizen.employment", "NOT_SHARED")
    ran = hub(*closed, *SIGNED, "--dir", folder)
    assert (ran.code, ran.out) == (
        DONE,
        f"Citizen.employment 现为 NOT_SHARED，策略版本 {START + 1}\n",
    )
    other = ("--by", "mca-lead", "--approved-by", "sec-01", "--basis", "x", "--dir", folder)
    assert hub(*closed, *other).err == "账号 `mca-lead` 无权签批：须任 hrss 的 lead 岗位\n"
    alone = ("--by", "hrss-lead", "--approved-by", "hrss-lead", "--basis", "x", "--dir", folder)
    assert hub(*closed, *alone).err == "须由不同的人签批：请由另一人批准\n"
    assert hub("policy", "reclassify", "X.y", "NOT_SHARED", *SIGNED, "--dir", folder).code == USAGE
    assert hub(*closed[:3], "SECRET", *SIGNED, "--dir", folder).code == USAGE
    (told,) = records(folder, "POLICY_CHANGED")
    assert told["op"]["vars"] == {
        "approved_by": "sec-01", "class": "NOT_SHARED", "object": "Citizen.employment",
    }  # fmt: skip


def test_a_file_is_adopted_by_two_people(hub: Hub, folder: Path, tmp_path: Path) -> None:
    whole = POLICY_FILE.read_text() + "".join(DEMO_FILE.read_text().splitlines(keepends=True)[-1:])
    added = "town,*,Citizen.health,read,subtree,any,aid.review,2027-12-31,allow,文〔2026〕9号\n"
    file = tmp_path / "new.csv"
    file.write_text(POLICY_FILE.read_text() + added)
    before = set(rows(folder).rules)
    ran = hub("policy", "adopt", file, *SIGNED, "--dir", folder)
    assert (ran.code, ran.err) == (DONE, "")
    after = set(rows(folder).rules)
    gone = before - after
    assert gone  # the demonstration's own lines
    assert ran.out == f"策略版本 {START + 1}：新增规则 1 条，删除 {len(gone)} 条\n"
    assert [line[2] for line in after - before] == ["Citizen.health"]
    widened = hub("authz", "diff", str(START), str(START + 1), "--dir", folder)
    assert widened.code == 0  # what widened, two signed
    assert "增加" in widened.out

    file.write_text(whole.replace(",allow,", ",Allow,", 1))
    refused = hub("policy", "adopt", file, *SIGNED, "--dir", folder)
    assert (refused.code, refused.out) == (USAGE, "")
    missing = hub("policy", "adopt", tmp_path / "none.csv", *SIGNED, "--dir", folder)
    assert missing.code == USAGE
    empty = tmp_path / "empty.csv"
    empty.write_text(POLICY_FILE.read_text().splitlines(keepends=True)[0])
    assert hub("policy", "adopt", empty, *SIGNED, "--dir", folder).code in (REFUSED, USAGE)
    assert rows(folder).version == START + 1
    (told,) = records(folder, "POLICY_CHANGED")
    assert (told["actor"], told["op"]["vars"]) == ("hrss-lead", {"approved_by": "sec-01"})


def test_nothing_changes_where_nothing_can_be_recorded(hub: Hub, folder: Path) -> None:
    """The log's head is of another log: the change is not made either."""

    async def another_log() -> None:
        from sqlalchemy import text

        async with single(address(folder)) as conn:
            await conn.execute(text("UPDATE audit_head SET log = 'other'"))

    asyncio.run(another_log())
    before = rows(folder)
    ran = hub(*FILED, "--by", "mca-lead", "--basis", "x", "--dir", folder)
    assert ran.code == OPERATOR
    assert ran.err.startswith("AUDIT_UNAVAILABLE")
    assert rows(folder) == before


def test_a_store_that_is_not_there_is_one_line(hub: Hub, folder: Path) -> None:
    (folder / "store.sqlite").rename(folder / "gone.sqlite")
    ran = hub("policy", "grant", "list", "--dir", folder)
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert len(ran.err.splitlines()) == 1
