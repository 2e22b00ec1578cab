"""The same county with the lock by place: the same answers, and no row for a Lens that errs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from adapters import registry
from adapters.contract import Call, Source
from hub.app import mask_text
from resolvers.answer import Engine, Question
from resolvers.ready import ready
from store.engine import open_engine
from store.metadata import metadata
from store.row_lock import lock
from tests.resolvers.conftest import data_of

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk

pytestmark = pytest.mark.postgres
ZHELAI = "532622205"
ASKED = (
    "{ citizens(first: 20) { totalCount nodes { id name household { id members { id } } } } }",
    "{ cases(first: 20) { totalCount nodes { id caseNo applicant { id } orders { id } "
    "events(last: 2) { nodes { seq } } division { code } } } }",
    '{ division(code: "532622205000") { name cases(first: 3) { totalCount } } }',
)
ACCOUNTS = ("zhelai-village-01", "zhelai-town-01", "bange-town-01", "office-01", "lab")
COUNT = "{ citizens(first: 0) { totalCount } }"


@pytest.fixture
def locked(pg_desk: Desk) -> Iterator[Desk]:
    """`pg_desk` over the same database, locked."""
    url = pg_desk.store.url.render_as_string(hide_password=False)

    async def set_lock() -> None:
        engine = open_engine(url, pool_size=1)
        async with engine.begin() as connection:
            await lock(connection)
        await engine.dispose()

    pg_desk.runner.run(set_lock())
    wiring = registry.Wiring(url, metadata, {}, {}, {}, 5.0, locked=True)
    catalog = pg_desk.catalog
    own = {"hub": catalog.sources["hub"]}
    made: Mapping[str, Source] = registry.sources(own, wiring, catalog.divisions, mask_text)
    sources = {**pg_desk.sources, **made}
    setting = replace(pg_desk.setting, sources=sources)
    yield replace(pg_desk, sources=sources, setting=setting)
    pg_desk.runner.run(made["hub"].close())


@pytest.mark.parametrize("json_mode", [True, False])
def test_the_lock_changes_no_answer(
    pg_desk: Desk, locked: Desk, json_mode: bool, plain: Any
) -> None:
    for account in ACCOUNTS:
        for text in ASKED:
            open_, shut = (d.ask(d.engine(json_mode), account, text) for d in (pg_desk, locked))
            assert plain(shut) == plain(open_)
            assert shut.errors == open_.errors
            assert shut.disclosure == open_.disclosure


def test_a_statement_that_forgot_its_place_brings_one_township(locked: Desk) -> None:
    engine: Engine = locked.engine(True)
    everywhere = locked.gate("lab")  # the county's text stands for a Lens that is too wide
    plan = engine.explain(Question(COUNT, None, {}), everywhere)
    (read,) = plan.shape.roots
    counted = plan.reads[read.id].counted
    assert counted is not None
    params = ready(plan, everywhere).binds[read.id]
    hub = locked.sources["hub"]

    def found(reach: str | None) -> int:
        call = Call(None, params, deadline=5.0, reach=reach)
        return int(locked.runner.run(hub.read(counted, call)).rows[0][-1])

    town = locked.ask(engine, "zhelai-town-01", COUNT)
    assert town.data is not None
    of_the_town = town.data["citizens"]["totalCount"]
    assert 0 < of_the_town == found(ZHELAI) < found(None) == 4_872


def test_a_plan_knows_its_reach(locked: Desk) -> None:
    engine = locked.engine(True)
    reaches = {}
    for account in ACCOUNTS:
        gate = locked.gate(account)
        plan = engine.explain(Question(ASKED[1], None, {}), gate)
        reaches[account] = ready(plan, gate).reach[plan.shape.roots[0].id]
    assert reaches == {
        "zhelai-village-01": ZHELAI,
        "zhelai-town-01": ZHELAI,
        "bange-town-01": "532622206",
        "office-01": None,
        "lab": None,
    }


def test_gaps_of_staff_are_counted_under_the_lock(pg_desk: Desk, locked: Desk, plain: Any) -> None:
    """By a role that may look at the columns the count is made of, and at no other of accounts."""
    text = "{ staffingGaps(first: 100) { totalCount nodes { id required held missing } } }"
    for account, gaps in (("office-01", 200), ("mca-admin-01", 11)):
        open_, shut = (
            d.ask(d.engine(True), account, text, purpose="admin") for d in (pg_desk, locked)
        )
        assert (shut.errors, plain(shut)) == (open_.errors, plain(open_))
        assert data_of(shut)["staffingGaps"]["totalCount"] == gaps
