"""The content of a print: the answer as the Plan gave it, and the words its codes are printed in.

    {"data": {"record": …}, "fields": [{"coordinate", "count", "state"}], "sandbox": false,
     "words": {code: word}}

`data` and `fields` are the answer's own, masked already; `words` makes a print independent of a
catalogue that changes later; `sandbox` of a hub whose people are invented. One canonical text:
what is hashed is what is stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from catalog.groups import group_name
from catalog.load import Catalog
from hub.printing.kinds import CODED, ROOT
from resolvers.answer import Answer

Content = Mapping[str, Any]
MASKED, DENIED = "MASKED", "DENIED"


def content_of(answer: Answer, catalog: Catalog, *, sandbox: bool = False) -> Content:
    """The content of an answer whose root is there."""
    data = orjson.loads(orjson.dumps(answer.data))
    fields = [dict(one) for one in answer.extensions["fields"]]
    named = {*_coded(data, catalog), *_groups(data, catalog), *_hidden(fields, catalog)}
    words = dict(sorted(named))
    return {"data": data, "fields": fields, "sandbox": sandbox, "words": words}


def canonical(content: Content) -> str:
    """Its one text: sorted keys, no blanks, no escapes that need not be."""
    return json.dumps(
        content, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )


def _coded(value: Any, catalog: Catalog) -> Iterator[tuple[str, str]]:
    for name, one in _members(value):
        table = CODED.get(name)
        if table is not None and isinstance(one, str):
            yield f"{table}.{one}", catalog.codes[table][one]


def _groups(value: Any, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """The names of a bulletin's groups."""
    for one in _objects(value):
        if "groupKind" in one:
            kind, code = one["groupKind"], one["group"]
            yield f"{kind}.{code}", group_name(catalog, kind, code)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every member of every object in it."""
    for one in _objects(value):
        yield from one.items()


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every object in it."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _hidden(fields: Sequence[Mapping[str, Any]], catalog: Catalog) -> Iterator[tuple[str, str]]:
    """What is not shown, in words, and why."""
    for one in fields:
        yield one["state"], catalog.codes["FieldState"][one["state"]]
        of, _, name = one["coordinate"].partition(".")
        dataset = next(d for d in catalog.datasets.values() if d.type == of)
        titles = {field.name: field.title for field in dataset.fields}
        yield one["coordinate"], titles[name] if name else dataset.title


# ---- who may be shown a print that somebody else has made ----------------------------------------


def shows_more(then: Content, now: Content) -> bool:
    """Does a print show anything that an answer to the same question withholds now?

    Compared by what is withheld, not by values: a case goes on. In doubt it does: a column of
    which more rows are withheld, a row that is not there any more, fewer rows of a list.
    """
    return (
        _less(then["data"], now["data"])
        or _more(_withheld(now, DENIED), _withheld(then, DENIED))
        or _more(_withheld(now, MASKED, DENIED), _withheld(then, MASKED, DENIED))
    )


def _withheld(content: Content, *states: str) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for one in content["fields"]:
        if one["state"] in states:
            found[one["coordinate"]] = found.get(one["coordinate"], 0) + one["count"]
    return found


def _more(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return any(name not in other or count > other[name] for name, count in one.items())


def _less(then: Any, now: Any) -> bool:
    """Is a row gone that was there?"""
    if isinstance(then, dict):
        return not isinstance(now, dict) or any(
            _less(one, now.get(name)) for name, one in then.items()
        )
    if isinstance(then, list):
        if not isinstance(now, list) or len(now) < len(then):
            return True
        return any(_less(*pair) for pair in zip(then, now, strict=False))
    return False


def record_of(content: Content) -> Mapping[str, Any] | None:
    """The row a print is about; None if there is none."""
    found: Mapping[str, Any] | None = content["data"][ROOT]
    return found
