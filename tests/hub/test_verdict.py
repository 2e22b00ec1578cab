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


def test_the_four_verdicts_are_kept_apart() -> None:
    told = said(verdicts(counts={Code.SUBJECT_INDEX: 2}, first_bad=3))
    first = "日志被改动：首个有误的记录是第 3 条（SUBJECT_INDEX 2）"
    assert told == f"{first}；内容无误，签署无误，记录序列无误，索引有误；{SIZE}"


def test_evidence_that_is_missing_is_not_called_a_change() -> None:
    told = said(verdicts(counts={Code.CHECKPOINT_GAP: 1}, first_bad=3))
    begin = "证据不足：自第 3 条起（CHECKPOINT_GAP 1）"
    assert told == f"{begin}；内容无误，签署有误，记录序列无误，索引无误；{SIZE}"


def test_a_rewritten_history_is_told_as_a_range() -> None:
    told = said(verdicts(counts={Code.FORK: 1}, first_bad=3, bad_range=(3, 6)))
    assert told.startswith("日志被改动：第 3 至 5 条与签署时不同（FORK 1）；内容无误，签署有误")


def test_what_is_signed_and_what_outsiders_hold_is_told() -> None:
    told = said(verdicts(checkpoints=2, last_good=6, anchored=5, witnessed=4, since=4))
    since = "自第 4 条起核验，此前由检查点证明"
    kept = "2 个检查点，最后相符的在 6 条处；与外部凭据相符至 5 条；见证至 4 条"
    assert told == f"日志完好：{SIZE}；{since}；{kept}"


def test_a_log_that_never_began_proves_nothing() -> None:
    assert said(verdicts(begun=False, size=0)) == "证据不足：日志尚未开始"
