"""Runs a Plan: Reads of one level together, one batch a source, rows grouped to their parents.

Keys are deduplicated before a fetch and fanned out after it. A facet is asked only for the
parents whose rights admit it, one batch per combination of column states; nobody admitted
means no call. A source that fails leaves its facets null and an error; nothing else stops.
What was shown is counted on the rows themselves, not on the answer (`disclose`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any

import orjson

from adapters.contract import (
    EXTRA,
    KEY,
    SEPARATOR,
    SUBJECT,
    Call,
    Freshness,
    Prepared,
    Rows,
    Source,
)
from authz.gate import Gate
from authz.lens import CellState, Mode
from catalog.datasets import RegionKind
from catalog.divisions import region_path
from catalog.errors import BadUserInput, HubError, SourceUnavailable
from catalog.load import Catalog
from resolvers.cursor import Cursors, Place
from resolvers.deed import Commands, Done
from resolvers.disclose import (
    add_disputed,
    add_states,
    counted_by,
    disputed_of,
    tell,
    told_by_rows,
    told_by_sides,
)
from resolvers.disputes import NOT_DISPUTED, Disputed, Disputes
from resolvers.facet import Batch, Cells, Env, Variant, env_of, facet_request, riding
from resolvers.grouped import CUBE_CELLS, FROM, GROUPS, UNTIL, by_of
from resolvers.plan import Kind, PlannedRead, Read, ReadDisclosure, told_of
from resolvers.publication import Published, Tallies, published
from resolvers.quota import Lookups
from resolvers.ready import Ready
from resolvers.refusal import refused
from resolvers.roots.entities import KEYS, References
from resolvers.roots.root import CHANGED, ME, SELF, Words
from resolvers.scale import too_complex
from resolvers.watch import Step, Watch

Row = tuple[Any, ...]
Item = tuple[Row, Env | None]
FACET_ROWS = 100  # rows of one facet shown per person
WHOLE = 0  # where a whole root's text lies in its one row
LINKED = 3  # facets of so many providers on one person are their own risk class (1.1.8)


NOTHING_REFERRED: Mapping[str, References] = MappingProxyType({})


class RowMode(Exception):
    """Only row mode can answer this: a riding text has a hole, or a riding page is refused."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What an execution needs beside the Plan; one per worker.

    `deadline_s` of one source's call, `operation_s` of the whole operation. `tallies`: the
    store's published tables, `lookups` its count of look-ups. `watch`: who watches the steps.
    `commands`: who does what mutations ask; without them nothing can be changed. `disputes`: which
    values are under correction.
    """

    words: Words
    sources: Mapping[str, Source]
    cursors: Cursors
    uid: Callable[[str], str]
    page_default: int
    page_max: int
    deadline_s: float
    operation_s: float
    tallies: Tallies | None = None
    lookups: Lookups | None = None
    watch: Watch | None = None
    commands: Commands | None = None
    disputes: Disputes | None = None

    @property
    def catalog(self) -> Catalog:
        """The catalogue."""
        return self.words.catalog


@dataclass(slots=True)
class Window:
    """A page asked for: how many, from which side, from a cursor on or from the end."""

    size: int
    backward: bool
    started: bool


@dataclass(slots=True)
class Result:
    """What one Read gave. `groups` by parent key; facets by (states, key).

    `text` is the JSON of a whole root: None if there is no such object. `stale`: the source gave
    what it had, not what is. `withheld`: parents (states, key) whose rows it kept to itself.
    """

    planned: PlannedRead
    layout: Mapping[str, int]
    rows: list[Row] = field(default_factory=list)
    groups: dict[Any, list[Row]] = field(default_factory=dict)
    totals: dict[Any, int] = field(default_factory=dict)
    window: Window | None = None
    error: HubError | None = None
    denied: bool = False
    cells: Cells | None = None
    as_of: Any = None
    stale: bool = False
    text: str | bytes | None = None
    withheld: set[Any] = field(default_factory=set)
    people: dict[str, str] = field(default_factory=dict)

    def dated(self, rows: Rows) -> None:
        """Note how current the rows are."""
        self.as_of = rows.as_of
        self.stale = rows.freshness is Freshness.STALE


class Execution:
    """One run of one Plan for one asker; `results` and `disclosures` are what remains.

    `changed`: of a subscription, the key of the row it is told of. `done`: of a mutation, what
    came of its deed. `disputed`: the values that are under correction now.
    """

    def __init__(
        self,
        ready: Ready,
        gate: Gate,
        setting: Setting,
        arguments: Mapping[int, Mapping[str, Any] | HubError],
        references: Mapping[str, References] = NOTHING_REFERRED,
        changed: str | None = None,
        done: Done | None = None,
        disputed: Disputed = NOT_DISPUTED,
    ) -> None:
        self.done, self.disputed = done, disputed
        self.plan, self._ready, self._gate, self._setting = ready.plan, ready, gate, setting
        self._arguments, self.references, self._changed = arguments, references, changed
        self.results: dict[int, Result] = {}
        self.disclosures: dict[int, ReadDisclosure] = {}
        self.sought: dict[str | bytes, None] = {}
        self._places: dict[int, Place] = {}
        self._linked: dict[str, set[str]] = defaultdict(set)

    @cached_property
    def lookups(self) -> list[Read]:
        """The roots that look a person up, of those he may use."""
        return [read for read in self.plan.shape.lookups if read.id in self.plan.reads]

    @property
    def looked_up(self) -> int:
        """How many persons they look up: a root one, an entity's key one a reference."""
        return sum(len(self._keys(r)) if r.kind is Kind.ENTITY else 1 for r in self.lookups)

    @property
    def missed(self) -> int:
        """How many of these were nobody, or nobody for this asker."""
        told = (self.disclosures.get(read.id) for read in self.lookups)
        return sum(one.states.get("NO_RECORD", 0) for one in told if one is not None)

    def seek(self) -> None:
        """Note who is looked for; a run notes it by itself, one that was not let begin does not."""
        for read in self.lookups:
            with contextlib.suppress(HubError):  # its own root would say so
                self._given(read)

    def vet(self) -> None:
        """HubError for arguments that no row could be asked with; nothing is asked."""
        for read in self.plan.shape.roots:
            fault = self._arguments.get(read.id)
            if isinstance(fault, HubError):
                raise fault
            self._given(read)

    @property
    def found_nothing(self) -> bool:
        """No root has a row, and none was refused or could not be asked."""
        results = [self.results[read.id] for read in self.plan.shape.roots]
        return not any(r.rows or r.text is not None or r.error or r.denied for r in results)

    async def run(self) -> None:
        """Fetch everything; no exception of a source leaves here."""
        await _together([self._root(root) for root in self.plan.shape.roots])

    def told(self) -> list[ReadDisclosure]:
        """What the Reads showed, in their own order, not in that in which sources answered."""
        return [self.disclosures[number] for number in sorted(self.disclosures)]

    @property
    def linkage(self) -> tuple[str, ...]:
        """Providers whose facets were shown on one person, if there were three or more."""
        if not self._linked:
            return ()
        linked = [found for found in self._linked.values() if len(found) >= LINKED]
        return tuple(sorted(set().union(*linked)))

    def seal(self, result: Result, row: Row) -> str:
        """The cursor of a row in its list."""
        window, order = result.window, result.planned.read.order
        assert window is not None  # noqa: S101  only connections have cursors
        values = [row[result.layout[name]] for name, _ in order]
        return self._setting.cursors.seal(self._place(result.planned.read), values)

    # -- roots

    async def _root(self, read: Read) -> None:
        if read.kind is Kind.ENTITY:
            await self._entity(read)
            return
        planned = self.plan.reads.get(read.id)
        fault = self._arguments.get(read.id)
        if isinstance(fault, HubError):  # his own words: told whatever his rights, nothing is asked
            self._disclose(read)
            self.results[read.id] = Result(planned or _unplanned(read), {}, error=fault)
            return
        if planned is None:
            self._refuse(read, refused(self._gate, read))
            return
        result = self.results[read.id] = Result(planned, planned.layout)
        told = self._disclose(read)
        try:
            params = self._params(read)
            await self._fetch_root(read, result, told, params)
        except HubError as error:
            result.error = error
            if isinstance(error, SourceUnavailable):
                told.down = error.reason
            return
        if planned.whole:
            return
        shown = _shown(result.rows, result.window)
        await self._children(read, [(row, env_of(row, result.layout)) for row in shown])

    async def _entity(self, read: Read) -> None:
        """The rows of one key, if something was referred to by it: one batch, as of an edge."""
        keys, planned = self._keys(read), self.plan.reads.get(read.id)
        if not keys:
            return
        if planned is None:
            self._refuse(read, refused(self._gate, read))
            return
        result = self.results[read.id] = Result(planned, planned.layout)
        told = self._disclose(read)
        await self._keyed(read, result, told, keys)
        if result.error is None and (missing := len(keys) - len(result.groups)):
            told.states["NO_RECORD"] = missing

    def _keys(self, read: Read) -> list[str]:
        """The keys by which this Read's rows were referred to."""
        given = self._arguments.get(read.id, {})
        if isinstance(given, HubError):
            return []
        found: list[str] = given.get(KEYS, [])
        return found

    def _refuse(self, read: Read, error: HubError | None) -> None:
        self.results[read.id] = Result(_unplanned(read), {}, error=error, denied=True)
        told = self._disclose(read)
        told.hidden = {f"{read.dataset.type}": (error and error.reason) or "NO_RULE"}
        with contextlib.suppress(HubError):
            self._given(read)  # whom he looked for is in the record, found or refused

    async def _fetch_root(
        self, read: Read, result: Result, told: ReadDisclosure, params: dict[str, Any]
    ) -> None:
        if read.group is not None:
            await self._fetch_groups(read, result, told, params)
            return
        window = result.window = self._window(read)
        limit = None
        if window is not None:
            params |= self._after(read, window)
            limit = window.size if result.planned.whole else window.size + 1
        rows, total = await self._counted(result.planned, None, params, limit)
        if result.planned.whole:
            result.totals = total
            self._take_whole(read, result, told, rows)
            return
        # Two register rows may hold one number (DQ09): one thing is asked for, one is shown.
        result.rows = list(rows.rows if read.many else rows.rows[:1])
        result.dated(rows)
        result.totals = total
        shown = _shown(result.rows, window)
        if not read.many and not shown:
            told.states["NO_RECORD"] = told.states.get("NO_RECORD", 0) + 1
        self._tell(told, result, {None: shown})

    def _take_whole(self, read: Read, result: Result, told: ReadDisclosure, rows: Rows) -> None:
        """A closed root: its JSON text, and what its sides say was shown."""
        row = rows.rows[0] if rows.rows else None
        if row is None:
            told.states["NO_RECORD"] = told.states.get("NO_RECORD", 0) + 1
        else:
            result.text = row[WHOLE]
        side = None if row is None else row[result.layout["__side"]]
        self._tell_sides(told, result.planned, (side,))
        for child in read.children:
            self._ridden(child, () if row is None else (row,), result.layout)

    async def _fetch_groups(
        self, read: Read, result: Result, told: ReadDisclosure, params: dict[str, Any]
    ) -> None:
        """Groups instead of rows: counted now, or as they were published."""
        lens = self._gate.lens(read.dataset, read.mode)
        if lens.mode is Mode.TALLY:
            table = await self._published(read, result.planned, params)
            result.layout, result.rows, result.as_of = table.layout, table.rows, table.made_at
            told.as_of, told.asked = int(table.made_at.timestamp() * 1_000_000), True
        else:
            most = read.group.most if read.group else None
            found = await self._read(
                result.planned, self._call(result.planned, None, params, most or GROUPS + 1)
            )
            if len(found.rows) > GROUPS:
                raise too_complex("groups", GROUPS, None)
            result.rows = list(found.rows)
        if read.unreadable:
            return
        told.rows = len(result.rows)
        at = result.layout.get("division")
        if at is not None:
            told.areas |= {region_path(row[at])[:9] for row in result.rows}

    async def _published(
        self, read: Read, planned: PlannedRead, params: Mapping[str, Any]
    ) -> Published:
        async def base(since: datetime, until: datetime) -> Sequence[Row]:
            window = {f"r{read.id}_{FROM}": since, f"r{read.id}_{UNTIL}": until}
            call = self._call(planned, None, {**params, **window}, CUBE_CELLS)
            rows = (await self._read(planned, call)).rows
            if len(rows) == CUBE_CELLS:  # cut off: better no publication than a wrong one
                raise too_complex("groups", CUBE_CELLS, None)
            return rows

        day, policy = self._gate.asker.day, self.plan.policy
        return await published(self._setting.tallies, by_of(read), day, policy, base)

    def _params(self, read: Read) -> dict[str, Any]:
        """The request's own values: filters from the arguments, bounds from the Lens."""
        found = {**self._ready.binds[read.id], **self._given(read)}
        if self._ready.pages[read.id]:
            found |= self._ride_limits(read)
        return found

    def _given(self, read: Read) -> dict[str, Any]:
        """The arguments' values as the statement wants them; notes who is looked for."""
        given = self._arguments.get(read.id, {})
        if isinstance(given, HubError):
            raise given
        if read.kind is Kind.ENTITY:  # bound as keys; who is looked up is named by his own uid
            if read.identifier is not None:
                self.sought |= dict.fromkeys(self._keys(read))
            return {}
        params: dict[str, Any] = {}
        asker = self._gate.asker
        own = {ME: asker.end_user, SELF: asker.principal_id, CHANGED: self._changed}
        for bind in read.binds:
            value: Any = given
            for name in bind.path:
                value = own[name] if name in own else value[name]
            params |= bind.params(bind.convert(value, self._setting.words))
        if read.identifier is not None:
            self.sought[self._setting.uid(params[read.binds[0].param])] = None
        if read.sought is not None:
            self.sought[read.sought(given, self._setting.words)] = None
        return params

    def _ride_limits(self, read: Read) -> dict[str, Any]:
        """How many rows of each riding page a parent gets; RowMode for a page that is refused."""
        found = {}
        for page in self._ready.pages[read.id]:
            try:
                window = self._window(page)
            except HubError:
                raise RowMode from None  # each parent's page is refused at its own path
            assert window is not None  # noqa: S101  a connection has a window
            found[f"r{page.id}_limit"] = window.size
        return found

    # -- pages

    def _window(self, read: Read) -> Window | None:
        if not read.connection:
            return None
        given = self._arguments.get(read.id, {})
        if isinstance(given, HubError):
            raise given
        first, last = given.get("first"), given.get("last")
        if first is not None and last is not None:
            raise BadUserInput("first 与 last 只能用一个", reason="PAGE_SIZE")
        backward = last is not None
        size = last if backward else first
        size = self._setting.page_default if size is None else size
        if not 0 <= size <= self._setting.page_max:
            raise BadUserInput(
                f"每页行数 `{size}` 超出范围：请用 0 到 {self._setting.page_max}",
                reason="PAGE_SIZE",
            )
        cursor = given.get("before") if backward else given.get("after")
        return Window(size, backward, cursor is not None)

    def _place(self, read: Read) -> Place:
        """The list a cursor belongs to; made only where there is one."""
        found = self._places.get(read.id)
        if found is None:
            given = self._arguments.get(read.id, {})
            assert not isinstance(given, HubError)  # noqa: S101  _window raised it
            found = self._places[read.id] = self._placed(read, given)
        return found

    def _placed(self, read: Read, given: Mapping[str, Any]) -> Place:
        lens = self._gate.lens(read.dataset, read.mode, read.identifier)
        paging = ("first", "last", "after", "before")
        filters = {k: v for k, v in given.items() if k not in paging}
        listing = orjson.dumps(
            [read.coordinate, read.order, filters], option=orjson.OPT_SORT_KEYS
        ).decode()
        asker = self._gate.asker
        return Place(listing, asker.principal_id, asker.purpose, lens.digest)

    def _after(self, read: Read, window: Window) -> dict[str, Any]:
        if not window.started:
            return {}
        given = self._arguments.get(read.id, {})
        assert not isinstance(given, HubError)  # noqa: S101  _window raised it
        text = str(given["before"] if window.backward else given["after"])
        values = self._setting.cursors.open(self._place(read), text)
        return {f"r{read.id}_c{i}": v for i, v in enumerate(values)}

    # -- children

    async def _children(self, read: Read, items: Sequence[Item]) -> None:
        layout = self.results[read.id].layout
        deeds: list[Coroutine[Any, Any, None]] = []
        for child in read.children:
            if child.kind is Kind.NEST and f"__json_{child.id}" in layout:
                continue  # counted with its facet's rows
            if self.plan.rides(child.id):
                self._ridden(child, [row for row, _ in items], layout)
            elif child.kind is Kind.EDGE:
                deeds.append(self._edge(child, items, layout))
            else:
                deeds.append(self._facet(child, items, layout))
        await _together(deeds)

    async def _edge(self, read: Read, items: Sequence[Item], layout: Mapping[str, int]) -> None:
        planned = self.plan.reads[read.id]
        result = self.results[read.id] = Result(planned, planned.layout)
        told = self._disclose(read)
        if planned.prepared is None:
            result.denied = True
            told.hidden = {f"{read.dataset.type}": "NO_RULE"}
            told.states["DENIED"] = len(items)
            return
        at = layout[str(read.parent)]
        keys = list(dict.fromkeys(str(r[at]) for r, _ in items if r[at] is not None))
        await self._keyed(read, result, told, keys)

    async def _keyed(
        self, read: Read, result: Result, told: ReadDisclosure, keys: list[str]
    ) -> None:
        """The rows of these keys and all below them; a source that fails is the result's error."""
        try:
            if keys:
                await self._fetch_edge(read, result, keys)
        except HubError as error:
            result.error = error
            if isinstance(error, SourceUnavailable):
                told.down = error.reason
            return
        below = {key: _shown(rows, result.window) for key, rows in result.groups.items()}
        self._tell(told, result, below)
        shown = [row for rows in below.values() for row in rows]
        await self._children(read, [(row, env_of(row, result.layout)) for row in shown])

    async def _fetch_edge(self, read: Read, result: Result, keys: list[str]) -> None:
        params = self._params(read)
        window = result.window = self._window(read)
        limit = None
        if window is not None:
            params |= self._after(read, window)
            limit = window.size + 1
        rows, totals = await self._counted(result.planned, keys, params, limit)
        result.totals = totals
        result.dated(rows)
        at = result.layout[KEY]
        for row in rows.rows:
            result.groups.setdefault(str(row[at]), []).append(row)

    def _ridden(self, read: Read, rows: Sequence[Row], layout: Mapping[str, int]) -> None:
        """Count what a riding subtree showed, from the sides in its parents' rows."""
        told, planned = self._disclose(read), self.plan.reads[read.id]
        at = layout[f"__side_{read.id}"]
        self._tell_sides(told, planned, (row[at] for row in rows))
        if read.total:
            at = layout[f"__total_{read.id}"]
            told.total = counted_by(row[at] for row in rows)
        for child in read.children:
            self._ridden(child, rows, layout)

    # -- facets and nests

    async def _facet(self, read: Read, items: Sequence[Item], layout: Mapping[str, int]) -> None:
        planned = self.plan.reads[read.id]
        rights, cells = self._gate.facet(read.dataset), Cells(self._gate, read)
        result = self.results[read.id] = Result(planned, {}, cells=cells)
        told = self._disclose(read, rules=rights.rules, lens=rights.digest)
        batches = self._batches(read, items, layout, cells, told)
        try:
            riding = self._riding(read, batches)
            done = await asyncio.gather(*(self._batch(read, b, riding) for b in batches))
        except SourceUnavailable as error:
            result.error, told.down = error, error.reason
            told.states["SOURCE_DOWN"] = sum(len(b.keys) for b in batches)
            return
        for batch, (rows, columns) in zip(batches, done, strict=True):
            result.layout = columns
            result.dated(rows)
            self._take(read, result, told, batch, rows)
        below = [
            (row, env)
            for batch in batches
            for key, env in batch.envs
            for row in result.groups.get((batch.variant, key), ())
        ]
        if read.children and below:
            await self._children(read, below)

    def _batches(
        self,
        read: Read,
        items: Sequence[Item],
        layout: Mapping[str, int],
        cells: Cells,
        told: ReadDisclosure,
    ) -> list[Batch]:
        """Admitted parents by the states their columns have; the others are never asked for."""
        found: dict[Variant, Batch] = {}
        at = layout[str(read.parent)]
        name_at, subject_at = layout.get(EXTRA + "name"), layout.get(SUBJECT)
        for row, env in items:
            states = None if env is None else cells(env)
            if states is None or env is None:
                told.states["DENIED"] = told.states.get("DENIED", 0) + 1
                told.hidden[f"{read.dataset.type}"] = "NO_RULE"
                continue
            if row[at] is None:
                told.states["NO_RECORD"] = told.states.get("NO_RECORD", 0) + 1
                continue
            variant = cells.variant(env)
            batch = found.setdefault(variant, Batch(variant, states, cells.below(env)))
            key = str(row[at])
            batch.keys[key] = None
            batch.envs.append((key, env))
            told.areas.add(env[0][:9])
            if name_at is not None:
                batch.names[key] = row[name_at]
            if subject_at is not None:
                batch.subjects[key] = row[subject_at]
        return list(found.values())

    def _riding(self, read: Read, batches: Sequence[Batch]) -> frozenset[int]:
        source = self._setting.sources[read.dataset.source]
        return riding(read, batches) if source.json and self.plan.json_mode else frozenset()

    async def _batch(
        self, read: Read, batch: Batch, rides: frozenset[int]
    ) -> tuple[Rows, Mapping[str, int]]:
        planned = self.plan.reads[read.id]
        own = self._own_codes(read)
        key = (batch.variant, own is not None, rides)
        kept = planned.variants.get(key)
        source = self._setting.sources[planned.source]
        if kept is None:
            request = facet_request(read, batch.states, rides, own is not None)
            prepared = source.prepare(request)
            kept = (prepared, {name: i for i, name in enumerate(prepared.columns)})
            planned.variants[key] = kept
        params = {} if own is None else {"codes": sorted(own)}
        call = Call(
            list(batch.keys),
            params,
            names=batch.names or None,
            limit=FACET_ROWS if read.many else 1,
            deadline=self._setting.deadline_s,
        )
        self.disclosures[read.id].asked = True
        return await self._asked(planned, kept[0], call), kept[1]

    def _own_codes(self, read: Read) -> frozenset[str] | None:
        """Codes (in the source's scheme) of the places whose rows may be seen, None for all."""
        if read.dataset.region.kind is not RegionKind.CODE:
            return None
        divisions = self._setting.catalog.divisions
        admitted = self._gate.facet(read.dataset).own_codes(divisions)
        if admitted is None:
            return None
        foreign = (divisions.foreign(read.dataset.region.scheme, code) for code in admitted)
        return frozenset(code for code in foreign if code is not None)

    def _take(
        self, read: Read, result: Result, told: ReadDisclosure, batch: Batch, rows: Rows
    ) -> None:
        at = result.layout[KEY]
        for row in rows.rows:
            result.groups.setdefault((batch.variant, str(row[at])), []).append(row)
        found = {str(row[at]) for row in rows.rows}
        missing = len(batch.keys) - len(found) - len(rows.withheld)
        told.states["NO_RECORD"] = told.states.get("NO_RECORD", 0) + missing
        if rows.withheld:
            result.withheld |= {(batch.variant, key) for key in rows.withheld}
            told.states["MASKED"] = told.states.get("MASKED", 0) + len(rows.withheld)
        if rows.as_of is not None:
            told.as_of = int(rows.as_of.timestamp() * 1_000_000)
        if read.unreadable:
            return
        told.rows += len(rows.rows)
        if result.stale:
            told.states["STALE"] = told.states.get("STALE", 0) + len(rows.rows)
        add_states(told, told_of(read, batch.states), len(rows.rows))
        if self.disputed:
            self._tell_disputed(read, result, told, batch, rows)
        for key in found & batch.subjects.keys():
            told.subjects.add(batch.subjects[key])
            self._linked[batch.subjects[key]].add(read.dataset.provider)
        for child in read.children:
            if f"__json_{child.id}" in result.layout:
                self._nest_ridden(child, rows, result.layout)

    def _tell_disputed(
        self, read: Read, result: Result, told: ReadDisclosure, batch: Batch, rows: Rows
    ) -> None:
        result.people |= batch.subjects
        at = result.layout[KEY]
        for row in rows.rows:
            person = batch.subjects.get(str(row[at]))
            for column, coordinate in disputed_of(read, person, self.disputed):
                if batch.states[column] is CellState.CLEAR:
                    add_disputed(told, coordinate)

    def _nest_ridden(self, read: Read, rows: Rows, layout: Mapping[str, int]) -> None:
        told = self.disclosures.get(read.id) or self._disclose(read)
        at = layout[f"__side_{read.id}"]
        count = sum(row[at].count(SEPARATOR) + 1 for row in rows.rows if row[at] is not None)
        told.rows += count
        add_states(told, told_of(read, dict.fromkeys(read.columns, CellState.CLEAR)), count)

    # -- the one place that asks a source

    async def _read(self, planned: PlannedRead, call: Call) -> Rows:
        assert planned.prepared is not None  # noqa: S101  refused Reads never come here
        self.disclosures[planned.read.id].asked = True
        return await self._asked(planned, planned.prepared, call)

    async def _asked(self, planned: PlannedRead, prepared: Prepared, call: Call) -> Rows:
        source, watch = self._setting.sources[planned.source], self._setting.watch
        if watch is None:
            return await source.read(prepared, call)
        about, keys = planned.read.dataset.name, len(call.keys or ())
        with watch(Step.READ, source=planned.source, dataset=about, batch=keys) as tell:
            try:
                rows = await source.read(prepared, call)
            except SourceUnavailable as error:
                tell(decision=error.reason or error.code)
                raise
            tell(rows=len(rows.rows))
            return rows

    async def _counted(
        self,
        planned: PlannedRead,
        keys: list[str] | None,
        params: Mapping[str, Any],
        limit: int | None,
    ) -> tuple[Rows, dict[Any, int]]:
        """The rows, and beside them their counts if these are asked."""
        rows = self._read(planned, self._call(planned, keys, params, limit))
        if planned.counted is None:
            return await rows, {}
        both = await asyncio.gather(rows, self._total(planned, params, keys))
        return both[0], both[1]

    def _call(
        self,
        planned: PlannedRead,
        keys: list[str] | None,
        params: Mapping[str, Any],
        limit: int | None,
    ) -> Call:
        reach = self._ready.reach[planned.read.id]
        return Call(keys, params, None, limit, self._setting.deadline_s, reach)

    async def _total(
        self, planned: PlannedRead, params: Mapping[str, Any], keys: list[str] | None
    ) -> dict[Any, int]:
        if planned.counted is None:
            return {}
        call = self._call(planned, keys, params, None)
        rows = await self._asked(planned, planned.counted, call)
        self.disclosures[planned.read.id].total = sum(row[-1] for row in rows.rows)
        return {(row[0] if keys is not None else None): row[-1] for row in rows.rows}

    # -- what was shown

    def _tell(
        self, told: ReadDisclosure, result: Result, shown: Mapping[Any, Sequence[Row]]
    ) -> None:
        """Count the rows shown below each parent.

        Rows that cannot be read are not shown; a page that has one is null with its total.
        """
        planned = result.planned
        if not planned.read.unreadable:
            rows = [row for below in shown.values() for row in below]
            one_by_one = bool(self.disputed)
            found = told_by_rows(planned, rows, one_by_one=one_by_one)
            tell(told, planned, found, self.disputed)
        elif told.total is not None:
            empty = [count for key, count in result.totals.items() if not shown.get(key)]
            told.total = sum(empty) if empty else None

    def _tell_sides(
        self, told: ReadDisclosure, planned: PlannedRead, texts: Iterable[str | None]
    ) -> None:
        found = told_by_sides(planned, texts, one_by_one=bool(self.disputed))
        tell(told, planned, found, self.disputed)

    def _disclose(
        self, read: Read, *, rules: tuple[str, ...] | None = None, lens: str | None = None
    ) -> ReadDisclosure:
        told = self.disclosures[read.id] = self._ready.heads[read.id].told(lens, rules)
        return told


async def _together(deeds: Sequence[Coroutine[Any, Any, None]]) -> None:
    """All at once; one alone needs no task of its own."""
    if len(deeds) == 1:
        await deeds[0]
        return
    async with asyncio.TaskGroup() as group:
        for deed in deeds:
            group.create_task(deed)


def _unplanned(read: Read) -> PlannedRead:
    """Stands where there is no statement, so nothing can be asked."""
    return PlannedRead(read, read.dataset.source, {}, None, None, {})


def _shown(rows: Sequence[Row], window: Window | None) -> Sequence[Row]:
    """Without the one row more that tells of a next page."""
    return rows if window is None else rows[: window.size]
