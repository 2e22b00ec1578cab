"""行政区划, 部门, 共享目录 and the asker himself."""

from __future__ import annotations

from resolvers.binding import EdgeTo
from schema.bound import Kit


def division(kit: Kit) -> None:
    """Division with parent and children."""
    kit.rows(
        kit.catalog.datasets["division"],
        {
            "parent": kit.edge(
                "Division", "上级区划", EdgeTo("division", "parent_path", "path", many=False)
            ),
            "children": kit.edge(
                "[Division!]",
                "下级区划",
                EdgeTo("division", "path", "parent_path", many=True, reached=False),
            ),
        },
    )


def catalogue(kit: Kit) -> None:
    """Department, Dataset, DatasetField: what is shared, by whom, on which basis."""
    kit.rows(
        kit.catalog.datasets["department"],
        {
            "datasets": kit.edge(
                "[Dataset!]",
                "该部门提供的共享目录项",
                EdgeTo("dataset", "code", "provider", many=True, reached=False),
            )
        },
    )
    kit.rows(
        kit.catalog.datasets["dataset"],
        {
            "provider": kit.edge(
                "Department", "提供单位", EdgeTo("department", "provider", "code", many=False)
            ),
            "fields": kit.edge(
                "[DatasetField!]",
                "信息项",
                EdgeTo("dataset_field", "name", "dataset", many=True),
            ),
        },
    )
    kit.rows(kit.catalog.datasets["dataset_field"], {})


def sources(kit: Kit) -> None:
    """SourceSystem: how each source stands, whose it is and what it gives."""
    kit.rows(
        kit.catalog.datasets["source_system"],
        {
            "department": kit.edge(
                "Department", "提供单位", EdgeTo("department", "department", "code", many=False)
            ),
            "datasets": kit.edge(
                "[Dataset!]",
                "此数据源的共享目录项",
                EdgeTo("dataset", "name", "source", many=True, reached=False),
            ),
        },
    )


def viewer(kit: Kit) -> None:
    """Viewer: who asks, with which posts, for what."""
    kit.object(
        "ViewerPost",
        "岗位。权限随岗位走",
        {
            "department": kit.part("String!", "部门代码"),
            "role": kit.part("String!", "角色"),
            "division": kit.part("DivisionCode!", "辖区代码"),
            "divisionName": kit.part("String!", "辖区名称"),
        },
    )
    kit.object(
        "Viewer",
        "当前请求的账号、岗位与用途",
        {
            "account": kit.part("String!", "账号"),
            "posts": kit.part("[ViewerPost!]!", "岗位"),
            "purpose": kit.part("String!", "用途代码"),
            "purposeTitle": kit.part("String!", "用途名称"),
            "caseNo": kit.part("String", "关联的诉求编号"),
            "policyVersion": kit.part("Int!", "所用权限策略的版本"),
        },
    )
