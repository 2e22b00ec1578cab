"""The verdict on the log, in words."""

from __future__ import annotations

from audit.verify import Verdicts


def said(verdicts: Verdicts) -> str:
    """One line: intact or not, how many records, the root; what is wrong and where it begins.

    Writers without HUB_STOP are named, too: a start with no stop after it (audit 1.5).
    """
    if not verdicts.begun:
        return "证据不足：日志尚未开始"
    size = f"{verdicts.size} 条记录，{verdicts.subjects} 条对象索引，根 {verdicts.root[:16]}…"
    if verdicts.unstopped:
        size += f"；{len(verdicts.unstopped)} 次启动没有停止记录（仍在运行或曾被中断）"
    if verdicts.unindexed:
        size += f"；{verdicts.unindexed} 条记录尚未编入对象索引"
    if verdicts.first:
        size += f"；前 {verdicts.first} 条在归档中，不在此次核验之内"
    if verdicts.leaving:
        size += f"；其中 {verdicts.leaving} 条尚未移出，请再次运行 hub audit archive"
    if not verdicts.counts:
        return f"日志完好：{size}"
    found = "，".join(f"{code} {count}" for code, count in verdicts.counts.items())
    first = f"首个有误的记录是第 {verdicts.first_bad} 条（{found}）"
    return f"日志被改动：{first}；{_parts(verdicts)}；{size}"


def _parts(verdicts: Verdicts) -> str:
    """The three verdicts kept apart."""
    parts = {
        "内容": verdicts.integrity,
        "记录序列": verdicts.completeness,
        "对象索引": verdicts.indexes,
    }
    return "，".join(f"{name}{'无误' if holds else '有误'}" for name, holds in parts.items())
