"""What an operation may cost at most, known before anything is fetched.

The cost is the number of rows its Reads could bring: a page brings as many as it asks for, a
list `LIST`, everything else one, and each row may bring the rows below it. So a nest of pages
is refused by its product, whatever the data would have held.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.errors import HubError
from resolvers.execute import Setting
from resolvers.plan import Kind, Read, Shape
from resolvers.roots.entities import KEYS
from resolvers.scale import too_complex

LIST = 10  # rows of a list without pages: a household has four members, a case two orders
SIZES = 64  # sets of sizes kept for one Shape: a document names them, few leave them open
GROUPED = 100  # a grouping reads every row of its Lens: no less than the largest page

Arguments = Mapping[int, Mapping[str, Any] | HubError]


def cost(shape: Shape, arguments: Arguments, setting: Setting) -> int:
    """Rows the operation could bring."""
    return sum(_below(root, 1, arguments, setting) for root in shape.roots)


def check(shape: Shape, arguments: Arguments, setting: Setting, allowed: int) -> int:
    """The cost, if it is allowed; OPERATION_TOO_COMPLEX with limit ``cost`` if not.

    It depends on the sizes of pages and the numbers of keys alone: what was worked out is kept.
    """
    sizes = tuple([_size(arguments.get(number)) for number in shape.sized])
    actual = shape.costs.get(sizes)
    if actual is None:
        actual = cost(shape, arguments, setting)
        if len(shape.costs) < SIZES:
            shape.costs[sizes] = actual
    if actual > allowed:
        raise too_complex("cost", allowed, actual)
    return actual


def _below(read: Read, parents: int, arguments: Arguments, setting: Setting) -> int:
    rows = parents * _rows(read, arguments, setting)
    return rows + sum(_below(child, rows, arguments, setting) for child in read.children)


def _rows(read: Read, arguments: Arguments, setting: Setting) -> int:
    if read.group is not None:
        return GROUPED
    if read.kind is Kind.ENTITY:
        return _size(arguments.get(read.id)) or 0
    if not read.connection:
        return LIST if read.many else 1
    size = _size(arguments.get(read.id))
    # A size out of bounds is refused by its own name when the page is read.
    return min(max(setting.page_default if size is None else size, 1), setting.page_max)


def _size(given: Mapping[str, Any] | HubError | None) -> int | None:
    """What a page was asked for, or how many keys; None for a page's size by itself."""
    if given is None:
        return None
    if isinstance(given, HubError):
        return 1
    if KEYS in given:
        return len(given[KEYS])
    first: int | None = given.get("first")
    return given.get("last") if first is None else first
