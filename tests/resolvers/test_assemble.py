"""Rows and JSON text -> the answer: key order, missing values, denied relations, access."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from adapters.contract import Call, Prepared, ReadRequest, Rows, Source
from hub.app import DOCUMENT_LIMITS
from resolvers.answer import Answer, Engine

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk

BOTH = pytest.mark.parametrize("json_mode", [True, False])


class Holey:
    """A source in whose rows a column is missing where `where` is in the row, in both modes."""

    json = True

    def __init__(self, inner: Source, column: str, where: str) -> None:
        self.name, self._inner, self._column, self._where = inner.name, inner, column, where
        self.holes = 0

    def prepare(self, request: ReadRequest) -> Prepared:
        return self._inner.prepare(request)

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        rows = await self._inner.read(prepared, call)
        return replace(rows, rows=[self._pierced(prepared.columns, row) for row in rows.rows])

    async def ping(self) -> None:
        await self._inner.ping()

    async def close(self) -> None:
        """The inner source is closed by its owner."""

    def _pierced(self, columns: tuple[str, ...], row: tuple[Any, ...]) -> tuple[Any, ...]:
        hit = self._where in row
        pairs = zip(columns, row, strict=True)
        return tuple(self._value(name, value, hit) for name, value in pairs)

    def _value(self, name: str, value: Any, hit: bool) -> Any:
        if name == self._column and hit:
            self.holes += 1
            return None
        if isinstance(value, bytes):  # a root's text comes as it is sent
            return self._value(name, value.decode(), hit).encode()
        if name.startswith("__json") and value and f'"{self._where}"' in value:
            # The adapter writes an object with a missing required member as the byte 0x1F.
            found, count = re.subn(rf'"{self._column}"\s*:\s*"[^"]*"', _hole(self._column), value)
            self.holes += count
            return found
        return value


def _hole(column: str) -> str:
    return f'"{column}":"\\\\u001f"'


def pierced(desk: Desk, json_mode: bool, column: str, where: str) -> tuple[Engine, Holey]:
    holey = Holey(desk.sources["hub"], column, where)
    setting = replace(desk.setting, sources={**desk.sources, "hub": holey})
    return Engine(desk.bindings, setting, DOCUMENT_LIMITS, json_mode=json_mode), holey


def paths(answer: Answer) -> list[list[Any]]:
    return [error["path"] for error in answer.errors]


# ---- order -------------------------------------------------------------------------------------


@BOTH
def test_keys_stand_in_the_order_of_the_document(
    desk: Desk, plain: Callable[[Answer], Any], json_mode: bool
) -> None:
    text = """{ z: departments { code } division(code: "532622205201") {
      parent { name b: code __typename a: level } ...F level } viewer { purpose account } }
      fragment F on Division { z: name code parent { last: name } }"""
    found = plain(desk.ask(desk.engine(json_mode), "lab", text))
    assert list(found) == ["z", "division", "viewer"]
    assert list(found["division"]) == ["parent", "z", "code", "level"]
    assert list(found["division"]["parent"]) == ["name", "b", "__typename", "a", "last"]
    assert found["division"]["parent"] == {
        "name": "者腊乡",
        "b": "532622205000",
        "__typename": "Division",
        "a": "TOWNSHIP",
        "last": "者腊乡",
    }
    assert list(found["viewer"]) == ["purpose", "account"]


@BOTH
def test_a_list_keeps_its_order_and_an_empty_one_is_no_null(
    desk: Desk, plain: Callable[[Answer], Any], json_mode: bool
) -> None:
    text = """{ divisions(level: TOWNSHIP) { code children { code } }
      leaf: division(code: "532622205201") { children { code } parent { code } }
      top: division(code: "532622000000") { parent { code } } }"""
    found = plain(desk.ask(desk.engine(json_mode), "lab", text))
    codes = [d["code"] for d in found["divisions"]]
    assert len(codes) == 11
    assert codes == sorted(codes)
    below = [c["code"] for c in found["divisions"][0]["children"]]
    assert below == sorted(below)
    assert found["leaf"] == {"children": [], "parent": {"code": "532622205000"}}
    assert found["top"] == {"parent": None}


@BOTH
def test_a_row_of_which_nothing_is_asked_is_still_there_or_not(
    desk: Desk, plain: Callable[[Answer], Any], json_mode: bool
) -> None:
    text = """query($no: Boolean!) {
      here: department(code: "rev") { name @skip(if: $no) }
      gone: department(code: "none") { name @skip(if: $no) }
      all: departments { name @skip(if: $no) } }"""
    answer = desk.ask(desk.engine(json_mode), "lab", text, {"no": True})
    assert plain(answer) == {"here": {}, "gone": None, "all": [{}] * 8}


# ---- a required value that is missing ----------------------------------------------------------


@BOTH
def test_a_missing_value_nulls_the_nearest_object_that_may_be_null(
    desk: Desk, plain: Callable[[Answer], Any], json_mode: bool
) -> None:
    engine, holey = pierced(desk, json_mode, "name", "者腊乡")
    text = '{ division(code: "532622205201") { code up: parent { code name } } viewer { account } }'
    answer = desk.ask(engine, "lab", text)
    assert holey.holes > 0
    assert plain(answer) == {
        "division": {"code": "532622205201", "up": None},
        "viewer": {"account": "a"},
    }
    assert paths(answer) == [["division", "up", "name"]]
    assert answer.errors[0]["extensions"]["code"] == "INTERNAL"
    assert answer.errors[0]["locations"] == [{"line": 1, "column": text.index("name") + 1}]


@BOTH
def test_a_missing_value_in_a_list_of_non_nulls_nulls_the_list(
    desk: Desk, plain: Callable[[Answer], Any], json_mode: bool
) -> None:
    engine, holey = pierced(desk, json_mode, "name", "者腊乡")
    answer = desk.ask(engine, "lab", "{ divisions(level: TOWNSHIP) { name } departments { code } }")
    assert holey.holes >= 1
    assert plain(answer)["divisions"] is None
    assert len(plain(answer)["departments"]) == 8
    (path,) = paths(answer)
    assert [path[0], path[2]] == ["divisions", "name"]
    below = '{ division(code: "532622000000") { code all: children { code name } } }'
    second = desk.ask(engine, "lab", below)
    assert plain(second) == {"division": {"code": "532622000000", "all": None}}
    assert paths(second) == [["division", "all", path[1], "name"]]


@BOTH
def test_a_missing_value_on_a_page_nulls_the_connection(
    desk: Desk, plain: Callable[[Answer], Any], json_mode: bool
) -> None:
    number = desk.site.shown("zhelai").case_no
    engine, holey = pierced(desk, json_mode, "caseNo", number)
    text = "{ cases(first: 50) { totalCount nodes { caseNo } edges { cursor node { caseNo } } } }"
    answer = desk.ask(engine, "zhelai-town-01", text)
    assert holey.holes == 1
    assert plain(answer) == {"cases": None}
    (path,) = paths(answer)
    assert [path[0], path[1], path[3]] == ["cases", "nodes", "caseNo"]


@BOTH
def test_an_error_names_every_place_where_the_field_was_asked(desk: Desk, json_mode: bool) -> None:
    engine, _ = pierced(desk, json_mode, "name", "者腊乡")
    text = '{ division(code: "532622205000") { name ...F } } fragment F on Division { name }'
    (error,) = desk.ask(engine, "lab", text).errors
    assert [at["column"] for at in error["locations"]] == [
        text.index("name") + 1,
        text.rindex("name") + 1,
    ]


# ---- denied, hidden, masked --------------------------------------------------------------------


@BOTH
def test_a_relation_that_is_denied_is_null_and_not_an_empty_list(
    desk: Desk, plain: Callable[[Answer], Any], json_mode: bool
) -> None:
    text = """query($n: String!) { case(caseNo: $n) {
      caseNo orders { orderNo } body access { field state } } }"""
    number = {"n": desk.site.shown("zhelai").case_no}
    engine = desk.engine(json_mode)
    village = desk.ask(engine, "zhelai-village-01", text, number)
    assert plain(village)["case"] == {
        "caseNo": number["n"],
        "orders": None,
        "body": None,
        "access": [{"field": "body", "state": "DENIED"}],
    }
    assert village.errors == ()
    town = plain(desk.ask(engine, "zhelai-town-01", text, number))["case"]
    assert (type(town["orders"]), type(town["body"]), town["access"]) == (list, str, [])


def test_access_tells_masked_from_denied_and_from_not_there(
    desk: Desk, plain: Callable[[Answer], Any]
) -> None:
    text = """query($id: ID!) { citizen(by: {id: $id}) { name phone idNumber
      health { chronic { disease } } civilAffairs { minLiving { status } }
      access { field state source } } }"""
    who = {"id": desk.site.shown("zhelai").citizen}
    answer = desk.ask(desk.engine(True), "lab", text, who)
    states: Mapping[str, str] = {e["field"]: e["state"] for e in plain(answer)["citizen"]["access"]}
    assert states["name"] == states["phone"] == states["idNumber"] == "MASKED"
    village = desk.ask(desk.engine(True), "zhelai-village-01", text, who)
    states = {e["field"]: e["state"] for e in plain(village)["citizen"]["access"]}
    assert states["health.chronic"] == "DENIED"
    assert "name" not in states
    assert json.dumps(plain(village)["citizen"]["health"]) == '{"chronic": null}'
