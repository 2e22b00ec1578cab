"""store/documents.py on both databases: what is registered, by whom approved, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.documents import (
    APPROVED,
    DRAFT,
    RETIRED,
    Added,
    DocumentRefused,
    NewDocument,
    approve,
    read_aliases,
    read_documents,
    register,
    retire,
    seed,
    sha256_of,
    trusted_document,
)
from store.engine import open_engine
from store.metadata import metadata
from store.policy import policy_change, read_version

pytestmark = pytest.mark.anyio

T = TypeVar("T")
FIRST, SECOND = "query A { viewer { account } }", "query A { viewer { purpose } }"
READS = ({"dataset": "citizen", "acts": ["read"], "fields": []},)


@pytest.fixture
async def engine(store_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(store_url)
    async with made.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield made
    await made.dispose()


def new(words: str = FIRST, *aliases: str, name: str = "A") -> NewDocument:
    return NewDocument(name, words, 7, READS, aliases)


async def done(engine: AsyncEngine, deed: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async with engine.begin() as connection:
        return await deed(connection)


async def added(engine: AsyncEngine, *given: NewDocument, client: str = "web") -> Added:
    return await done(engine, lambda c: register(c, client, given, by="clerk"))


async def test_a_document_from_draft_to_its_end(engine: AsyncEngine) -> None:
    first = await added(engine, new(FIRST, "abc"))
    (document,) = first.new
    assert (first.known, first.aliases, first.policy) == ((), 1, 1)
    assert (document.label, document.state, document.sha256) == ("A/1", DRAFT, sha256_of(FIRST))
    approved = await done(engine, lambda c: approve(c, "web", "A", 1, by="officer", basis="b"))
    retired = await done(engine, lambda c: retire(c, "web", "A", 1, by="officer", basis="c"))
    assert (approved, retired) == (2, 3)
    async with engine.connect() as connection:
        (stored,) = await read_documents(connection, "web")
        assert await read_aliases(connection, "web") == {"abc": sha256_of(FIRST)}
        changes = (await connection.execute(select(policy_change))).all()
        assert await read_version(connection) == 3
    assert (stored.state, stored.approved_by, stored.retired_by) == (RETIRED, "officer", "officer")
    assert (stored.text, stored.cost, stored.reads, stored.sound) == (FIRST, 7, READS, True)
    said = f"web A/1 sha256:{sha256_of(FIRST)}"
    assert [(c.who, c.what, c.before, c.after, c.basis, c.version) for c in changes] == [
        ("officer", "document.approve", f"DRAFT {said}", f"APPROVED {said}", "b", 2),
        ("officer", "document.retire", f"APPROVED {said}", f"RETIRED {said}", "c", 3),
    ]


async def test_the_same_text_is_nothing_new_and_another_is_the_next_version(
    engine: AsyncEngine,
) -> None:
    await added(engine, new(FIRST, "abc"))
    again = await added(engine, new(FIRST, "abc"), new(SECOND, "def"))
    assert [one.label for one in again.known] == ["A/1"]
    assert [one.label for one in again.new] == ["A/2"]
    assert (again.aliases, again.policy) == (1, 2)
    assert (await added(engine, new(FIRST, "abc"))).policy == 2  # nobody has to be told of it
    other = await added(engine, new(SECOND), client="desk")
    assert [(one.client, one.label) for one in other.new] == [("desk", "A/1")]


async def test_one_text_in_one_file_twice_is_one_document(engine: AsyncEngine) -> None:
    found = await added(engine, new(FIRST, "abc"), new(FIRST, "def"))
    assert ([one.label for one in found.new], found.aliases) == (["A/1"], 2)


async def test_an_alias_never_moves_to_another_text(engine: AsyncEngine) -> None:
    await added(engine, new(FIRST, "abc"))
    with pytest.raises(DocumentRefused, match="标识 `abc` 已指另一份文本"):
        await added(engine, new(SECOND, "abc"))
    async with engine.connect() as connection:
        assert [one.label for one in await read_documents(connection)] == ["A/1"]
        assert await read_version(connection) == 1
    assert (await added(engine, new(SECOND, "abc"), client="desk")).aliases == 1


async def test_who_registered_does_not_approve(engine: AsyncEngine) -> None:
    await added(engine, new())
    with pytest.raises(DocumentRefused, match="由本人登记"):
        await done(engine, lambda c: approve(c, "web", "A", 1, by="clerk", basis="b"))
    signed = {"state": APPROVED, "approved_by": "clerk"}
    with pytest.raises(IntegrityError):
        await done(engine, lambda c: c.execute(update(trusted_document).values(signed)))
    with pytest.raises(IntegrityError):
        await done(engine, lambda c: c.execute(update(trusted_document).values(state=APPROVED)))


@pytest.mark.parametrize(
    ("client", "name", "version"), [("web", "B", 1), ("web", "A", 2), ("desk", "A", 1)]
)
async def test_what_is_not_there_is_refused(
    engine: AsyncEngine, client: str, name: str, version: int
) -> None:
    await added(engine, new())
    for deed in (approve, retire):
        with pytest.raises(DocumentRefused, match="没有受信查询"):
            await done(
                engine, partial(deed, client=client, name=name, version=version, by="o", basis="b")
            )


async def test_each_state_allows_what_it_allows(engine: AsyncEngine) -> None:
    await added(engine, new())
    await done(engine, lambda c: retire(c, "web", "A", 1, by="clerk", basis="withdrawn"))
    with pytest.raises(DocumentRefused, match="是 RETIRED：只有 DRAFT 可以批准"):
        await done(engine, lambda c: approve(c, "web", "A", 1, by="officer", basis="b"))
    with pytest.raises(DocumentRefused, match="已经停用"):
        await done(engine, lambda c: retire(c, "web", "A", 1, by="officer", basis="b"))


async def test_a_text_changed_past_the_workflow_is_not_sound_and_not_approved(
    engine: AsyncEngine,
) -> None:
    await added(engine, new())
    await done(engine, lambda c: c.execute(update(trusted_document).values(text=SECOND)))
    async with engine.connect() as connection:
        assert [one.sound for one in await read_documents(connection)] == [False]
    with pytest.raises(DocumentRefused, match="与摘要不符"):
        await done(engine, lambda c: approve(c, "web", "A", 1, by="officer", basis="b"))


async def test_two_registrars_at_once_make_two_versions(engine: AsyncEngine) -> None:
    await added(engine, new("query Z { viewer { account } }", name="Z"))  # the version has its row
    found = await asyncio.gather(added(engine, new(FIRST)), added(engine, new(SECOND)))
    assert sorted(one.label for a in found for one in a.new) == ["A/1", "A/2"]


async def test_two_officers_at_once_approve_once(engine: AsyncEngine) -> None:
    await added(engine, new())
    one, two = (
        partial(approve, client="web", name="A", version=1, by=by, basis="b") for by in ("o", "p")
    )
    found = await asyncio.gather(done(engine, one), done(engine, two), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["DocumentRefused", "int"]


async def test_a_seed_is_in_force_and_leaves_the_policy_as_it_is(engine: AsyncEngine) -> None:
    await done(engine, lambda c: seed(c, "web", [new()], by="a", approved_by="b"))
    async with engine.connect() as connection:
        assert [one.state for one in await read_documents(connection)] == [APPROVED]
        assert await read_version(connection) == 0


async def test_no_document_is_of_nobody(engine: AsyncEngine) -> None:
    with pytest.raises(IntegrityError):
        await added(engine, new(), client="")
    async with engine.connect() as connection:
        assert (
            await connection.execute(text("SELECT count(*) FROM trusted_document"))
        ).scalar() == 0
