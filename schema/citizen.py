"""人员 and 家庭户: the register's rows, the edges from them, the departments' facets."""

from __future__ import annotations

from resolvers.binding import EdgeTo
from schema.bound import Kit
from schema.facets import facets
from schema.shared import connection


def citizen(kit: Kit) -> None:
    """Citizen: reached by key, look-up or relation; lists need their own right."""
    cases = connection(kit, "Case", "诉求件")
    kit.rows(
        kit.catalog.datasets["citizen"],
        {
            "division": kit.edge(
                "Division", "居住地区划", EdgeTo("division", "region_path", "path", many=False)
            ),
            "household": kit.edge(
                "Household", "所在家庭户", EdgeTo("household", "household_id", "id", many=False)
            ),
            "cases": kit.edge(
                cases,
                "本人的诉求件，新的在前",
                EdgeTo("case", "id", "applicant_id", many=True, connection=True),
            ),
            **facets(kit, "Citizen"),
            "access": kit.access(),
        },
    )
    connection(kit, "Citizen", "人员")


def household(kit: Kit) -> None:
    """Household: its members are reached, not enumerated."""
    kit.rows(
        kit.catalog.datasets["household"],
        {
            "division": kit.edge(
                "Division", "所在区划", EdgeTo("division", "region_path", "path", many=False)
            ),
            "members": kit.edge(
                "[Citizen!]", "户内成员", EdgeTo("citizen", "id", "household_id", many=True)
            ),
            **facets(kit, "Household"),
        },
    )
