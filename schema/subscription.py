"""Subscription roots. Each event is answered like a query of the changed row, by the same Plan."""

from __future__ import annotations

from typing import Any

from schema.bound import Arguments, Kit

IN_AREA: Arguments = {"area": ("DivisionCode", "只收该区划及其下级的；缺省为您的全部辖区")}


def subscription(kit: Kit) -> Any:
    """The Subscription type. What lies outside the asker's rights is not told to have happened."""
    root = kit.root
    roots = {
        "caseEvents": root(
            "CaseEvent",
            "新的办件事件，每条一次；需要诉求件的列表权限。范围以外的不推送，也不告知",
            "case_events",
            IN_AREA,
        ),
        "supervisionEvents": root(
            "SupervisionOrder",
            "新交办的和有变动的督办单，推送其当前内容；需要督办单的列表权限",
            "supervision_events",
            IN_AREA,
        ),
        "caseCounts": root(
            "[CaseStat!]",
            "诉求件按办理状态的件数，先推送当前的，此后有变化才推送。规则同 caseStats；"
            "仅可汇总者只有固定汇总表，不能限定区划",
            "case_counts",
            IN_AREA,
        ),
    }
    return kit.object("Subscription", "数据共享中心的订阅入口", roots)
