"""投诉、申诉、权益异议 with their events; 抽查 and its items."""

from __future__ import annotations

from typing import Any

from resolvers.binding import EdgeTo
from schema.bound import Kit
from schema.shared import connection


def complaint(kit: Kit) -> None:
    """Complaint with its case, its citizen and what was done."""
    events = connection(kit, "ComplaintEvent", "投诉办理记录")
    kit.rows(
        kit.catalog.datasets["complaint"],
        {
            "case": kit.edge("Case", "所涉诉求件", EdgeTo("case", "case_id", "id", many=False)),
            "complainant": kit.edge(
                "Citizen", "投诉人", EdgeTo("citizen", "applicant_id", "id", many=False)
            ),
            **_place(kit),
            "events": kit.edge(
                events,
                "办理记录，按时间先后",
                EdgeTo("complaint_event", "id", "complaint_id", many=True, connection=True),
            ),
            "access": kit.access(),
        },
    )
    kit.rows(
        kit.catalog.datasets["complaint_event"],
        {
            "complaint": kit.edge(
                "Complaint", "所属投诉", EdgeTo("complaint", "complaint_id", "id", many=False)
            ),
            "access": kit.access(),
        },
    )
    connection(kit, "Complaint", "投诉")


def spot_check(kit: Kit) -> None:
    """SpotCheck with its items; SpotCheckItem with its case."""
    items = connection(kit, "SpotCheckItem", "抽查件")
    kit.rows(
        kit.catalog.datasets["spot_check"],
        {
            "area": kit.edge(
                "Division",
                "只抽此区划及其下级的；空为全县",
                EdgeTo("division", "area_path", "path", many=False),
            ),
            "department": kit.edge(
                "Department",
                "只抽此部门承办的；空为不限",
                EdgeTo("department", "department", "code", many=False),
            ),
            "items": kit.edge(
                items,
                "抽查件，按抽签先后",
                EdgeTo("spot_check_item", "id", "spot_check_id", many=True, connection=True),
            ),
            "access": kit.access(),
        },
    )
    kit.rows(
        kit.catalog.datasets["spot_check_item"],
        {
            "spotCheck": kit.edge(
                "SpotCheck", "所属抽查", EdgeTo("spot_check", "spot_check_id", "id", many=False)
            ),
            "case": kit.edge("Case", "所抽诉求件", EdgeTo("case", "case_id", "id", many=False)),
            **_place(kit),
            "access": kit.access(),
        },
    )
    connection(kit, "SpotCheck", "抽查")


def _place(kit: Kit) -> dict[str, Any]:
    return {
        "division": kit.edge(
            "Division", "所在区划", EdgeTo("division", "region_path", "path", many=False)
        ),
        "department": kit.edge(
            "Department", "承办部门", EdgeTo("department", "handling_dept", "code", many=False)
        ),
    }
