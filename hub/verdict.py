"""The verdict on the log, in words."""

from __future__ import annotations

from audit.verify import Verdicts


def said(verdicts: Verdicts) -> str:
    """One line: intact or not, how many records, the root; the first bad record if there is one."""
    if not verdicts.begun:
        return "证据不足：日志尚未开始"
    size = f"{verdicts.size} 条记录，{verdicts.subjects} 条对象索引，根 {verdicts.root[:16]}…"
    if not verdicts.counts:
        return f"日志完好：{size}"
    found = "，".join(f"{code} {count}" for code, count in verdicts.counts.items())
    return f"日志被改动：首个有误的记录是第 {verdicts.first_bad} 条（{found}）；{size}"
