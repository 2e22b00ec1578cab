"""The verdict on the log in words: what is wrong, which of three verdicts, who did not stop."""

from __future__ import annotations

from typing import Any

from audit.verify import Code, Verdicts
from hub.verdict import said

SIZE = f"7 条记录，9 条对象索引，根 {'a' * 16}…"


def verdicts(**given: Any) -> Verdicts:
    """An intact log of seven records, but for what is `given`."""
    intact: dict[str, Any] = {
        "log": "demo.invalid/hub/test/sha256",
        "size": 7,
        "subjects": 9,
        "root": "a" * 64,
        "begun": True,
        "findings": (),
        "counts": {},
        "first_bad": None,
        "unstopped": (),
    }
    return Verdicts(**(intact | given))


def test_an_intact_log() -> None:
    assert said(verdicts()) == f"日志完好：{SIZE}"


def test_a_start_without_a_stop_is_told_of_an_intact_log() -> None:
    told = said(verdicts(unstopped=("node/1", "node/2")))
    assert told == f"日志完好：{SIZE}；2 次启动没有停止记录（仍在运行或曾被中断）"


def test_records_that_a_search_would_not_find_yet_are_told() -> None:
    assert said(verdicts(unindexed=3)) == f"日志完好：{SIZE}；3 条记录尚未编入对象索引"


def test_the_three_verdicts_are_kept_apart() -> None:
    told = said(verdicts(counts={Code.SUBJECT_INDEX: 2}, first_bad=3))
    first = "日志被改动：首个有误的记录是第 3 条（SUBJECT_INDEX 2）"
    assert told == f"{first}；内容无误，记录序列无误，对象索引有误；{SIZE}"


def test_a_log_that_never_began_proves_nothing() -> None:
    assert said(verdicts(begun=False, size=0)) == "证据不足：日志尚未开始"
