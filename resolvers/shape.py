"""Document + bindings -> Shape: what is asked, knowing no asker.

A Shape is made once per document, operation and *signature* of the variables (which are
given, which are null, the booleans): everything else of a value is bound at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLObjectType,
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
from graphql.execution.values import VariableValues, get_argument_values

from adapters.contract import (
    EXTRA,
    MINOR,
    REGION,
    Page,
)
from authz.lens import Mode
from catalog.datasets import Dataset, KeyKind
from catalog.errors import BadUserInput, ValidationFailed
from catalog.load import Catalog
from resolvers.binding import (
    AccessOf,
    Bindings,
    ColumnOf,
    ContextOf,
    EdgeTo,
    FacetOf,
    FacetRows,
    PartOf,
    ProvenanceOf,
    RootOf,
)
from resolvers.document import Operation
from resolvers.plan import (
    Bind,
    Kind,
    Out,
    OutAccess,
    OutColumn,
    OutConnection,
    OutConstant,
    OutContext,
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
from resolvers.roots.root import leaf


def signature(variables: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of the variables can change a statement: presence, nulls, booleans."""
    return tuple((name, _mark(value)) for name, value in sorted(variables.items()))


def _mark(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return signature(value)
    return "L" if isinstance(value, list) else "V"


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
        root_type = self._bindings.schema.query_type
        if root_type is None or self._operation.type.value != "query":
            raise ValidationFailed(f"接口不提供 {self._operation.type.value} 操作")
        grouped = self._collect(root_type, None)
        reads: list[Read] = []
        outs = tuple(self._root(root_type, k, d, reads) for k, d in grouped.items())
        variables = tuple(
            (v.variable.name.value, _type_text(v.type)) for v in node.variable_definitions or ()
        )
        return Shape(
            key=key,
            operation=self._operation.type.value,
            name=self._operation.name,
            outs=outs,
            roots=tuple(reads),
            variables=variables,
            introspection=any(isinstance(o, OutIntrospection) for o in outs),
        )

    def _collect(
        self, kind: GraphQLObjectType, details: list[FieldDetails] | None
    ) -> Mapping[str, list[FieldDetails]]:
        schema, operation = self._bindings.schema, self._operation.node
        try:
            if details is None:
                return collect_fields(
                    schema, self._fragments, self._values, kind, operation, True
                ).grouped_field_set
            return collect_subfields(
                schema, self._fragments, self._values, operation, kind, details, True
            ).grouped_field_set
        except GraphQLError:
            raise BadUserInput("@skip 或 @include 的条件不能为空", reason="VARIABLE") from None

    # -- roots

    def _root(
        self, kind: GraphQLObjectType, key: str, details: list[FieldDetails], reads: list[Read]
    ) -> Out:
        name = details[0].node.name.value
        if name == "__typename":
            return OutConstant(key, kind.name)
        if name in ("__schema", "__type"):
            return OutIntrospection(key, tuple(d.node for d in details))
        binding = self._bindings.of(kind.name, name)
        if isinstance(binding, ContextOf):
            named = get_named_type(kind.fields[name].type)
            return OutContext(key, binding.name, self._parts(named, details))
        if not isinstance(binding, RootOf):
            raise TypeError(f"{kind.name}.{name} is no root")
        return self._root_read(kind, key, details, binding, reads)

    def _root_read(
        self,
        kind: GraphQLObjectType,
        key: str,
        details: list[FieldDetails],
        binding: RootOf,
        reads: list[Read],
    ) -> Out:
        node = details[0].node
        definition = kind.fields[node.name.value]
        args = self._arguments(definition, node)
        root = ROOTS[binding.name](args)
        number = self._number()
        params = [f"r{number}_a{i}" for i in range(len(root.given))]
        many = bool(is_list_type(_bare(definition.type)))
        connection = _is_connection(definition.type)
        seed = Read(
            id=number,
            dataset=self._catalog.datasets[root.dataset],
            coordinate=f"{kind.name}.{node.name.value}",
            path=(key,),
            kind=Kind.ROOT,
            mode=root.mode,
            many=many or connection,
            required=bool(is_non_null_type(definition.type)),
            where=tuple(leaf(g, p) for g, p in zip(root.given, params, strict=True)),
            binds=tuple(
                Bind(p, g.path, g.convert) for g, p in zip(root.given, params, strict=True)
            ),
            identifier=root.identifier,
            connection=connection,
            slot=Slot(definition, node, connection),
            nodes=tuple(d.node for d in details),
        )
        read, out = self._finish(seed, key, definition, details, args)
        reads.append(read)
        return out

    def _arguments(self, definition: Any, node: Any) -> dict[str, Any]:
        try:
            return get_argument_values(definition, node, self._values, None, True)
        except GraphQLError:
            name = node.name.value
            raise BadUserInput(f"字段 `{name}` 的参数不合要求", reason="VARIABLE") from None

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    # -- one Read

    def _finish(
        self, seed: Read, key: str, definition: Any, details: list[FieldDetails], args: Any
    ) -> tuple[Read, Out]:
        """Fill a Read from its selection and say where its rows go in the answer."""
        builder = _Builder(seed.dataset, seed.kind, seed.path)
        named = get_named_type(definition.type)
        if seed.connection:
            parts = self._connection(named, details, builder)
            out: Out = OutConnection(
                key, seed.id, seed.coordinate, parts, seed.required, seed.nodes
            )
            outs: tuple[Out, ...] = ()
        else:
            outs = self._object(named, details, builder)
            out = OutRead(key, seed.id, seed.coordinate, seed.many, seed.required, seed.nodes)
        ordered = seed.many or seed.kind is Kind.ROOT
        order = tuple((EXTRA + c, down) for c, down in seed.dataset.order) if ordered else ()
        for column, _ in order:
            builder.extra[column] = None
        read = replace(
            seed,
            columns=tuple(builder.columns),
            extra=tuple(builder.extra),
            children=tuple(builder.children),
            outs=outs,
            order=order,
            page=_page(args) if seed.connection else None,
            total=builder.total,
        )
        return read, out

    def _object(
        self, kind: GraphQLObjectType, details: list[FieldDetails], builder: _Builder
    ) -> tuple[Out, ...]:
        grouped = self._collect(kind, details)
        return tuple(self._out(kind, k, d, builder) for k, d in grouped.items())

    def _out(
        self,
        kind: GraphQLObjectType,
        key: str,
        details: list[FieldDetails],
        builder: _Builder,
    ) -> Out:
        node = details[0].node
        name = node.name.value
        if name == "__typename":
            return OutConstant(key, kind.name)
        definition = kind.fields[name]
        binding = self._bindings.of(kind.name, name)
        nodes = tuple(d.node for d in details)
        if isinstance(binding, ColumnOf):
            builder.columns[binding.column] = None
            leaf_name = get_named_type(definition.type).name
            required = bool(is_non_null_type(definition.type))
            return OutColumn(key, binding.column, f"{kind.name}.{name}", leaf_name, required, nodes)
        if isinstance(binding, EdgeTo):
            return self._edge(kind, key, details, builder, binding)
        if isinstance(binding, FacetOf):
            named = get_named_type(definition.type)
            return OutGroup(key, self._object(named, details, builder))
        if isinstance(binding, FacetRows):
            return self._facet(kind, key, details, builder, binding)
        if isinstance(binding, AccessOf):
            return OutAccess(key, self._names(get_named_type(definition.type), details))
        if isinstance(binding, ProvenanceOf):
            return OutProvenance(key, self._names(get_named_type(definition.type), details))
        raise TypeError(f"{kind.name}.{name} has no binding for a row")

    # -- below a row

    def _edge(
        self,
        kind: GraphQLObjectType,
        key: str,
        details: list[FieldDetails],
        builder: _Builder,
        binding: EdgeTo,
    ) -> Out:
        builder.extra[EXTRA + binding.parent] = None
        under_facet = builder.kind in (Kind.FACET, Kind.NEST)
        mode = Mode.KEY if binding.reached else Mode.LIST
        return self._child(
            kind,
            key,
            details,
            builder,
            Kind.NEST if under_facet else Kind.EDGE,
            dataset=binding.dataset,
            mode=mode,
            many=binding.many,
            parent=EXTRA + binding.parent,
            child=binding.child,
            connection=binding.connection,
        )

    def _facet(
        self,
        kind: GraphQLObjectType,
        key: str,
        details: list[FieldDetails],
        builder: _Builder,
        binding: FacetRows,
    ) -> Out:
        dataset = self._catalog.datasets[binding.dataset]
        by_person = dataset.key.kind is KeyKind.IDENTITY
        parent = EXTRA + ("id18" if by_person else "region_path")
        for column in (parent, REGION, MINOR, *((EXTRA + "name",) if by_person else ())):
            builder.extra[column] = None
        return self._child(
            kind,
            key,
            details,
            builder,
            Kind.FACET,
            dataset=binding.dataset,
            mode=Mode.KEY,
            many=binding.many,
            parent=parent,
            child="identity" if by_person else "division",
            connection=False,
        )

    def _child(
        self,
        kind: GraphQLObjectType,
        key: str,
        details: list[FieldDetails],
        builder: _Builder,
        how: Kind,
        *,
        dataset: str,
        mode: Mode,
        many: bool,
        parent: str,
        child: str,
        connection: bool,
    ) -> Out:
        node = details[0].node
        definition = kind.fields[node.name.value]
        args = self._arguments(definition, node) if node.arguments else {}
        seed = Read(
            id=self._number(),
            dataset=self._catalog.datasets[dataset],
            coordinate=f"{kind.name}.{node.name.value}",
            path=(*builder.path, key),
            kind=how,
            mode=mode,
            many=many,
            required=bool(is_non_null_type(definition.type)),
            parent=parent,
            child=child,
            connection=connection,
            slot=Slot(definition, node, connection) if connection else None,
            nodes=tuple(d.node for d in details),
        )
        read, out = self._finish(seed, key, definition, details, args)
        builder.children.append(read)
        return out

    # -- connections, contexts

    def _connection(
        self, kind: GraphQLObjectType, details: list[FieldDetails], builder: _Builder
    ) -> tuple[Part, ...]:
        parts = []
        for key, below in self._collect(kind, details).items():
            name = below[0].node.name.value
            if name == "__typename":
                parts.append(Part(key, f"={kind.name}"))
                continue
            named = get_named_type(kind.fields[name].type)
            parts.append(self._part(key, name, named, below, builder))
        return tuple(parts)

    def _part(
        self, key: str, name: str, named: Any, details: list[FieldDetails], builder: _Builder
    ) -> Part:
        if name in ("nodes", "node"):
            return Part(key, name, outs=self._object(named, details, builder))
        if name == "edges":
            return Part(key, name, parts=self._connection(named, details, builder))
        if name == "totalCount":
            builder.total = True
            return Part(key, name)
        if name == "pageInfo":
            return Part(key, name, parts=self._parts(named, details))
        return Part(key, name)  # cursor

    def _parts(self, kind: Any, details: list[FieldDetails]) -> tuple[Part, ...]:
        if not isinstance(kind, GraphQLObjectType):
            return ()
        parts = []
        for key, below in self._collect(kind, details).items():
            name = below[0].node.name.value
            if name == "__typename":
                parts.append(Part(key, f"={kind.name}"))
                continue
            if not isinstance(self._bindings.of(kind.name, name), PartOf):
                raise TypeError(f"{kind.name}.{name} is no part")
            named = get_named_type(kind.fields[name].type)
            parts.append(Part(key, name, parts=self._parts(named, below)))
        return tuple(parts)

    def _names(
        self, kind: GraphQLObjectType, details: list[FieldDetails]
    ) -> tuple[tuple[str, str], ...]:
        return tuple((p.key, p.name) for p in self._parts(kind, details))


def _bare(kind: Any) -> Any:
    return kind.of_type if is_non_null_type(kind) else kind


def _is_connection(kind: Any) -> bool:
    named = get_named_type(kind)
    return bool(named.name.endswith("Connection"))


def _type_text(node: Any) -> str:
    return print_ast(node)


def _page(args: Mapping[str, Any]) -> Page:
    backward = args.get("last") is not None
    cursor = args.get("before") if backward else args.get("after")
    return Page(after=cursor is not None, backward=backward)
