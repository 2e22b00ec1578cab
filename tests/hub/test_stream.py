"""hub/edge/stream.py with a carrier of the test's own: what is told, recorded, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from audit.rules import Rules
from catalog.errors import AuditUnavailable
from hub.app import assemble, running
from hub.demo.site import Site
from hub.edge.passage import Passage
from hub.edge.stream import Subscription
from hub.limits import PENDING, RECOUNT_S
from hub.release import Sent, Visit
from hub.worker import Hub
from resolvers.answer import Question
from tests.listeners import COUNTS, EVENTS, ORDERS, added, moved, records, until, urged

pytestmark = pytest.mark.anyio

TOWN = "zhelai-town-01"


@dataclass
class Heard:
    """A carrier that keeps what it is told; `take` is awaited before each frame is taken."""

    frames: list[Any] = field(default_factory=list)
    errors: list[Any] = field(default_factory=list)
    stranger: bool | None = None
    begun: bool = False
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def opened(self) -> None:
        self.begun = True

    async def told(self, sent: Sent) -> None:
        await self.free.wait()
        self.frames.append(orjson.loads(sent.body))

    async def idle(self) -> None:
        pass

    async def ended(self, sent: Sent, *, stranger: bool) -> None:
        self.errors = [e["extensions"] for e in orjson.loads(sent.body)["errors"]]
        self.stranger = stranger


@pytest.fixture
async def hub(site: Site) -> AsyncIterator[Hub]:
    async with running(assemble(site.settings())) as made:
        yield made


Listen = Callable[..., contextlib.AbstractAsyncContextManager[tuple[Heard, asyncio.Task[None]]]]


@pytest.fixture
def listen(hub: Hub) -> Listen:
    """``async with listen(QUERY, account=…, purpose=…) as (heard, task)``: once it has begun."""

    @contextlib.asynccontextmanager
    async def listening(
        query: str, account: str = TOWN, purpose: str = "aid.file", free: bool = True, **more: str
    ) -> AsyncIterator[tuple[Heard, asyncio.Task[None]]]:
        token = hub.tokens.issue(account, (purpose,))
        headers = {b"authorization": f"Bearer {token}".encode(), b"x-purpose": purpose.encode()}
        headers |= {n.replace("_", "-").encode(): value.encode() for n, value in more.items()}
        passage = Passage(hub, headers, Visit("r" * 32))
        known = await passage.admit()
        heard = Heard()
        if free:
            heard.free.set()
        subscription = Subscription(hub, passage, Question(query, None, {}))
        task = asyncio.create_task(subscription.run(known, heard))
        await until(lambda: heard.begun or task.done())
        try:
            yield heard, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return listening


async def test_every_frame_has_its_record_between_those_of_beginning_and_end(
    site: Site, listen: Listen
) -> None:
    url, shown = site.store_url, site.shown("zhelai")
    before = len(await records(url, "READ"))
    async with listen(EVENTS) as (heard, _):
        keys = await added(url, shown.case_no, "ROUTED", "ACCEPTED")
        await until(lambda: len(heard.frames) == 2)
    assert [f["data"]["caseEvents"]["id"] for f in heard.frames] == keys
    assert heard.frames[0]["data"]["caseEvents"]["case"] == {
        "caseNo": shown.case_no,
        "applicant": {"name": shown.name},
    }
    intent = (await records(url, "SUBSCRIBE_INTENT"))[-1]
    reads = (await records(url, "READ"))[before:]
    result = (await records(url, "SUBSCRIBE_RESULT"))[-1]
    assert (
        [r["idx"] for r in (*reads,)]
        == [f["extensions"]["audit"]["idx"] for f in heard.frames]
        == [intent["idx"] + 1, intent["idx"] + 2]
    )
    assert result["idx"] == intent["idx"] + 3
    assert {r["ref"] for r in (*reads, result)} == {str(intent["idx"])}
    assert {r["op"]["hash"] for r in (intent, *reads, result)} == {intent["op"]["hash"]}
    assert (intent["op"]["type"], intent["op"]["name"]) == ("subscription", "Watch")
    assert [len(r["subjects"]) for r in reads] == [1, 1]
    told = {one["d"]: one for one in reads[0]["reads"]}
    assert set(told) == {"case_event", "case", "citizen"}
    assert told["citizen"]["clear"] == {"Citizen.name": 1}
    assert told["case_event"]["by"] == ["CaseEvent.id"]
    assert (result["outcome"], result["code"]) == ("OK", "CLIENT_GONE")
    assert "reads" not in intent
    assert "reads" not in result


async def test_what_is_a_neighbours_is_not_told_and_not_recorded(
    site: Site, listen: Listen
) -> None:
    url = site.store_url
    before = len(await records(url, "READ"))
    async with listen(EVENTS) as (heard, _):
        await added(url, site.shown("bange").case_no, "ROUTED")
        await added(url, site.shown("zhelai").case_no, "ROUTED")
        await until(lambda: len(heard.frames) == 1)
        await asyncio.sleep(0.2)
    assert heard.frames[0]["data"]["caseEvents"]["case"]["caseNo"] == site.shown("zhelai").case_no
    assert len(await records(url, "READ")) == before + 1


async def test_an_order_that_changes_is_told_as_it_is_now(site: Site, listen: Listen) -> None:
    url, number = site.store_url, site.shown("zhelai").order_no
    async with listen(ORDERS) as (heard, _):
        await urged(url, site.shown("bange").order_no, "SIGNED")
        await urged(url, number, "SIGNED")
        await until(lambda: len(heard.frames) == 1)
        assert heard.frames[0]["data"] == {
            "supervisionEvents": {"orderNo": number, "state": "SIGNED"}
        }


async def test_counts_are_told_at_once_then_when_they_differ_and_not_too_often(
    site: Site, listen: Listen
) -> None:
    url, shown = site.store_url, site.shown("zhelai")
    clock = asyncio.get_running_loop().time
    await moved(url, shown.case_no, "APPROVING")
    async with listen(COUNTS) as (heard, _):
        await until(lambda: len(heard.frames) == 1)
        begun = clock()
        await moved(url, shown.case_no, "APPROVING")  # no news
        await moved(url, site.shown("bange").case_no, "APPROVING")  # not his
        await asyncio.sleep(2 * RECOUNT_S + 0.5)
        assert len(heard.frames) == 1
        for state in ("NOTICING", "DELIBERATING", "SUSPENDED"):
            await moved(url, shown.case_no, state)
        await until(lambda: counts(heard).get("SUSPENDED") == 1)
        assert len(heard.frames) <= 2 + (clock() - begun) / RECOUNT_S
    first = {r["state"]: r["count"] for r in heard.frames[0]["data"]["caseCounts"]}
    assert first["APPROVING"] == 1 + counts(heard).get("APPROVING", 0)


def counts(heard: Heard) -> dict[str, int]:
    return {r["state"]: r["count"] for r in heard.frames[-1]["data"]["caseCounts"]}


async def test_who_takes_nothing_is_ended_and_holds_no_memory(
    site: Site, hub: Hub, listen: Listen
) -> None:
    url = site.store_url
    async with listen(EVENTS, free=False) as (heard, task):
        await added(url, site.shown("zhelai").case_no, "ROUTED")
        await asyncio.sleep(1)  # the first frame waits to be taken
        for subscriber in _subscribers(hub):
            for number in range(PENDING + 5):
                subscriber.tell(f"e{number}")
            assert len(subscriber._keys) == 0
        heard.free.set()
        async with asyncio.timeout(10):
            await task
    assert [(e["code"], e["reason"]) for e in heard.errors] == [("RATE_LIMITED", "SLOW_READER")]
    assert (len(heard.frames), heard.stranger) == (1, False)
    result = (await records(url, "SUBSCRIBE_RESULT"))[-1]
    assert (result["outcome"], result["code"]) == ("FAILED", "RATE_LIMITED")
    assert hub.changes.subscribers == 0


def _subscribers(hub: Hub) -> list[Any]:
    return list(hub.changes._readers["case_event"]._subscribers["case_event"])


async def test_who_may_not_is_refused_before_it_begins(
    site: Site, hub: Hub, listen: Listen
) -> None:
    intents = len(await records(site.store_url, "SUBSCRIBE_INTENT"))
    async with listen(EVENTS, "auditor-01", "audit") as (heard, task):
        await task
    assert [e["code"] for e in heard.errors] == ["FORBIDDEN"]
    assert (heard.begun, heard.stranger) == (False, False)
    written = (await records(site.store_url, "READ"))[-1]
    assert (written["outcome"], written["code"], written["op"]["type"]) == (
        "DENIED",
        "FORBIDDEN",
        "subscription",
    )
    assert len(await records(site.store_url, "SUBSCRIBE_INTENT")) == intents
    assert hub.changes.subscribers == 0


async def test_an_emergency_cannot_subscribe(site: Site, hub: Hub, listen: Listen) -> None:
    note = {"x_purpose_note": "%E6%B4%AA%E6%B0%B4%E6%95%91%E6%8F%B4"}
    async with listen(EVENTS, purpose="emergency", **note) as (heard, task):
        await task
    assert [(e["code"], e["reason"]) for e in heard.errors] == [("FORBIDDEN", "PURPOSE")]
    assert (heard.begun, hub.changes.subscribers) == (False, 0)


async def test_what_cannot_be_recorded_is_not_told(site: Site, hub: Hub, listen: Listen) -> None:
    async with listen(EVENTS) as (heard, task):
        hub.log.halt("test")
        await added(site.store_url, site.shown("zhelai").case_no, "ROUTED")
        async with asyncio.timeout(10):
            await task
    assert [e["code"] for e in heard.errors] == [AuditUnavailable.code]
    assert (heard.frames, heard.stranger) == ([], False)
    assert hub.changes.subscribers == 0


async def test_what_cannot_be_recorded_does_not_begin(hub: Hub, listen: Listen) -> None:
    hub.log.halt("test")
    async with listen(EVENTS) as (heard, task):
        await task
    assert [e["code"] for e in heard.errors] == [AuditUnavailable.code]
    assert (heard.begun, hub.changes.subscribers) == (False, 0)


async def test_an_open_subscription_is_no_intent_without_result(site: Site, listen: Listen) -> None:
    async with listen(EVENTS):
        await asyncio.sleep(0)
    bodies = await records(site.store_url, "SUBSCRIBE_INTENT")
    rules, hour = Rules(), 3_600 * 1_000_000
    for body in bodies:
        rules.feed(body)
    assert bodies
    assert rules.orphans(bodies[-1]["ts"] + hour) == []
    rules.feed({**bodies[-1], "kind": "EXPORT_INTENT"})
    assert [hit.rule for hit in rules.orphans(bodies[-1]["ts"] + hour)] == ["log-intent"]
