"""数据校核, 校核事件 and 校核告知."""

from __future__ import annotations

from resolvers.binding import EdgeTo
from schema.bound import Kit
from schema.shared import connection


def correction(kit: Kit) -> None:
    """Correction with its events and who was told.

    The person is named by his key: who he is, is asked of ``citizen`` like of anybody.
    """
    events = connection(kit, "CorrectionEvent", "校核事件")
    readers = connection(kit, "CorrectionReader", "校核告知")
    kit.rows(
        kit.catalog.datasets["correction"],
        {
            "division": kit.edge(
                "Division", "提交时所在区划", EdgeTo("division", "region_path", "path", many=False)
            ),
            "provider": kit.edge(
                "Department", "数据提供单位", EdgeTo("department", "provider", "code", many=False)
            ),
            "events": kit.edge(
                events,
                "校核事件，按时间先后",
                EdgeTo("correction_event", "id", "correction_id", many=True, connection=True),
            ),
            "readers": kit.edge(
                readers,
                "须予告知的账号",
                EdgeTo("correction_reader", "id", "correction_id", many=True, connection=True),
            ),
            "access": kit.access(),
        },
    )
    kit.rows(kit.catalog.datasets["correction_event"], {"access": kit.access()})
    kit.rows(
        kit.catalog.datasets["correction_reader"],
        {
            "department": kit.edge(
                "Department", "账号所在单位", EdgeTo("department", "department", "code", many=False)
            ),
            "access": kit.access(),
        },
    )
    connection(kit, "Correction", "数据校核")
