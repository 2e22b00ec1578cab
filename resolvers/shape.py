"""Document + bindings -> Shape: what is asked, knowing no asker.

A Shape is made once per document, operation and *signature* of the variables (which are
given, which are null, the booleans): everything else of a value is bound at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_list_type,
    is_non_null_type,
    print_ast,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from adapters.contract import (
    EXTRA,
    MINOR,
    REGION,
    Page,
)
from authz.lens import Mode
from catalog.datasets import Dataset, KeyKind
from catalog.errors import BadUserInput, HubError, ValidationFailed
from catalog.load import Catalog
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
from resolvers.coerce import Arguments
from resolvers.document import Operation
from resolvers.plan import (
    Bind,
    Kind,
    Members,
    Out,
    OutAccess,
    OutChanged,
    OutColumn,
    OutCommand,
    OutConnection,
    OutConstant,
    OutContext,
    OutEntities,
    OutFault,
    OutGroup,
    OutIntrospection,
    OutProvenance,
    OutRead,
    Part,
    Read,
    Shape,
    Slot,
)
from resolvers.roots import ROOTS
from resolvers.roots.root import leaf, spread

SHAPING = frozenset({"CaseDimension", "AuditDimension"})
"""Enumerations whose values choose the statement itself; other values are bound to it."""


def signature(variables: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of the variables can change a statement: presence, nulls, booleans, dimensions."""
    return tuple((name, _mark(value)) for name, value in sorted(variables.items()))


def _mark(value: Any) -> Any:
    if type(value) is str:
        return "V"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return signature(value)
    if isinstance(value, Enum) and type(value).__name__ in SHAPING:
        return value.value
    if isinstance(value, list):
        return ("L", *(m for m in map(_mark, value) if m != "V"))
    return "V"


@dataclass(frozen=True)
class Asked:
    """One response key of one object: its type and the field nodes that were merged into it."""

    kind: GraphQLObjectType
    key: str
    details: list[FieldDetails]

    @property
    def node(self) -> FieldNode:
        """The first node: arguments are the same on all of them."""
        return self.details[0].node

    @property
    def name(self) -> str:
        """The field's name."""
        return self.node.name.value

    @property
    def definition(self) -> GraphQLField:
        """The field in the schema; not for ``__typename`` and introspection."""
        found: GraphQLField = self.kind.fields[self.name]
        return found

    @property
    def type(self) -> Any:
        """The named type below lists and non-null."""
        return get_named_type(self.definition.type)

    @property
    def required(self) -> bool:
        """Non-null in the schema."""
        return bool(is_non_null_type(self.definition.type))

    @property
    def coordinate(self) -> str:
        """``Type.field``."""
        return f"{self.kind.name}.{self.name}"

    @property
    def nodes(self) -> tuple[FieldNode, ...]:
        """All merged nodes: an error lists the place of each."""
        return tuple(d.node for d in self.details)


@dataclass
class _Builder:
    """A Read in the making: what its fields turn out to need."""

    dataset: Dataset
    kind: Kind
    path: tuple[str, ...]
    columns: dict[str, None] = field(default_factory=dict)
    extra: dict[str, None] = field(default_factory=dict)
    children: list[Read] = field(default_factory=list)
    total: bool = False


class Shaper:
    """Makes the Shape of one operation for one choice of variables."""

    def __init__(
        self, bindings: Bindings, catalog: Catalog, operation: Operation, values: VariableValues
    ) -> None:
        self._bindings, self._catalog, self._values = bindings, catalog, values
        self._operation = operation
        self._fragments = {n: FragmentDetails(d) for n, d in operation.fragments.items()}
        self._next = 0

    def shape(self, key: Any) -> Shape:
        """The whole operation. HubError for an argument no request could make right."""
        node = self._operation.node
        root_type = self._bindings.schema.get_root_type(self._operation.type)
        if root_type is None:
            raise ValidationFailed(f"接口不提供 {self._operation.type.value} 操作")
        reads: list[Read] = []
        found = self._fields(root_type, None)
        outs: tuple[Out, ...]
        if isinstance(found, HubError):
            outs = (OutFault(found),)
        else:
            outs = tuple(self._root(asked, reads) for asked in found)
        if sum(isinstance(out, OutCommand) for out in outs) > 1:
            raise ValidationFailed(
                "一次请求只能有一个变更操作：请分开提交", english="one mutation field a request"
            )
        return Shape(
            key=key,
            operation=self._operation.type.value,
            name=self._operation.name,
            outs=outs,
            roots=tuple(reads),
            variables=tuple(
                (v.variable.name.value, print_ast(v.type)) for v in node.variable_definitions or ()
            ),
            introspection=any(isinstance(o, OutIntrospection) for o in outs),
        )

    def _fields(
        self, kind: GraphQLObjectType, details: list[FieldDetails] | None
    ) -> list[Asked] | HubError:
        """The selection of an object, merged by response key, in the order of the document.

        BadUserInput where a condition in it is null: then each such object fails by itself.
        """
        schema, operation = self._bindings.schema, self._operation.node
        try:
            if details is None:
                found = collect_fields(schema, self._fragments, self._values, kind, operation, True)
            else:
                found = collect_subfields(
                    schema, self._fragments, self._values, operation, kind, details, True
                )
        except GraphQLError as error:
            return unfit("@skip 或 @include 的条件不能为空", error)
        return [Asked(kind, key, below) for key, below in found.grouped_field_set.items()]

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    # -- roots

    def _root(self, asked: Asked, reads: list[Read]) -> Out:
        if asked.name == "__typename":
            return OutConstant(asked.key, asked.kind.name)
        if asked.name in ("__schema", "__type"):
            return OutIntrospection(asked.key, asked.nodes)
        binding = self._bindings.of(asked.kind.name, asked.name)
        if isinstance(binding, ContextOf):
            return OutContext(asked.key, binding.name, self._parts(asked.type, asked.details))
        if isinstance(binding, EntitiesOf):
            return self._entities(asked, binding, reads)
        if isinstance(binding, CommandOf):
            return self._command(asked, binding, reads)
        if not isinstance(binding, RootOf):
            raise TypeError(f"{asked.coordinate} is no root")
        return self._root_read(asked, binding, reads)

    def _root_read(self, asked: Asked, binding: RootOf, reads: list[Read]) -> Out:
        args = self._arguments(asked)
        # Arguments that do not fit are refused when the Read is asked, before anything is sent.
        root = ROOTS[binding.name](args)
        connection = asked.type.name.endswith("Connection")
        many = connection or bool(is_list_type(_bare(asked.definition.type)))
        seed = self._seed(asked, (), Kind.ROOT, root.dataset, root.mode, many, connection)
        given = [(g, f"r{seed.id}_a{i}") for i, g in enumerate(root.given)]
        seed = replace(
            seed,
            where=tuple(leaf(g, param) for g, param in given),
            binds=tuple(Bind(param, g.path, g.convert, spread(g.op)) for g, param in given),
            identifier=root.identifier,
            group=root.group,
            sought=root.sought,
            slot=Slot(Arguments(asked.definition, asked.node), connection),
        )
        read, out = self._finish(seed, asked, args)
        reads.append(read)
        return out

    def _entities(self, asked: Asked, binding: EntitiesOf, reads: list[Read]) -> Out:
        """A Read for every key of every type: which of them are asked the request will say."""
        found: dict[str, dict[str, int]] = {}
        for name, keys in binding.keys.items():
            made = [(key.field, self._entity(asked, name, key)) for key in keys]
            reads.extend(read for _, read in made)
            found[name] = {field: read.id for field, read in made}
        slot = Slot(Arguments(asked.definition, asked.node), connection=False)
        return OutEntities(asked.key, slot, found, asked.nodes)

    def _entity(self, asked: Asked, type_name: str, key: ByKey) -> Read:
        """The Read by one key, with what the selection asks of this one type."""
        mode = Mode.LOOKUP if key.lookup else Mode.KEY
        seed = self._seed(asked, (), Kind.ENTITY, key.dataset, mode, False, False)
        identifier = key.field if key.lookup else None
        seed = replace(seed, child=key.column, identifier=identifier, required=False)
        kind = self._bindings.schema.type_map[type_name]
        assert isinstance(kind, GraphQLObjectType)  # noqa: S101  the start-up check saw to it
        return self._keyed(seed, kind, asked)

    def _keyed(self, seed: Read, kind: GraphQLObjectType, asked: Asked) -> Read:
        """The Read with what the selection asks of this type."""
        builder = _Builder(seed.dataset, seed.kind, seed.path)
        outs = self._object(kind, asked.details, builder)
        return replace(
            seed,
            columns=tuple(builder.columns),
            extra=tuple(builder.extra),
            children=tuple(builder.children),
            outs=outs,
        )

    def _command(self, asked: Asked, binding: CommandOf, reads: list[Read]) -> Out:
        """The payload of every type it may have: which one it is the deed will say."""
        slot = Slot(Arguments(asked.definition, asked.node), connection=False)
        kinds = asked.type.types if isinstance(asked.type, GraphQLUnionType) else (asked.type,)
        members = {kind.name: self._members(kind, asked, reads) for kind in kinds}
        return OutCommand(asked.key, binding.name, slot, members, asked.nodes)

    def _members(self, kind: GraphQLObjectType, asked: Asked, reads: list[Read]) -> Members:
        found = self._fields(kind, asked.details)
        if isinstance(found, HubError):
            raise found  # before the deed: afterwards it could not be told what came of it
        return tuple(self._member(one, (asked.key,), reads) for one in found)

    def _member(
        self, asked: Asked, above: tuple[str, ...], reads: list[Read]
    ) -> OutConstant | OutChanged | Part:
        if asked.name == "__typename":
            return OutConstant(asked.key, asked.kind.name)
        binding = self._bindings.of(asked.kind.name, asked.name)
        if not isinstance(binding, ChangedRow):
            return self._plain(asked)
        seed = self._seed(asked, above, Kind.ENTITY, binding.dataset, Mode.KEY, False, False)
        read = self._keyed(replace(seed, child=binding.column), asked.type, asked)
        reads.append(read)
        return OutChanged(asked.key, asked.name, read.id, asked.nodes)

    def _arguments(self, asked: Asked) -> Mapping[str, Any]:
        """The arguments this Shape is made for; none where they cannot be what is declared."""
        found = arguments(Arguments(asked.definition, asked.node), self._values)
        return {} if isinstance(found, HubError) else found

    # -- one Read

    def _seed(
        self,
        asked: Asked,
        above: tuple[str, ...],
        how: Kind,
        dataset: str,
        mode: Mode,
        many: bool,
        connection: bool,
    ) -> Read:
        """A Read that does not know its columns yet."""
        return Read(
            id=self._number(),
            dataset=self._catalog.datasets[dataset],
            coordinate=asked.coordinate,
            path=(*above, asked.key),
            kind=how,
            mode=mode,
            many=many,
            required=asked.required,
            connection=connection,
            nodes=asked.nodes,
        )

    def _finish(self, seed: Read, asked: Asked, args: Mapping[str, Any]) -> tuple[Read, Out]:
        """Fill a Read from its selection and say where its rows go in the answer."""
        builder = _Builder(seed.dataset, seed.kind, seed.path)
        place = (asked.key, seed.id, seed.coordinate)
        outs: tuple[Out, ...] = ()
        parts: tuple[Part, ...] = ()
        if seed.connection:
            parts = self._connection(asked.type, asked.details, builder)
            out: Out = OutConnection(*place, parts, seed.required, seed.nodes)
        else:
            outs = self._object(asked.type, asked.details, builder)
            out = OutRead(*place, seed.many, seed.required, seed.nodes)
        ordered = (seed.many or seed.kind is Kind.ROOT) and seed.group is None
        order = tuple((EXTRA + c, down) for c, down in seed.dataset.order) if ordered else ()
        read = replace(
            seed,
            columns=tuple(builder.columns),
            extra=tuple(builder.extra | dict.fromkeys(column for column, _ in order)),
            children=tuple(builder.children),
            outs=outs,
            parts=parts,
            order=order,
            page=_page(args) if seed.connection else None,
            total=builder.total,
        )
        return read, out

    def _object(
        self, kind: GraphQLObjectType, details: list[FieldDetails], builder: _Builder
    ) -> tuple[Out, ...]:
        found = self._fields(kind, details)
        if isinstance(found, HubError):
            return (OutFault(found),)
        return tuple(self._out(asked, builder) for asked in found)

    def _out(self, asked: Asked, builder: _Builder) -> Out:
        if asked.name == "__typename":
            return OutConstant(asked.key, asked.kind.name)
        binding = self._bindings.of(asked.kind.name, asked.name)
        if isinstance(binding, ColumnOf):
            return self._column(asked, builder, binding)
        if isinstance(binding, GroupOf):
            return self._leaf(asked, asked.name)
        if isinstance(binding, EdgeTo):
            return self._edge(asked, builder, binding)
        if isinstance(binding, FacetOf):
            return OutGroup(asked.key, self._object(asked.type, asked.details, builder))
        if isinstance(binding, FacetRows):
            return self._facet(asked, builder, binding)
        if isinstance(binding, AccessOf):
            return OutAccess(asked.key, self._parts(asked.type, asked.details))
        if isinstance(binding, ProvenanceOf):
            return OutProvenance(asked.key, self._parts(asked.type, asked.details))
        raise TypeError(f"{asked.coordinate} has no binding for a row")

    def _column(self, asked: Asked, builder: _Builder, binding: ColumnOf) -> Out:
        builder.columns[binding.column] = None
        return self._leaf(asked, binding.column)

    def _leaf(self, asked: Asked, column: str) -> Out:
        return OutColumn(
            asked.key,
            column,
            asked.coordinate,
            asked.type.name,
            asked.required,
            asked.nodes,
        )

    # -- below a row

    def _edge(self, asked: Asked, builder: _Builder, binding: EdgeTo) -> Out:
        parent = EXTRA + binding.parent
        builder.extra[parent] = None
        under_facet = builder.kind in (Kind.FACET, Kind.NEST)
        how = Kind.NEST if under_facet else Kind.EDGE
        mode = Mode.KEY if binding.reached else Mode.LIST
        seed = self._seed(
            asked, builder.path, how, binding.dataset, mode, binding.many, binding.connection
        )
        return self._child(asked, builder, replace(seed, parent=parent, child=binding.child))

    def _facet(self, asked: Asked, builder: _Builder, binding: FacetRows) -> Out:
        by_person = self._catalog.datasets[binding.dataset].key.kind is KeyKind.IDENTITY
        parent = EXTRA + ("id18" if by_person else "region_path")
        # The register's name goes with the key: the adapter grades the match by it.
        names = (EXTRA + "name",) if by_person else ()
        builder.extra |= dict.fromkeys((parent, REGION, MINOR, *names))
        seed = self._seed(
            asked, builder.path, Kind.FACET, binding.dataset, Mode.KEY, binding.many, False
        )
        child = "identity" if by_person else "division"
        return self._child(asked, builder, replace(seed, parent=parent, child=child))

    def _child(self, asked: Asked, builder: _Builder, seed: Read) -> Out:
        args = self._arguments(asked) if asked.node.arguments else {}
        if seed.connection:
            seed = replace(
                seed, slot=Slot(Arguments(asked.definition, asked.node), connection=True)
            )
        read, out = self._finish(seed, asked, args)
        builder.children.append(read)
        return out

    # -- connections, contexts

    def _connection(
        self, kind: GraphQLObjectType, details: list[FieldDetails], builder: _Builder
    ) -> tuple[Part, ...]:
        found = self._fields(kind, details)
        if isinstance(found, HubError):
            return (_unread(found),)
        return tuple(self._part(asked, builder) for asked in found)

    def _part(self, asked: Asked, builder: _Builder) -> Part:
        key, name = asked.key, asked.name
        if name == "__typename":
            return Part(key, f"={asked.kind.name}")
        if name in ("nodes", "node"):
            return Part(key, name, outs=self._object(asked.type, asked.details, builder))
        if name == "edges":
            return Part(key, name, parts=self._connection(asked.type, asked.details, builder))
        if name == "pageInfo":
            return Part(key, name, parts=self._parts(asked.type, asked.details))
        builder.total = builder.total or name == "totalCount"
        return Part(key, name)

    def _parts(self, kind: Any, details: list[FieldDetails]) -> tuple[Part, ...]:
        """Members of a plain value, below any number of objects."""
        if not isinstance(kind, GraphQLObjectType):
            return ()
        found = self._fields(kind, details)
        if isinstance(found, HubError):
            return (_unread(found),)
        return tuple(self._plain(asked) for asked in found)

    def _plain(self, asked: Asked) -> Part:
        if asked.name == "__typename":
            return Part(asked.key, f"={asked.kind.name}")
        if not isinstance(self._bindings.of(asked.kind.name, asked.name), PartOf):
            raise TypeError(f"{asked.coordinate} is no part")
        return Part(asked.key, asked.name, parts=self._parts(asked.type, asked.details))


def arguments(made: Arguments, values: VariableValues) -> Mapping[str, Any] | HubError:
    """A field's arguments; BadUserInput if null is given where null may not be.

    Such a field fails by itself: the others of the operation are answered.
    """
    try:
        return made.of(values)
    except GraphQLError as error:
        return unfit(f"字段 `{made.name}` 的参数不合要求", error)


def unfit(message: str, error: GraphQLError) -> BadUserInput:
    """A value that does not fit, in our words, with the places graphql-core found."""
    places = [{"line": at.line, "column": at.column} for at in error.locations or ()]
    more: dict[str, Any] = {"locations": places} if places else {}
    return BadUserInput(message, reason="VARIABLE", **more)


def _unread(error: HubError) -> Part:
    return Part("", "", fault=error)


def _bare(kind: Any) -> Any:
    return kind.of_type if is_non_null_type(kind) else kind


def _page(args: Mapping[str, Any]) -> Page:
    backward = args.get("last") is not None
    cursor = args.get("before") if backward else args.get("after")
    return Page(after=cursor is not None, backward=backward)
