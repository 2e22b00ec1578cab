"""Types every other type uses: page info, connections, field states, provenance."""

from __future__ import annotations

from schema.bound import Kit


def shared(kit: Kit) -> None:
    """PageInfo, FieldAccess, Provenance. Our own PageInfo: it can be shared by subgraphs."""
    kit.object(
        "PageInfo",
        "分页信息",
        {
            "hasNextPage": kit.part("Boolean!", "后面是否还有"),
            "hasPreviousPage": kit.part("Boolean!", "前面是否还有"),
            "startCursor": kit.part("String", "本页首行的游标"),
            "endCursor": kit.part("String", "本页末行的游标"),
        },
    )
    kit.object(
        "FieldAccess",
        "字段状态。某字段为何脱敏、无权、无记录或数据源不可用",
        {
            "field": kit.part("String!", "字段名"),
            "state": kit.part("FieldState!", "状态"),
            "source": kit.part("String!", "数据源"),
        },
    )
    kit.object(
        "Provenance",
        "数据来源。谁提供、何时、与本人匹配的把握（谁提供、谁负责）",
        {
            "source": kit.part("String!", "数据源"),
            "asOf": kit.part("DateTime", "数据截至时间；为空表示实时"),
            "matchGrade": kit.part("MatchGrade", "匹配等级"),
            "quality": kit.part("[DQCode!]!", "数据质量问题；脏数据照实标出，不隐去"),
        },
    )


def connection(kit: Kit, name: str, title: str) -> str:
    """``NameConnection`` with its edge type; gives the connection's name."""
    whole = f"{name}Connection"
    if whole not in kit.names:
        kit.object(
            f"{name}Edge",
            f"{title}分页中的一行",
            {
                "cursor": kit.part("String!", "本行的游标"),
                "node": kit.part(f"{name}!", title),
            },
        )
        kit.object(
            whole,
            f"{title}分页（Relay）",
            {
                "edges": kit.part(f"[{name}Edge!]!", "本页各行及其游标"),
                "nodes": kit.part(f"[{name}!]!", "本页各行"),
                "pageInfo": kit.part("PageInfo!", "分页信息"),
                "totalCount": kit.part("Int!", "您可列出的总行数"),
            },
        )
    return whole
