"""A department's row made fit to leave its adapter: key, grade, faults, decoded and masked.

What was not asked is dropped, what may not be seen in clear is masked, what cannot be read
is null with its DQ code. The source's own spelling of the name is used for the match grade
and goes no further.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.contract import EXTRA, GRADE, KEY, QUALITY, Call, ReadRequest
from adapters.crosswalk import parse_place
from adapters.decode import Decoder, decoder
from adapters.identity import canonical, grade
from catalog.datasets import FieldType
from catalog.divisions import Divisions
from catalog.grades import Mask
from catalog.states import DQCode, MatchGrade

MaskText = Callable[[Mask, Any, FieldType], Any]
Cell = Callable[[Any], tuple[Any, DQCode | None]]
NOTHING = (Mask.HIDE, Mask.BAND)
CONFLICTS: Mapping[MatchGrade | None, DQCode] = {
    MatchGrade.M2: DQCode.DQ06,
    MatchGrade.M3: DQCode.DQ12,
}
"""What a name that is not the register's says of a row (领域设计 2.5): shown, never merged."""


class RowReader:
    """Turns raw rows (in the order `found`) into tuples in the order `columns`."""

    def __init__(
        self, request: ReadRequest, found: Sequence[str], divisions: Divisions, mask: MaskText
    ) -> None:
        self._request, self._divisions = request, divisions
        self._at = {name: i for i, name in enumerate(found)}
        self._cells = [(n, self._cell(n, mask)) for n in request.columns]
        self._others = [n for n in found if n.startswith((EXTRA, "__json_", "__side_"))]
        self.columns = (KEY, GRADE, QUALITY, *request.columns, *self._others)

    def _cell(self, name: str, mask: MaskText) -> Cell:
        field = self._request.dataset.by_name[name]
        how = (self._request.masks or {}).get(name, Mask.NONE)
        if how in NOTHING:
            return lambda _raw: (None, None)
        read: Decoder = decoder(field, self._divisions, self._request.dataset.region.scheme)
        if how is Mask.NONE:
            return read

        def masked(raw: Any) -> tuple[Any, DQCode | None]:
            value, fault = read(raw)
            return mask(how, value, field.type), fault

        return masked

    def read(self, rows: Sequence[Sequence[Any]], call: Call) -> list[tuple[Any, ...]]:
        """Rows of the keys asked for, at most ``call.limit`` a key."""
        asked = set(call.keys or ())
        taken: Counter[str] = Counter()
        found = []
        for row in rows:
            key = self._key(row[self._at[KEY]])
            if key not in asked or (call.limit is not None and taken[key] >= call.limit):
                continue
            taken[key] += 1
            found.append(self._one(key, row, call))
        return found

    def _key(self, raw: Any) -> str:
        if self._request.key == "identity":
            return canonical(str(raw)).id18 or ""
        if self._request.key == "division":
            return parse_place(self._divisions, str(raw)) or ""
        return str(raw)

    def _one(self, key: str, row: Sequence[Any], call: Call) -> tuple[Any, ...]:
        faults: dict[str, None] = {}
        sure = self._grade(key, row, call)
        if sure in CONFLICTS:
            faults[CONFLICTS[sure]] = None
        values = []
        for name, cell in self._cells:
            value, fault = cell(row[self._at[name]] if name in self._at else None)
            values.append(value)
            if fault is not None:
                faults[fault] = None
        others = [row[self._at[n]] for n in self._others]
        return (key, sure, " ".join(faults), *values, *others)

    def _grade(self, key: str, row: Sequence[Any], call: Call) -> MatchGrade | None:
        known = (call.names or {}).get(key)
        if known is None or "__name" not in self._at:
            return None
        return grade(known, str(row[self._at["__name"]] or ""))
