"""Small faults planted in a module, one at a time: what a slip of the hand would make of it.

Comparisons turned or widened by one, ``and`` for ``or``, conditions negated, constants changed,
statements removed, branches swapped, nothing returned. Left alone: annotations, decorators,
docstrings, and the words of errors of our own (`raise`), which nobody's rights hang on.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
SWAPPED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
UNTOUCHED = ("annotation", "returns", "decorator_list", "keywords", "bases", "op", "ops", "ctx")
"""Parts of a node that are not gone into; `keywords` of a call are, those of a class are not."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault: where, what stood there, what stands there now, and the whole module with it."""

    line: int
    right: str
    wrong: str
    text: str

    def __str__(self) -> str:
        return f"{self.line}: {_short(self.right)}  ->  {_short(self.wrong)}"


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the tree, and how to put another one there."""

    node: ast.AST
    put: Callable[[ast.AST], None]


def mutants(text: str) -> Iterator[Mutant]:
    """Every fault of a module, in the order of its lines; each text differs from all others."""
    tree = ast.parse(text)
    seen = {ast.unparse(tree)}
    for place in list(_places(tree)):
        for wrong in _wrong(place.node):
            place.put(wrong)
            made = ast.unparse(tree)
            place.put(place.node)
            if made not in seen:
                seen.add(made)
                line = getattr(place.node, "lineno", 0)
                yield Mutant(line, ast.unparse(place.node), ast.unparse(wrong), made)


def _places(node: ast.AST) -> Iterator[Place]:
    for name, value in ast.iter_fields(node):
        if name in UNTOUCHED and not (name == "keywords" and isinstance(node, ast.Call)):
            continue
        if isinstance(value, ast.AST):
            yield from _at(value, lambda new, name=name: setattr(node, name, new))  # type: ignore[misc]
        elif isinstance(value, list):
            for number, one in enumerate(value):
                if isinstance(one, ast.AST) and not _said(one):
                    yield from _at(one, lambda new, n=number, v=value: v.__setitem__(n, new))  # type: ignore[misc]


def _at(node: ast.AST, put: Callable[[ast.AST], None]) -> Iterator[Place]:
    yield Place(node, put)
    if not isinstance(node, ast.Raise | ast.Import | ast.ImportFrom):
        yield from _places(node)


def _said(node: ast.AST) -> bool:
    """A docstring, or the text that stands below a constant as one."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and (isinstance(node.value.value, str) or node.value.value is ...)
    )


def _wrong(node: ast.AST) -> Iterator[ast.AST]:
    """What a slip makes of one node."""
    match node:
        case ast.Compare(left=left, ops=[op, *more], comparators=to):
            yield ast.Compare(left, [TURNED[type(op)](), *more], to)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SWAPPED:
            yield ast.BinOp(left, SWAPPED[type(op)](), right)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Constant(value=value):
            yield from (ast.Constant(other) for other in _other(value))
        case ast.If(test=test, body=body, orelse=orelse):
            yield ast.If(_not(test), body, orelse)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.comprehension(target=target, iter=among, ifs=[test, *more], is_async=is_async):
            yield ast.comprehension(target, among, [_not(test), *more], is_async)
            yield ast.comprehension(target, among, more, is_async)
        case ast.Return(value=ast.expr()):
            yield ast.Return(ast.Constant(None))
        case ast.Expr() | ast.Assign() | ast.AugAssign() | ast.Raise() | ast.Continue():
            yield ast.Pass()


def _not(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _other(value: object) -> Iterator[bool | int | str]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, str):
        yield f"{value}x"


def _short(text: str, most: int = 90) -> str:
    first = " ".join(text.split())
    return first if len(first) <= most else first[: most - 1] + "…"
