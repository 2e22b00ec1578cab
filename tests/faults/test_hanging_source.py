"""A department's system takes questions and never answers: what it holds, and what it does not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest

from adapters.health import guard_of
from catalog.load import load
from hub.demo.site import HTTP_SOURCE

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.faults.conftest import Listening

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

ROOM = load().sources[HTTP_SOURCE].room
ASKERS, OTHERS = ROOM + 24, 20
PATIENT_S = 60  # nobody's deadline ends within the test
INSURED = (
    "query($id: ID!) { citizen(by: {id: $id}) { name medicalInsurance { enrolment { state } } } }"
)
HOUSED = "query($id: ID!) { citizen(by: {id: $id}) { name housing { house { structure } } } }"


class Silent:
    """Takes connections and reads what comes; `asked`: the questions that arrived."""

    def __init__(self) -> None:
        self.asked = 0
        self.full = asyncio.Event()
        self._open: list[asyncio.StreamWriter] = []
        self._ended = False

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        if self._ended:
            writer.close()
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                self.asked += 1
                if self.asked == ROOM:
                    self.full.set()
        writer.close()

    def end(self) -> None:
        """Hang up, on everybody and from now on."""
        self._ended = True
        for writer in self._open:
            writer.close()


@pytest.fixture
async def silent() -> AsyncIterator[tuple[Silent, str]]:
    """The system that hangs, and its address."""
    system = Silent()
    server = await asyncio.start_server(system.take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield system, f"http://127.0.0.1:{port}"
    server.close()


async def test_it_holds_its_own_places_and_disturbs_no_other_question(
    site_copy: Site, listening: Listening, silent: tuple[Silent, str]
) -> None:
    system, address = silent
    given = {
        f"sources.{HTTP_SOURCE}": address,
        "source.deadline_s": PATIENT_S,
        "deadline_s": PATIENT_S,
    }
    limits = httpx.Limits(max_connections=ASKERS + OTHERS)
    async with (
        listening(site_copy, **given) as (hub, at),
        httpx.AsyncClient(base_url=at, limits=limits, timeout=PATIENT_S) as client,
    ):
        token = hub.tokens.issue("zhelai-town-01", ("aid.file",))
        client.headers.update({"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"})
        person = {"id": site_copy.shown("zhelai").citizen}

        async def ask(query: str) -> httpx.Response:
            body = {"query": query, "variables": person}
            return await client.post("/graphql", json=body)

        hanging = [asyncio.create_task(ask(INSURED)) for _ in range(ASKERS)]
        async with asyncio.timeout(PATIENT_S):
            await system.full.wait()
        answers = await asyncio.gather(*(ask(HOUSED) for _ in range(OTHERS)))
        names = [answer.json()["data"]["citizen"]["name"] for answer in answers]
        assert names == [site_copy.shown("zhelai").name] * OTHERS
        assert not any("errors" in answer.json() for answer in answers)
        # The fault was there all the while: nobody was let go, and no more got through.
        assert not any(task.done() for task in hanging)
        guard = guard_of(hub.sources[HTTP_SOURCE])
        assert guard is not None
        assert (system.asked, guard.state.in_flight) == (ROOM, ROOM)
        system.end()
        ended = await asyncio.gather(*hanging)
        assert [answer.json()["data"]["citizen"]["name"] for answer in ended] == [names[0]] * ASKERS
        assert guard.state.in_flight == 0
