"""BookKeeper and the policy's tables, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from authz.errors import RuleError
from authz.keeper import FRESH_S, MAX_AGE_S, BookKeeper, proved
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
    voided_tokens,
)
from store.archive import policy_archive
from store.engine import open_engine
from store.grants import Grant, share_grant
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
from store.sharing import activate_grant, file_grant, reclassify, revoke_grant

pytestmark = pytest.mark.anyio
TABLES = [
    authz_rule, role_parent, authz_object, share_grant, policy_version, policy_change,
    policy_archive, principal, voided_tokens, post,
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
    await ended(following)
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
    await ended(following)
    assert keeper.current().version == 1


async def reached(keeper: BookKeeper, version: int) -> None:
    await until(lambda: keeper.current().version == version)


async def ended(following: asyncio.Task[None]) -> None:
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


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


# ---- what is shared ------------------------------------------------------------------------------

VILLAGE = "532622205203"
GRANT = Grant(
    "g1", "SQ-2026-1", "Citizen.employment", "hrss", "mca", "read", "county", "aid.review",
    "2026-11-01", "2026-12-31",
)  # fmt: skip


async def granted(engine: AsyncEngine, grant: Grant = GRANT) -> int:
    async with engine.begin() as conn:
        await file_grant(conn, grant, by="clerk", basis="申请")
        return await activate_grant(conn, grant.id, by="lead", basis="同意")


def reads(keeper: BookKeeper, who: Asker, obj: str = "Citizen.employment") -> bool:
    return keeper.current().scope(who, obj, "read").admits(VILLAGE, "hrss")


async def test_a_grant_counts_from_its_approval_to_its_revocation(
    seeded: AsyncEngine, catalog: Catalog, asker: Callable[..., Asker]
) -> None:
    keeper, desk = BookKeeper(seeded, catalog), asker(("mca", "dept", "532622"))
    given = []
    await keeper.load()
    given.append(reads(keeper, desk))
    await granted(seeded)
    await keeper.look()
    given.append(reads(keeper, desk))
    async with seeded.begin() as conn:
        await revoke_grant(conn, "g1", by="lead", basis="撤销")
    await keeper.look()
    given.append(reads(keeper, desk))
    assert given == [False, True, False]


async def test_the_stores_sharing_class_counts(
    seeded: AsyncEngine, catalog: Catalog, asker: Callable[..., Asker]
) -> None:
    keeper, desk = BookKeeper(seeded, catalog), asker(("mca", "dept", "532622"))
    await granted(seeded)
    async with seeded.begin() as conn:
        await reclassify(
            conn, "Citizen.employment", "NOT_SHARED", by="office", approved_by="sec", basis="某法"
        )
    await keeper.load()
    assert not reads(keeper, desk)
    denies = [r for r in keeper.current().rules if r.dept == "!hrss"]
    assert {(r.object, r.effect) for r in denies} == {
        ("Citizen.employment", "deny"),
        ("Citizen.employment@minor", "deny"),
    }


@pytest.mark.parametrize(
    "by_hand",
    [
        update(share_grant).values(until=date(2030, 1, 1)),
        update(share_grant).values(consumer="med"),
        update(authz_object).values(share_class="CONDITIONAL"),
        delete(share_grant),
    ],
)
async def test_what_is_shared_by_hand_is_refused(
    seeded: AsyncEngine, catalog: Catalog, by_hand: Any
) -> None:
    await granted(seeded)
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    old = keeper.current()
    async with seeded.begin() as conn:
        await conn.execute(by_hand)
        await bump_version(conn)
    with pytest.raises(RuleError, match="摘要不符"):
        await keeper.look()
    assert keeper.current() is old


async def test_a_grant_no_book_can_hold_is_found_out_before_it_is_committed(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    unfit = replace(GRANT, object="Citizen.soul")
    async with seeded.connect() as conn:
        await file_grant(conn, unfit, by="clerk", basis="申请")
        await activate_grant(conn, "g1", by="lead", basis="同意")
        with pytest.raises(RuleError, match=r"共享授权 `g1`：授权对象 `Citizen\.soul` 不存在"):
            await proved(conn, catalog)
        await conn.rollback()
    async with seeded.begin() as conn:
        assert (await read_policy_rows(conn)).grants == ()
        await file_grant(conn, GRANT, by="clerk", basis="申请")
        await activate_grant(conn, "g1", by="lead", basis="同意")
        assert (await proved(conn, catalog)).version == 3


# ---- modes ---------------------------------------------------------------------------------------


class Counter:
    """Statements an engine has sent."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.sent = 0
        event.listen(engine.sync_engine, "before_cursor_execute", self._count)

    def _count(self, *_about: object) -> None:
        self.sent += 1


async def bumped(engine: AsyncEngine) -> int:
    async with engine.begin() as conn:
        return await bump_version(conn)


async def test_strict_knows_of_a_change_nobody_has_told(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    old = keeper.current()
    assert await keeper.strict() is old
    await bumped(seeded)
    assert keeper.current() is old
    assert (await keeper.strict()).version == 2
    assert keeper.current().version == 2


async def test_strict_costs_one_statement_and_a_crowd_no_more(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    keeper, counter = BookKeeper(seeded, catalog), Counter(seeded)
    await keeper.load()
    before = counter.sent
    await keeper.strict()
    assert counter.sent == before + 1
    books = await asyncio.gather(*(keeper.strict() for _ in range(200)))
    assert counter.sent == before + 2
    assert set(map(id, books)) == {id(keeper.current())}


async def test_a_crowd_that_finds_a_new_version_builds_it_once(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    await bumped(seeded)
    books = await asyncio.gather(*(keeper.strict() for _ in range(50)))
    assert {book.version for book in books} == {2}
    assert len({id(book) for book in books}) == 1


async def test_strict_refuses_what_the_store_does_not_confirm(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    await execute(seeded, text("ALTER TABLE policy_version RENAME TO policy_version_gone"))
    with pytest.raises(Forbidden, match="查看明文前未能与策略库核对") as error:
        await keeper.strict()
    assert error.value.reason == "STALE_POLICY"
    assert keeper.current().version == 1  # usual reads go on
    await execute(seeded, text("ALTER TABLE policy_version_gone RENAME TO policy_version"))
    assert (await keeper.strict()).version == 1


async def test_strict_refuses_an_unfit_policy_and_builds_it_once(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    keeper, counter = BookKeeper(seeded, catalog), Counter(seeded)
    await keeper.load()
    await execute(seeded, insert(authz_rule), bad_rule(object="Citizen.nothing"))
    await bumped(seeded)
    sent = []
    for _ in range(3):
        before = counter.sent
        with pytest.raises(Forbidden):
            await keeper.strict()
        sent.append(counter.sent - before)
    assert sent == [7, 1, 1]  # version; head, four tables, version again
    assert keeper.fault is not None
    assert keeper.fault.startswith("object：")
    await execute(seeded, delete(authz_rule).where(authz_rule.c.id == "rbad"))
    await keeper.look()  # the poll tries again: somebody may have mended it
    assert (await keeper.strict()).version == 2


async def test_own_changes_are_waited_for(seeded: AsyncEngine, catalog: Catalog) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    assert (await keeper.at_least(1)).version == 1
    assert (await keeper.at_least(await bumped(seeded))).version == 2
    waiting = asyncio.create_task(keeper.at_least(3, within_s=5))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await bumped(seeded)
    assert (await waiting).version == 3
    with pytest.raises(Forbidden) as error:
        await keeper.at_least(4, within_s=0.2)
    assert error.value.reason == "STALE_POLICY"


async def test_after_ten_seconds_without_contact_only_usual_reads_are_answered(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    clock = Clock()
    keeper = BookKeeper(seeded, catalog, clock=clock)
    await keeper.load()
    await execute(seeded, text("ALTER TABLE policy_version RENAME TO policy_version_gone"))
    clock.now = FRESH_S
    assert (await keeper.at_least(1, within_s=0.2)).version == 1
    clock.now = FRESH_S + 0.1
    with pytest.raises(Forbidden):
        await keeper.at_least(1, within_s=0.2)
    with pytest.raises(Forbidden):
        await keeper.strict()
    assert keeper.current().version == 1
    clock.now = MAX_AGE_S + 0.1
    with pytest.raises(Forbidden):
        keeper.current()
    await execute(seeded, text("ALTER TABLE policy_version_gone RENAME TO policy_version"))
    assert (await keeper.at_least(1)).version == 1
    assert keeper.age() == 0


# ---- news ----------------------------------------------------------------------------------------


async def test_who_changes_the_policy_here_wakes_the_keeper(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    following = asyncio.create_task(keeper.follow(poll_s=3_600))
    await asyncio.sleep(0.3)  # it has looked, and now waits for an hour
    await bumped(seeded)
    keeper.wake()
    await reached(keeper, 2)
    await ended(following)


@pytest.mark.parametrize(
    "store_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
async def test_postgresql_tells_of_a_change_of_anybody(
    seeded: AsyncEngine, catalog: Catalog, store_url: str
) -> None:
    keeper, other = BookKeeper(seeded, catalog), open_engine(store_url, pool_size=1)
    await keeper.load()
    following = asyncio.create_task(keeper.follow(poll_s=3_600))
    await asyncio.sleep(0.5)
    for version in (2, 3, 4):
        assert await bumped(other) == version
        await reached(keeper, version)
    await ended(following)
    await other.dispose()


async def test_a_change_that_nobody_told_is_found_by_the_poll(
    seeded: AsyncEngine, catalog: Catalog
) -> None:
    keeper = BookKeeper(seeded, catalog)
    await keeper.load()
    following = asyncio.create_task(keeper.follow(poll_s=0.05))
    await asyncio.sleep(0.5)
    await execute(seeded, update(policy_version).values(version=2))  # no NOTIFY
    await reached(keeper, 2)
    await ended(following)


# ---- D9: a storm of reloads ----------------------------------------------------------------------

ROUNDS = 10_000
PURPOSES = ("aid.review", "aid.verify", "aid.file", "correct", "report", "supervise")


async def test_no_wrong_answer_in_a_storm_of_reloads(
    engine: AsyncEngine, catalog: Catalog, asker: Callable[..., Asker]
) -> None:
    """Every answer is that of one version, whole: what the library's own reload does not keep."""
    rules = [r for r in start_rules(catalog) if r.role == "dept" and r.object.startswith("Case.")]
    lines = [(rule.id, *rule.line, rule.basis) for rule in rules]
    objects = [(o.name, o.provider, o.sharing.value) for o in catalog.objects.values()]
    async with engine.begin() as conn:
        version = await seed_policy(conn, lines, [("dept", "staff")], objects, "tester")
    keeper = BookKeeper(engine, catalog)
    await keeper.load()
    open_at = {version: True}  # may 民政 read its own cases' decisions?
    towns = sorted(path for path in catalog.divisions.by_path if len(path) == 9)
    crowd = [asker(("mca", "dept", town), purpose=p) for town in towns for p in PURPOSES]
    done = asyncio.Event()

    async def storm() -> None:
        while not done.is_set():
            known = max(open_at)
            kind = "NOT_SHARED" if open_at[known] else "CONDITIONAL"
            open_at[known + 1] = not open_at[known]
            async with engine.begin() as conn:
                await reclassify(
                    conn, "Case.decision", kind, by="tester", approved_by="sec", basis="演练"
                )
            await keeper.look()

    wrong = rounds = 0
    seen: set[int] = set()
    reloading = asyncio.create_task(storm())
    while rounds < ROUNDS or len(seen) < 20:
        who = crowd[rounds % len(crowd)]
        book = keeper.current()
        answer = book.scope(who, "Case.decision", "read").admits(who.posts[0].base, "mca")
        wrong += answer is not open_at[book.version]
        seen.add(book.version)
        rounds += 1
        if rounds % 10 == 0:
            await asyncio.sleep(0)
    done.set()
    await reloading
    assert wrong == 0
    assert rounds >= ROUNDS
    assert {open_at[version] for version in seen} == {True, False}
