"""One verdict with all its reasons: which lines spoke, why the others did not, where it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from authz.book import PolicyBook
from authz.explanation import Question, as_data, explain, told
from authz.gate import Gate
from authz.post import Asker
from authz.reference import Reason
from authz.rule import Rule
from authz.scope import EVERYTHING, NOTHING
from catalog.errors import Internal
from catalog.load import Catalog

NewAsker = Callable[..., Asker]
VILLAGE, TOWN = "532622205203", ("rev", "town", "532622205")
BASIC = Question("Citizen.basic", "read", VILLAGE, "rev")
HEALTH = Question("Citizen.health", "read", VILLAGE, "hea")
LINE = Rule(
    "town", "*", "Citizen.health", "read", "subtree", "any", "aid.file", "9999-12-31",
    "allow", "测试",
)  # fmt: skip


def gate(book: PolicyBook, asker: Asker, catalog: Catalog) -> Gate:
    return Gate(book, asker, catalog)


def test_an_allowed_question_names_the_line_and_its_basis(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    clerk = asker(TOWN)
    found = explain(gate(book, clerk, catalog), BASIC)
    assert found.verdict.allowed
    (match,) = found.matching
    assert match.rule.line[:4] == ("helper", "*", "Citizen.basic", "read")
    assert match.rule.basis == "办法第六条"
    assert found.scope == book.scope(clerk, "Citizen.basic", "read")
    assert found.policy == 41
    lines = list(told(found, catalog))
    assert lines[:4] == [
        "账号 zhelai-01：乡（镇）经办 town@rev 领导小组办公室 者腊乡（532622205）",
        "问：读取 read 人员基本 Citizen.basic，老龙村委会（532622205203），归 领导小组办公室；"
        "用途 审核审批 aid.review",
        "策略版本 41，日期 2026-11-01",
        "结论：允许",
    ]
    assert lines[4:6] == [
        "成立的规则：",
        f"    {match.rule.id} 允许 helper@*，Citizen.basic read，subtree any，"
        "aid.file|aid.verify|aid.review|supervise|report|correct（办法第六条）",
    ]
    assert lines[-1] == "可读取的范围：者腊乡（532622205）及其下级"


def test_every_line_on_the_object_is_told_once(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    found = explain(gate(book, asker(TOWN), catalog), BASIC)
    told_ids = [hit.rule.id for hit in (*found.matching, *found.failing)]
    concerned = book.explain(found.asker, "Citizen.basic", "read", VILLAGE, "rev")
    assert sorted(told_ids) == sorted(hit.rule.id for hit in concerned)
    assert len(told_ids) == len(set(told_ids)) == 10
    missed = [(not hit.rule.allows, len(hit.failed)) for hit in found.failing]
    assert missed == sorted(missed)
    assert {count for _, count in missed} == {1, 2}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"role": "office"}, "岗位不符（只对角色 office、部门 *）"),
        ({"dept": "!rev"}, "岗位不符（只对角色 town、部门 !rev）"),
        ({"until": "2026-10-31"}, "已过期（至 2026-10-31）"),
        ({"purpose": "aid.verify|aid.file"}, "用途不符（只限 受理、核实）"),
        ({"purpose": "!aid.review|report"}, "用途不符（只限 审核审批、通报以外）"),
        ({"reach": "here"}, "不在辖区范围内（只限本级）"),
        ({"reach": "532622206"}, "不在辖区范围内（只限蚌峨乡）"),
        ({"owner": "self"}, "数据归属不符（只限本部门的数据）"),
        ({"owner": "mca|edu"}, "数据归属不符（只限民政、教体的数据）"),
        ({"owner": "!hea"}, "数据归属不符（只限卫健以外部门的数据）"),
        (
            {"purpose": "report", "until": "2026-10-31"},
            "已过期（至 2026-10-31）；用途不符（只限 通报）",
        ),
    ],
)
def test_each_line_that_fails_says_why(
    book: PolicyBook, catalog: Catalog, asker: NewAsker, change: dict[str, str], why: str
) -> None:
    rule = replace(LINE, **({"purpose": "*"} | change))
    only = book.with_rules([rule])
    found = explain(gate(only, asker(TOWN), catalog), HEALTH)
    assert (found.matching, len(found.failing)) == ((), 1)
    lines = list(told(found, catalog))
    assert lines[4:6] == ["成立的规则：无", "不成立的规则："]
    assert lines[6].startswith(f"    {rule.id} 允许 ")
    assert lines[7] == f"        {why}"
    assert len(lines) == 9


def test_a_place_out_of_reach_is_told(book: PolicyBook, catalog: Catalog, asker: NewAsker) -> None:
    far = replace(BASIC, region="532622206206")
    found = explain(gate(book, asker(TOWN), catalog), far)
    assert (found.verdict.reason, found.matching) == (Reason.REACH, ())
    assert "不在辖区范围内（只限本辖区及下级）" in "\n".join(told(found, catalog))


def test_a_deny_is_among_the_lines_that_hold(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    auditor = asker(("rev", "auditor", "532622"), TOWN)
    found = explain(gate(book, auditor, catalog), BASIC)
    assert found.verdict.reason is Reason.DENIED
    assert sorted(hit.rule.effect for hit in found.matching) == ["allow", "deny"]
    assert found.scope == NOTHING
    lines = list(told(found, catalog))
    assert lines[0].count("；") == 1  # both posts
    assert "结论：不许，有禁止规则成立，禁止优先（DENIED）；可向" in lines[3]
    assert lines[-1] == "可读取的范围：无"


def test_a_case_number_that_is_missing_comes_before_the_lines(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    unmask = Question("Citizen.identity", "unmask", VILLAGE, "rev")
    bare = explain(gate(book, asker(TOWN), catalog), unmask)
    assert bare.verdict.reason is Reason.CASE
    assert len(bare.matching) == 1  # the line holds: what is missing is the number
    assert bare.scope == NOTHING
    opened = explain(gate(book, asker(TOWN, case_no="SQ1", bound="h1"), catalog), unmask)
    assert opened.verdict.allowed
    lines = list(told(opened, catalog))
    assert lines[1].endswith("用途 审核审批 aid.review，附诉求编号 SQ1")
    assert lines[-1].endswith("，且只限该诉求所在家庭")
    assert "h1" not in "\n".join(lines)  # the household is nobody's business


def test_a_child_is_judged_by_the_lines_for_children(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    found = explain(gate(book, asker(TOWN), catalog), replace(BASIC, minor=True))
    assert {hit.rule.object for hit in found.matching} == {"Citizen.basic@minor"}
    assert "未满十四周岁" in list(told(found, catalog))[1]


def test_two_judges_that_disagree_explain_nothing(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    clerk = asker(TOWN)
    spoilt = book.with_rules(book.rules)
    key = (clerk.posts, "Citizen.basic", "read", clerk.purpose, clerk.day)
    spoilt._scopes[key] = EVERYTHING
    assert explain(gate(spoilt, clerk, catalog), BASIC).verdict.allowed  # they agree here
    with pytest.raises(Internal):
        explain(gate(spoilt, clerk, catalog), replace(BASIC, region="532622206206"))


def test_they_must_agree_where_the_purpose_forbids_before_them(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    clerk, unmask = asker(TOWN), Question("Citizen.identity", "unmask", "532622206", "rev")
    spoilt = book.with_rules(book.rules)
    key = (clerk.posts, "Citizen.identity", "unmask", clerk.purpose, clerk.day)
    spoilt._scopes[key] = EVERYTHING
    assert gate(spoilt, clerk, catalog).demand("Citizen.identity", "unmask", VILLAGE, "rev")
    with pytest.raises(Internal):
        explain(gate(spoilt, clerk, catalog), unmask)


def test_the_real_name_is_nowhere(book: PolicyBook, catalog: Catalog, asker: NewAsker) -> None:
    clerk = asker(TOWN)
    assert clerk.real_name == "张三"
    found = explain(gate(book, clerk, catalog), BASIC)
    assert "张三" not in "\n".join(told(found, catalog))
    assert "张三" not in json.dumps(as_data(found, catalog), ensure_ascii=False)


def test_the_same_is_told_to_programs(book: PolicyBook, catalog: Catalog, asker: NewAsker) -> None:
    data = dict(as_data(explain(gate(book, asker(TOWN), catalog), HEALTH), catalog))
    assert json.loads(json.dumps(data)) == data
    lines = data["matching"], data["failing"]
    assert data | {"matching": [], "failing": []} == {
        "account": "zhelai-01",
        "posts": [{"dept": "rev", "role": "town", "base": "532622205"}],
        "purpose": "aid.review",
        "day": "2026-11-01",
        "caseNo": None,
        "object": "Citizen.health",
        "act": "read",
        "region": VILLAGE,
        "owner": "hea",
        "minor": False,
        "policyVersion": 41,
        "allowed": False,
        "reason": "NO_RULE",
        "ask": "砚山县卫生健康局",
        "matching": [],
        "failing": [],
        "scope": "无",
        "cells": [],
    }
    assert lines[0] == []
    assert [(line["line"][0], line["failed"]) for line in lines[1]] == [
        ("dept", ["NO_RULE"]),
        ("system", ["NO_RULE", "PURPOSE"]),
        ("secadmin", ["NO_RULE"]),
        ("auditor", ["NO_RULE"]),
        ("sysadmin", ["NO_RULE"]),
    ]
    assert lines[1][0]["why"] == ["岗位不符（只对角色 dept、部门 *）"]
    assert lines[1][0]["basis"] == "办法第十一条第三项"
