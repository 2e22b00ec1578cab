"""Grants and classes change under the next version, sealed, and with a line in the history."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError, NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.accounts import NewPost, NewPrincipal, posts_of, seed_accounts, suspend
from store.engine import open_engine
from store.grants import Grant, share_grant
from store.policy import (
    BrokenSeal,
    PolicyRows,
    add_denial,
    authz_rule,
    policy_change,
    read_policy_rows,
    read_version,
    seed_policy,
)
from store.sharing import GrantRefused, activate_grant, file_grant, reclassify, revoke_grant

pytestmark = pytest.mark.anyio

Deed = Callable[[AsyncConnection], Awaitable[int]]


async def policy(engine: AsyncEngine) -> PolicyRows:
    async with engine.connect() as conn:
        return await read_policy_rows(conn)


async def changes(engine: AsyncEngine) -> Sequence[Row[Any]]:
    async with engine.connect() as conn:
        found = await conn.execute(select(policy_change).order_by(policy_change.c.id))
        return found.all()


async def filed(engine: AsyncEngine, grant: Grant) -> None:
    async with engine.begin() as conn:
        await file_grant(conn, grant, by="clerk", basis="申请")


async def approved(engine: AsyncEngine, grant: Grant) -> None:
    await filed(engine, grant)
    async with engine.begin() as conn:
        await activate_grant(conn, grant.id, by="lead", basis="同意")


async def test_a_grants_life_is_three_versions_each_with_its_line(
    engine: AsyncEngine, grant: Grant
) -> None:
    async with engine.begin() as conn:
        assert await file_grant(conn, grant, by="clerk", basis="申请") == 2
    async with engine.begin() as conn:
        assert await activate_grant(conn, "g1", by="lead", basis="同意") == 3
    async with engine.begin() as conn:
        assert await revoke_grant(conn, "g1", by="office", basis="用途已尽") == 4
    rows = await policy(engine)
    assert (rows.version, rows.sealed) == (4, True)
    pending = replace(grant, state="PENDING", written_by="clerk")
    active = replace(pending, state="ACTIVE", approved_by="lead")
    revoked = replace(active, state="REVOKED")
    assert rows.grants == (revoked,)
    _, *told = await changes(engine)
    assert [(c.who, c.what, c.basis, c.version) for c in told] == [
        ("clerk", "grant.file", "申请", 2),
        ("lead", "grant.activate", "同意", 3),
        ("office", "grant.revoke", "用途已尽", 4),
    ]
    assert [c.before for c in told][:1] == [""]
    assert [json.loads(c.before) for c in told[1:]] == [asdict(pending), asdict(active)]
    assert [json.loads(c.after) for c in told] == [asdict(g) for g in (pending, active, revoked)]


async def test_nobody_files_an_approved_grant(engine: AsyncEngine, grant: Grant) -> None:
    signed = replace(grant, state="ACTIVE", written_by="x", approved_by="lead")
    await filed(engine, signed)
    assert (await policy(engine)).grants == (replace(grant, written_by="clerk"),)


async def test_who_wrote_it_does_not_approve_it(engine: AsyncEngine, grant: Grant) -> None:
    await filed(engine, grant)
    async with engine.begin() as conn:
        with pytest.raises(GrantRefused, match="由本人填写：请由另一人批准"):
            await activate_grant(conn, "g1", by="clerk", basis="同意")
    assert (await policy(engine)).grants[0].state == "PENDING"


async def test_what_is_over_stays_over(engine: AsyncEngine, grant: Grant) -> None:
    await approved(engine, grant)
    async with engine.begin() as conn:
        with pytest.raises(GrantRefused, match="状态是 ACTIVE"):
            await activate_grant(conn, "g1", by="other", basis="同意")
        await revoke_grant(conn, "g1", by="clerk", basis="误批")
    async with engine.begin() as conn:
        with pytest.raises(GrantRefused, match="状态是 REVOKED"):
            await activate_grant(conn, "g1", by="lead", basis="同意")
        with pytest.raises(GrantRefused, match="已经撤销"):
            await revoke_grant(conn, "g1", by="lead", basis="再撤")
        with pytest.raises(GrantRefused, match="`g9` 不存在"):
            await revoke_grant(conn, "g9", by="lead", basis="无")
    assert (await policy(engine)).version == 4
    assert len(await changes(engine)) == 4


async def test_a_pending_grant_is_withdrawn_without_approval(
    engine: AsyncEngine, grant: Grant
) -> None:
    await filed(engine, grant)
    async with engine.begin() as conn:
        await revoke_grant(conn, "g1", by="clerk", basis="撤回")
    assert (await policy(engine)).grants[0].approved_by == ""


async def test_a_rollback_leaves_nothing(engine: AsyncEngine, grant: Grant) -> None:
    async with engine.connect() as conn:
        assert await file_grant(conn, grant, by="clerk", basis="申请") == 2
        await conn.rollback()
    rows = await policy(engine)
    assert (rows.version, rows.grants, len(await changes(engine))) == (1, (), 1)


async def test_an_object_changes_its_class_on_a_ground(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        version = await reclassify(
            conn,
            "Citizen.employment",
            "NOT_SHARED",
            by="office",
            approved_by="sec",
            basis="保密法第九条",
        )
    rows = await policy(engine)
    assert (version, rows.version, rows.sealed) == (2, 2, True)
    assert rows.objects[0] == ("Citizen.employment", "hrss", "NOT_SHARED", "保密法第九条")
    told = (await changes(engine))[-1]
    assert (told.before, told.after) == (
        "Citizen.employment CONDITIONAL",
        "Citizen.employment NOT_SHARED 保密法第九条 sec",
    )


async def test_a_class_is_not_changed_by_one_person_alone(engine: AsyncEngine) -> None:
    with pytest.raises(GrantRefused):
        async with engine.begin() as conn:
            await reclassify(
                conn, "Citizen.employment", "UNCONDITIONAL", by="sec", approved_by="sec", basis="x"
            )
    assert (await policy(engine)).version == 1


async def test_a_class_nobody_knows_and_an_object_nobody_has_are_refused(
    engine: AsyncEngine,
) -> None:
    for name, share_class, error in (
        ("Citizen.employment", "SHARED", IntegrityError),
        ("Citizen.soul", "CONDITIONAL", KeyError),
    ):
        with pytest.raises(error):
            async with engine.begin() as conn:
                await reclassify(conn, name, share_class, by="office", approved_by="sec", basis="x")
    assert (await policy(engine)).version == 1


BY_HAND = (
    update(share_grant).values(until=date(2030, 1, 1)),
    update(share_grant).values(state="ACTIVE", approved_by="ghost"),
    update(share_grant).values(purpose="audit"),
    text("UPDATE authz_object SET share_class = 'UNCONDITIONAL'"),
    text("UPDATE authz_rule SET role = 'village'"),
    text("UPDATE role_parent SET parent = 'office'"),
    text("DELETE FROM share_grant"),
)


@pytest.mark.parametrize("by_hand", BY_HAND)
async def test_a_row_changed_by_hand_breaks_the_seal_and_no_change_mends_it(
    engine: AsyncEngine, grant: Grant, by_hand: Any
) -> None:
    await filed(engine, grant)
    async with engine.begin() as conn:
        await conn.execute(by_hand)
    assert not (await policy(engine)).sealed
    deeds: tuple[Deed, ...] = (
        lambda conn: file_grant(conn, replace(grant, id="g2"), by="clerk", basis="x"),
        lambda conn: activate_grant(conn, "g1", by="lead", basis="x"),
        lambda conn: revoke_grant(conn, "g1", by="lead", basis="x"),
        lambda conn: reclassify(
            conn, "Division.basic", "CONDITIONAL", by="lead", approved_by="sec", basis="x"
        ),
    )
    for deed in deeds:
        with pytest.raises(BrokenSeal, match="请先查明是谁改动了策略"):
            async with engine.begin() as conn:
                await deed(conn)
    assert (await policy(engine)).version == 2


async def test_two_changes_at_once_are_two_versions_and_one_seal(
    engine: AsyncEngine, grant: Grant, store_url: str
) -> None:
    other = open_engine(store_url)

    async def one(of: AsyncEngine, number: int) -> int:
        async with of.begin() as conn:
            return await file_grant(conn, replace(grant, id=f"n{number}"), by="a", basis="x")

    versions = await asyncio.gather(*(one((engine, other)[n % 2], n) for n in range(6)))
    await other.dispose()
    rows = await policy(engine)
    assert sorted(versions) == [2, 3, 4, 5, 6, 7]
    assert (rows.version, rows.sealed, len(rows.grants)) == (7, True, 6)


async def test_seeding_anew_ends_the_grants(engine: AsyncEngine, grant: Grant) -> None:
    await approved(engine, grant)
    async with engine.begin() as conn:
        await seed_policy(conn, [], [], [], "tester")
    rows = await policy(engine)
    assert (rows.grants, rows.sealed) == ((), True)


async def test_a_line_added_past_the_workflow_is_no_policy(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        found = (await conn.execute(select(authz_rule))).one()._asdict()
        await conn.execute(insert(authz_rule), found | {"id": "r2", "dept": "mca"})
    assert not (await policy(engine)).sealed


async def test_a_suspended_account_holds_no_post_from_the_next_version_on(
    engine: AsyncEngine,
) -> None:
    person = NewPrincipal("a", "official", "张三", "rev", (NewPost("rev", "town", "532622205"),))
    async with engine.begin() as conn:
        assert await seed_accounts(conn, [person]) == 2
        assert await suspend(conn, "a", by="office", basis="离岗") == 3
        assert await posts_of(conn, "a", date(2026, 11, 1)) == []
        with pytest.raises(NoResultFound):
            await suspend(conn, "nobody", by="office", basis="离岗")
        assert await read_version(conn) == 3
    told = (await changes(engine))[-1]
    assert (told.who, told.what, told.before, told.after, told.basis, told.version) == (
        "office", "account.suspend", "a active", "a suspended", "离岗", 3,
    )  # fmt: skip
    assert (await policy(engine)).sealed


async def test_a_denial_needs_one_person_and_is_in_force_with_the_next_version(
    engine: AsyncEngine,
) -> None:
    line = (
        "r9", "*", "mca", "Case.basic", "read", "county", "any", "*", "9999-12-31", "deny", "处置",
    )  # fmt: skip
    async with engine.begin() as conn:
        assert await add_denial(conn, line, by="office") == 2
    rows = await policy(engine)
    assert rows.sealed
    assert line[1:] in rows.rules
    told = (await changes(engine))[-1]
    assert (told.who, told.what, told.before, told.basis) == ("office", "rule.deny", "", "处置")
    assert tuple(json.loads(told.after)) == line
    with pytest.raises(ValueError, match="two people"):
        async with engine.begin() as conn:
            await add_denial(conn, (*line[:9], "allow", "处置"), by="office")
    assert (await policy(engine)).version == 2
