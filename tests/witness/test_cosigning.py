"""The log among its witnesses: honest, restarted, wiped, lying, hanging; on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import select

from audit.note import Cosigner, VerifierKey, bytes_of
from audit.quorum import Level
from audit.tree import verify_consistency
from audit.verify import Exit
from audit.verify import run as verify
from audit.witness import Evidence, Submission
from hub.cosigning import Pace, Told, Witness
from hub.witness import record
from store.audit import audit_event
from tests.witness.keeper import EAGER, SIGNER, Keeper, create
from tests.witness.liar import Liar, Said, Script, plain, size
from tests.witness.office import Office, free_port, prepared

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

NAME = "audit.invalid/w1"
OURS = Cosigner(NAME, bytes(range(32)))  # the key a liar is believed to have
OTHER = Cosigner("audit.invalid/other", bytes(range(3, 35)))

Begun = Callable[..., Awaitable[Keeper]]


@pytest.fixture
async def begun(store_url: str) -> AsyncIterator[Begun]:
    """``await begun(witness, …, quorum=1)``: a process of the hub on the store."""
    await create(store_url)
    async with AsyncExitStack() as stack:

        async def begin(*witnesses: Witness, quorum: int = 1, pace: Pace = EAGER) -> Keeper:
            keeper = await Keeper.begun(store_url, witnesses, quorum, pace)
            stack.push_async_callback(keeper.ended)
            return keeper

        yield begin


@pytest.fixture
def own(tmp_path: Path) -> Office:
    """An office that knows our log."""
    folder = tmp_path / "office"
    folder.mkdir()
    return prepared(folder, NAME, [SIGNER.verifier.vkey])


def honest(submission: Submission) -> Said:
    return 200, "text/plain", OURS.sign(submission.note.text, int(time.time())).line.encode()


async def test_the_log_grows_and_each_side_restarts(own: Office, begun: Begun) -> None:
    port = free_port()
    at = Witness(f"http://127.0.0.1:{port}", own.key)
    sizes = []
    keeper = await begun(at)
    with own.serving(port):
        sizes += [await keeper.sent(), await keeper.sent(40)]
    sizes.append(await keeper.grown())  # nobody there
    await keeper.cosigning.look()
    assert keeper.cosigning.standing() == {NAME: Told.DOWN}
    with own.serving(port):
        sizes[-1] = await keeper.sent()
        other = await begun(at)  # a new process knows what the store knows
        sizes.append(await other.sent(100))
        assert await other.kept(own.key) == sizes
        state = await other.state()
        assert own.sizes() == {SIGNER.verifier.name: sizes[-1]}
        assert (state.covered, state.checkpoint) == (sizes[-1], sizes[-1])
        assert await other.told() == ["UP", "DOWN", "UP", "UP"]
    assert record.evidence(own.file) == []


async def test_only_the_newest_checkpoint_is_sent_with_its_proof(begun: Begun) -> None:
    liar = Liar(honest)
    with liar.listening() as url:
        keeper = await begun(Witness(url, OURS.verifier), pace=Pace(again_s=1e9))
        for _ in range(3):
            await keeper.grown(4)
        newest = await keeper.sent(4)
        later = await keeper.sent(9)
        await keeper.cosigning.look()  # nothing new: nothing is sent
    first, second = liar.asked
    assert (first.old, len(first.proof)) == (0, 0)
    assert second.old == newest
    sizes = [int(one.note.text.split("\n")[1]) for one in liar.asked]
    assert sizes == [newest, later]
    assert await keeper.kept(OURS.verifier) == sizes
    notes = [one.note.text.split("\n")[2] for one in liar.asked]
    roots = [bytes_of(text) for text in notes]
    assert verify_consistency(newest, later, roots[0], roots[1], second.proof)


async def test_two_processes_of_one_hub_share_a_witness(own: Office, begun: Begun) -> None:
    with own.serving() as url:
        one, two = [await begun(Witness(url, own.key)) for _ in range(2)]
        sizes = []
        for _ in range(8):
            sizes.append(await one.grown(3))
            await asyncio.gather(one.cosigning.look(), two.cosigning.look())
        assert await one.kept(own.key) == sizes
    assert set(await one.told()) == {"UP"}
    assert record.evidence(own.file) == []


async def test_a_wiped_witness_is_told_and_goes_on(own: Office, begun: Begun) -> None:
    port = free_port()
    keeper = await begun(Witness(f"http://127.0.0.1:{port}", own.key))
    with own.serving(port):
        before = await keeper.sent(5)
    for file in own.folder.glob("witness.sqlite*"):
        file.unlink()
    record.make(own.file)
    with own.serving(port):
        after = await keeper.sent(5)
        assert keeper.cosigning.standing() == {NAME: Told.WIPED}
        last = await keeper.sent()
    assert await keeper.kept(own.key) == [before, after, last]
    assert await keeper.told() == ["UP", "WIPED", "UP"]
    assert own.sizes() == {SIGNER.verifier.name: last}


def by_another(submission: Submission) -> Said:
    return 200, "text/plain", OTHER.sign(submission.note.text, int(time.time())).line.encode()


def of_another_checkpoint(_: Submission) -> Said:
    return 200, "text/plain", OURS.sign("other.invalid\n1\nx\n", int(time.time())).line.encode()


def from_the_future(submission: Submission) -> Said:
    stamp = int(time.time()) + 3_600
    return 200, "text/plain", OURS.sign(submission.note.text, stamp).line.encode()


def never_ready(submission: Submission) -> Said:
    return size(int(submission.note.text.split("\n")[1]) - 1)


def another_root(submission: Submission) -> Said:
    return size(int(submission.note.text.split("\n")[1]))


LIES: list[tuple[Script, Told]] = [
    (lambda _: size(10**6), Told.AHEAD),
    (lambda _: size(10**17), Told.AHEAD),  # more than a record can hold
    (another_root, Told.FORK),
    (lambda _: plain(422), Told.FORK),
    (by_another, Told.SIGNATURE),
    (of_another_checkpoint, Told.SIGNATURE),
    (lambda _: plain(200), Told.SIGNATURE),
    (lambda _: plain(200, b"\xff\xfe\n"), Told.SIGNATURE),
    (lambda _: plain(200, b""), Told.SIGNATURE),
    (from_the_future, Told.TIME),
    (never_ready, Told.DOWN),
    (lambda _: plain(409, b"3\n"), Told.DOWN),  # not the type of a size
    (lambda _: plain(400), Told.DOWN),
    (lambda _: plain(403), Told.DOWN),
    (lambda _: plain(404), Told.DOWN),
    (lambda _: plain(307), Told.DOWN),
    (lambda _: plain(500), Told.DOWN),
    (lambda _: plain(200, b"x" * 100_000), Told.DOWN),
]


@pytest.mark.parametrize(("script", "told"), LIES)
async def test_a_liar_changes_nothing_and_is_named(
    store_url: str, begun: Begun, script: Script, told: Told
) -> None:
    liar = Liar(honest)
    with liar.listening() as url:
        keeper = await begun(Witness(url, OURS.verifier))
        good = await keeper.sent(3)
        liar.script = script
        await keeper.sent(3)
        assert keeper.cosigning.standing() == {NAME: told}
        await keeper.cosigning.look()
        assert len(liar.asked) >= 3  # it was asked again, and said it again
        assert len(liar.asked) <= 5  # once more at the most in each round
        assert await keeper.kept(OURS.verifier) == [good]
        assert (await keeper.state()).covered == good
        assert await keeper.told() == ["UP", told]
        liar.script = honest
        well = await keeper.sent()
    assert await keeper.kept(OURS.verifier) == [good, well]
    assert await keeper.told() == ["UP", told, "UP"]
    assert (await asyncio.to_thread(verify, store_url)).exit is Exit.INTACT


async def test_what_a_liar_said_is_in_the_log_with_its_number(begun: Begun) -> None:
    liar = Liar(lambda _: size(10**6))
    with liar.listening() as url:
        keeper = await begun(Witness(url, OURS.verifier))
        await keeper.sent()
    wanted = select(audit_event.c.body, audit_event.c.outcome).where(
        audit_event.c.kind == "WITNESS_STATE"
    )
    async with keeper.engine.connect() as connection:
        body, outcome = (await connection.execute(wanted)).one()
    assert outcome == "FAILED"
    assert '"code":"AHEAD"' in body
    assert '"op":{"name":"witness","vars":{"number":1000000}}' in body
    assert f'"ref":"{NAME}"' in body


@pytest.mark.parametrize(("hold", "drip"), [(30.0, 0.0), (0.0, 0.3)])
async def test_who_hangs_or_drips_does_not_hold_up_the_others(
    own: Office, begun: Begun, hold: float, drip: float
) -> None:
    liar = Liar(honest, hold_s=hold, drip_s=drip)
    quick = Pace(every_s=0.01, retry_s=0.0, again_s=0.0, wait_s=0.6, settled_s=0.0)
    with own.serving() as url, liar.listening() as slow:
        witnesses = (Witness(slow, OTHER.verifier), Witness(url, own.key))
        keeper = await begun(*witnesses, quorum=1, pace=quick)
        sizes = [await keeper.sent(), await keeper.sent()]
        assert await keeper.kept(own.key) == sizes
        assert len(liar.asked) == 2
        assert keeper.cosigning.standing() == {OTHER.verifier.name: Told.DOWN, NAME: Told.UP}
        assert (await keeper.state()).covered == sizes[-1]


async def test_a_quorum_of_two_needs_two(own: Office, begun: Begun) -> None:
    liar = Liar(honest)
    theirs = VerifierKey.parse(OURS.verifier.vkey)
    other = Witness("http://127.0.0.1:1", OTHER.verifier)
    with liar.listening() as url:
        keeper = await begun(Witness(url, theirs), other, quorum=2)
        size = await keeper.sent()
    assert await keeper.kept(theirs) == [size]
    assert (await keeper.state()).covered == 0
    assert keeper.cosigning.quorum.level() is Level.OK  # its first record is seconds old


async def test_a_fluttering_witness_does_not_fill_the_log(begun: Begun) -> None:
    liar = Liar(honest)
    calm = Pace(every_s=0.01, retry_s=0.0, again_s=0.0, wait_s=1.0, settled_s=60.0)
    with liar.listening() as url:
        keeper = await begun(Witness(url, OURS.verifier), pace=calm)
        for turn in range(10):
            liar.script = honest if turn % 2 else lambda _: plain(500)
            await keeper.sent()
    assert len(liar.asked) == 10
    assert await keeper.told() == ["DOWN"]


async def test_a_follower_outlives_what_it_meets(own: Office, begun: Begun) -> None:
    with own.serving() as url:
        keeper = await begun(Witness(url, own.key))
        task = asyncio.create_task(keeper.cosigning.follow())
        try:
            first = await keeper.grown()
            await _until(lambda: _kept(keeper, own.key, [first]))
            async with keeper.engine.begin() as connection:
                await connection.exec_driver_sql(
                    "ALTER TABLE audit_cosignature RENAME TO audit_cosignature_gone"
                )
            await asyncio.sleep(0.2)
            assert not task.done()
            async with keeper.engine.begin() as connection:
                await connection.exec_driver_sql(
                    "ALTER TABLE audit_cosignature_gone RENAME TO audit_cosignature"
                )
            second = await keeper.grown()
            await _until(lambda: _kept(keeper, own.key, [first, second]))
        finally:
            task.cancel()


async def _kept(keeper: Keeper, key: VerifierKey, sizes: list[int]) -> bool:
    return await keeper.kept(key) == sizes


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(700):
        if await holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to hold")


# ---- row 13: the store taken back, and two hubs on copies of one store --------------------------


def copied(source: Path, target: Path) -> None:
    """The database as it is now; the writer goes on."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


async def test_a_store_that_was_taken_back_is_found_by_its_witness(
    own: Office, tmp_path: Path
) -> None:
    live, saved = tmp_path / "live.sqlite", tmp_path / "saved.sqlite"
    url = f"sqlite+aiosqlite:///{live}"
    live.touch()
    await create(url)
    with own.serving() as address:
        at = Witness(address, own.key)
        keeper = await Keeper.begun(url, [at])
        good = await keeper.sent(5)
        copied(live, saved)
        lost = await keeper.sent(20)
        await keeper.ended()
        # Whole, and intact for whoever has nothing but the store.
        back = await Keeper.begun(f"sqlite+aiosqlite:///{saved}", [at])
        await back.sent(2)
        assert back.cosigning.standing() == {NAME: Told.AHEAD}
        await back.sent(40)  # beyond what the witness has seen: now it is another history
        assert back.cosigning.standing() == {NAME: Told.FORK}
        assert await back.kept(own.key) == [good]
        assert (await back.told())[-2:] == ["AHEAD", "FORK"]
        await back.ended()
    assert own.sizes() == {SIGNER.verifier.name: lost}
    assert [piece.kind for piece in record.evidence(own.file)] == [Evidence.PROOF]


async def test_two_hubs_on_copies_of_one_store_are_found_by_their_witness(
    own: Office, tmp_path: Path
) -> None:
    one_file, two_file = tmp_path / "one.sqlite", tmp_path / "two.sqlite"
    one_file.touch()
    await create(f"sqlite+aiosqlite:///{one_file}")
    with own.serving() as address:
        at = Witness(address, own.key)
        one = await Keeper.begun(f"sqlite+aiosqlite:///{one_file}", [at])
        await one.sent(5)
        copied(one_file, two_file)
        two = await Keeper.begun(f"sqlite+aiosqlite:///{two_file}", [at])
        size = await one.sent(3)
        while await two.grown() < size:
            pass
        await two.cosigning.look()
        assert (await two.state()).checkpoint == size  # the same size, other records
        assert two.cosigning.standing() == {NAME: Told.FORK}
        assert (await two.state()).covered < size
        further = await one.sent(3)  # the one that was first goes on
        assert await one.told() == ["UP"]
        await one.ended()
        await two.ended()
    assert own.sizes() == {SIGNER.verifier.name: further}
    (piece,) = record.evidence(own.file)
    assert (piece.kind, piece.size) == (Evidence.FORK, size)
