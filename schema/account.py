"""账号变更 with its events and trainings; 人员缺口."""

from __future__ import annotations

from typing import Any

from resolvers.binding import EdgeTo
from schema.bound import Kit
from schema.shared import connection


def account_change(kit: Kit) -> None:
    """AccountChange, its events and the trainings of its account; TrainingRecord."""
    events = connection(kit, "AccountChangeEvent", "账号变更记录")
    trainings = connection(kit, "TrainingRecord", "安全培训记录")
    kit.rows(
        kit.catalog.datasets["account_change"],
        {
            **_place(kit),
            "newDepartment": kit.edge(
                "Department", "新岗位部门", EdgeTo("department", "new_dept", "code", many=False)
            ),
            "newDivision": kit.edge(
                "Division", "新岗位区划", EdgeTo("division", "new_path", "path", many=False)
            ),
            "events": kit.edge(
                events,
                "变更记录，按时间先后",
                EdgeTo(
                    "account_change_event", "id", "account_change_id", many=True, connection=True
                ),
            ),
            "trainings": kit.edge(
                trainings,
                "此账号的安全培训记录，新的在前",
                EdgeTo("training_record", "account", "account", many=True, connection=True),
            ),
            "access": kit.access(),
        },
    )
    kit.rows(kit.catalog.datasets["account_change_event"], {"access": kit.access()})
    kit.rows(kit.catalog.datasets["training_record"], {**_place(kit), "access": kit.access()})
    connection(kit, "AccountChange", "账号变更")


def staffing_gap(kit: Kit) -> None:
    """StaffingGap: a station that is short."""
    kit.rows(kit.catalog.datasets["staffing_gap"], {**_place(kit), "access": kit.access()})
    connection(kit, "StaffingGap", "人员缺口")


def _place(kit: Kit) -> dict[str, Any]:
    return {
        "department": kit.edge(
            "Department", "所属部门", EdgeTo("department", "department", "code", many=False)
        ),
        "division": kit.edge(
            "Division", "所在区划", EdgeTo("division", "region_path", "path", many=False)
        ),
    }
