"""诉求件, 办件事件 and 督办单."""

from __future__ import annotations

from resolvers.binding import EdgeTo
from schema.bound import Kit
from schema.shared import connection


def case(kit: Kit) -> None:
    """Case with its applicant, events and orders."""
    events = connection(kit, "CaseEvent", "办件事件")
    kit.rows(
        kit.catalog.datasets["case"],
        {
            "applicant": kit.edge(
                "Citizen", "申请人", EdgeTo("citizen", "applicant_id", "id", many=False)
            ),
            "division": kit.edge(
                "Division", "提交时所在区划", EdgeTo("division", "region_path", "path", many=False)
            ),
            "department": kit.edge(
                "Department", "承办部门", EdgeTo("department", "handling_dept", "code", many=False)
            ),
            "events": kit.edge(
                events,
                "办件事件，按时间先后",
                EdgeTo("case_event", "id", "case_id", many=True, connection=True),
            ),
            "orders": kit.edge(
                "[SupervisionOrder!]",
                "督办单",
                EdgeTo("supervision_order", "id", "case_id", many=True),
            ),
            "workOrders": kit.edge(
                "[WorkOrder!]",
                "工单，每个环节一张",
                EdgeTo("work_order", "id", "case_id", many=True),
            ),
            "timeouts": kit.edge(
                "[TimeoutEvent!]",
                "超时记录；事后办结也不抹去",
                EdgeTo("timeout_event", "id", "case_id", many=True),
            ),
            "clues": kit.edge(
                "[RiskClue!]",
                "据以托举的风险线索",
                EdgeTo("risk_clue", "id", "case_id", many=True),
            ),
            "complaints": kit.edge(
                "[Complaint!]",
                "投诉、申诉与权益异议",
                EdgeTo("complaint", "id", "case_id", many=True),
            ),
            "access": kit.access(),
        },
    )
    for name, title in (("work_order", "工单"), ("timeout_event", "超时记录")):
        dataset = kit.catalog.datasets[name]
        kit.rows(
            dataset,
            {
                "case": kit.edge("Case", "所属诉求件", EdgeTo("case", "case_id", "id", many=False)),
                "department": kit.edge(
                    "Department",
                    "承办部门",
                    EdgeTo("department", "handler_dept", "code", many=False),
                ),
                "division": kit.edge(
                    "Division", "所在区划", EdgeTo("division", "region_path", "path", many=False)
                ),
                "access": kit.access(),
            },
        )
        connection(kit, dataset.type, title)
    kit.rows(
        kit.catalog.datasets["case_event"],
        {
            "case": kit.edge("Case", "所属诉求件", EdgeTo("case", "case_id", "id", many=False)),
            "access": kit.access(),
        },
    )


def supervision(kit: Kit) -> None:
    """SupervisionOrder with the case it urges."""
    kit.rows(
        kit.catalog.datasets["supervision_order"],
        {
            "case": kit.edge("Case", "所督办的诉求件", EdgeTo("case", "case_id", "id", many=False)),
            "sharingRequest": kit.edge(
                "SharingRequest",
                "所催办的共享申请",
                EdgeTo("sharing_request", "sharing_request_id", "id", many=False),
            ),
            "division": kit.edge(
                "Division", "所在区划", EdgeTo("division", "region_path", "path", many=False)
            ),
            "department": kit.edge(
                "Department", "承办部门", EdgeTo("department", "handling_dept", "code", many=False)
            ),
            "events": kit.edge(
                "[SupervisionEvent!]",
                "督办事件，按时间先后",
                EdgeTo("supervision_event", "id", "order_id", many=True),
            ),
            "access": kit.access(),
        },
    )
    kit.rows(kit.catalog.datasets["supervision_event"], {"access": kit.access()})
    connection(kit, "SupervisionOrder", "督办单")
