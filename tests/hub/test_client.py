"""``hub client`` and ``hub policy revoke-tokens``: signed, recorded, shown once."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import select, update

from hub.identity.credentials import is_secret
from hub.rights import today
from store import clients
from store.accounts import NewPost, NewPrincipal, holder_of, seed_accounts
from store.audit import audit_event
from store.engine import single

Hub = Callable[..., Any]
DONE, REFUSED, USAGE = 0, 1, 2
PEOPLE = (
    ("sec-01", "rev", "secadmin"),
    ("mca-lead", "mca", "lead"),
    ("hrss-lead", "hrss", "lead"),
    ("admin-01", "rev", "account_admin"),
)
KEY = ECKey.generate_key("P-256", private=True)
NEW = (
    *("client", "create", "mca-app", "--title", "民政救助系统", "--dept", "mca"),
    *("--account", "mca-system-09", "--purpose", "sync", "--purpose", "report"),
)
SIGNED = ("--by", "admin-01", "--approved-by", "mca-lead", "--basis", "文〔2026〕1号")
ONE = ("--by", "mca-lead", "--basis", "更换")


@pytest.fixture
def folder(county: Path, tmp_path: Path) -> Path:
    """A demonstration of one's own with people who may sign."""
    copy = shutil.copytree(county, tmp_path / "county")
    people = [
        NewPrincipal(name, "official", "某人", dept, (NewPost(dept, role, "532622"),))
        for name, dept, role in PEOPLE
    ]
    in_store(copy, lambda conn: seed_accounts(conn, people))
    return copy


def in_store(folder: Path, deed: Callable[[Any], Any]) -> Any:
    async def run() -> Any:
        async with single(f"sqlite+aiosqlite:///{folder / 'store.sqlite'}") as conn:
            return await deed(conn)

    return asyncio.run(run())


def records(folder: Path) -> list[dict[str, Any]]:
    async def read(conn: Any) -> list[dict[str, Any]]:
        wanted = select(audit_event.c.body).where(audit_event.c.kind == "ACCOUNT_CHANGED")
        return [json.loads(body) for (body,) in await conn.execute(wanted)]

    found: list[dict[str, Any]] = in_store(folder, read)
    return found


def keys(folder: Path) -> list[clients.ClientKey]:
    found = in_store(folder, lambda conn: clients.read_keys(conn, "mca-app"))
    return [key for key in found if key.live]


def test_a_client_is_made_by_two_and_its_secret_is_shown_once(hub: Hub, folder: Path) -> None:
    ran = hub(*NEW, *SIGNED, "--json", "--dir", folder)
    assert (ran.code, ran.err) == (DONE, "")
    told = json.loads(ran.out)
    (key,) = keys(folder)
    assert told["client"] == "mca-app"
    assert told["keys"] == [{"kind": "secret", "id": key.id}]
    assert is_secret([key], told["secret"])
    (record,) = records(folder)
    assert (record["actor"], record["purpose"]) == ("admin-01", "admin")
    assert record["policy"] == str(told["policyVersion"])
    assert record["op"] == {
        "name": "client.create",
        "type": "command",
        "vars": {
            "client": "mca-app",
            "account": "mca-system-09",
            "class": "system",
            "approved_by": "mca-lead",
        },
    }
    store = b"".join(file.read_bytes() for file in folder.glob("store.sqlite*"))
    assert key.id.encode() in store
    assert told["secret"].partition(".")[2].encode() not in store
    listed = hub("client", "list", "--json", "--dir", folder)
    row, demo = json.loads(listed.out)
    assert (demo["client"], demo["account"]) == ("mca-demo", "mca-system-01")
    last = (today() + timedelta(days=365)).isoformat()
    assert {k: v for k, v in row.items() if k != "keys"} == {
        "client": "mca-app", "title": "民政救助系统", "dept": "mca", "account": "mca-system-09",
        "class": "system", "purposes": ["sync", "report"], "state": "active",
        "expiresOn": last, "expiring": False,
    }  # fmt: skip
    assert told["secret"] not in listed.out
    holder, posts = in_store(folder, lambda conn: holder_of(conn, "mca-system-09", today()))
    assert (holder.kind, holder.dept) == ("system", "mca")
    assert [(p.dept, p.role, p.region_path) for p in posts] == [("mca", "system", "532622")]


def test_who_may_not_sign_makes_nothing(hub: Hub, folder: Path) -> None:
    for by, approved, why in (
        ("mca-lead", "sec-01", "账号 `mca-lead` 无权签批：须任 secadmin、account_admin 岗位\n"),
        ("admin-01", "hrss-lead", "账号 `hrss-lead` 无权签批：须任 secadmin、mca 的 lead 岗位\n"),
        ("admin-01", "admin-01", "须由不同的人签批：请由另一人批准\n"),
    ):
        signed = ("--by", by, "--approved-by", approved, "--basis", "x", "--dir", folder)
        ran = hub(*NEW, *signed)
        assert (ran.code, ran.out, ran.err) == (REFUSED, "", why)
    listed = json.loads(hub("client", "list", "--json", "--dir", folder).out)
    assert [row["client"] for row in listed] == ["mca-demo"]
    assert records(folder) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("create", "X"), "应用名 `X` 不合要求"),
        (("--dept", "nobody"), "部门 `nobody` 不存在"),
        (("--purpose", "spy"), "用途 `spy` 不存在"),
        (("--account", "名"), "账号 `名` 不合要求"),
        (("--until", "2020-01-01"), "--until：`2020-01-01` 已过"),
    ],
)
def test_wrong_words_are_said(hub: Hub, folder: Path, change: tuple[str, str], said: str) -> None:
    words = list(NEW)
    if change[0] == "create":
        words[2] = change[1]
        change = ("--class", "system")
    ran = hub(*words, *change, *SIGNED, "--dir", folder)
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err.startswith(said)


def test_an_account_of_a_person_or_of_another_department_is_not_bound(
    hub: Hub, folder: Path
) -> None:
    for account in ("mca-dept-01", "zhelai-town-01"):
        ran = hub(*NEW, "--account", account, *SIGNED, "--dir", folder)
        assert (ran.code, ran.err) == (
            REFUSED,
            f"账号 `{account}` 不是 mca 的部门系统账号，或已停用：请核对\n",
        )


def test_keys_are_rotated_two_live_and_alone_after_a_leak(
    hub: Hub, folder: Path, tmp_path: Path
) -> None:
    first = json.loads(hub(*NEW, *SIGNED, "--json", "--dir", folder).out)["secret"]
    rotate = ("client", "rotate", "mca-app", *ONE, "--dir", folder)
    second = json.loads(hub(*rotate, "--json").out)["secret"]
    assert [is_secret(keys(folder), s) for s in (first, second)] == [True, True]
    third = json.loads(hub(*rotate, "--json").out)["secret"]
    assert [is_secret(keys(folder), s) for s in (first, second, third)] == [False, True, True]
    fourth = json.loads(hub(*rotate, "--now", "--json").out)["secret"]
    assert [is_secret(keys(folder), s) for s in (second, third, fourth)] == [False, False, True]

    file = tmp_path / "key.pem"
    file.write_bytes(KEY.as_pem(private=False))
    ran = hub(*rotate, "--key", file)
    assert (ran.code, ran.out.splitlines()[1:]) == (DONE, [f"  jwk {KEY.thumbprint()}"])
    assert hub(*rotate, "--key", file).code == REFUSED  # it is registered already
    file.write_bytes(KEY.as_pem(private=True))
    ran = hub(*rotate, "--key", file)
    assert (ran.code, ran.err.startswith("公钥文件不能登记")) == (USAGE, True)
    names = [r["op"]["name"] for r in records(folder)]
    assert names == ["client.create", *["client.rotate"] * 4]


def test_a_disabled_client_stays_in_the_list(hub: Hub, folder: Path) -> None:
    hub(*NEW, *SIGNED, "--dir", folder)
    ran = hub("client", "disable", "mca-app", *ONE, "--dir", folder)
    assert (ran.code, ran.err) == (DONE, "")
    assert ran.out.startswith("应用 mca-app 已停用，策略版本 ")
    listed = hub("client", "list", "--dir", folder).out
    assert listed.startswith(
        "mca-app disabled system mca mca-system-09 民政救助系统 用途 sync、report"
    )
    missing = hub("client", "disable", "nobody", *ONE, "--dir", folder)
    assert (missing.code, missing.err) == (REFUSED, "应用 `nobody` 不存在：请核对\n")
    again = hub(*NEW, *SIGNED, "--dir", folder)  # a name is given once
    assert again.code == REFUSED


@pytest.mark.parametrize(
    ("days", "said"), [(31, ""), (30, "30 日后到期"), (0, "0 日后到期"), (-1, "已到期")]
)
def test_a_month_before_its_end_it_is_told_by_list_and_doctor(
    hub: Hub, folder: Path, days: int, said: str
) -> None:
    hub(*NEW, *SIGNED, "--dir", folder)
    last = today() + timedelta(days=days)
    in_store(folder, lambda conn: conn.execute(update(clients.client).values(expires_on=last)))
    listed = hub("client", "list", "--dir", folder).out
    assert (f"至 {last}（{said}）" in listed) is bool(said)
    warned = [line for line in hub("doctor", "--dir", folder).out.splitlines() if "mca-app" in line]
    line = f"[注意] 应用 mca-app（mca）{said}：请提醒所属部门，续办或停用"
    assert warned == ([line] if said else [])


def test_tokens_are_made_void_by_one_and_the_demonstration_issues_new_ones(
    hub: Hub, folder: Path
) -> None:
    void = ("policy", "revoke-tokens", "zhelai-town-01", "--basis", "丢失", "--dir", folder)
    refused = hub(*void, "--by", "mca-lead")
    assert refused.code == REFUSED
    ran = hub(*void, "--by", "admin-01", "--json")
    assert ran.code == DONE
    (record,) = records(folder)
    assert record["op"] == {
        "name": "account.void_tokens", "type": "command", "vars": {"account": "zhelai-town-01"},
    }  # fmt: skip
    assert json.loads(ran.out)["policyVersion"] == int(record["policy"])
    issued = hub("token", "zhelai-town-01", "--dir", folder).out.strip()
    body = issued.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["epoch"] == 1
    missing = ("policy", "revoke-tokens", "nobody", "--basis", "x", "--by", "sec-01")
    assert hub(*missing, "--dir", folder).err == "账号 `nobody` 不存在：请核对\n"
