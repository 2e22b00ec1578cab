"""The verdict on the log, in words."""

from __future__ import annotations

from audit.verify import MILD, Exit, Verdicts

HEADLINES = {
    Exit.INTACT: "日志完好",
    Exit.TAMPERED: "日志被改动",
    Exit.INCOMPLETE: "证据不足",
}


def said(verdicts: Verdicts) -> str:
    """One line: intact or not, how many records, the root; what is wrong and where it begins.

    Writers without HUB_STOP are named, too: a start with no stop after it (audit 1.5).
    """
    if not verdicts.begun and not verdicts.counts:
        return "证据不足：日志尚未开始"
    told = [HEADLINES[verdicts.exit] + "："]
    if verdicts.counts:
        told.append(f"{_first(verdicts)}（{_found(verdicts)}）；{_parts(verdicts)}；")
    return "".join(told) + _size(verdicts)


def _first(verdicts: Verdicts) -> str:
    """Where it begins: a record, or the range in which it lies."""
    if verdicts.counts.keys() <= MILD:
        return f"自第 {verdicts.first_bad} 条起"
    if verdicts.bad_range is not None and verdicts.first_bad == verdicts.bad_range[0]:
        first, end = verdicts.bad_range
        return f"第 {first} 至 {end - 1} 条与签署时不同"
    return f"首个有误的记录是第 {verdicts.first_bad} 条"


def _found(verdicts: Verdicts) -> str:
    return "，".join(f"{code} {count}" for code, count in verdicts.counts.items())


def _size(verdicts: Verdicts) -> str:
    size = f"{verdicts.size} 条记录，{verdicts.subjects} 条对象索引，根 {verdicts.root[:16]}…"
    if verdicts.since:
        size += f"；自第 {verdicts.since} 条起核验，此前由检查点证明"
    if verdicts.checkpoints:
        size += f"；{verdicts.checkpoints} 个检查点，最后相符的在 {verdicts.last_good or 0} 条处"
    if verdicts.anchored is not None:
        size += f"；与外部凭据相符至 {verdicts.anchored} 条"
    if verdicts.witnessed is not None:
        size += f"；见证至 {verdicts.witnessed} 条"
    if verdicts.unstopped:
        size += f"；{len(verdicts.unstopped)} 次启动没有停止记录（仍在运行或曾被中断）"
    if verdicts.unindexed:
        size += f"；{verdicts.unindexed} 条记录尚未编入对象索引"
    if verdicts.first:
        size += f"；前 {verdicts.first} 条在归档中，不在此次核验之内"
    if verdicts.leaving:
        size += f"；其中 {verdicts.leaving} 条尚未移出，请再次运行 hub audit archive"
    return size


def _parts(verdicts: Verdicts) -> str:
    """The four verdicts kept apart."""
    parts = {
        "内容": verdicts.integrity,
        "签署": verdicts.anchoring,
        "记录序列": verdicts.completeness,
        "索引": verdicts.indexes,
    }
    return "，".join(f"{name}{'无误' if holds else '有误'}" for name, holds in parts.items())
