"""A running hub and a client's documents in it, for tests of trusted documents and of REST."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from sqlalchemy import select

from audit.batch import now_us
from catalog.standing import Standing
from hub.app import assemble, create_app, running
from hub.demo.site import Site
from hub.registering import Given, candidates
from hub.telemetry.spans import Telemetry
from hub.worker import Hub
from store.audit import audit_event
from store.documents import (
    APPROVED,
    DRAFT,
    RETIRED,
    Registered,
    approve,
    read_documents,
    register,
    retire,
    sha256_of,
)
from store.engine import single
from tests.sites import copied

WEB, DESK = "web", "desk"
"""Two clients."""
TOWN = "zhelai-town-01"
PATIENT_S = 60.0  # what is tested is what happens, on however busy a machine
NOTHING: Mapping[str, object] = MappingProxyType({})
PATIENT: Mapping[str, object] = MappingProxyType({"audit.wait_s": 10})
"""A commit of a busy machine may take longer than an asker waits; no test here is about that."""
ENFORCED: Mapping[str, object] = MappingProxyType(
    {f"documents.{kind}": "enforce" for kind in Standing}
)
"""No class of principal may send a text of its own."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A hub asked over HTTP by accounts through clients."""

    site: Site
    hub: Hub
    http: httpx.AsyncClient

    def headers(
        self, account: str = TOWN, client: str = WEB, purpose: str | None = None
    ) -> dict[str, str]:
        """The headers of an account that asks through a client."""
        found = self.site.account(account)
        assert found is not None
        token = self.hub.tokens.issue(account, found.purposes, client=client)
        return {"Authorization": f"Bearer {token}", "X-Purpose": purpose or found.purposes[0]}

    async def ask(
        self, body: Mapping[str, Any], account: str = TOWN, client: str = WEB
    ) -> httpx.Response:
        """POST /graphql."""
        return await self.http.post("/graphql", json=body, headers=self.headers(account, client))

    async def rest(
        self,
        path: str,
        account: str = TOWN,
        client: str = WEB,
        *,
        json_: object = None,
        **headers: str,
    ) -> httpx.Response:
        """GET /api/rest/PATH, or POST with a JSON object."""
        method = "GET" if json_ is None else "POST"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(
            method,
            f"/api/rest/{path}",
            json=json_,
            headers=self.headers(account, client) | named,
        )

    async def put(
        self, text: str, *aliases: str, client: str = WEB, state: str = APPROVED
    ) -> Registered:
        """A document in a state, known to the hub."""
        given = [Given(text, alias, "test") for alias in aliases] or [Given(text, "", "test")]
        new = candidates(given, self.hub.trusted.examiner)
        async with single(self.hub.settings.store_url) as conn:
            added = await register(conn, client, new, by="clerk")
            (document,) = (*added.new, *added.known)
            version, of = added.policy, (client, document.name, document.version)
            if state != DRAFT:
                version = await approve(conn, *of, by="officer", basis="test")
            if state == RETIRED:
                version = await retire(conn, *of, by="officer", basis="test")
        await self.hub.keeper.at_least(version, PATIENT_S)
        return await self.document(document.label, client)

    async def end(self, document: Registered) -> int:
        """Retire it; the policy's version, which no worker has been told of."""
        async with single(self.hub.settings.store_url) as conn:
            of = (document.client, document.name, document.version)
            return await retire(conn, *of, by="officer", basis="test")

    async def document(self, label: str, client: str = WEB) -> Registered:
        """As the store has it."""
        async with single(self.hub.settings.store_url, readonly=True) as conn:
            found = await read_documents(conn, client)
        return next(one for one in found if one.label == label)

    async def records(self) -> list[dict[str, Any]]:
        """The bodies of the log, in order."""
        wanted = select(audit_event.c.body).order_by(audit_event.c.idx)
        async with self.hub.store.connect() as connection:
            return [json.loads(body) for body in await connection.scalars(wanted)]

    async def last(self) -> dict[str, Any]:
        """The newest record of a request."""
        return (await self.asked())[-1]

    async def asked(self) -> list[dict[str, Any]]:
        """The records of requests: alerts and the log's own come between them."""
        return [one for one in await self.records() if one["kind"] in ("READ", "AUDIT_READ")]


@contextlib.asynccontextmanager
async def edge(
    site: Site,
    folder: Path,
    given: Mapping[str, object] = NOTHING,
    telemetry: Telemetry | None = None,
) -> AsyncIterator[Edge]:
    """A hub over a copy of the site in a new folder, with these settings."""
    async with over(copied(site, folder), given, telemetry) as made:
        yield made


@contextlib.asynccontextmanager
async def over(
    site: Site,
    given: Mapping[str, object] = NOTHING,
    telemetry: Telemetry | None = None,
    clock: Callable[[], int] = now_us,
) -> AsyncIterator[Edge]:
    """A hub over the site itself; several are several workers. `clock` dates deeds and records."""
    settings = site.settings(None, **{**PATIENT, **given})
    hub = assemble(settings, telemetry=telemetry, clock=clock)
    async with running(hub):
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as http:
            yield Edge(site, hub, http)


def by_id(document: Registered | str) -> str:
    """The id of a document, or of a text."""
    digest = sha256_of(document) if isinstance(document, str) else document.sha256
    return f"sha256:{digest}"


def codes(answer: httpx.Response) -> Sequence[tuple[str, str | None]]:
    """Code and reason of each error of a GraphQL answer, or of a problem."""
    body = answer.json()
    if "code" in body:
        return [(body["code"], body.get("reason"))]
    errors = [one["extensions"] for one in body.get("errors", ())]
    return [(one["code"], one.get("reason")) for one in errors]
