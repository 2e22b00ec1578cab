"""One yes or no with all its reasons: what ``hub authz explain`` prints.

The lines are judged by the second judge in plain Python, the verdict comes from Casbin's
Scopes. Where the two disagree nothing is explained: Internal, as in a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from authz.book import Verdict
from authz.gate import Gate
from authz.post import Asker, Post
from authz.reference import RuleHit
from authz.roles import roles
from authz.scope import Scope
from authz.wording import ACT_WORDS, WHY, failures, line_words, object_words
from catalog.load import Catalog


@dataclass(frozen=True, slots=True)
class Question:
    """May `act` be done on a row of `object` at a region path, owned by a department?"""

    object: str
    act: str
    region: str
    owner: str
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict, every line on the object and act, and the rows on which `act` is allowed.

    `failing` begins with the allows that missed least; denies come last.
    """

    asker: Asker
    question: Question
    policy: int
    verdict: Verdict
    matching: tuple[RuleHit, ...]
    failing: tuple[RuleHit, ...]
    scope: Scope


def explain(gate: Gate, question: Question) -> Explanation:
    """Judge one question twice. Internal if the judges disagree."""
    asker, book = gate.asker, gate.book
    asked = (question.object, question.act, question.region, question.owner, question.minor)
    # Purpose or case may forbid before any line is asked: the judges must agree all the same.
    book.verdict(asker, *asked)
    hits = book.explain(asker, *asked)
    missed = [hit for hit in hits if hit.failed]
    near = sorted(missed, key=lambda hit: (not hit.rule.allows, len(hit.failed)))
    return Explanation(
        asker,
        question,
        book.version,
        gate.demand(*asked),
        tuple(hit for hit in hits if not hit.failed),
        tuple(near),
        gate.scope(question.object, question.act),
    )


def told(found: Explanation, catalog: Catalog) -> Iterator[str]:
    """The explanation in Chinese, line by line; of persons only the account's own id."""
    yield from _asked(found, catalog)
    yield f"结论：{_verdict(found.verdict)}"
    yield f"成立的规则：{'' if found.matching else '无'}"
    yield from (f"    {line_words(hit.rule)}" for hit in found.matching)
    yield f"不成立的规则：{'' if found.failing else '无'}"
    for hit in found.failing:
        yield f"    {line_words(hit.rule)}"
        yield f"        {'；'.join(failures(hit, catalog))}"
    yield f"可{ACT_WORDS[found.question.act]}的范围：{_scope(found, catalog)}"


def as_data(found: Explanation, catalog: Catalog) -> Mapping[str, Any]:
    """The same for programs: plain values."""
    asker, asked, verdict = found.asker, found.question, found.verdict
    line = partial(_line, catalog=catalog)
    return {
        "account": asker.principal_id,
        "posts": [{"dept": p.dept, "role": p.role, "base": p.base} for p in asker.posts],
        "purpose": asker.purpose,
        "day": asker.day.isoformat(),
        "caseNo": asker.case_no,
        "object": asked.object,
        "act": asked.act,
        "region": asked.region,
        "owner": asked.owner,
        "minor": asked.minor,
        "policyVersion": found.policy,
        "allowed": verdict.allowed,
        "reason": verdict.reason,
        "ask": verdict.ask,
        "matching": [line(hit) for hit in found.matching],
        "failing": [line(hit) for hit in found.failing],
        "scope": _scope(found, catalog),
        "cells": found.scope.portable()["any"],
    }


def post_words(post: Post, catalog: Catalog) -> str:
    """Role, department and base of a post."""
    title, dept = roles()[post.role].title, catalog.departments[post.dept].short
    return f"{title} {post.role}@{post.dept} {dept} {_place(post.base, catalog)}"


def _asked(found: Explanation, catalog: Catalog) -> Iterator[str]:
    asker, asked = found.asker, found.question
    posts = "；".join(post_words(post, catalog) for post in asker.posts)
    bought = "；购买服务人员，不得查看含敏感个人信息的对象" if asker.purchased else ""
    yield f"账号 {asker.principal_id}：{posts}{bought}"
    owner = catalog.departments[asked.owner].short
    child = "，未满十四周岁" if asked.minor else ""
    purpose = catalog.purposes[asker.purpose].title
    case = "" if asker.case_no is None else f"，附诉求编号 {asker.case_no}"
    yield (
        f"问：{ACT_WORDS[asked.act]} {asked.act} {object_words(asked.object, catalog)}，"
        f"{_place(asked.region, catalog)}，归 {owner}{child}；"
        f"用途 {purpose} {asker.purpose}{case}"
    )
    yield f"策略版本 {found.policy}，日期 {asker.day.isoformat()}"


def _verdict(verdict: Verdict) -> str:
    if verdict.reason is None:
        return "允许"
    ask = "" if verdict.ask is None else f"；可向{verdict.ask}申请"
    return f"不许，{WHY[verdict.reason]}（{verdict.reason}）{ask}"


def _scope(found: Explanation, catalog: Catalog) -> str:
    depts = {d.code: d.short for d in catalog.departments.values()}
    words = found.scope.describe(catalog.divisions.by_path, depts)
    return words if found.asker.bound is None else f"{words}，且只限该诉求所在家庭"


def _place(path: str, catalog: Catalog) -> str:
    return f"{catalog.divisions.by_path[path].name}（{path}）"


def _line(hit: RuleHit, catalog: Catalog) -> Mapping[str, object]:
    return {
        "rule": hit.rule.id,
        "effect": hit.rule.effect,
        "line": list(hit.rule.line),
        "basis": hit.rule.basis,
        "failed": list(hit.failed),
        "why": failures(hit, catalog),
    }
