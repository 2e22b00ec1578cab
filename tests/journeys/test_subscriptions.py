"""Rights taken away in mid-stream, two workers over one store, and nobody's data in their logs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from websockets.asyncio.client import connect

from authz.rule import NO_END, Rule
from hub.app import assemble
from hub.demo.site import Site
from hub.worker import Hub
from store.accounts import suspend
from store.cases import case_file
from store.engine import single
from store.policy import add_denial
from tests.faults.conftest import (
    Listening,
    filled_postgres,
    filled_store,
    listening,
    site,
    site_copy,
)
from tests.listeners import (
    EVENTS,
    ORDERS,
    PROTOCOL,
    Line,
    added,
    begun,
    codes,
    known_line,
    parts,
    records,
    until,
    urged,
)

__all__ = ["filled_postgres", "filled_store", "listening", "site", "site_copy"]
pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
HUB = Path(sys.executable).parent / "hub"
READY_S = 60.0


def token(hub: Hub, account: str = TOWN, *purposes: str) -> str:
    return hub.tokens.issue(account, purposes or ("aid.file",))


@pytest.fixture
async def served(
    site_copy: Site, filled_store: str, listening: Listening
) -> AsyncIterator[tuple[Hub, str]]:
    """A hub on a real port, over either database."""
    async with listening(site_copy, **{"store.url": filled_store}) as (hub, url):
        yield hub, url


@contextlib.asynccontextmanager
async def changing(url: str) -> AsyncIterator[AsyncConnection]:
    """A transaction of another process: nobody of this one is told."""
    async with single(url) as connection:
        yield connection


async def test_who_is_suspended_is_told_no_more(
    site_copy: Site, filled_store: str, served: tuple[Hub, str]
) -> None:
    """The event comes at once behind the suspension: no poll has been in between."""
    hub, url = served
    case_no = site_copy.shown("zhelai").case_no
    async with known_line(url, token(hub)) as line:
        await line.ask("1", EVENTS)
        await begun(filled_store, 1)
        (key,) = await added(filled_store, case_no, "ROUTED")
        assert (await line.told("1"))["caseEvents"]["id"] == key
        async with changing(filled_store) as connection:
            await suspend(connection, TOWN, by="tester", basis="离岗")
        await added(filled_store, case_no, "ACCEPTED", "VERIFYING")
        said = await line.rest()
        assert [codes(m) for m in said] == [[("UNAUTHENTICATED", "TOKEN_INVALID")]]
        assert await line.closed() == (4403, "UNAUTHENTICATED")
    result = (await records(filled_store, "SUBSCRIBE_RESULT"))[-1]
    assert (result["outcome"], result["code"]) == ("DENIED", "UNAUTHENTICATED")
    told = [r for r in await records(filled_store, "READ") if r.get("reads")]
    assert len(told) == 1
    async with known_line(url, token(hub, "bange-town-01")) as line:
        await line.ask("1", "{ viewer { account } }")
        assert await line.told("1") == {"viewer": {"account": "bange-town-01"}}


async def _deny(connection: AsyncConnection, object_: str) -> None:
    rule = Rule("town", "*", object_, "list", "county", "any", "*", NO_END, "deny", "处置")
    await add_denial(connection, (rule.id, *rule.line, rule.basis), by="tester")


async def test_a_right_that_is_taken_away_ends_its_subscription_and_no_other(
    site_copy: Site, filled_store: str, served: tuple[Hub, str]
) -> None:
    hub, url = served
    shown = site_copy.shown("zhelai")
    async with known_line(url, token(hub)) as line:
        await line.ask("cases", EVENTS)
        await line.ask("orders", ORDERS)
        await begun(filled_store, 2)
        async with changing(filled_store) as connection:
            await _deny(connection, "Case.basic")
        await added(filled_store, shown.case_no, "ROUTED")
        message = await line.next()
        assert (message["id"], codes(message)) == ("cases", [("FORBIDDEN", "DENIED")])
        await urged(filled_store, shown.order_no, "SIGNED")
        told = await line.told("orders")
        assert told == {"supervisionEvents": {"orderNo": shown.order_no, "state": "SIGNED"}}
        await line.ask("again", EVENTS)
        assert codes(await line.next()) == [("FORBIDDEN", "DENIED")]
    await until(lambda: hub.changes.subscribers == 0)
    results = [(r["outcome"], r["code"]) for r in await records(filled_store, "SUBSCRIBE_RESULT")]
    assert results == [("DENIED", "FORBIDDEN"), ("OK", "CLIENT_GONE")]


async def test_a_lost_right_ends_it_within_two_seconds_though_nothing_happens(
    filled_store: str, served: tuple[Hub, str]
) -> None:
    hub, url = served
    async with known_line(url, token(hub)) as line:
        await line.ask("1", EVENTS)
        await begun(filled_store, 1)
        async with changing(filled_store) as connection:
            await _deny(connection, "Case.basic")
        assert codes(await line.next(8)) == [("FORBIDDEN", "DENIED")]


async def test_a_case_number_narrows_a_subscription_to_its_household(
    site_copy: Site, filled_store: str, served: tuple[Hub, str]
) -> None:
    hub, url = served
    shown = site_copy.shown("zhelai")
    issued = token(hub, TOWN, "aid.review")
    async with (
        known_line(url, issued, purpose="aid.review", caseNo=shown.case_no) as bound,
        known_line(url, issued, purpose="aid.review") as free,
    ):
        for line in (bound, free):
            await line.ask("1", EVENTS)
        await begun(filled_store, 2)
        other = await _another_case(filled_store, shown.household)
        (foreign,) = await added(filled_store, other, "ROUTED")
        (own,) = await added(filled_store, shown.case_no, "ROUTED")
        assert [(await free.told("1"))["caseEvents"]["id"] for _ in range(2)] == [foreign, own]
        assert (await bound.told("1"))["caseEvents"]["id"] == own
        assert await bound.silent()
    told = [r for r in await records(filled_store, "READ") if r.get("case") == shown.case_no]
    assert len(told) == 1


async def _another_case(url: str, household: str) -> str:
    async with single(url, readonly=True) as connection:
        asked = select(case_file.c.case_no).where(
            case_file.c.household_id != household,
            case_file.c.region_path.like("532622205%"),
        )
        return str((await connection.execute(asked.limit(1))).scalar_one())


async def test_events_placed_in_another_database_are_told_from_there(
    site_copy: Site, listening: Listening
) -> None:
    """The event comes from its own database, its case from the store; each is followed apart."""
    shown, copy = site_copy.shown("zhelai"), site_copy.folder / "events.sqlite"
    shutil.copy(site_copy.folder / "store.sqlite", copy)
    apart = f"sqlite+aiosqlite:///{copy}"
    placed: dict[str, Any] = {"sources.events": apart, "placed.case_event": "events"}
    async with listening(site_copy, **placed) as (hub, url), known_line(url, token(hub)) as line:
        await line.ask("1", EVENTS)
        await begun(site_copy.store_url, 1)
        await added(site_copy.store_url, shown.case_no, "ROUTED")  # not where they lie
        (key,) = await added(apart, shown.case_no, "ACCEPTED")
        told = (await line.told("1"))["caseEvents"]
        assert (told["id"], told["state"]) == (key, "ACCEPTED")
        assert told["case"] == {"caseNo": shown.case_no, "applicant": {"name": shown.name}}
        assert await line.silent()
    (read,) = [r for r in await records(site_copy.store_url, "READ") if r.get("reads")]
    assert {one["d"]: one["src"] for one in read["reads"]} == {
        "case_event": "events",
        "case": "hub",
        "citizen": "hub",
    }


# ---- two worker processes ------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def worker(site: Site, store: str, log: Path) -> AsyncIterator[tuple[str, Any]]:
    """``hub serve`` as a process of its own; its address and itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "HUB_PROFILE": "demo",
        "HUB_DATA_DIR": str(site.folder),
        "HUB_STORE_URL": store,
        "HUB_PORT": str(port),
        "HUB_LOG_LEVEL": "DEBUG",
    }
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            HUB, "serve", env=os.environ | settings, stdout=out, stderr=out
        )
        try:
            await _ready(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}", process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _ready(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(READY_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


async def _listened(line: Line, count: int) -> list[str]:
    return [(await line.told("1"))["caseEvents"]["id"] for _ in range(count)]


async def test_two_workers_tell_each_event_once_and_in_order_and_stop_at_a_word(
    site_copy: Site, filled_store: str, tmp_path: Path
) -> None:
    shown, count = site_copy.shown("zhelai"), 20
    issued = assemble(site_copy.settings()).tokens.issue(TOWN, ("aid.file",))
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    async with contextlib.AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(worker(site_copy, filled_store, log)) for log in logs
        ]
        lines = [
            await stack.enter_async_context(known_line(url, issued))
            for url, _ in workers
            for _ in range(2)
        ]
        for line in lines:
            await line.ask("1", EVENTS)
        headers = {"Authorization": f"Bearer {issued}", "Accept": "text/event-stream"}
        client = await stack.enter_async_context(httpx.AsyncClient(headers=headers, timeout=30))
        request = client.stream("POST", f"{workers[1][0]}/graphql", json={"query": EVENTS})
        response = await stack.enter_async_context(request)
        await begun(filled_store, 5)
        keys = await added(filled_store, shown.case_no, *["ROUTED", "RETURNED"] * (count // 2))
        found = await asyncio.gather(*(_listened(line, count) for line in lines))
        assert found == [keys] * 4
        assert [await line.silent(1) for line in lines] == [True] * 4
        for _, process in workers:
            process.send_signal(signal.SIGTERM)
        events = [p.data["data"]["caseEvents"]["id"] async for p in parts(response)]
        assert events == keys  # cut without `complete`
        assert [(await line.closed())[0] for line in lines] == [1012] * 4
        async with asyncio.timeout(20):
            assert [await process.wait() for _, process in workers] == [-signal.SIGTERM] * 2
    assert len(await records(filled_store, "HUB_STOP")) == 2
    await _everything_is_recorded(filled_store, count)
    _nobody_is_named(site_copy, issued, keys, logs)


async def _everything_is_recorded(store: str, count: int) -> None:
    intents = await records(store, "SUBSCRIBE_INTENT")
    reads = await records(store, "READ")
    results = await records(store, "SUBSCRIBE_RESULT")
    refs = [str(intent["idx"]) for intent in intents]
    assert len(refs) == 5
    assert {ref: sum(r["ref"] == ref for r in reads) for ref in refs} == dict.fromkeys(refs, count)
    assert sorted(r["ref"] for r in results) == sorted(refs)
    assert {r["outcome"] for r in results} == {"OK"}
    assert {len(r["subjects"]) for r in reads} == {1}


def _nobody_is_named(site: Site, issued: str, keys: list[str], logs: list[Path]) -> None:
    shown = site.shown("zhelai")
    said = "".join(log.read_text(encoding="utf-8") for log in logs)
    assert said
    for secret in (shown.name, shown.id18, shown.citizen, shown.case_no, issued, keys[0], TOWN):
        assert secret not in said
    assert "Traceback" not in said
    assert '"level": "error"' not in said


async def test_what_a_client_writes_into_path_and_messages_is_in_no_log(
    site_copy: Site, filled_store: str, tmp_path: Path
) -> None:
    canary, log = site_copy.shown("zhelai").id18, tmp_path / "hub.log"
    issued = assemble(site_copy.settings()).tokens.issue(TOWN, ("aid.file",))
    async with worker(site_copy, filled_store, log) as (url, process):
        where = f"{url.replace('http', 'ws')}/graphql?n={canary}"
        for message in (
            f'{{"type": "{canary}"}}',
            canary,
            f'{{"type": "complete", "{canary}": 1}}',
        ):
            async with connect(where, subprotocols=[PROTOCOL], proxy=None) as socket_:  # type: ignore[list-item]
                await socket_.send(message)
                assert (await Line(socket_).closed())[0] == 4400
        async with known_line(url, issued) as line:
            text = f'{{ citizen(by: {{idNumber: "{canary}"}}) {{ name }} }}'
            await line.ask(canary, text)
            message_ = await line.next()
            assert codes(message_) == [("BAD_USER_INPUT", "VARIABLE")]
            assert message_["id"] == canary
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.wait()
    assert canary not in log.read_text(encoding="utf-8")
    everything = [
        *await records(filled_store, "READ"),
        *await records(filled_store, "SUBSCRIBE_INTENT"),
    ]
    assert everything
    assert canary not in str(everything)


async def test_the_watcher_of_the_examples_shows_what_the_demonstration_does(
    site_copy: Site, listening: Listening
) -> None:
    """`examples/watch_cases.py` and `hub demo --event`, as docs/subscriptions.md says."""
    root = Path(__file__).parents[2]
    async with listening(site_copy) as (hub, url):
        words = ("--url", f"{url.replace('http', 'ws')}/graphql", "--token", token(hub))
        watcher = await asyncio.create_subprocess_exec(
            sys.executable,
            root / "examples" / "watch_cases.py",
            *(*words, "--area", "532622205000", "--count", "2"),
            stdout=asyncio.subprocess.PIPE,
        )
        await until(lambda: hub.changes.subscribers == 1, READY_S)
        for _ in range(2):
            event = await asyncio.create_subprocess_exec(
                HUB, "demo", "--dir", site_copy.folder, "--event", stdout=asyncio.subprocess.PIPE
            )
            said, _ = await event.communicate()
            assert event.returncode == 0
            assert f"诉求件 {site_copy.shown('zhelai').case_no} 由“".encode() in said
        async with asyncio.timeout(READY_S):
            out, _ = await watcher.communicate()
    lines = out.decode().splitlines()
    assert lines[0] == "已订阅，等待办件事件"
    assert len(lines) == 3
    assert all(site_copy.shown("zhelai").case_no in line for line in lines[1:])
    assert watcher.returncode == 0
