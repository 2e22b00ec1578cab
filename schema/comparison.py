"""比对批次 with its clues, 风险线索 with its case."""

from __future__ import annotations

from resolvers.binding import EdgeTo
from schema.bound import Kit
from schema.shared import connection


def comparison(kit: Kit) -> None:
    """ComparisonRun and RiskClue.

    The person is named by his key: who he is, is asked of ``citizen`` like of anybody.
    """
    clues = connection(kit, "RiskClue", "风险线索")
    kit.rows(
        kit.catalog.datasets["comparison_run"],
        {
            "clues": kit.edge(
                clues,
                "本批次新增的线索",
                EdgeTo("risk_clue", "id", "run_id", many=True, connection=True),
            ),
            "access": kit.access(),
        },
    )
    kit.rows(
        kit.catalog.datasets["risk_clue"],
        {
            "run": kit.edge(
                "ComparisonRun",
                "发现它的批次",
                EdgeTo("comparison_run", "run_id", "id", many=False),
            ),
            "case": kit.edge("Case", "托举成的诉求件", EdgeTo("case", "case_id", "id", many=False)),
            "division": kit.edge(
                "Division", "发现时所在区划", EdgeTo("division", "region_path", "path", many=False)
            ),
            "department": kit.edge(
                "Department",
                "规则的责任部门",
                EdgeTo("department", "handling_dept", "code", many=False),
            ),
            "access": kit.access(),
        },
    )
    connection(kit, "ComparisonRun", "比对批次")
