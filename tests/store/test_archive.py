"""Every policy is archived with its transaction, as it stood; nothing else is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store import migrate
from store.accounts import NewPost, NewPrincipal, kinds_in_use, seed_accounts
from store.archive import Policy, archived, encoded, policy_archive
from store.engine import open_engine
from store.policy import (
    authz_rule,
    bump_version,
    policy_digest,
    read_policy_rows,
    read_signed_lines,
    seed_policy,
)

pytestmark = pytest.mark.anyio
LINE = ("town", "*", "Citizen.basic", "read", "subtree", "any", "*", "9999-12-31", "allow", "办法")
OTHER = (*LINE[:3], "list", *LINE[4:])
LINKS = [("town", "village")]


@pytest.fixture
async def engine(store_url: str) -> AsyncIterator[AsyncEngine]:
    await asyncio.to_thread(migrate.upgrade, store_url)
    made = open_engine(store_url)
    yield made
    await made.dispose()


async def seeded(conn: AsyncConnection, *lines: tuple[str, ...], by: str = "zhang") -> int:
    named = [(f"r{number}", *line) for number, line in enumerate(lines)]
    return await seed_policy(conn, named, LINKS, [], by)


async def count(conn: AsyncConnection) -> int:
    return int(await conn.scalar(select(func.count()).select_from(policy_archive)) or 0)


async def test_a_policy_is_archived_with_its_signatures(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        assert await seeded(conn, LINE, OTHER) == 1
        found = await archived(conn, 1)
        rows = await read_policy_rows(conn)
        assert await count(conn) == 1
    assert found is not None
    assert (found.version, found.digest) == (1, rows.digest)
    assert sorted(found.policy.lines) == sorted(
        [(*LINE, "zhang", "zhang"), (*OTHER, "zhang", "zhang")]
    )
    assert found.policy.parents == (("town", "village"),)
    lines = [line[:-2] for line in found.policy.lines]
    assert policy_digest(lines, found.policy.parents, (), ()) == found.digest


async def test_versions_without_a_change_of_lines_have_none_of_their_own(
    engine: AsyncEngine,
) -> None:
    async with engine.begin() as conn:
        await seeded(conn, LINE)
        assert await seed_accounts(conn, []) == 2
        assert await seeded(conn, LINE) == 3  # the same policy once more
        assert await seeded(conn, OTHER) == 4
        assert await count(conn) == 2
        found = [await archived(conn, number) for number in (0, 1, 2, 3, 4, 9)]
    assert [one and one.version for one in found] == [None, 1, 1, 1, 4, 4]
    assert [one and one.policy.lines[0][3] for one in found[1:]] == [
        "read",
        "read",
        "read",
        "list",
        "list",
    ]


async def test_the_same_lines_signed_by_another_are_another_policy(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await seeded(conn, LINE, by="zhang")
        await seeded(conn, LINE, by="li")
        assert await count(conn) == 2
        first, second = await archived(conn, 1), await archived(conn, 2)
    assert first is not None
    assert second is not None
    assert first.digest == second.digest
    assert [one.policy.lines[0][-2:] for one in (first, second)] == [
        ("zhang", "zhang"),
        ("li", "li"),
    ]


async def test_a_change_of_one_line_is_archived_as_a_whole(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await seeded(conn, LINE, OTHER)
        await conn.execute(delete(authz_rule).where(authz_rule.c.id == "r1"))
        rows = await read_policy_rows(conn)
        assert await bump_version(conn, rows.digest_of_rows) == 2
        found = await archived(conn, 2)
        assert found is not None
        assert found.policy.lines == await read_signed_lines(conn)
    assert found.policy.lines == ((*LINE, "zhang", "zhang"),)


async def test_a_change_that_is_rolled_back_is_not_archived(engine: AsyncEngine) -> None:
    async with engine.connect() as conn:
        await seeded(conn, LINE)
        assert await count(conn) == 1
        await conn.rollback()
        assert await count(conn) == 0


async def test_the_text_does_not_depend_on_the_order_of_reading() -> None:
    lines, links = ((*LINE, "a", "b"), (*OTHER, "a", "b")), (("a", "b"), ("a", "c"))
    objects = (("Case.basic", "rev", "CONDITIONAL", ""), ("Case.body", "rev", "CONDITIONAL", ""))
    grants = (("g2", "q"), ("g1", "q"))
    first = encoded(Policy(lines, links, objects, grants))
    assert first == encoded(Policy(lines[::-1], links[::-1], objects[::-1], grants[::-1]))
    assert json.loads(first) == {
        "grants": [["g1", "q"], ["g2", "q"]],
        "objects": [[*objects[0]], [*objects[1]]],
        "parents": [["a", "b"], ["a", "c"]],
        "rules": [[*OTHER, "a", "b"], [*LINE, "a", "b"]],
    }
    assert "办法" in first


async def test_when_it_was_archived_is_told(engine: AsyncEngine) -> None:
    began = datetime.now(UTC)
    async with engine.begin() as conn:
        await seeded(conn, LINE)
        at = await conn.scalar(select(policy_archive.c.archived_at))
    assert at is not None
    told = at if at.tzinfo else at.replace(tzinfo=UTC)
    assert began <= told <= datetime.now(UTC)


async def test_the_kinds_of_post_in_use_are_told_once(engine: AsyncEngine) -> None:
    day = date(2026, 11, 1)
    town, dept = NewPost("rev", "town", "532622205"), NewPost("mca", "dept", "532622")
    past = NewPost("edu", "dept", "532622", ends_on=date(2026, 10, 31))
    later = NewPost("wat", "dept", "532622", starts_on=date(2026, 11, 2))
    idle = (NewPost("hou", "dept", "532622"),)
    async with engine.begin() as conn:
        await seed_accounts(
            conn,
            [
                NewPrincipal("a", "official", "张三", "rev", (town, past)),
                NewPrincipal("b", "official", "李四", "rev", (town, dept, later)),
                NewPrincipal("c", "official", "王五", "hou", idle, state="suspended"),
            ],
        )
        found = await kinds_in_use(conn, day)
    assert [(p.dept, p.role, p.region_path) for p in found] == [
        ("mca", "dept", "532622"),
        ("rev", "town", "532622205"),
    ]
