"""运行状态: how each source stands; nobody is asked for it."""

from __future__ import annotations

from console.page import Address, Answer, Column, Note, Page, Table, View
from console.words import Words

COLUMNS = (
    Column("数据源", "title"),
    Column("代码", "name", kind="code"),
    Column("提供单位", "department.shortName"),
    Column("接入方式", "kind", code="SourceKind"),
    Column("状态", "state", code="SourceState"),
    Column("熔断", "breaker", code="BreakerState"),
    Column("最近应答", "lastAnswerAt", kind="moment"),
    Column("最近未应答", "lastFaultAt", kind="moment"),
    Column("原因", "lastReason", code="SourceState"),
    Column("用时（毫秒）", "latencyMs", kind="number"),
    Column("数据时点", "asOf", kind="moment"),
    Column("逾期", "stale", kind="flag"),
    Column("停机时段", "outage"),
    Column("今日次数", "quotaUsed", kind="number"),
    Column("每日许可", "quotaLimit", kind="number"),
)


def _view(answer: Answer, _address: Address, _words: Words) -> View:
    table = Table("数据源", COLUMNS, answer.nodes("sources"))
    told = Note("所示为最近一次访问的结果，打开本页不另行询问。时间为北京时间。")
    return View("运行状态", [table, told], table)


PAGES = (Page("/sources", "运行状态", "sources", _view, datasets=("source_system",)),)
