"""``hub documents``: registered, reviewed, approved by another, retired, compared; all recorded."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.demo.documents import LABEL
from hub.identity.tokens import DEMO_CLIENT
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.audit import audit_event
from store.engine import single

Hub = Callable[..., Any]
DONE, REFUSED, USAGE, OPERATOR = 0, 1, 2, 3
START = 3  # the demonstration's policy, its accounts, and those below
MANIFEST = Path(__file__).parents[2] / "examples" / "documents" / "persisted-documents.json"
PEOPLE = (("sec-01", "rev", "secadmin"), ("sec-02", "rev", "secadmin"), ("dev-01", "mca", "dept"))
WHO = "query Who { viewer { account } }\n"
MORE = "query Who($id: ID!) { citizen(by: {id: $id}) { name } }\n"


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


def records(folder: Path) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        async with single(address(folder), readonly=True) as conn:
            wanted = select(audit_event.c.body).where(audit_event.c.kind == "POLICY_CHANGED")
            return [json.loads(body) for (body,) in await conn.execute(wanted)]

    return asyncio.run(read())


def written(folder: Path, text: str, name: str = "who.graphql") -> Path:
    file = folder.parent / name
    file.write_text(text, encoding="utf-8")
    return file


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_document_from_file_to_its_end(hub: Hub, folder: Path) -> None:
    at = ("--dir", folder)
    file = written(folder, MORE)
    added = hub("documents", "add", file, "--client", "web", "--by", "dev-01", *at)
    assert (added.code, added.err) == (DONE, "")
    lines = added.out.splitlines()
    assert (lines[0], lines[-1]) == ("web Who/1 DRAFT", "新登记 1 份，已有 0 份，新标识 0 个")
    assert lines[1] == f"  documentId sha256:{sha256(MORE)}"
    assert lines[3:6] == [
        "  数据集 citizen 人员（hub）：read〔Citizen.basic〕",
        "    id 标识，内部〔Citizen.basic〕脱敏 NONE",
        "    name 姓名，个人信息〔Citizen.basic〕脱敏 SURNAME",
    ]
    again = hub("documents", "add", file, "--client", "web", "--by", "dev-01", *at)
    assert again.out == ("web Who/1 DRAFT：同一文本已登记\n新登记 0 份，已有 1 份，新标识 0 个\n")

    signed = ("documents", "approve", "Who/1", "--client", "web", "--basis", "评审", *at)
    for account, why in (
        ("dev-01", "账号 `dev-01` 无权签批：须任 secadmin 岗位\n"),
        ("nobody", "账号 `nobody` 不存在、已停用或今日没有岗位\n"),
    ):
        refused = hub(*signed, "--by", account)
        assert (refused.code, refused.err) == (REFUSED, why)
    approved = hub(*signed, "--by", "sec-01")
    assert (approved.code, approved.out) == (
        DONE,
        f"web Who/1 已批准，策略版本 {START + 2}\n",
    )
    assert hub(*signed, "--by", "sec-02").code == REFUSED
    shown = hub("documents", "show", "Who/1", "--client", "web", *at).out
    assert shown.startswith("web Who/1 APPROVED\n")
    assert "批准 sec-01" in shown
    assert shown.endswith(f"\n\n{MORE}\n")

    ended = ("documents", "retire", "Who/1", "--client", "web", "--by", "sec-02", "--basis", "x")
    assert hub(*ended, *at).out == f"web Who/1 已停用，策略版本 {START + 3}\n"
    assert hub(*ended, *at).err == "受信查询 `Who/1` 已经停用\n"

    ref = f"sha256:{sha256(MORE)}"
    told = records(folder)
    assert [(r["op"]["name"], r["actor"], r["ref"], r["policy"]) for r in told] == [
        ("document.add", "dev-01", ref, str(START + 1)),
        ("document.add", "dev-01", ref, str(START + 1)),
        ("document.approve", "sec-01", ref, str(START + 2)),
        ("document.retire", "sec-02", ref, str(START + 3)),
    ]
    assert told[0]["op"]["vars"] == {"client": "web", "documents": 1}
    assert told[2]["op"]["vars"] == {
        "client": "web",
        "name": "Who",
        "version": 1,
        "registered_by": "dev-01",
    }


def test_who_registers_does_not_approve_even_as_security_officer(hub: Hub, folder: Path) -> None:
    at = ("--client", "web", "--dir", folder)
    assert hub("documents", "add", written(folder, WHO), "--by", "sec-01", *at).code == DONE
    signed = ("documents", "approve", "Who/1", "--basis", "x", *at)
    refused = hub(*signed, "--by", "sec-01")
    assert (refused.code, refused.err) == (
        REFUSED,
        "受信查询 `Who/1` 由本人登记：请由另一人批准\n",
    )
    assert [r["op"]["name"] for r in records(folder)] == ["document.add"]
    assert hub(*signed, "--by", "sec-02").code == DONE


def test_a_tools_manifest_is_taken_as_it_is(hub: Hub, folder: Path) -> None:
    at = ("--client", "web", "--dir", folder)
    given = json.loads(MANIFEST.read_text(encoding="utf-8"))
    added = hub("documents", "add", MANIFEST, "--by", "dev-01", *at, "--json")
    told = json.loads(added.out)
    assert (len(told["new"]), told["known"], told["aliases"]) == (2, [], 2)
    assert {one["sha256"] for one in told["new"]} == {sha256(text) for text in given.values()}
    assert {(one["name"], one["version"]) for one in told["new"]} == {
        ("WhoComes", 1),
        ("WaitingCases", 1),
    }
    one = json.loads(hub("documents", "show", "WhoComes/1", *at, "--json").out)
    assert one["text"] in given.values()
    assert [(read["dataset"], read["acts"]) for read in one["reads"]] == [
        ("citizen", ["lookup"]),
        ("division", ["read"]),
        ("min_living", ["read"]),
    ]
    listed = json.loads(hub("documents", "list", "--json", "--dir", folder).out)
    assert [(d["client"], d["name"], d["state"]) for d in listed] == [
        (DEMO_CLIENT, LABEL.partition("/")[0], "APPROVED"),
        ("web", "WaitingCases", "DRAFT"),
        ("web", "WhoComes", "DRAFT"),
    ]
    drafts = hub("documents", "list", "--client", "web", "--state", "DRAFT", "--dir", folder).out
    assert drafts.splitlines() == [
        "web WaitingCases/1 DRAFT 费用 100 数据集 case",
        "web WhoComes/1 DRAFT 费用 3 数据集 citizen division min_living",
        "受信查询 2 份",
    ]


def test_a_difference_is_in_data_sets_acts_and_fields(hub: Hub, folder: Path) -> None:
    at = ("--client", "web", "--dir", folder)
    asked = ("documents", "diff", "Who", *at)
    texts = (
        "query Who($id: ID!) { citizen(by: {id: $id}) { name sex } }",
        "query Who($n: String!) { citizen(by: {idNumber: $n}) { name phone division { name } } }",
        WHO,
    )
    hub("documents", "add", written(folder, texts[0]), "--by", "dev-01", *at)
    assert hub(*asked).err == "受信查询 `Who` 不足两个版本\n"
    for text in texts[1:]:
        hub("documents", "add", written(folder, text), "--by", "dev-01", *at)
    assert hub(*asked, "1", "2").out.splitlines() == [
        "Who/1 → Who/2，费用 1 → 2",
        "+ citizen lookup",
        "+ citizen.idNumber",
        "+ citizen.phone",
        "+ division read",
        "+ division.name",
        "- citizen read",
        "- citizen.id",
        "- citizen.sex",
        "多读 5 项，少读 3 项",
    ]
    newest = json.loads(hub(*asked, "--json").out)
    assert (newest["before"], newest["after"], newest["more"]) == ("Who/2", "Who/3", [])
    assert newest["cost"] == [2, 0]
    assert hub(*asked, "1").code == USAGE
    assert hub(*asked, "1", "9").code == REFUSED


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.graphql", "query A { nothing }", "GRAPHQL_VALIDATION_FAILED 类型 `Query` 没有字段"),
        ("a.graphql", "{ viewer { account } }", "须恰好有一个操作，且有名称"),
        ("a.graphql", "query A {", "GRAPHQL_PARSE_FAILED"),
        ("a.graphql", 'query A { citizen(by: {idNumber: "539922197704129912"}) { id } }', "变量"),
        ("a.graphql", "query A123 { viewer { account } }", "操作名至多 40 个字符、2 个数字"),
        ("a.json", "{", "不是 JSON"),
        ("a.json", "[]", "清单 a.json 须为"),
        ("a.json", "{}", "清单 a.json 须为"),
        ("a.json", '{"x": 1}', "第 1 项不是标识与文本"),
        ("a.json", '{"a b": "query A { viewer { account } }"}', "标识只能有"),
        ("a.json", '{"sha256:0": "query A { viewer { account } }"}', "不是其文本的 sha256"),
    ],
)
def test_what_nobody_could_ask_is_not_registered(
    hub: Hub, folder: Path, name: str, text: str, said: str
) -> None:
    file = written(folder, text, name)
    refused = hub(*("documents", "add", file, "--client", "web", "--by", "dev-01", "--dir", folder))
    assert (refused.code, refused.out) == (REFUSED, "")
    assert said in refused.err
    assert "539922" not in refused.err
    assert records(folder) == []


def test_a_client_is_named_as_tokens_name_it(hub: Hub, folder: Path) -> None:
    file = written(folder, WHO)
    asked = ("documents", "add", file, "--by", "dev-01", "--dir", folder, "--client")
    assert hub(*asked, "No Client").code == USAGE
    assert hub("documents", "show", "No/1", "--client", "web", "--dir", folder).code == REFUSED
    assert hub("documents", "add", file.with_name("no"), *asked[3:], "web").code == REFUSED
