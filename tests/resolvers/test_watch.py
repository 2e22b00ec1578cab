"""What is said of an operation's steps, and that nobody pays who does not watch."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.app import DOCUMENT_LIMITS
from resolvers.answer import Answer, Engine
from resolvers.watch import UNWATCHED, Step, Tell, Watch, watched

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk


class Recorder:
    """Keeps what it is told: one entry a step, in the order in which they begin."""

    def __init__(self) -> None:
        self.seen: list[tuple[Step, dict[str, Any]]] = []
        self.open = 0

    @contextlib.contextmanager
    def __call__(self, step: Step, **told: Any) -> Iterator[Tell]:
        entry = (step, dict(told))
        self.seen.append(entry)
        self.open += 1
        try:
            yield lambda **more: entry[1].update(more)
        finally:
            self.open -= 1


def test_a_step_nobody_watches_is_one_and_the_same_thing() -> None:
    found = watched(None, Step.LIMITS)
    assert found is watched(None, Step.PLAN) is UNWATCHED
    with found as tell:
        tell(rows=1)
    began = time.perf_counter()
    for _ in range(10_000):
        with watched(None, Step.READ):
            pass
    assert time.perf_counter() - began < 0.1  # under 10 µs each, on however busy a machine


def test_a_step_that_is_watched_lasts_as_long_as_its_block() -> None:
    recorder = Recorder()
    watch: Watch = recorder
    with watched(watch, Step.READ) as tell:
        assert recorder.open == 1
        tell(rows=2)
    assert recorder.open == 0
    assert recorder.seen == [(Step.READ, {"rows": 2})]


DOWN = """query($n: String!) { citizen(by: {idNumber: $n}) {
  name medicalInsurance { enrolment { state } } civilAffairs { minLiving { status } } } }"""
LISTED = "{ cases(first: 4) { totalCount nodes { caseNo events(first: 2) { nodes { state } } } } }"


def engine_watched(desk: Desk, recorder: Recorder, *, json_mode: bool = True) -> Engine:
    setting = replace(desk.setting, watch=recorder)
    return Engine(desk.bindings, setting, DOCUMENT_LIMITS, json_mode=json_mode)


def test_each_batch_of_each_source_is_said_once_with_its_rows_or_why_there_are_none(
    desk: Desk,
) -> None:
    recorder = Recorder()
    person = {"n": desk.site.shown("zhelai").id18}
    answer = desk.ask(engine_watched(desk, recorder), "zhelai-town-01", DOWN, person)
    assert answer.disclosure.outcome == "PARTIAL"
    assert [step for step, _ in recorder.seen[:2]] == [Step.LIMITS, Step.PLAN]
    reads = sorted((told for _, told in recorder.seen[2:]), key=lambda one: str(one["dataset"]))
    assert reads == [
        {"source": "hub", "dataset": "citizen", "batch": 0, "rows": 1},
        {"source": "yb_settle", "dataset": "medical_enrolment", "batch": 1, "decision": "DOWN"},
        {"source": "mz_assist", "dataset": "min_living", "batch": 1, "rows": 1},
    ]
    assert recorder.open == 0


@pytest.mark.parametrize(("json_mode", "reads"), [(True, 2), (False, 3)])
def test_as_many_reads_are_said_as_statements_are_sent(
    desk: Desk, json_mode: bool, reads: int
) -> None:
    recorder = Recorder()
    engine = engine_watched(desk, recorder, json_mode=json_mode)
    before = desk.sent()
    assert desk.ask(engine, "lab", LISTED).errors == ()
    assert desk.sent() - before == reads
    assert [step for step, _ in recorder.seen].count(Step.READ) == reads


def test_a_watched_answer_is_that_of_an_unwatched_engine_and_costs_the_same_work(
    desk: Desk, plain: Callable[[Answer], Any]
) -> None:
    person = {"n": desk.site.shown("zhelai").id18}
    engines = [desk.engine(True), engine_watched(desk, Recorder())]
    told = []
    for engine in engines:
        before = desk.sent()
        answers = [desk.ask(engine, "zhelai-town-01", DOWN, person) for _ in range(2)]
        work = (engine.documents.parsed, engine.planned, engine.shaped, engine.judged)
        told.append(([plain(a) for a in answers], work, desk.sent() - before))
    assert told[0] == told[1]
    assert told[0][1] == (1, 1, 1, 0)


def test_a_document_that_is_refused_has_its_limits_and_nothing_else(desk: Desk) -> None:
    recorder = Recorder()
    answer = desk.ask(engine_watched(desk, recorder), "lab", "{ nothing }")
    assert answer.disclosure.code == "GRAPHQL_VALIDATION_FAILED"
    assert recorder.seen == [(Step.LIMITS, {})]
