"""审计: events, who saw a person, what an account did, alerts, and how the log itself is."""

from __future__ import annotations

from resolvers.binding import EdgeTo
from schema.bound import Kit
from schema.shared import connection


def audit(kit: Kit) -> None:
    """The officer's types; reading any of them is itself recorded."""
    data = kit.catalog.datasets
    place = EdgeTo("division", "area", "path", many=False)
    event = EdgeTo("audit_event", "idx", "idx", many=False)
    kit.rows(data["audit_event"], {"division": kit.edge("Division", "岗位辖区", place)})
    kit.rows(data["audit_access"], {"event": kit.edge("AuditEvent", "所在的记录", event)})
    kit.rows(data["audit_activity"], {"division": kit.edge("Division", "岗位辖区", place)})
    raised = EdgeTo("audit_event", "raised_idx", "idx", many=False)
    kit.rows(
        data["audit_alert"],
        {
            "division": kit.edge("Division", "所指账号的岗位辖区", place),
            "event": kit.edge("AuditEvent", "告警的记录", raised),
        },
    )
    kit.rows(data["audit_health"], {})
    kit.rows(data["audit_proof"], {})
    office = EdgeTo("department", "office", "code", many=False)
    kit.rows(data["audit_own"], {"department": kit.edge("Department", "单位", office)})
    kit.rows(data["own_activity"], {})
    for name, title in (
        ("OwnActivity", "本账号访问记录"),
        ("AuditEvent", "审计事件"),
        ("AuditAccess", "人员访问记录"),
        ("AuditActivity", "账号活动"),
        ("AuditAlert", "审计告警"),
        ("OwnAccess", "本人被查看记录"),
    ):
        connection(kit, name, title)
    _groups(kit)


def _groups(kit: Kit) -> None:
    kit.object(
        "AuditSummary",
        "审计汇总的一组；未按其分组的维度为空",
        {
            "actor": kit.group("String", "账号"),
            "day": kit.group("Date", "日期。北京时间"),
            "hour": kit.group("Int", "钟点。北京时间，0 到 23"),
            "division": kit.group("DivisionCode", "岗位所在乡（镇）；县级岗位归入县"),
            "kind": kit.group("AuditKind", "类别"),
            "outcome": kit.group("AuditOutcome", "结果"),
            "events": kit.group("Sequence!", "次数"),
            "subjects": kit.group("Sequence!", "涉及人次"),
        },
    )
    kit.object(
        "AuditSubject",
        "被查看最多的人员之一，以代号出现",
        {
            "person": kit.group("String!", "人员代号"),
            "accounts": kit.group("Sequence!", "看过他的账号数"),
            "departments": kit.group("Sequence!", "看过他的单位数"),
            "events": kit.group("Sequence!", "记录数"),
        },
    )
