"""BookKeeper and the policy's tables, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from authz.errors import RuleError
from authz.keeper import MAX_AGE_S, BookKeeper
from authz.post import Asker
from authz.start import seed, start_rules
from catalog.errors import Forbidden
from catalog.load import Catalog
from store.accounts import (
    HeldPost,
    NewPost,
    NewPrincipal,
    SeparationOfDuties,
    post,
    posts_of,
    principal,
    seed_accounts,
)
from store.engine import open_engine
from store.metadata import metadata
from store.policy import (
    authz_object,
    authz_rule,
    bump_version,
    policy_change,
    policy_version,
    read_policy_rows,
    read_version,
    role_parent,
    seed_policy,
)

pytestmark = pytest.mark.anyio
TABLES = [
    authz_rule, role_parent, authz_object, policy_version, policy_change, principal, post,
]  # fmt: skip
DAY = date(2026, 11, 1)


@dataclass
class Clock:
    """Seconds that pass when the test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def engine(store_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(store_url)
    async with made.begin() as conn:
        await conn.run_sync(lambda sync: metadata.create_all(sync, TABLES))
    yield made
    await made.dispose()


@pytest.fixture
async def seeded(engine: AsyncEngine, catalog: Catalog) -> AsyncEngine:
    async with engine.begin() as conn:
        assert await seed(conn, catalog, by="tester") == 1
    return engine


async def execute(engine: AsyncEngine, statement: Any, *params: Any) -> None:
    async with engine.begin() as conn:
        await conn.execute(statement, *params)


def bad_rule(**change: Any) -> dict[str, Any]:
    row = {
        "id": "rbad", "role": "town", "dept": "*", "object": "Citizen.basic", "action": "read",
        "reach": "subtree", "owner": "any", "purpose": "audit", "until": DAY, "effect": "allow",
        "basis": "测试", "written_by": "x", "approved_by": "x", "created_at": datetime.now(UTC),
    }  # fmt: skip
    return row | change


async def test_the_seeded_policy_is_the_shipped_one(
    seeded: AsyncEngine, catalog: Catalog, asker: Callable[..., Asker]
) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    book = keeper.current()
    assert book.version == 1
    stored = {rule.line for rule in book.rules}
    assert stored >= {rule.line for rule in start_rules(catalog)}
    clerk = asker(("rev", "town", "532622205"))
    assert book.scope(clerk, "Citizen.basic", "read").admits("532622205203", "rev")
    assert book.post("rev", "town", "532622205").roles == {"town", "village", "helper", "staff"}


async def test_seeding_leaves_a_change_record_and_the_sharing_classes(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    async with seeded.begin() as conn:
        assert await seed(conn, catalog, by="tester") == 2
        changes = (await conn.execute(select(policy_change).order_by(policy_change.c.id))).all()
        objects = (await conn.execute(select(authz_object.c.object))).scalars().all()
    assert [(c.who, c.what, c.version) for c in changes] == [
        ("tester", "seed", 1),
        ("tester", "seed", 2),
    ]
    assert changes[1].before == changes[1].after
    assert set(objects) == set(catalog.objects)


async def test_a_rollback_leaves_no_version(engine: AsyncEngine, catalog: Catalog) -> None:
    async with engine.connect() as conn:
        await seed(conn, catalog, by="tester")
        await conn.rollback()
    async with engine.connect() as conn:
        assert await read_version(conn) == 0
        assert (await read_policy_rows(conn)).rules == ()


async def test_no_book_answers_nobody(engine: AsyncEngine, catalog: Catalog) -> None:
    keeper = BookKeeper(engine, catalog)
    with pytest.raises(Forbidden) as error:
        keeper.current()
    assert error.value.reason == "STALE_POLICY"
    with pytest.raises(RuleError, match="策略为空"):
        await keeper.load()
    assert keeper.fault == "policy：策略为空：请先导入策略"


@pytest.mark.parametrize(
    "change",
    [
        {"object": "Citizen.nothing"},
        {"role": "mayor"},
        {"role": "lab"},
        {"purpose": "fun"},
        {"object": "Citizen.*"},
    ],
)
async def test_one_bad_row_and_the_old_book_stays(
    seeded: AsyncEngine, catalog: Catalog, change: dict[str, str]
) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    old = keeper.current()
    await execute(seeded, insert(authz_rule), bad_rule(**change))
    async with seeded.begin() as conn:
        assert await bump_version(conn) == 2
    with pytest.raises(RuleError):
        await keeper.look()
    assert keeper.current() is old
    assert keeper.fault is not None


async def test_a_row_changed_past_the_workflow_is_refused(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    await execute(seeded, insert(authz_rule), bad_rule())
    with pytest.raises(RuleError, match="摘要不符"):
        await keeper.load()


async def test_a_new_version_is_followed(seeded: AsyncEngine, catalog: Catalog) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    old = keeper.current()
    await keeper.look()
    assert keeper.current() is old
    following = asyncio.create_task(keeper.follow(poll_s=0.01))
    async with seeded.begin() as conn:
        await seed(conn, catalog, by="tester")
    for _ in range(500):
        if keeper.current().version == 2:
            break
        await asyncio.sleep(0.01)
    following.cancel()
    assert keeper.current().version == 2
    assert old.version == 1


async def test_following_outlives_a_bad_policy_and_a_lost_store(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    following = asyncio.create_task(keeper.follow(poll_s=0.01))
    await execute(seeded, delete(authz_rule))
    async with seeded.begin() as conn:
        await bump_version(conn)
    await until(lambda: keeper.fault == "policy：策略为空：请先导入策略")
    await execute(seeded, text("DROP TABLE policy_version"))
    await until(lambda: keeper.fault in ("OperationalError", "ProgrammingError"))
    assert not following.done()
    following.cancel()
    assert keeper.current().version == 1


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(500):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not happen within five seconds")


async def test_a_book_that_was_not_compared_answers_nobody(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    clock = Clock()
    keeper = BookKeeper(seeded, catalog, clock=clock)
    await keeper.load()
    clock.now = MAX_AGE_S
    assert keeper.age() == MAX_AGE_S
    assert keeper.current().version == 1
    clock.now = MAX_AGE_S + 1
    with pytest.raises(Forbidden) as error:
        keeper.current()
    assert error.value.reason == "STALE_POLICY"
    await keeper.look()
    assert keeper.age() == 0
    assert keeper.current().version == 1


async def test_a_policy_that_keeps_changing_is_not_half_read(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    class Restless(BookKeeper):
        """Another writer commits between every two reads of the same load."""

        reads = 0

        async def _version_after(self, conn: Any) -> int:
            type(self).reads += 1
            async with seeded.begin() as other:
                await bump_version(other)
            return await read_version(conn)

    keeper = Restless(seeded, catalog)
    with pytest.raises(RuleError, match="不断变化"):
        await keeper.load()
    assert Restless.reads == 3


async def test_demo_lines_load_in_a_demo_only(engine: AsyncEngine, catalog: Catalog) -> None:
    async with engine.begin() as conn:
        await seed(conn, catalog, by="tester", demo=True)
    demo = BookKeeper(engine, catalog, demo=True)
    await demo.load()
    assert any(rule.role == "lab" for rule in demo.current().rules)
    with pytest.raises(RuleError, match="只能用于演示策略"):
        await BookKeeper(engine, catalog).load()


@pytest.mark.parametrize(
    "change",
    [
        {"effect": "Deny"},
        {"effect": "DENY"},
        {"effect": "deny "},
        {"effect": "reject"},
        {"reach": "532622105000"},
        {"reach": "530000"},
        {"basis": ""},
        {"purpose": ""},
        {"role": ""},
        {"dept": None},
    ],
)
async def test_the_database_refuses_what_casbin_would_misread(
    engine: AsyncEngine, change: dict[str, Any]
) -> None:
    await execute(engine, insert(authz_rule), bad_rule(id="rgood"))
    with pytest.raises(IntegrityError):
        await execute(engine, insert(authz_rule), bad_rule(until=date(2030, 1, 1)) | change)


async def test_the_same_nine_columns_are_stored_once(engine: AsyncEngine) -> None:
    await execute(engine, insert(authz_rule), bad_rule(id="one"))
    with pytest.raises(IntegrityError):
        await execute(engine, insert(authz_rule), bad_rule(id="two", basis="别的"))


async def test_an_unshared_object_names_its_law(engine: AsyncEngine) -> None:
    row = {"object": "Citizen.health", "provider_dept": "hea", "share_class": "NOT_SHARED"}
    with pytest.raises(IntegrityError):
        await execute(engine, insert(authz_object), row)
    await execute(engine, insert(authz_object), row | {"basis": "个人信息保护法第二十八条"})


async def test_an_empty_policy_can_be_stored_but_not_loaded(
    engine: AsyncEngine, catalog: Catalog
) -> None:
    async with engine.begin() as conn:
        assert await seed_policy(conn, [], [], [], "tester") == 1
    with pytest.raises(RuleError, match="策略为空"):
        await BookKeeper(engine, catalog).load()


def clerk(key: str, *posts: NewPost, state: str = "active") -> NewPrincipal:
    return NewPrincipal(key, "official", "张三", "rev", posts, state=state)


TOWN = NewPost("rev", "town", "532622205")


async def test_posts_in_force_of_active_principals(engine: AsyncEngine) -> None:
    past = NewPost("mca", "dept", "532622", ends_on=date(2026, 10, 31))
    later = NewPost("mca", "dept", "532622", starts_on=date(2026, 11, 2))
    async with engine.begin() as conn:
        await seed_accounts(conn, [clerk("a", TOWN, past, later)])
        version = await seed_accounts(conn, [clerk("b", TOWN, state="suspended")])
        held = await posts_of(conn, "a", DAY)
        assert await posts_of(conn, "b", DAY) == []
        assert await posts_of(conn, "nobody", DAY) == []
        assert len(await posts_of(conn, "a", date(2026, 11, 2))) == 2
    assert held == [HeldPost("rev", "town", "532622205")]
    assert version == 2  # posts are part of the policy's version


async def test_accounts_do_not_disturb_the_policys_digest(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    async with seeded.begin() as conn:
        await seed_accounts(conn, [clerk("a", TOWN)])
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    assert keeper.current().version == 2


@pytest.mark.parametrize("other", ["town", "auditor"])
async def test_separate_duties_are_refused_before_anything_is_written(
    engine: AsyncEngine, other: str
) -> None:
    base = "532622205" if other == "town" else "532622"
    posts = (NewPost("rev", "secadmin", "532622"), NewPost("rev", other, base))
    async with engine.begin() as conn:
        with pytest.raises(SeparationOfDuties):
            await seed_accounts(conn, [clerk("ok", TOWN), clerk("bad", *posts)])
    async with engine.connect() as conn:
        assert (await conn.execute(select(principal.c.id))).all() == []


async def test_the_database_keeps_the_three_apart_too(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await seed_accounts(conn, [clerk("a", NewPost("rev", "auditor", "532622"))])
        first = (await conn.execute(select(post))).one()._asdict()
    working = first | {"id": "a.2", "role": "town", "region_path": "532622205"}
    for duty in ("auditor", "work"):  # a lie about the duty, or the truth
        with pytest.raises(IntegrityError):
            await execute(engine, insert(post), working | {"duty": duty})
    with pytest.raises(IntegrityError):
        await execute(engine, update(principal).values(duty="work"))


@pytest.mark.parametrize("path", ["532622205000", "530000", "53262220"])
async def test_a_post_has_a_true_region(engine: AsyncEngine, path: str) -> None:
    async with engine.connect() as conn:
        with pytest.raises(IntegrityError):
            await seed_accounts(conn, [clerk("a", NewPost("rev", "dept", path))])


async def test_an_account_without_posts_holds_nothing(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await seed_accounts(conn, [clerk("a")])
        assert await posts_of(conn, "a", DAY) == []
