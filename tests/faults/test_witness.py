"""The witness killed, and the hub without one: what is promised of both holds."""

from __future__ import annotations

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import select

from adapters.databases.sql import SqlSource
from audit.batch import now_us
from audit.note import Note, opened
from audit.quorum import SECOND, Level
from audit.tree import root_of
from audit.witness import SIZE_TYPE
from hub.cosigning import Told
from hub.signing import signers
from hub.witness import record
from store.audit import audit_event
from tests.witness.keeper import EAGER, LOG
from tests.witness.office import STARTED_S, Office, add, free_port, prepared
from tests.witness.signed_log import SignedLog

if TYPE_CHECKING:
    from hub.demo.site import Site
    from hub.worker import Hub
    from tests.faults.conftest import Listening

pytestmark = pytest.mark.loopback

NAME = "audit.invalid/w1"
KILLS = 12  # between persisting and answering
KILLS_UNDER_LOAD = 6
CLIENTS = 6
PROGRAM = Path(__file__).with_name("killed_witness.py")
HOUR = 3_600


@pytest.fixture
def log() -> SignedLog:
    return SignedLog().grow(400)


@pytest.fixture
def office(tmp_path: Path, log: SignedLog) -> Office:
    folder = tmp_path / "office"
    folder.mkdir()
    return prepared(folder, NAME, [log.vkey])


def _introduce(office: Office, site: Site) -> None:
    """The office is told the keys of the site's log before it starts."""
    keys = signers(site.settings())()
    with (office.folder / "logs.txt").open("a", encoding="utf-8") as stream:
        stream.writelines(f"{key.verifier.vkey}\n" for key in keys)


def test_killed_between_persisting_and_answering_it_signs_no_second_root(
    office: Office, log: SignedLog
) -> None:
    port, held, roots, cut = free_port(), 0, dict[int, bytes](), 0
    address = f"http://127.0.0.1:{port}"
    for kill in range(KILLS):
        process = office.started(port, sys.executable, PROGRAM)
        if held:  # it may not have said so, but it has signed: no other tree of that size
            fork = log.forked(max(0, held - 3), held)
            for old in (held, 0):
                refused = add(address, fork.body(old, held))
                assert (refused.status_code, refused.text) == (409, f"{held}\n")
        size = held + 1 + kill
        try:
            add(address, log.body(held, size))
        except httpx.TransportError:
            cut += 1
        assert process.wait(STARTED_S) == -signal.SIGKILL
        process.communicate()
        (one,) = record.held(office.file)
        assert one.size == size > held  # persisted, never answered
        opened(Note.parse(one.note), (office.key,))
        roots[one.size] = one.root
        held = size
    assert (cut, len(roots)) == (KILLS, KILLS)
    assert roots == {size: root_of(log.leaves[:size]) for size in roots}
    with office.serving(port):  # and the log goes on from what it is told
        told = add(address, log.body(0, held))
        assert (told.status_code, told.headers["content-type"]) == (409, SIZE_TYPE)
        assert add(address, log.body(int(told.text), held + 5)).status_code == 200
    assert {piece.kind for piece in record.evidence(office.file)} == {"FORK"}


@dataclass
class Senders:
    """Two histories of one log under one key, sent by many as fast as they are answered."""

    address: str
    histories: tuple[SignedLog, SignedLog]
    enough: threading.Event = field(default_factory=threading.Event)
    signed: dict[int, set[int]] = field(default_factory=dict)  # size: histories
    told: list[int] = field(default_factory=list)
    cut: int = 0

    def send(self, number: int, wanted: int) -> None:
        held, log = 0, self.histories[number % 2]
        with httpx.Client(base_url=self.address, trust_env=False, timeout=20) as client:
            for step in range(10_000):
                size = min(held + 1 + (number + step) % 3, 400)
                try:
                    answer = client.post("/add-checkpoint", content=log.body(held, size))
                except httpx.TransportError:
                    self.cut += 1
                    return
                if answer.status_code == 200:
                    self.signed.setdefault(size, set()).add(number % 2)
                    held = size
                elif answer.status_code == 409:
                    held = min(int(answer.text), 399)
                    self.told.append(held)
                if len(self.signed) >= wanted:
                    self.enough.set()


def test_killed_under_load_it_stays_with_the_history_it_first_signed(
    office: Office, log: SignedLog
) -> None:
    port, held, cut = free_port(), 0, 0
    histories = (log, log.forked(0, 400))
    signed: dict[int, set[int]] = {}
    for kill in range(KILLS_UNDER_LOAD):
        process = office.started(port)
        senders = Senders(f"http://127.0.0.1:{port}", histories)
        with ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(senders.send, n, 12 + kill) for n in range(CLIENTS)]
            came = senders.enough.wait(STARTED_S)
            process.send_signal(signal.SIGKILL)
            for sender in running:
                sender.result(STARTED_S)
        assert came
        assert process.wait(STARTED_S) == -signal.SIGKILL
        process.communicate()
        cut += senders.cut
        for size, which in senders.signed.items():
            signed.setdefault(size, set()).update(which)
        now = office.sizes()[log.origin]
        assert now >= max(senders.signed) > 0
        assert now >= held  # never back, whatever was cut off
        held = now
    assert cut >= KILLS_UNDER_LOAD  # submissions were under way
    winners = set().union(*signed.values())
    assert len(winners) == 1
    assert len(signed) > 12 * KILLS_UNDER_LOAD
    (winner,) = winners
    (one,) = record.held(office.file)
    assert one.root == root_of(histories[winner].leaves[:held])


# ---- row 16: the hub whose witness is away ------------------------------------------------------

TOWN = "zhelai-town-01"
CITIZEN = """query($id: ID!) { citizen(by: {id: $id}) {
  name civilAffairs { minLiving { certificateNo } } } }"""
LATER = (  # hours after the witness has gone, and what is then said of the log's age
    (0.0, Level.OK),
    (0.24, Level.OK),
    (0.26, Level.WARN),
    (0.9, Level.WARN),
    (1.1, Level.ALERT),
    (3.99, Level.ALERT),
)


TOLD = ["UP", "DOWN", "QUORUM_WARN", "QUORUM_ALERT", "QUORUM_REFUSED", "UP", "QUORUM_OK"]


@dataclass
class Clock:
    """The machine's clock, hours ahead."""

    hours: float = 0.0

    def __call__(self) -> int:
        return now_us() + int(self.hours * HOUR * SECOND)


@pytest.mark.anyio
async def test_without_its_witness_the_hub_answers_for_four_hours(
    filled_store: str, site_copy: Site, listening: Listening, office: Office
) -> None:
    port, clock = free_port(), Clock()
    _introduce(office, site_copy)
    given = {
        "store.url": filled_store,
        "witness.urls": f"http://127.0.0.1:{port}",
        "witness.keys": office.key.vkey,
        "witness.quorum": 1,
    }
    async with AsyncExitStack() as stack:
        with office.serving(port):
            at_work = listening(site_copy, clock=clock, **given)
            hub, address = await stack.enter_async_context(at_work)
            hub.cosigning.pace = EAGER
            size = await _signed(hub)
            await hub.cosigning.look()
            assert office.sizes() == {LOG: size}
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=address))
        await _answered_for_hours(hub, client, site_copy, clock)
        await _refused(hub, client, site_copy)
        with office.serving(port):
            size = await _signed(hub)
            await hub.cosigning.look()
            assert (await _ask(hub, client, site_copy)).status_code == 200
        assert office.sizes() == {LOG: size}
        assert await _told(hub) == TOLD


async def _answered_for_hours(
    hub: Hub, client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    for hours, level in LATER:
        clock.hours = hours
        await _signed(hub)
        await hub.cosigning.look()
        assert hub.cosigning.standing() == {NAME: Told.DOWN}  # the fault is there
        answer = await _ask(hub, client, site)
        assert answer.status_code == 200
        assert answer.json()["data"]["citizen"]["name"] == site.shown("zhelai").name
        assert hub.quorum.level() is level
    clock.hours = 4.01


async def _refused(hub: Hub, client: httpx.AsyncClient, site: Site) -> None:
    calls = _calls(hub)
    answer = await _ask(hub, client, site)
    assert answer.status_code == 503
    body = answer.json()
    (error,) = body["errors"]
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == (
        "AUDIT_UNAVAILABLE",
        "QUORUM",
    )
    assert "data" not in body
    assert site.shown("zhelai").name.encode() not in answer.content
    assert _calls(hub) == calls  # nobody was asked
    assert await _recorded(hub, body["extensions"]["audit"]["idx"]) == (
        "FAILED",
        "AUDIT_UNAVAILABLE",
        TOWN,
    )
    meta = {"query": "{ __typename }"}
    assert (await client.post("/graphql", json=meta, headers=_headers(hub))).status_code == 503
    assert (await client.post("/graphql", json=meta)).status_code == 401
    assert (await client.get("/healthz")).status_code == 200
    await hub.cosigning.look()
    assert hub.quorum.level() is Level.REFUSED


@pytest.mark.anyio
async def test_a_hub_that_starts_on_an_old_unwitnessed_log_waits_for_its_witness(
    site_copy: Site, listening: Listening, office: Office
) -> None:
    port, clock = free_port(), Clock()
    _introduce(office, site_copy)
    given = {
        "witness.urls": f"http://127.0.0.1:{port}",
        "witness.keys": office.key.vkey,
        "witness.quorum": 1,
    }
    async with listening(site_copy):
        pass  # a start and a stop that nobody has witnessed
    clock.hours = 5.0
    async with (
        listening(site_copy, clock=clock, **given) as (hub, address),
        httpx.AsyncClient(base_url=address) as client,
    ):
        hub.cosigning.pace = EAGER
        assert (await _ask(hub, client, site_copy)).status_code == 503
        with office.serving(port):
            await _signed(hub)
            await hub.cosigning.look()
            assert (await _ask(hub, client, site_copy)).status_code == 200


async def _signed(hub: Hub) -> int:
    """The hub's signer signs the log as it is; the size."""
    await hub.signer.step(now=True)
    size = hub.signer.state().size
    assert size is not None
    return size


async def _ask(hub: Hub, client: httpx.AsyncClient, site: Site) -> httpx.Response:
    body = {"query": CITIZEN, "variables": {"id": site.shown("zhelai").citizen}}
    return await client.post("/graphql", json=body, headers=_headers(hub))


def _headers(hub: Hub) -> dict[str, str]:
    token = hub.tokens.issue(TOWN, ("aid.file",))
    return {"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"}


def _calls(hub: Hub) -> int:
    """Statements sent to the department's database and to the hub's own data sets."""
    sources = [hub.sources[name] for name in ("mz_assist", "hub")]
    return sum(source.calls for source in sources if isinstance(source, SqlSource))


async def _recorded(hub: Hub, idx: int) -> tuple[str, str, str]:
    row = audit_event.c
    wanted = select(row.outcome, row.decision_code, row.actor).where(row.idx == idx)
    async with hub.store.connect() as connection:
        outcome, code, actor = (await connection.execute(wanted)).one()
    return outcome, code, actor


async def _told(hub: Hub) -> list[str]:
    row = audit_event.c
    wanted = select(row.decision_code).where(row.kind == "WITNESS_STATE").order_by(row.idx)
    async with hub.store.connect() as connection:
        return [str(code) for code in (await connection.execute(wanted)).scalars()]
