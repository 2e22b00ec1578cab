"""What the office refuses before it opens the store."""

from __future__ import annotations

from typing import Any, cast

import pytest

from authz.gate import Gate
from catalog.errors import Forbidden
from catalog.load import load
from catalog.placing import placed
from resolvers.commands.office import COMMANDS, WRITTEN, Office
from resolvers.deed import Writing
from resolvers.disputes import Disputes
from store.deeds import Deeds
from tests.casework import nobody_waits, nothing_disputed

pytestmark = pytest.mark.anyio


async def nothing(connection: Any, told: Any, policy: int) -> None:
    raise AssertionError("nothing is recorded of what is not begun")


@pytest.mark.parametrize("name", WRITTEN)
async def test_rows_that_lie_elsewhere_are_not_changed_here(name: str) -> None:
    catalog = placed(load(), {name: "elsewhere"})
    office = Office(
        *(cast("Deeds", None), catalog, str, lambda _: [], Disputes(nothing_disputed)),
        person=str,
        rights_moved=nobody_waits,
    )
    for command in COMMANDS:
        with pytest.raises(Forbidden) as refused:
            await office.do(command, {"input": {}}, cast("Gate", None), Writing("once/1", nothing))
        assert refused.value.reason == "PLACED"
