"""共享申请, its events, and the list of refused and unanswered ones."""

from __future__ import annotations

from typing import Any

from resolvers.binding import EdgeTo
from schema.bound import Kit
from schema.shared import connection


def sharing(kit: Kit) -> None:
    """SharingRequest with both departments and its events; the list with its requests."""
    kit.rows(
        kit.catalog.datasets["sharing_request"],
        {
            "requester": _department(kit, "申请部门", "requester"),
            "provider": _department(kit, "提供部门", "provider"),
            "events": kit.edge(
                "[SharingRequestEvent!]",
                "申请事件，按先后",
                EdgeTo("sharing_request_event", "id", "request_id", many=True),
            ),
            "access": kit.access(),
        },
    )
    kit.rows(kit.catalog.datasets["sharing_request_event"], {"access": kit.access()})
    kit.rows(
        kit.catalog.datasets["sharing_fault"],
        {
            "request": kit.edge(
                "SharingRequest",
                "共享申请",
                EdgeTo("sharing_request", "request_id", "id", many=False),
            ),
            "requester": _department(kit, "申请部门", "requester"),
            "provider": _department(kit, "提供部门", "provider"),
            "owedBy": _department(kit, "应办部门", "owed_by"),
            "access": kit.access(),
        },
    )
    connection(kit, "SharingRequest", "共享申请")
    connection(kit, "SharingFaultEntry", "拒绝与逾期")


def _department(kit: Kit, about: str, column: str) -> Any:
    return kit.edge("Department", about, EdgeTo("department", column, "code", many=False))
