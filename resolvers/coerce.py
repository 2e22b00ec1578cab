"""Variables and arguments of a warm operation, coerced without graphql-core's machinery.

What a variable or an argument may be is read once from the operation and the schema. A request
whose values are plainly right (a text for a text, a whole number for ``Int``, a known name for
an enumeration) is answered from that; anything else, right or wrong, goes to graphql-core,
whose word is the specification's. So this file says yes or nothing; it never says no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLSchema,
    ObjectValueNode,
    OperationDefinitionNode,
    Undefined,
    VariableNode,
    Visitor,
    is_list_type,
    is_non_null_type,
    visit,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_argument_values

INT_MAX, INT_MIN = 2**31 - 1, -(2**31)
TEXTS = frozenset({"String", "ID", "DivisionCode", "DateTime", "Date", "Month", "Decimal"})
"""Scalars for which every text is a value of its own; our own ones are checked by their root."""

ANYTHING = "_Any"
"""The scalar of which every value is one: five hundred come in one list."""

Values = Mapping[str, Any]
Take = Callable[[Any], Any]
"""A JSON value as the schema's internal one; NOT_PLAIN for what graphql-core must judge."""
Make = Callable[[Values], Any]
"""A value from the coerced variables; ABSENT if it is not given, NOT_PLAIN as above."""

NOT_PLAIN: Any = object()
ABSENT: Any = object()


class Variables:
    """The variables of one operation."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._plain = True
        self._known: list[tuple[str, Any, Take | None]] = []
        for node in operation.variable_definitions or ():
            signature = get_variable_signature(schema, node)
            if isinstance(signature, GraphQLError) or node.default_value is not None:
                self._plain = False  # a default is a literal, with rules of its own
                return
            self._known.append((signature.name, signature, _taker(signature.type)))

    def take(self, given: Values) -> VariableValues | None:
        """The coerced values, or None if graphql-core must judge them."""
        if not self._plain:
            return None
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, signature, take in self._known:
            value = given.get(name, Undefined)
            if value is Undefined:
                if is_non_null_type(signature.type):
                    return None
                sources[name] = VariableValueSource(signature)
                continue
            found = NOT_PLAIN if take is None else take(value)
            if found is NOT_PLAIN:
                return None
            sources[name] = VariableValueSource(signature, value)
            coerced[name] = found
        return VariableValues(sources, coerced)


class Arguments:
    """The arguments of one field of one operation."""

    def __init__(self, definition: GraphQLField, node: Any) -> None:
        self._definition, self._node = definition, node
        self._makes = _argument_makes(definition, node)

    @property
    def name(self) -> str:
        """The field's name."""
        return str(self._node.name.value)

    @property
    def plain(self) -> bool:
        """False if graphql-core has to be asked every time."""
        return self._makes is not None

    def of(self, values: VariableValues) -> Mapping[str, Any]:
        """The coerced arguments. GraphQLError as graphql-core raises it."""
        if self._makes is not None:
            found = _made(self._makes, values.coerced)
            if found is not NOT_PLAIN:
                return found  # type: ignore[no-any-return]
        return get_argument_values(self._definition, self._node, values, None, True)


def _made(makes: list[tuple[str, Make]], values: Values) -> Any:
    found = {}
    for name, make in makes:
        value = make(values)
        if value is NOT_PLAIN:
            return NOT_PLAIN
        if value is not ABSENT:
            found[name] = value
    return found


# ---- variables ---------------------------------------------------------------------------------


def _taker(kind: Any) -> Take | None:
    if is_non_null_type(kind):
        return _value_taker(kind.of_type)
    take = _value_taker(kind)
    if take is None:
        return None
    inner = take
    return lambda value: None if value is None else inner(value)


def _list_taker(kind: Any) -> Take | None:
    """A list as it is; one value in the place of a list is left to graphql-core."""
    take = _taker(kind)
    if take is None:
        return None

    def taken(value: Any) -> Any:
        if type(value) is not list:
            return NOT_PLAIN
        found = [take(one) for one in value]
        return NOT_PLAIN if any(one is NOT_PLAIN for one in found) else found

    return taken


def _value_taker(kind: Any) -> Take | None:
    if is_list_type(kind):
        return _list_taker(kind.of_type)
    if isinstance(kind, GraphQLEnumType):
        known = {name: kind.parse_value(name) for name in kind.values}
        return lambda v: known.get(v, NOT_PLAIN) if type(v) is str else NOT_PLAIN
    name = getattr(kind, "name", None)
    if name == ANYTHING:
        make = kind.parse_value
        return lambda v: NOT_PLAIN if v is None else make(v)
    if name in TEXTS:
        return lambda v: v if type(v) is str else NOT_PLAIN
    if name == "Int":
        return lambda v: v if type(v) is int and INT_MIN <= v <= INT_MAX else NOT_PLAIN
    if name == "Boolean":
        return lambda v: v if type(v) is bool else NOT_PLAIN
    return None


# ---- arguments ---------------------------------------------------------------------------------


def _argument_makes(definition: GraphQLField, node: Any) -> list[tuple[str, Make]] | None:
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    found = []
    for name, argument in definition.args.items():
        if argument.default_value is not Undefined or argument.default is not None:
            return None
        make = _maker(given.get(name), argument.type)
        if make is None:
            return None
        found.append((argument.out_name or name, make))
    return found


def _maker(node: Any, kind: Any) -> Make | None:
    """How the value of a literal is made; None if graphql-core must do it every time."""
    required = is_non_null_type(kind)
    if node is None:
        return None if required else _absent
    if isinstance(node, VariableNode):
        return _variable(node.name.value, required)
    bare = kind.of_type if required else kind
    if isinstance(node, ObjectValueNode) and isinstance(bare, GraphQLInputObjectType):
        return _object(node, bare)
    if _has_variables(node):
        return None
    return _constant(node, kind)


def _absent(_values: Values) -> Any:
    return ABSENT


def _variable(name: str, required: bool) -> Make:
    missing = NOT_PLAIN if required else ABSENT

    def make(values: Values) -> Any:
        value = values.get(name, missing)
        return NOT_PLAIN if value is None and required else value

    return make


def _object(node: ObjectValueNode, kind: GraphQLInputObjectType) -> Make | None:
    given = {field.name.value: field.value for field in node.fields}
    makes = []
    for name, field in kind.fields.items():
        if field.default_value is not Undefined or field.default is not None:
            return None
        make = _maker(given.get(name), field.type)
        if make is None:
            return None
        makes.append((field.out_name or name, make))
    out, only_one = kind.out_type, kind.is_one_of

    def made(values: Values) -> Any:
        found = _made(makes, values)
        if found is NOT_PLAIN:
            return NOT_PLAIN
        if only_one and (len(found) != 1 or None in found.values()):
            return NOT_PLAIN
        try:
            return out(found)
        except Exception:  # what it refuses is refused in graphql-core's words
            return NOT_PLAIN

    return made


def _constant(node: Any, kind: Any) -> Make | None:
    from graphql.utilities.coerce_input_value import coerce_input_literal

    value = coerce_input_literal(node, kind)
    if value is Undefined:
        return None
    return lambda _values: value


def _has_variables(node: Any) -> bool:
    found = _Seen()
    visit(node, found)
    return found.variable


class _Seen(Visitor):
    variable = False

    def enter_variable(self, *_: Any) -> None:
        self.variable = True
