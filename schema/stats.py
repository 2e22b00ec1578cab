"""诉求件汇总: groups of cases and their counts."""

from __future__ import annotations

from schema.bound import Kit


def stats(kit: Kit) -> None:
    """CaseStat: one group. Fields of dimensions not grouped by are null."""
    kit.object(
        "CaseStat",
        "诉求件汇总的一组；未按其分组的维度为空。可列举诉求件者按本人范围精确计数"
        "（授权对象 Case.basic）；仅可汇总者见定期发布的固定汇总表（授权对象 Stat.monthly）",
        {
            "month": kit.group("Month", "提交月份。北京时间"),
            "division": kit.group(
                "DivisionCode", "提交时所在乡（镇）或村（社区）。未落到该级的归入所属上级的代码"
            ),
            "item": kit.group("ServiceItem", "服务事项"),
            "department": kit.group("String", "承办部门代码"),
            "state": kit.group("CaseState", "办理状态"),
            "overdue": kit.group("Boolean", "是否超时"),
            "count": kit.group("Int", "件数。固定汇总表中取整为 5 的倍数，不公布时为空"),
            "suppressed": kit.group("Boolean!", "是否因人数过少或可被推算而不公布"),
        },
    )
