"""Planted faults: the comparison sees each of them within its documents of a day.

A fault of fetching is planted in a source, through the setting; a fault of writing in what the
engine answers. Both are whole faulty variants put where the true thing stands.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from adapters.contract import Call, Prepared, ReadRequest, Rows, Source
from authz.gate import Gate
from resolvers.answer import Answer, Engine, Question
from tests.resolvers.counts import DAILY

if TYPE_CHECKING:
    from tests.oracle.conftest import Bench
    from tests.resolvers.conftest import NewDocument

ACCOUNT = "lab"
Fault = Callable[[Answer], Answer]
Change = Callable[[Any, Answer], Any]
"""Plain data, to be spoilt, and the answer it is of."""


class Miswritten(Engine):
    """An engine whose answer is written wrongly. `fault` makes the wrong answer of the right."""

    fault: Fault

    async def answer(self, question: Question, gate: Gate, context: Mapping[str, Any]) -> Answer:
        return self.fault(await super().answer(question, gate, context))


class Misread:
    """A source that reads wrongly. `fault` makes the wrong rows of the right."""

    json = True

    def __init__(self, behind: Source, fault: Callable[[Rows, Prepared], Rows]) -> None:
        self.name, self._behind, self._fault = behind.name, behind, fault

    def prepare(self, request: ReadRequest) -> Prepared:
        return self._behind.prepare(request)

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        return self._fault(await self._behind.read(prepared, call), prepared)

    async def ping(self) -> None:
        await self._behind.ping()

    async def close(self) -> None:
        await self._behind.close()


# ---- faults of writing -------------------------------------------------------------------------


def objects(value: Any) -> list[dict[str, Any]]:
    """Every object of an answer, the outermost first."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) else []
    return own + [o for one in below for o in objects(one)]


def lists(value: Any) -> list[list[Any]]:
    """Every list of an answer."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, list) else []
    return own + [o for one in below for o in lists(one)]


def in_data(change: Change) -> Fault:
    """A fault of the data alone."""
    return lambda right: replace(right, data=change(json.loads(orjson.dumps(right.data)), right))


def values_swapped(data: Any, _right: Answer) -> Any:
    """The innermost object's first two values change places."""
    for one in reversed(objects(data)):
        if len(one) > 1:
            (a, v), (b, w), *_ = one.items()
            one[a], one[b] = w, v
            break
    return data


def keys_reordered(data: Any, _right: Answer) -> Any:
    """The innermost object's keys stand in another order."""
    for one in reversed(objects(data)):
        if len(one) > 1:
            one |= {key: one.pop(key) for key in list(one)[:1]}
            break
    return data


def alias_lost(data: Any, _right: Answer) -> Any:
    """An aliased field stands under another name."""
    for one in objects(data):
        aliased = [key for key in one if key[-1].isdigit()]
        if aliased:
            one[aliased[0].rstrip("0123456789")] = one.pop(aliased[0])
            break
    return data


def last_item_lost(data: Any, _right: Answer) -> Any:
    """The last list is one short."""
    found = [one for one in lists(data) if one]
    if found:
        found[-1].pop()
    return data


def _holes(right: Answer) -> list[list[Any]]:
    return [e["path"] for e in right.errors if e["extensions"]["code"] == "INTERNAL"]


def null_too_high(data: Any, right: Answer) -> Any:
    """What a missing value nulls is nulled one object higher."""
    for path in _holes(right):
        above, at = None, data
        for step in path:
            if at[step] is None:
                break
            above, at = (at, step), at[step]
        if above is not None:
            above[0][above[1]] = None
            break
    return data


def null_too_low(data: Any, right: Answer) -> Any:
    """A missing value is null itself, in an object that may not have it."""
    for path in _holes(right):
        at = data
        for number, step in enumerate(path):
            if at[step] is None:
                at[step] = _nested(path[number + 1 :])
                return data
            at = at[step]
    return data


def _nested(path: list[Any]) -> Any:
    if not path:
        return None
    return [_nested(path[1:])] if isinstance(path[0], int) else {path[0]: _nested(path[1:])}


def entities_moved(data: Any, _right: Answer) -> Any:
    """What a gateway referred to stands one place further on."""
    for key, found in (data or {}).items():
        if key[0] == "e" and isinstance(found, list):
            data[key] = [*found[-1:], *found[:-1]]
    return data


def unseen_shown(data: Any, _right: Answer) -> Any:
    """Somebody who may not be seen is an object without a value instead of null."""
    for key, found in (data or {}).items():
        if key[0] == "e" and isinstance(found, list):
            data[key] = [{} if one is None else one for one in found]
    return data


def errors_lost(right: Answer) -> Answer:
    return replace(right, errors=())


# ---- faults of reading -------------------------------------------------------------------------


def last_row_lost(rows: Rows, _prepared: Prepared) -> Rows:
    return replace(rows, rows=list(rows.rows)[:-1])


def columns_swapped(rows: Rows, prepared: Prepared) -> Rows:
    """The first two columns that are answered change places."""
    places = [i for i, n in enumerate(prepared.columns) if not n.startswith(("__", "x__"))][:2]
    if len(places) < 2:
        return rows
    a, b = places

    def wrong(row: tuple[Any, ...]) -> tuple[Any, ...]:
        found = list(row)
        found[a], found[b] = found[b], found[a]
        return tuple(found)

    return replace(rows, rows=[wrong(tuple(row)) for row in rows.rows])


def order_turned(rows: Rows, _prepared: Prepared) -> Rows:
    return replace(rows, rows=list(reversed(list(rows.rows))))


# ---- the tests ---------------------------------------------------------------------------------


def seen_after(
    bench: Bench,
    engine: Engine,
    document: NewDocument,
    *,
    most: int = DAILY,
    gateway: bool = False,
) -> int:
    """How many documents it takes until something differs; one more than `most` if none does."""
    rng = random.Random("mutants")
    for number in range(1, most + 1):
        made = document(rng.getrandbits(32), gateway=gateway)
        for variables in made.variables:
            found, _ = bench.differences(engine, ACCOUNT, made.text, variables, made.name)
            if found:
                return number
    return most + 1


@pytest.mark.parametrize(
    "fault", [values_swapped, keys_reordered, alias_lost, last_item_lost], ids=lambda f: f.__name__
)
def test_a_fault_of_writing_is_seen(bench: Bench, document: NewDocument, fault: Change) -> None:
    assert seen_after(bench, faulty(bench, in_data(fault)), document) <= DAILY


@pytest.mark.parametrize("fault", [entities_moved, unseen_shown], ids=lambda f: f.__name__)
def test_a_fault_in_what_is_referred_to_is_seen(
    bench: Bench, document: NewDocument, fault: Change
) -> None:
    engine = faulty(bench, in_data(fault))
    assert seen_after(bench, engine, document, gateway=True) <= DAILY


@pytest.mark.parametrize("fault", [null_too_high, null_too_low], ids=lambda f: f.__name__)
def test_a_fault_of_null_propagation_is_seen(
    dirty: Bench, document: NewDocument, fault: Change
) -> None:
    assert seen_after(dirty, faulty(dirty, in_data(fault)), document) <= DAILY


@pytest.mark.parametrize(
    "fault", [last_row_lost, columns_swapped, order_turned], ids=lambda f: f.__name__
)
def test_a_fault_of_reading_is_seen(
    bench: Bench, document: NewDocument, fault: Callable[[Rows, Prepared], Rows]
) -> None:
    sources = {n: Misread(s, fault) for n, s in bench.desk.setting.sources.items()}
    engine = bench.engine(True, replace(bench.desk.setting, sources=sources))
    assert seen_after(bench, engine, document) <= DAILY


def test_a_lost_error_is_seen(dirty: Bench, document: NewDocument) -> None:
    assert seen_after(dirty, faulty(dirty, errors_lost), document) <= DAILY


def test_nothing_is_seen_where_nothing_is_wrong(dirty: Bench, document: NewDocument) -> None:
    same = faulty(dirty, in_data(lambda data, _right: data))
    assert seen_after(dirty, same, document, most=10) > 10


def faulty(bench: Bench, fault: Fault) -> Engine:
    """An engine of the bench that has this fault."""
    made = Miswritten(bench.desk.bindings, bench.desk.setting, bench.limits, json_mode=True)
    made.fault = fault
    return made
