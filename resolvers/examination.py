"""What a document could read, known before anybody asks it: for its reviewer and for REST.

    text ──► document ──► Shape of everything in it ──► data sets, fields, acts, cost
                                       └──────────────► which variables may stand in a URL

Conditions are taken out first, so that nothing that a `@skip` could hide goes unseen; where a
variable chooses between ways to a row (`CitizenKey`) each way is looked at. Nobody's rights are
asked: those are judged with every request.

A variable may stand in a URL only if what it is bound to proves it harmless: a number, a switch,
a word of a list, a division, a time, a page's sealed cursor, or an open column of rows that are
about nobody. Every other text (an id number, a name, a person's or a case's key) is sensitive;
what a variable is called says nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache
from graphql import (
    REMOVE,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLSchema,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    Visitor,
    get_named_type,
    get_variable_values,
    is_list_type,
    is_non_null_type,
    print_ast,
    type_from_ast,
    visit,
)
from graphql.execution.values import VariableValues

from adapters.contract import EXTRA
from authz.lens import Mode
from catalog.errors import BadUserInput, Internal, ValidationFailed
from catalog.grades import Sensitivity
from resolvers.binding import Bindings
from resolvers.coerce import Variables
from resolvers.cost import cost
from resolvers.document import Documents, Operation
from resolvers.execute import Setting
from resolvers.outline import Outline, answer_outline, one_of, variable_outlines
from resolvers.plan import Read, Shape
from resolvers.scale import Limits, too_complex
from resolvers.shape import Shaper, arguments

KEPT = 256  # examinations a worker keeps
WAYS = 16  # combinations of ways to a row that one document may leave open
ACTS = {
    Mode.KEY: "read",
    Mode.LIST: "list",
    Mode.EXPORT: "export",
    Mode.LOOKUP: "lookup",
    Mode.COUNT: "count",
    Mode.TALLY: "count",
}
HARMLESS = frozenset(
    {"Int", "Float", "Boolean", "Sequence", "DivisionCode", "Month", "DateTime", "Decimal"}
)
"""Scalars that name nobody. A date is not among them: people are born on one."""
CURSORS = frozenset({("after",), ("before",)})
OPEN = frozenset({Sensitivity.L1_OPEN, Sensitivity.L2_INTERNAL})
RESERVED = frozenset({"errors", "extensions"})
"""Names of the flat answer's own members: no root may have one as its key."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldTold:
    """A column that may be read: `level` and `mask` as in the catalogue, `object` its group."""

    name: str
    title: str
    level: str
    object: str
    mask: str


@dataclass(frozen=True, slots=True)
class ReadTold:
    """A data set that may be read, by which acts on which object, and which columns of it."""

    dataset: str
    title: str
    source: str
    object: str
    acts: tuple[str, ...]
    fields: tuple[FieldTold, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        fields = [
            {"name": f.name, "title": f.title, "level": f.level, "object": f.object, "mask": f.mask}
            for f in self.fields
        ]
        told: dict[str, Any] = {"dataset": self.dataset, "title": self.title}
        told |= {"source": self.source, "object": self.object, "acts": list(self.acts)}
        return told | {"fields": fields}


@dataclass(frozen=True, slots=True)
class VariableTold:
    """A variable: its type in GraphQL notation, its named type, how a query string gives it.

    `kind`: ``integer``, ``number``, ``boolean``, ``text`` or ``object``.
    """

    name: str
    type: str
    named: str
    kind: str
    many: bool
    required: bool
    sensitive: bool

    @property
    def in_url(self) -> bool:
        """May a query string give it, and can it?"""
        return not self.sensitive and self.kind != "object"


@dataclass(frozen=True, slots=True)
class Examination:
    """One document with one named operation.

    `roots`: the Reads that decide who may ask at all; `given` and `answer` are JSON Schemas of each
    variable and of the root fields.
    """

    name: str
    operation: str
    digest: str
    cost: int
    reads: tuple[ReadTold, ...]
    variables: tuple[VariableTold, ...]
    roots: tuple[Read, ...]
    given: Mapping[str, Outline]
    answer: Outline

    @property
    def in_url(self) -> bool:
        """May the whole question stand in a URL (GET)?"""
        return self.operation == "query" and all(v.in_url for v in self.variables)


class Examiner:
    """Examines documents; one per worker, which keeps what it found by sha256."""

    def __init__(
        self, bindings: Bindings, setting: Setting, limits: Limits, documents: Documents
    ) -> None:
        self._bindings, self._setting, self._limits = bindings, setting, limits
        self._documents = documents
        self._kept: LRUCache[str, Examination] = LRUCache(KEPT)

    def operation(self, text: str) -> Operation:
        """The one operation of a text. HubError: parse, limits, validation, or not one."""
        document = self._documents.get(text)
        if len(document.operations) != 1 or document.operations[0].name is None:
            raise ValidationFailed("受信查询须恰好有一个操作，且有名称")
        return document.operations[0]

    def examined(self, text: str) -> Examination:
        """What a text could read. HubError for one that could not be asked by anybody."""
        operation = self.operation(text)
        found = self._kept.get(operation.sha256)
        if found is None:
            found = self._kept[operation.sha256] = self._examine(operation)
        return found

    def _examine(self, operation: Operation) -> Examination:
        whole = unconditional(self._bindings.schema, operation)
        shapes = [self._shape(whole, values) for values in self._ways(whole)]
        spent = max(self._cost(shape, values) for shape, values in shapes)
        if spent > self._limits.cost:
            raise too_complex("cost", self._limits.cost, spent)
        reads = [read for shape, _ in shapes for read in shape.walk()]
        keys = {out.key for out in shapes[0][0].outs}
        if keys & RESERVED:
            raise ValidationFailed("根字段的键不能是 errors 或 extensions：请用别名改名")
        return Examination(
            name=operation.name or "",
            operation=operation.type.value,
            digest=operation.digest,
            cost=spent,
            reads=_told(reads),
            variables=tuple(_variables(self._bindings.schema, whole, reads)),
            roots=shapes[0][0].roots,
            given=variable_outlines(self._bindings.schema, operation),
            answer=answer_outline(self._bindings.schema, operation),
        )

    def _shape(self, whole: Operation, values: VariableValues) -> tuple[Shape, VariableValues]:
        shaper = Shaper(self._bindings, self._setting.catalog, whole, values)
        return shaper.shape((whole.sha256, "examined")), values

    def _cost(self, shape: Shape, values: VariableValues) -> int:
        given = {number: arguments(slot.arguments, values) for number, slot in shape.slots}
        return cost(shape, given, self._setting)

    def _ways(self, whole: Operation) -> Iterator[VariableValues]:
        """Variables with everything given and pages at their largest, once for every way."""
        schema, nodes = self._bindings.schema, whole.node.variable_definitions or ()
        names = [node.variable.name.value for node in nodes]
        each = [
            _samples(type_from_ast(schema, node.type), self._setting.page_max) for node in nodes
        ]
        ways = list(itertools.islice(itertools.product(*each), WAYS + 1))
        if len(ways) > WAYS:
            raise BadUserInput(
                f"变量的查找方式组合超过 {WAYS} 种：请把查找键写进文档", reason="VARIABLE"
            )
        for way in ways:
            values = get_variable_values(schema, nodes, dict(zip(names, way, strict=True)))
            if not isinstance(values, VariableValues):
                raise Internal("a sample of a variable does not fit its type")
            yield values


# ---- everything that is in it ------------------------------------------------------------------


class _Unconditional(Visitor):
    def enter_directive(self, node: Any, *_: Any) -> Any:
        return REMOVE if node.name.value in ("skip", "include") else None


def unconditional(schema: GraphQLSchema, operation: Operation) -> Operation:
    """The operation without its conditions: all that could be asked by it."""
    node = DocumentNode(definitions=(operation.node, *operation.fragments.values()))
    bare = visit(node, _Unconditional())
    operations = [d for d in bare.definitions if isinstance(d, OperationDefinitionNode)]
    fragments = {d.name.value: d for d in bare.definitions if isinstance(d, FragmentDefinitionNode)}
    variables = Variables(schema, operations[0])
    return Operation(operation.sha256, operation.digest, operations[0], fragments, variables)


def _samples(kind: Any, page: int) -> list[Any]:
    """JSON values of an input type, one for every way it leaves open; everything is given."""
    if is_non_null_type(kind):
        return _samples(kind.of_type, page)
    if is_list_type(kind):
        return [[one] for one in _samples(kind.of_type, page)]
    if isinstance(kind, GraphQLEnumType):
        return [next(iter(kind.values))]
    if isinstance(kind, GraphQLInputObjectType):
        return _objects(kind, page)
    plain = {"Int": page, "Sequence": page, "Float": 1.0, "Boolean": True}
    return [plain.get(kind.name, "")]


def _objects(kind: GraphQLInputObjectType, page: int) -> list[Any]:
    each = {name: _samples(field.type, page) for name, field in kind.fields.items()}
    if one_of(kind):
        return [{name: one} for name, samples in each.items() for one in samples]
    whole = {name: samples[0] for name, samples in each.items()}
    others = [whole | {n: one} for n, samples in each.items() for one in samples[1:]]
    return [whole, *others]


# ---- for the reviewer --------------------------------------------------------------------------


def _told(reads: list[Read]) -> tuple[ReadTold, ...]:
    """Each data set once, in the order it is met, with its columns in the catalogue's order."""
    acts: dict[str, dict[str, None]] = {}
    columns: dict[str, set[str]] = {}
    sets = {read.dataset.name: read.dataset for read in reads}
    for read in reads:
        acts.setdefault(read.dataset.name, {})[ACTS[read.mode]] = None
        columns.setdefault(read.dataset.name, set()).update(_columns(read))
    return tuple(
        ReadTold(
            name,
            dataset.title,
            dataset.source,
            dataset.object,
            tuple(acts[name]),
            tuple(
                FieldTold(f.name, f.title, f.sensitivity.value, f.object, f.mask.value)
                for f in dataset.fields
                if f.name in columns[name]
            ),
        )
        for name, dataset in sets.items()
    )


def _columns(read: Read) -> Iterator[str]:
    """Columns that are shown, asked about, or counted by."""
    yield from read.columns
    yield from (condition.column.removeprefix(EXTRA) for condition in read.where)
    if read.identifier is not None:
        yield read.identifier
    if read.group is not None:
        keys = {key.column for key in read.group.dimensions.values()}
        yield from (f.name for f in read.dataset.fields if keys & {f.name, f.column})


# ---- variables ---------------------------------------------------------------------------------


def _variables(
    schema: GraphQLSchema, whole: Operation, reads: list[Read]
) -> Iterator[VariableTold]:
    uses = [use for read in reads for use in _uses(read)]
    for node in whole.node.variable_definitions or ():
        name = node.variable.name.value
        kind: Any = type_from_ast(schema, node.type)
        bare = kind.of_type if is_non_null_type(kind) else kind
        named: Any = get_named_type(kind)
        mine = [(read, path) for read, used, path in uses if used == name]
        required = bool(is_non_null_type(kind)) and node.default_value is None
        yield VariableTold(
            name,
            print_ast(node.type),
            named.name,
            _kind(named, bare),
            bool(is_list_type(bare)),
            required,
            _sensitive(named, mine),
        )


def _kind(named: Any, bare: Any) -> str:
    if isinstance(named, GraphQLInputObjectType) or (
        is_list_type(bare) and is_list_type(_inner(bare))
    ):
        return "object"
    plain = {"Int": "integer", "Sequence": "integer", "Float": "number", "Boolean": "boolean"}
    return plain.get(named.name, "text")


def _inner(kind: Any) -> Any:
    return kind.of_type.of_type if is_non_null_type(kind.of_type) else kind.of_type


def _sensitive(named: Any, uses: list[tuple[Read, Path]]) -> bool:
    """Could a value of it name somebody? Yes, unless every use of it shows that it cannot."""
    leaves = [(read, (*path, *more), leaf) for read, path in uses for more, leaf in _leaves(named)]
    if not leaves:
        return any(not _plain(leaf) for _, leaf in _leaves(named))
    return any(not _plain(leaf) and not _open(read, path) for read, path, leaf in leaves)


def _plain(leaf: Any) -> bool:
    return isinstance(leaf, GraphQLEnumType) or leaf.name in HARMLESS


def _leaves(named: Any) -> Iterator[tuple[Path, Any]]:
    """The values below a type; no input type of ours holds itself."""
    if not isinstance(named, GraphQLInputObjectType):
        yield (), named
        return
    for name, field in named.fields.items():
        for path, leaf in _leaves(get_named_type(field.type)):
            yield (name, *path), leaf


def _open(read: Read, path: Path) -> bool:
    """Is the text at this place of a Read's arguments one that names nobody?"""
    if path in CURSORS and read.slot is not None and read.slot.connection:
        return True  # sealed: who reads a URL reads nothing of it
    params = {bind.param for bind in read.binds if bind.path == path}
    columns = {condition.column for condition in read.where if condition.param in params}
    return bool(columns) and all(_names_nobody(read, column) for column in columns)


def _names_nobody(read: Read, column: str) -> bool:
    dataset = read.dataset
    if column in {EXTRA + name for name in (dataset.owner, dataset.party) if name is not None}:
        return True  # the departments that have it
    known = dataset.by_name.get(column)
    about_people = dataset.subject or dataset.bound or dataset.birth or dataset.source == "audit"
    return known is not None and known.sensitivity in OPEN and not about_people


def _uses(read: Read) -> Iterator[tuple[Read, str, Path]]:
    """Each variable in a Read's arguments, and where in them it stands."""
    for node in read.nodes:
        if isinstance(node, FieldNode):
            for argument in node.arguments or ():
                for name, path in _inside(argument.value, (argument.name.value,)):
                    yield read, name, path


def _inside(value: ValueNode, path: Path) -> Iterator[tuple[str, Path]]:
    if isinstance(value, VariableNode):
        yield value.name.value, path
    elif isinstance(value, ObjectValueNode):
        for field in value.fields:
            yield from _inside(field.value, (*path, field.name.value))
    else:
        for one in getattr(value, "values", ()):
            yield from _inside(one, path)
