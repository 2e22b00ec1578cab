"""Who asks is one look-up for a second, and never longer than the rights it stands for."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import event, update
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.databases.database import Database, open_database
from adapters.resilience import Guard
from authz.keeper import BookKeeper
from catalog.errors import Forbidden, PurposeRequired, Unauthenticated
from catalog.load import load
from hub.found import found
from hub.identity.asking import POSTS_KEPT, POSTS_S, Askers, Known, to_midnight
from hub.identity.case_files import NUMBERED, CaseFiles
from hub.identity.end_users import EndUsers
from hub.identity.tokens import SKEW_S, Tokens
from store.accounts import NewPost, NewPrincipal, post, principal, suspend
from store.engine import open_engine
from store.migrate import upgrade
from store.policy import bump_version

pytestmark = pytest.mark.anyio
KEY = ECKey.generate_key("P-256", private=True)
TOWN, TWIN = "zhelai-town-01", "zhelai-town-02"
PLACE, OTHER = "532622205", "532622206"
NOW = 1_800_000_000.0


@dataclass
class Clock:
    """Seconds; what is read is set by hand."""

    at: float

    def __call__(self) -> float:
        return self.at


@dataclass
class Here:
    """A data set's place."""

    name: str
    guard: Guard
    database: Database


@dataclass
class Door:
    """Askers over a store of two clerks, with clocks of its own."""

    engine: AsyncEngine
    keeper: BookKeeper
    clock: Clock = field(default_factory=lambda: Clock(100.0))
    wall: Clock = field(default_factory=lambda: Clock(NOW))
    asked: int = 0  # statements sent to the store

    def __post_init__(self) -> None:
        self.tokens = Tokens(KEY, "https://issuer.invalid", "hub", self.wall)
        catalog = load()
        address = self.engine.url.render_as_string(hide_password=False)
        self.database = open_database(address, statement_s=1)
        here = Here("hub", Guard("hub"), self.database)
        self.cases = CaseFiles(dict.fromkeys(NUMBERED, here))
        self.citizens = EndUsers(here)
        self.askers = Askers(
            self.engine,
            self.tokens,
            catalog,
            self.keeper,
            self.cases,
            self.citizens,
            clock=self.clock,
        )
        event.listen(self.engine.sync_engine, "before_cursor_execute", self._count)

    def _count(self, *_about: object) -> None:
        self.asked += 1

    def headers(self, account: str = TOWN, **more: str) -> dict[bytes, bytes]:
        token = self.tokens.issue(account, ("aid.file", "aid.review"))
        given = {"authorization": f"Bearer {token}", "x-purpose": "aid.file"} | more
        return {n.replace("_", "-").encode(): v.encode() for n, v in given.items()}

    async def changed(self, statement: object) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(statement)  # type: ignore[call-overload]


@pytest.fixture
async def door(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Door]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}"
    await asyncio.to_thread(upgrade, url)
    posts = (NewPost("rev", "town", PLACE),)
    people = [NewPrincipal(n, "official", "测试经办", "rev", posts) for n in (TOWN, TWIN)]
    await found(url, accounts=people)
    engine = open_engine(url)
    keeper = BookKeeper(engine, load())
    await keeper.load()
    made = Door(engine, keeper)
    yield made
    await made.database.close()
    await engine.dispose()


def _file_case(door: Door, number: str, household: str) -> None:
    row = {
        "id": "case-1",
        "case_no": number,
        "item": "medical",
        "state": "ACCEPTED",
        "channel": "WINDOW",
        "intake": "SELF",
        "applicant_id": "nobody",  # sqlite3 itself does not look for him
        "applicant_uid": "nobody",
        "household_id": household,
        "region_path": PLACE,
        "handling_dept": "rev",
        "filed_at": "2026-11-01 00:00:00",
        "overdue": 0,
        "has_complaint": 0,
    }
    assert door.engine.url.database is not None
    with contextlib.closing(sqlite3.connect(door.engine.url.database)) as store, store:
        names = ", ".join(row)
        slots = ", ".join("?" for _ in row)
        store.execute(f"INSERT INTO case_file ({names}) VALUES ({slots})", [*row.values()])


def facts(known: Known) -> tuple[str, str, str]:
    asker = known.gate.asker
    return asker.principal_id, asker.posts[0].base, asker.purpose


async def test_who_asks_again_within_a_second_is_one_look_up(door: Door) -> None:
    headers = door.headers()
    known = await door.askers.known(headers)
    assert facts(known) == (TOWN, PLACE, "aid.file")
    assert (known.client, known.basis) == ("hub-demo", "MEASURES_ART_4")
    assert known.context["viewer"]["account"] == TOWN  # type: ignore[index]
    before = door.asked
    door.clock.at += POSTS_S - 0.001
    assert await door.askers.known(dict(headers)) is known
    assert door.asked == before


async def test_after_a_second_the_store_is_asked_and_the_gate_stays(door: Door) -> None:
    headers = door.headers()
    known = await door.askers.known(headers)
    before = door.asked
    door.clock.at += POSTS_S
    again = await door.askers.known(headers)
    assert door.asked == before + 1
    assert again is not known
    assert again.gate is known.gate


async def test_a_new_token_of_the_account_has_the_same_gate(door: Door) -> None:
    one = await door.askers.known(door.headers())
    other = await door.askers.known(door.headers())
    assert other.gate is one.gate


async def test_another_purpose_is_another_gate(door: Door) -> None:
    headers = door.headers()
    one = await door.askers.known(headers)
    other = await door.askers.known(headers | {b"x-purpose": b"aid.review"})
    assert (facts(one)[2], facts(other)[2]) == ("aid.file", "aid.review")
    assert other.gate is not one.gate


async def test_two_accounts_of_one_post_do_not_share_a_gate(door: Door) -> None:
    one, other = [await door.askers.known(door.headers(name)) for name in (TOWN, TWIN)]
    assert one.gate.asker.posts == other.gate.asker.posts
    assert (facts(one)[0], facts(other)[0]) == (TOWN, TWIN)


async def test_many_at_once_read_the_posts_once(door: Door) -> None:
    headers = door.headers()
    before = door.asked
    known = await asyncio.gather(*(door.askers.known(headers) for _ in range(32)))
    assert door.asked == before + 1
    assert len({id(k.gate) for k in known}) == 1


async def test_a_suspension_counts_after_a_second_at_the_latest(door: Door) -> None:
    headers = door.headers()
    await door.askers.known(headers)
    await door.changed(update(principal).where(principal.c.id == TOWN).values(state="suspended"))
    door.clock.at += POSTS_S
    with pytest.raises(Unauthenticated) as caught:
        await door.askers.known(headers)
    assert caught.value.reason == "TOKEN_INVALID"


async def test_a_suspension_told_as_a_new_version_counts_at_once(door: Door) -> None:
    headers = door.headers()
    await door.askers.known(headers)  # his posts may be remembered for a second
    async with door.engine.begin() as connection:
        await suspend(connection, TOWN, by="tester", basis="离岗")
    await door.keeper.look()
    with pytest.raises(Unauthenticated) as caught:
        await door.askers.known(headers)
    assert caught.value.reason == "TOKEN_INVALID"


async def test_a_transfer_counts_after_a_second_at_the_latest(door: Door) -> None:
    headers = door.headers()
    before = await door.askers.known(headers)
    await door.changed(update(post).where(post.c.principal_id == TOWN).values(region_path=OTHER))
    door.clock.at += POSTS_S
    after = await door.askers.known(headers)
    assert (facts(before)[1], facts(after)[1]) == (PLACE, OTHER)
    assert after.gate is not before.gate


async def test_another_purpose_of_old_posts_is_no_longer_kept_than_they(door: Door) -> None:
    headers = door.headers()
    await door.askers.known(headers)
    await door.changed(update(principal).where(principal.c.id == TOWN).values(state="suspended"))
    door.clock.at += POSTS_S - 0.1
    other = headers | {b"x-purpose": b"aid.review"}
    await door.askers.known(other)  # its posts were read 0.9 s ago
    door.clock.at += 0.1
    with pytest.raises(Unauthenticated):
        await door.askers.known(other)


async def test_a_new_book_counts_at_once_and_the_old_one_is_let_go(door: Door) -> None:
    headers = door.headers()
    known = await door.askers.known(headers)
    async with door.engine.begin() as connection:
        await bump_version(connection)
    await door.keeper.look()
    again = await door.askers.known(headers)
    assert again.gate.book is door.keeper.current() is not known.gate.book
    kept = [ready.known.gate.book for ready in door.askers._ready.values()]
    kept += [gate.book for gate in door.askers._gates.values()]
    assert kept == [door.keeper.current()] * 2


async def test_a_stale_book_answers_nobody_though_he_is_known(door: Door) -> None:
    late = Clock(0.0)
    keeper = BookKeeper(door.engine, load(), clock=late)
    await keeper.load()
    door.askers = Askers(
        door.engine, door.tokens, load(), keeper, door.cases, door.citizens, clock=door.clock
    )
    headers = door.headers()
    await door.askers.known(headers)
    late.at += 61
    with pytest.raises(Forbidden) as caught:
        await door.askers.known(headers)
    assert caught.value.reason == "STALE_POLICY"


async def test_a_token_ends_to_the_second_though_its_asker_is_known(door: Door) -> None:
    door.wall.at = NOW - 600 - SKEW_S + 1.0
    headers = door.headers()
    door.wall.at = NOW - 0.5  # half a second of the token is left beside the skew
    await door.askers.known(headers)
    door.wall.at = NOW + 0.5
    assert facts(await door.askers.known(headers))[0] == TOWN
    door.wall.at = NOW + 1.0
    with pytest.raises(Unauthenticated) as caught:
        await door.askers.known(headers)
    assert caught.value.reason == "TOKEN_EXPIRED"


async def test_no_token_is_kept(door: Door) -> None:
    headers = door.headers()
    await door.askers.known(headers)
    text = headers[b"authorization"].decode().partition(" ")[2]
    kept = repr((door.askers._ready, door.askers._posts, list(door.askers._gates)))
    assert TOWN in kept
    assert not any(part in kept for part in text.split("."))


async def test_who_was_refused_is_not_kept(door: Door) -> None:
    headers = door.headers()
    refused = [
        {b"authorization": b"Bearer rubbish"},
        headers | {b"x-purpose": b"539922199001011234"},
        door.headers("nobody"),
    ]
    for given in refused:
        with pytest.raises((Unauthenticated, PurposeRequired)):
            await door.askers.known(given)
    assert door.askers._ready == {}


async def test_what_is_kept_is_bounded(door: Door) -> None:
    headers = door.headers()
    await door.askers.known(headers)
    (ready,) = door.askers._ready.values()
    for number in range(POSTS_KEPT):
        door.askers._keep(number.to_bytes(32, "big"), ready)
    assert len(door.askers._ready) == POSTS_KEPT
    before = door.asked
    await door.askers.known(headers)  # he was the first to go, and comes in again
    assert door.asked == before  # his posts are remembered yet
    assert len(door.askers._ready) == POSTS_KEPT


async def test_who_is_employed_how_is_the_stores_word(door: Door) -> None:
    bought = update(principal).where(principal.c.id == TOWN).values(employment="purchased")
    headers, twin = door.headers(), door.headers(TWIN)
    assert (await door.askers.known(headers)).gate.asker.purchased is False
    await door.changed(bought)
    door.clock.at += POSTS_S
    asker = (await door.askers.known(headers)).gate.asker
    assert (asker.kind, asker.purchased) == ("official", True)
    assert (await door.askers.known(twin)).gate.asker.purchased is False


async def test_a_case_number_narrows_each_time_anew_and_no_household_is_kept(door: Door) -> None:
    headers = door.headers(x_case_no="SQ20260001001")
    _file_case(door, "SQ20260001001", "household-1")
    known = await door.askers.known(headers)
    one, other = [await door.askers.narrowed(known, headers) for _ in range(2)]
    assert known.gate.asker.bound is None
    assert one.gate.asker.bound == other.gate.asker.bound == "household-1"
    assert one.gate.asker.case_no == "SQ20260001001"
    assert len({id(k.gate) for k in (known, one, other)}) == 3
    assert one.context["viewer"]["caseNo"] == "SQ20260001001"  # type: ignore[index]
    kept = repr((door.askers._ready, door.askers._posts, list(door.askers._gates)))
    assert "household-1" not in kept
    assert await door.askers.known(headers) is known


@pytest.mark.parametrize("number", ["SQ20269999999", "x", "' OR 1=1"])
async def test_any_other_case_number_is_refused_alike(door: Door, number: str) -> None:
    headers = door.headers(x_case_no=number)
    known = await door.askers.known(headers)
    with pytest.raises(Forbidden) as caught:
        await door.askers.narrowed(known, headers)
    assert caught.value.reason == "CASE"


async def test_an_empty_case_number_narrows_nothing(door: Door) -> None:
    known = await door.askers.known(door.headers())
    assert await door.askers.narrowed(known, {b"x-case-no": b"  "}) is known


def test_a_day_ends_at_midnight_in_shanghai() -> None:
    assert (
        to_midnight(datetime(2026, 11, 25, 23, 59, 59, 500_000, ZoneInfo("Asia/Shanghai"))) == 0.5
    )
