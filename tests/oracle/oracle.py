"""The oracle: graphql-core with one plain synchronous resolver a field.

It knows no Plan, no Lens and no statement: rows are dictionaries, an edge is a loop over a
table, a right is a line of the policy held against one row. Synchronous, so that of several
errors under one nulled parent the first of the document is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
    execute_sync,
    get_named_type,
    is_list_type,
    is_non_null_type,
)

from adapters.decode import decoder
from adapters.identity import canonical, grade
from authz.mask import masked
from catalog.datasets import Dataset, Field, FieldType, KeyKind, RegionKind
from catalog.divisions import COUNTY
from catalog.grades import Mask
from catalog.states import DQCode, FieldState, MatchGrade
from hub.demo.site import HTTP_SOURCE
from resolvers.binding import (
    AccessOf,
    Bindings,
    ByKey,
    ChangedRow,
    ColumnOf,
    CommandOf,
    ContextOf,
    EdgeTo,
    EntitiesOf,
    FacetOf,
    FacetRows,
    GroupOf,
    PartOf,
    ProvenanceOf,
    RootOf,
)
from tests.oracle.rights import Judge, Place, acts, place
from tests.oracle.rows import Row, Tables
from tests.oracle.selection import Selection, parsed

CURSOR = "c" * 120  # cursors are sealed: only where there is one can be compared
PAGE_DEFAULT, PAGE_MAX = 20, 100
FACET_ROWS = 100
PAGED = ("nodes", "edges", "node")
SERVICE = {"sdl": "what composers are given is read by them: npm and tests/schema"}
SAID_PAGE = "每页行数 `{}` 超出范围：请用 0 到 100"
SAID_REFUSED = "按现行权限规则，您的岗位不能以此用途查询“{}”"
Nodes = Sequence[FieldNode]
Info: TypeAlias = "GraphQLResolveInfo[Asking]"


def refusal(message: str, code: str, **more: str) -> GraphQLError:
    """An error the hub itself would give, in its own words."""
    return GraphQLError(message, extensions={"code": code, **more})


@dataclass
class Asking:
    """One request: by whom, which sources do not answer (and what they say), the wall's time.

    `cursors`: what a cursor was given out for, its row's ``id``.
    """

    judge: Judge
    viewer: Mapping[str, Any]
    down: Mapping[str, str] = field(default_factory=dict)
    now: str | None = None
    cursors: Mapping[str, str] = field(default_factory=dict)
    asked: dict[tuple[Any, ...], Asked] = field(default_factory=dict)

    def read(self, source: str) -> None:
        """Raises what a source that does not answer costs."""
        if source in self.down:
            raise refusal(self.down[source], "SOURCE_UNAVAILABLE", source=source)


@dataclass
class Asked:
    """The columns and facets asked of one kind of row, in the order of the document."""

    columns: dict[str, None] = field(default_factory=dict)
    facets: list[Dataset] = field(default_factory=list)


@dataclass
class Seen:
    """A row somebody may see. `nodes` asked for it; `at` is its person's place if a facet's."""

    dataset: Dataset
    row: Row
    nodes: Nodes
    at: Place | None = None
    person: str | None = None


class Oracle:
    """graphql-core over the tables, on a schema of its own: the product's has no resolvers."""

    def __init__(self, tables: Tables, made: Bindings) -> None:
        self.schema: GraphQLSchema = made.schema
        self.tables, self._made = tables, made
        self._places = tables.places
        self._decoders = {
            (d.name, f.name): decoder(f, tables.catalog.divisions, d.region.scheme)
            for d in tables.catalog.datasets.values()
            for f in d.fields
        }
        for type_name, kind in made.schema.type_map.items():
            if isinstance(kind, GraphQLUnionType):
                kind.resolve_type = lambda seen, *_: seen.dataset.type
            if isinstance(kind, GraphQLObjectType) and not type_name.startswith("__"):
                kind.is_type_of = None
                for name, one in kind.fields.items():
                    one.resolve = self._resolver(type_name, name, one.type)

    def answer(
        self, text: str, variables: Mapping[str, Any], asking: Asking, name: str | None = None
    ) -> tuple[Any, list[GraphQLError]]:
        """data and errors."""
        result = execute_sync(
            self.schema,
            parsed(text),
            variable_values=dict(variables),
            operation_name=name,
            context_value=asking,
        )
        return result.data, list(result.errors or ())

    def _resolver(self, type_name: str, name: str, kind: Any) -> Callable[..., Any]:
        binding = self._made.of(type_name, name)
        match binding:
            case EntitiesOf():
                return partial(self._entities, binding.keys)
            case CommandOf() | ChangedRow():
                return self._counted  # what a deed shows is compared with the query in journeys
            case RootOf() if binding.name not in ROOTS:
                return self._counted
            case RootOf():
                return partial(self._root, binding.name, kind)
            case ColumnOf():
                dataset = self.tables.catalog.datasets[self._made.datasets[type_name]]
                return partial(self._column, dataset.by_name[binding.column])
            case EdgeTo():
                return partial(self._edge, binding, kind)
            case FacetOf():
                return lambda seen, _info: seen
            case FacetRows():
                return partial(self._facet, self.tables.catalog.datasets[binding.dataset], kind)
            case AccessOf():
                return self._access
            case ProvenanceOf():
                return self._provenance
            case ContextOf():
                return lambda _root, info: info.context.viewer if name == "viewer" else SERVICE
            case PartOf() | GroupOf():
                return lambda value, _info: value[name]

    def _counted(self, _root: Any, _info: Info, /, **_args: Any) -> Any:
        # Groups have an oracle of their own: a plain count in tests/resolvers/test_stats.py.
        raise NotImplementedError

    # -- rows with rights of their own

    def _root(self, name: str, kind: Any, _root: Any, info: Info, /, **args: Any) -> Any:
        asking, root = info.context, ROOTS[name]
        dataset = self.tables.catalog.datasets[root.dataset]
        needed = acts(dataset, listed=root.listed, by=root.by(args))
        if asking.judge.closed(dataset, needed):
            raise refusal(SAID_REFUSED.format(dataset.title), "FORBIDDEN")
        rows = root.rows(self.tables, args)
        checked_page(kind, args, asking)
        asking.read(dataset.source)
        tested = root.tested(dataset, args)
        judge = asking.judge
        # A cell that is not clear to him finds nothing: no question about it has an answer.
        found = [
            r for r in rows if all(judge.state(dataset, r, c) is FieldState.OK for c in tested)
        ]
        return self._shaped(dataset, needed, found, kind, args, info)

    def _entities(
        self,
        keys: Mapping[str, tuple[ByKey, ...]],
        _root: Any,
        info: Info,
        /,
        representations: list[Any],
    ) -> list[Any]:
        """One reference after the other; what is wrong with one stands in its place."""
        found: list[Any] = []
        for sent in representations:
            try:
                found.append(self._entity(keys, sent.value, info))
            except GraphQLError as error:
                found.append(error)
        return found

    def _entity(self, keys: Mapping[str, tuple[ByKey, ...]], sent: Any, info: Info) -> Seen | None:
        own = keys.get(sent.get("__typename"))
        if own is None:
            known = "、".join(keys)
            raise unfit(f"`__typename` 须为本子图的实体类型之一：{known}")
        kind = sent["__typename"]
        by = next((key for key in own if key.field in sent), None)
        if by is None:
            either = " 或 ".join(f"`{key.field}`" for key in own)
            raise unfit(f"实体 `{kind}` 缺少键：须给出 {either}")
        if not isinstance(sent[by.field], str):
            raise unfit(f"实体 `{kind}` 的键 `{by.field}` 须为文本")
        asking, dataset = info.context, self.tables.catalog.datasets[by.dataset]
        needed = acts(dataset, by=by.field if by.lookup else None)
        if asking.judge.closed(dataset, needed):
            raise refusal(SAID_REFUSED.format(dataset.title), "FORBIDDEN")
        asking.read(dataset.source)
        rows = self.tables.rows(by.dataset, **{by.column: sent[by.field]})
        mine = [row for row in rows if asking.judge.admits(dataset, row, needed)]
        return Seen(dataset, mine[0], info.field_nodes) if mine else None

    def _edge(self, to: EdgeTo, kind: Any, seen: Seen, info: Info, /, **args: Any) -> Any:
        dataset = self.tables.catalog.datasets[to.dataset]
        if seen.at is not None:
            return self._nest(dataset, to, seen, info)
        asking = info.context
        needed = acts(dataset, listed=not to.reached)
        if asking.judge.closed(dataset, needed):
            return None
        checked_page(kind, args, asking)
        asking.read(dataset.source)
        key = seen.row[to.parent]
        rows = [] if key is None else self.tables.rows(to.dataset, **{to.child: key})
        return self._shaped(dataset, needed, rows, kind, args, info)

    def _shaped(
        self,
        dataset: Dataset,
        needed: tuple[str, ...],
        rows: list[Row],
        kind: Any,
        args: Mapping[str, Any],
        info: Info,
    ) -> Any:
        """Those he may see, as the field's type wants them: a page, a list or one."""
        judge = info.context.judge
        mine = [r for r in rows if judge.admits(dataset, r, needed)]
        if get_named_type(kind).name.endswith("Connection"):
            place_of = info.context.cursors
            return page(mine, args, place_of, lambda row: Seen(dataset, row, info.field_nodes))
        if _many(kind):
            return [Seen(dataset, row, info.field_nodes) for row in mine]
        return Seen(dataset, mine[0], info.field_nodes) if mine else None

    # -- departments' rows, under the rights to the person they speak of

    def _facet(self, dataset: Dataset, kind: Any, seen: Seen, info: Info) -> Any:
        asking = info.context
        at = place(seen.dataset, seen.row, asking.judge.asker.day)
        if not asking.judge.facet(dataset, at):
            return None
        many = _many(kind)
        if self._key(dataset, seen) is None:
            return [] if many else None
        asking.read(dataset.source)
        rows = self._records(dataset, seen, asking)[: FACET_ROWS if many else 1]
        person = seen.row["name"] if dataset.key.kind is KeyKind.IDENTITY else None
        found = [Seen(dataset, row, info.field_nodes, at, person) for row in rows]
        return found if many else next(iter(found), None)

    def _key(self, dataset: Dataset, seen: Seen) -> str | None:
        by_person = dataset.key.kind is KeyKind.IDENTITY
        found: str | None = seen.row["id18" if by_person else "region_path"]
        return found

    def _records(self, dataset: Dataset, seen: Seen, asking: Asking) -> list[Row]:
        key = str(self._key(dataset, seen))
        by_person = dataset.key.kind is KeyKind.IDENTITY
        find = self.tables.of_person if by_person else self.tables.of_place
        rows = find(dataset, key)
        codes = asking.judge.own_codes(dataset) if dataset.region.kind is RegionKind.CODE else None
        if codes is None:
            return rows
        return [r for r in rows if r[str(dataset.region.column)] in codes]

    def _nest(self, dataset: Dataset, to: EdgeTo, seen: Seen, info: Info) -> Any:
        asking, at = info.context, seen.at
        assert at is not None
        if not asking.judge.facet(dataset, at):
            return None
        key = seen.row[to.parent]
        rows = [] if key is None else self.tables.rows(dataset.name, **{to.child: key})
        return [Seen(dataset, row, info.field_nodes, at) for row in rows[:FACET_ROWS]]

    # -- cells

    def _column(self, column: Field, seen: Seen, info: Info) -> Any:
        state = self._state(column, seen, info)
        if state is FieldState.DENIED:
            return None
        if seen.at is not None:
            return self._decoded(column, seen, state)[0]
        raw = seen.row[column.column]
        if state is FieldState.MASKED:
            return masked(column.mask, raw, self._places.get(seen.row.get("region_path", "")))
        return None if raw is None else wire(column.type, raw)

    def _state(self, column: Field, seen: Seen, info: Info) -> FieldState:
        judge = info.context.judge
        if seen.at is not None:
            return judge.facet_state(seen.dataset, seen.at, column.name)
        return judge.state(seen.dataset, seen.row, column.name)

    def _decoded(self, column: Field, seen: Seen, state: FieldState) -> tuple[Any, DQCode | None]:
        """A department's value read and masked; what may not be seen has no fault either."""
        hidden = state is FieldState.DENIED or column.mask in (Mask.HIDE, Mask.BAND)
        if hidden and state is not FieldState.OK:
            return None, None
        value, fault = self._decoders[seen.dataset.name, column.name](seen.row[column.column])
        if state is FieldState.MASKED:
            text = column.type in (FieldType.STRING, FieldType.ID)
            return (masked(column.mask, value) if text else None), fault
        return value, fault

    # -- what is told beside the cells

    def _access(self, seen: Seen, info: Info) -> list[dict[str, str]]:
        asked, source = self._asked(seen, info), seen.dataset.source
        found = []
        for name in asked.columns:
            column = seen.dataset.by_name[name]
            state = self._state(column, seen, info)
            if state is FieldState.OK and self._column(column, seen, info) is None:
                state = FieldState.NO_RECORD
            found.append({"field": name, "state": str(state), "source": source})
        for dataset in asked.facets:
            assert dataset.facet is not None
            name = f"{dataset.facet.container}.{dataset.facet.field}"
            state = self._facet_told(dataset, seen, info)
            found.append({"field": name, "state": str(state), "source": dataset.source})
        return [entry for entry in found if entry["state"] != FieldState.OK]

    def _facet_told(self, dataset: Dataset, seen: Seen, info: Info) -> FieldState:
        asking = info.context
        at = place(seen.dataset, seen.row, asking.judge.asker.day)
        if not asking.judge.facet(dataset, at):
            return FieldState.DENIED
        if self._key(dataset, seen) is None:
            return FieldState.NO_RECORD
        if dataset.source in asking.down:
            return FieldState.SOURCE_DOWN
        return FieldState.OK if self._records(dataset, seen, asking) else FieldState.NO_RECORD

    def _provenance(self, seen: Seen, info: Info) -> dict[str, Any]:
        sure = self._grade(seen)
        doubts = {MatchGrade.M2: DQCode.DQ06, MatchGrade.M3: DQCode.DQ12}
        faults = {doubts[sure]: None} if sure in doubts else {}
        for name in self._asked(seen, info).columns:
            column = seen.dataset.by_name[name]
            _, fault = self._decoded(column, seen, self._state(column, seen, info))
            if fault is not None:
                faults[fault] = None
        remote = seen.dataset.source == HTTP_SOURCE
        return {
            "source": seen.dataset.source,
            "asOf": info.context.now if remote else None,
            "matchGrade": sure,
            "quality": [str(f) for f in faults],
        }

    def _grade(self, seen: Seen) -> MatchGrade | None:
        name = seen.dataset.person_name
        if seen.person is None or name is None:
            return None
        return grade(seen.person, str(seen.row[name] or ""))

    def _asked(self, seen: Seen, info: Info) -> Asked:
        known, key = info.context.asked, (seen.dataset.type, *map(id, seen.nodes))
        if key not in known:
            known[key] = Asked()
            kind = _type_of(self.schema, seen.dataset.type)
            self._collect(kind, seen.nodes, info, known[key])
        return known[key]

    def _collect(
        self, kind: GraphQLObjectType, nodes: Nodes, info: Info, to: Asked, *, edge: bool = False
    ) -> None:
        for below in _selection(info).below(nodes, kind.name).values():
            here = below[0].name.value
            # Some rows have a column `node` (环节) of their own; an edge's `node` is the row.
            if here in PAGED and (edge or here not in kind.fields):
                # the rows of one page are asked together
                self._collect(kind, below, info, to, edge=here == "edges")
                continue
            binding = self._made.of(kind.name, here) if here in kind.fields else None
            if isinstance(binding, ColumnOf):
                to.columns[binding.column] = None
            elif isinstance(binding, FacetOf):
                self._collect_facets(kind, here, below, info, to)

    def _collect_facets(
        self, kind: GraphQLObjectType, here: str, nodes: Nodes, info: Info, to: Asked
    ) -> None:
        container = get_named_type(kind.fields[here].type).name
        for below in _selection(info).below(nodes, container).values():
            if not below[0].name.value.startswith("__"):
                binding = self._made.of(container, below[0].name.value)
                assert isinstance(binding, FacetRows)
                to.facets.append(self.tables.catalog.datasets[binding.dataset])


def _selection(info: Info) -> Selection:
    return Selection(info.fragments, info.variable_values.coerced)


def _type_of(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    kind = schema.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return kind


def _many(kind: Any) -> bool:
    return bool(is_list_type(kind.of_type if is_non_null_type(kind) else kind))


def wire(kind: FieldType, raw: Any) -> Any:
    """A value of the hub's own store as it is answered."""
    if kind is FieldType.BOOL:
        return bool(raw)
    if kind is FieldType.LINES:
        return raw.split()
    if kind is FieldType.DATETIME:
        whole = isinstance(raw, int)  # the log's times are microseconds
        at = datetime.fromtimestamp(raw // 10**6, UTC) if whole else datetime.fromisoformat(raw)
        return (at + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S+08:00")
    return raw


# ---- roots -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Root:
    """A root's data set, how it is come by, and its rows for these arguments."""

    dataset: str
    rows: Callable[[Tables, Mapping[str, Any]], list[Row]]
    listed: bool = False
    looked_up: str | None = None

    def by(self, args: Mapping[str, Any]) -> str | None:
        """The column of an exact look-up, if these arguments are one."""
        given = self.looked_up is not None and args["by"].get(self.looked_up) is not None
        return self.looked_up if given else None

    def tested(self, dataset: Dataset, args: Mapping[str, Any]) -> list[str]:
        """Columns that these arguments ask about, save the one that is looked up."""
        given = {**args, **(args.get("filter") or {}), **(args.get("by") or {})}
        named = [n for n, v in given.items() if v is not None and n in dataset.by_name]
        return [n for n in named if n != self.looked_up]


def unfit(said: str) -> GraphQLError:
    return refusal(f"实体引用不合要求：{said}", "BAD_USER_INPUT")


def code_of(value: Any) -> Any:
    return getattr(value, "value", value)


def path_of(tables: Tables, code: str | None) -> str | None:
    """The path of a division code; an error if the county has none such."""
    if code is None:
        return None
    found = tables.catalog.divisions.get(code)
    if found is None or not found.path.startswith(COUNTY):
        shown = f" `{code}`" if len(code) in (6, 9, 12) and code.isdigit() else ""
        said = f"没有区划代码{shown}：请用砚山县的 12 位国家统计局代码"
        raise refusal(said, "BAD_USER_INPUT")
    return found.path


def inside(tables: Tables, name: str, code: str | None, **wanted: Any) -> list[Row]:
    """Rows at or below a division."""
    path = path_of(tables, code)
    rows = tables.rows(name, **wanted)
    return rows if path is None else [r for r in rows if r["region_path"].startswith(path)]


def citizen(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    by = args["by"]
    if by.get("idNumber") is None:
        return tables.rows("citizen", id=by["id"])
    number = canonical(by["idNumber"]).id18
    if number is None:
        raise refusal("证件号码不正确：请核对位数、出生日期与校验码", "BAD_USER_INPUT")
    return tables.rows("citizen", id18=number)  # of two rows with one number the first is shown


def cases(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = args.get("filter") or {}
    return inside(
        tables,
        "case",
        given.get("division"),
        state=code_of(given.get("state")),
        item=code_of(given.get("item")),
        overdue=given.get("overdue"),
        handling_dept=given.get("department"),
    )


def orders(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = args.get("filter") or {}
    return inside(
        tables,
        "supervision_order",
        given.get("division"),
        state=code_of(given.get("state")),
        kind=code_of(given.get("kind")),
    )


def work_orders(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = args.get("filter") or {}
    found = inside(
        tables,
        "work_order",
        given.get("division"),
        node=code_of(given.get("node")),
        open=given.get("open"),
        late=given.get("late"),
    )
    if given.get("dueBefore") is None:
        return found
    before = datetime.fromisoformat(given["dueBefore"]).astimezone(UTC)
    return [r for r in found if r["due_at"] and _utc(r["due_at"]) < before]


def _utc(told: Any) -> datetime:
    return datetime.fromisoformat(str(told)).replace(tzinfo=UTC)


def timeouts(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = args.get("filter") or {}
    place, node = given.get("division"), code_of(given.get("node"))
    return inside(tables, "timeout_event", place, node=node)


def complaints(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = args.get("filter") or {}
    return inside(
        tables,
        "complaint",
        given.get("division"),
        kind=code_of(given.get("kind")),
        state=code_of(given.get("state")),
        overdue=given.get("overdue"),
        handling_dept=given.get("department"),
    )


def clues(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = args.get("filter") or {}
    return inside(
        tables,
        "risk_clue",
        given.get("division"),
        rule=code_of(given.get("rule")),
        state=code_of(given.get("state")),
        tier=code_of(given.get("tier")),
    )


def items(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = args.get("filter") or {}
    return inside(
        tables,
        "spot_check_item",
        given.get("division"),
        state=code_of(given.get("state")),
        overdue=given.get("overdue"),
        handling_dept=given.get("department"),
    )


def corrections(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = args.get("filter") or {}
    return inside(
        tables,
        "correction",
        given.get("division"),
        state=code_of(given.get("state")),
        provider=given.get("provider"),
    )


def sharing_requests(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = args.get("filter") or {}
    return inside(
        tables,
        "sharing_request",
        None,
        state=code_of(given.get("state")),
        requester=given.get("requester"),
        provider=given.get("provider"),
        overdue=given.get("overdue"),
    )


def refused_or_unanswered(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = args.get("filter") or {}
    return inside(
        tables,
        "sharing_fault",
        None,
        reason=code_of(given.get("reason")),
        provider=given.get("provider"),
        open=given.get("open"),
    )


def _about_accounts(dataset: str) -> Callable[..., list[Row]]:
    def rows(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
        given = dict(args.get("filter") or {})
        place = given.pop("division", None)
        wanted: dict[str, Any] = {str(name): code_of(value) for name, value in given.items()}
        return inside(tables, dataset, place, **wanted)

    return rows


def divisions(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    above = path_of(tables, args.get("parent"))
    return tables.rows("division", level=code_of(args.get("level")), parent_path=above)


EVENT_COLUMNS = {
    "org": "actor_org",
    "operation": "op_name",
    "caseRef": "case_ref",
    "requestId": "request_id",
    "breakGlass": "break_glass",
}


def events(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
    given = dict(args.get("filter") or {})
    path = path_of(tables, given.pop("division", None))
    wanted: dict[str, Any] = {
        EVENT_COLUMNS.get(str(name), str(name)): code_of(value) for name, value in given.items()
    }
    rows = tables.rows("audit_event", **wanted)
    return rows if path is None else [r for r in rows if r["area"].startswith(path)]


def _equal(dataset: str, column: str, argument: str) -> Callable[..., list[Row]]:
    return lambda tables, args: tables.rows(dataset, **{column: args.get(argument)})


def _filtered(dataset: str) -> Callable[..., list[Row]]:
    def rows(tables: Tables, args: Mapping[str, Any]) -> list[Row]:
        given = args.get("filter") or {}
        return tables.rows(dataset, **{str(n): code_of(value) for n, value in given.items()})

    return rows


ROOTS: Mapping[str, Root] = {
    "citizen": Root("citizen", citizen, looked_up="idNumber"),
    "citizens": Root("citizen", lambda t, a: inside(t, "citizen", a.get("division")), listed=True),
    "household": Root("household", _equal("household", "id", "id")),
    "division": Root("division", lambda t, a: t.rows("division", path=path_of(t, a["code"]))),
    "divisions": Root("division", divisions, listed=True),
    "department": Root("department", _equal("department", "code", "code")),
    "departments": Root("department", lambda t, _: t.rows("department"), listed=True),
    "dataset": Root("dataset", _equal("dataset", "name", "name")),
    "datasets": Root("dataset", _equal("dataset", "provider", "provider"), listed=True),
    "case": Root("case", _equal("case", "case_no", "caseNo")),
    "cases": Root("case", cases, listed=True),
    "supervision_order": Root(
        "supervision_order", _equal("supervision_order", "order_no", "orderNo")
    ),
    "supervision_orders": Root("supervision_order", orders, listed=True),
    "work_orders": Root("work_order", work_orders, listed=True),
    "timeouts": Root("timeout_event", timeouts, listed=True),
    "bulletin": Root("monthly_bulletin", _equal("monthly_bulletin", "month", "month")),
    "bulletins": Root("monthly_bulletin", lambda t, _: t.rows("monthly_bulletin"), listed=True),
    "bulletin_figures": Root("bulletin_figure", _filtered("bulletin_figure"), listed=True),
    "rankings": Root("ranking_place", _filtered("ranking_place"), listed=True),
    "complaint": Root("complaint", _equal("complaint", "complaint_no", "complaintNo")),
    "complaints": Root("complaint", complaints, listed=True),
    "comparison_runs": Root("comparison_run", _filtered("comparison_run"), listed=True),
    "risk_clue": Root("risk_clue", _equal("risk_clue", "clue_no", "clueNo")),
    "risk_clues": Root("risk_clue", clues, listed=True),
    "spot_checks": Root("spot_check", lambda t, _: t.rows("spot_check"), listed=True),
    "spot_check_items": Root("spot_check_item", items, listed=True),
    "sharing_request": Root(
        "sharing_request", _equal("sharing_request", "request_no", "requestNo")
    ),
    "sharing_requests": Root("sharing_request", sharing_requests, listed=True),
    "refused_or_unanswered": Root("sharing_fault", refused_or_unanswered, listed=True),
    "account_change": Root("account_change", _equal("account_change", "change_no", "changeNo")),
    "account_changes": Root("account_change", _about_accounts("account_change"), listed=True),
    "training_records": Root("training_record", _about_accounts("training_record"), listed=True),
    "staffing_gaps": Root("staffing_gap", _about_accounts("staffing_gap"), listed=True),
    "correction": Root("correction", _equal("correction", "correction_no", "correctionNo")),
    "corrections": Root("correction", corrections, listed=True),
    "correction_readers": Root(
        "correction_reader", lambda t, _: t.rows("correction_reader"), listed=True
    ),
    "audit_events": Root("audit_event", events, listed=True),
}


# ---- pages -------------------------------------------------------------------------------------


def checked_page(kind: Any, args: Mapping[str, Any], asking: Asking) -> None:
    """Refuses a page nobody can have."""
    if not get_named_type(kind).name.endswith("Connection"):
        return
    first, last = args.get("first"), args.get("last")
    if first is not None and last is not None:
        raise refusal("first 与 last 只能用一个", "BAD_USER_INPUT")
    if not 0 <= _size(args) <= PAGE_MAX:
        raise refusal(SAID_PAGE.format(_size(args)), "BAD_USER_INPUT")
    cursor = _cursor(args)
    if cursor is not None and cursor not in asking.cursors:
        raise refusal("游标无效：请从第一页重新开始", "BAD_USER_INPUT")


def _size(args: Mapping[str, Any]) -> int:
    given = (args.get(n) for n in ("first", "last"))
    return next((n for n in given if n is not None), PAGE_DEFAULT)


def _cursor(args: Mapping[str, Any]) -> str | None:
    found: str | None = args.get("before" if args.get("last") is not None else "after")
    return found


def page(
    rows: list[Row],
    args: Mapping[str, Any],
    cursors: Mapping[str, str],
    made: Callable[[Row], Seen],
) -> dict[str, Any]:
    """A connection of rows: the page on this side of the cursor's row."""
    size, backward, cursor = _size(args), args.get("last") is not None, _cursor(args)
    rest = rows
    if cursor is not None:
        at = next(i for i, row in enumerate(rows) if row["id"] == cursors[cursor])
        rest = rows[:at] if backward else rows[at + 1 :]
    cut = rest[max(len(rest) - size, 0) :] if backward else rest[:size]
    shown = [made(row) for row in cut]
    more, end = len(rest) > size, CURSOR if shown else None
    return {
        "nodes": shown,
        "edges": [{"cursor": CURSOR, "node": row} for row in shown],
        "totalCount": len(rows),
        "pageInfo": {
            "hasNextPage": cursor is not None if backward else more,
            "hasPreviousPage": more if backward else cursor is not None,
            "startCursor": end,
            "endCursor": end,
        },
    }
