"""The policy's words as an officer reads them: acts, states, reasons, lines.

Codes stay beside the words, so that what is read here is found again in ``policy.csv``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from authz.lens import CellState
from authz.reference import Reason, RuleHit
from authz.rule import MINOR, NO_END, Rule
from catalog.load import Catalog

STATES: Mapping[CellState, str] = {
    CellState.CLEAR: "明文",
    CellState.MASKED: "脱敏",
    CellState.HIDDEN: "隐藏",
    CellState.MIXED: "逐行而定",
}
ACT_WORDS: Mapping[str, str] = {
    "read": "读取",
    "list": "列举",
    "lookup": "按证件查找",
    "unmask": "查看明文",
    "write": "写入",
    "export": "导出",
    "share": "推送",
    "tally": "汇总",
}
WHY: Mapping[Reason, str] = {
    Reason.NO_RULE: "没有适用于这些岗位的规则",
    Reason.DENIED: "有禁止规则成立，禁止优先",
    Reason.PURPOSE: "用途不符",
    Reason.CASE: "须附本人职责内的诉求编号",
    Reason.EXPIRED: "已过期",
    Reason.REACH: "不在辖区范围内",
    Reason.OWNER: "数据不归规则所许的部门",
}


def line_words(rule: Rule) -> str:
    """One line in the policy's own codes: id, effect, who, what, range, purpose, end, basis."""
    effect = "允许" if rule.allows else "禁止"
    end = "" if rule.until == NO_END else f"，至 {rule.until}"
    who = f"{rule.role}@{rule.dept}，{rule.object} {rule.action}"
    what = f"{rule.reach} {rule.owner}，{rule.purpose}{end}（{rule.basis}）"
    return f"{rule.id} {effect} {who}，{what}"


def object_words(obj: str, catalog: Catalog) -> str:
    """Title and code of an authorisation object, its class of minors told."""
    plain = obj.removesuffix(MINOR)
    class_ = "（未满十四周岁）" if plain != obj else ""
    return f"{catalog.objects[plain].title}{class_} {obj}"


def purposes_words(codes: Iterable[str], catalog: Catalog) -> str:
    """Titles of purposes, in the catalogue's order."""
    wanted = set(codes)
    return "、".join(p.title for code, p in catalog.purposes.items() if code in wanted)


def failures(hit: RuleHit, catalog: Catalog) -> list[str]:
    """Why a line does not match, one phrase a reason; empty if it does."""
    return [_failure(hit.rule, reason, catalog) for reason in hit.failed]


def _failure(rule: Rule, reason: Reason, catalog: Catalog) -> str:
    if reason is Reason.NO_RULE:
        return f"岗位不符（只对角色 {rule.role}、部门 {rule.dept}）"
    if reason is Reason.EXPIRED:
        return f"已过期（至 {rule.until}）"
    if reason is Reason.PURPOSE:
        return f"用途不符（只限 {_listed(rule.purpose, catalog)}）"
    if reason is Reason.REACH:
        return f"不在辖区范围内（{_reach(rule.reach, catalog)}）"
    return f"数据归属不符（{_owner(rule.owner, catalog)}）"


def _listed(words: str, catalog: Catalog) -> str:
    """``a|b`` or ``!a|b`` of purposes in words."""
    named = purposes_words(words.removeprefix("!").split("|"), catalog)
    return f"{named}以外" if words.startswith("!") else named


def _reach(reach: str, catalog: Catalog) -> str:
    known = {"subtree": "只限本辖区及下级", "here": "只限本级"}
    place = catalog.divisions.by_path.get(reach)
    return known.get(reach) or f"只限{reach if place is None else place.name}"


def _owner(owner: str, catalog: Catalog) -> str:
    if owner == "self":
        return "只限本部门的数据"
    titles = [catalog.departments[code].short for code in owner.removeprefix("!").split("|")]
    named = "、".join(titles)
    return f"只限{named}以外部门的数据" if owner.startswith("!") else f"只限{named}的数据"
