"""A frontend's manifest: registered, approved, asked by id and by REST, retired, refused.

Two workers over one store, on either database: what one command puts in force or ends, both know
(how soon is `tests/faults/test_revocation.py`'s claim).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub.deeds import SECURITY, Deed, Signature, do
from hub.demo.site import Site
from hub.registering import candidates, read_file
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.documents import approve, register, retire
from store.engine import single
from tests.trusted import ENFORCED, WEB, Edge, codes, over

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from tests.journeys.conftest import FillStore

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

MANIFEST = Path(__file__).parents[2] / "examples" / "documents" / "persisted-documents.json"
PATIENT_S = 60.0  # what is claimed here is that it happens, on however busy a machine
MANY = {"rate.person": 100_000}  # one clerk asks until a worker knows
PEOPLE = (("sec-01", "rev", "secadmin"), ("dev-01", "mca", "dept"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, site_copy: Site) -> str:
    """The store: the site's own, or an empty PostgreSQL."""
    postgres = request.param == "postgres"
    return str(request.getfixturevalue("pg_url")) if postgres else site_copy.store_url


@pytest.fixture
async def workers(
    url: str, site_copy: Site, fill_store: FillStore
) -> AsyncIterator[tuple[Edge, Edge]]:
    """Two hubs, each with what it keeps to itself, over one store."""
    if url != site_copy.store_url:
        await fill_store(site_copy, url)
    async with single(url) as conn:
        people = [
            NewPrincipal(name, "official", "某人", dept, (NewPost(dept, role, "532622"),))
            for name, dept, role in PEOPLE
        ]
        await seed_accounts(conn, people)
    given = {**ENFORCED, **MANY, "store.url": url}
    file = site_copy.folder / "keys" / "signer-two.json"
    async with (
        over(site_copy, {**given, "audit.signer_file": file}) as one,
        over(site_copy, {**given, "audit.signer_file": file}) as two,
    ):
        yield one, two


async def sign(edge: Edge, what: str, by: str, change: object, *posts: object) -> None:
    """A deed as `hub documents` does it, past both workers."""
    hub = edge.hub
    signed = (Signature(by, posts),)  # type: ignore[arg-type]
    await do(hub.settings, hub.catalog, Deed(what, signed), change)  # type: ignore[arg-type]


async def until(edge: Edge, body: dict[str, object], status: int) -> None:
    """Until a worker answers so."""
    started = time.monotonic()
    while (answer := await edge.ask(body)).status_code != status:
        fault = (answer.status_code, codes(answer), edge.hub.keeper.fault)
        assert time.monotonic() - started < PATIENT_S, fault
        await asyncio.sleep(0.02)


async def test_a_manifest_from_its_tool_to_its_end(workers: tuple[Edge, Edge]) -> None:
    one, two = workers
    (alias, text), _ = json.loads(MANIFEST.read_text(encoding="utf-8")).items()
    person = one.site.shown("zhelai")
    body: dict[str, object] = {"documentId": alias, "variables": {"idNumber": person.id18}}
    for worker in workers:
        assert codes(await worker.ask(body)) == [("DOCUMENT_UNKNOWN", None)]

    given = candidates(read_file(MANIFEST), one.hub.trusted.examiner)

    async def add(conn: AsyncConnection) -> int:
        return (await register(conn, WEB, given, by="dev-01")).policy

    async def allow(conn: AsyncConnection) -> int:
        return await approve(conn, WEB, "WhoComes", 1, by="sec-01", basis="评审")

    async def end(conn: AsyncConnection) -> int:
        return await retire(conn, WEB, "WhoComes", 1, by="sec-01", basis="停用")

    await sign(one, "document.add", "dev-01", add)
    for worker in workers:
        await until(worker, body, 403)
    await sign(one, "document.approve", "sec-01", allow, SECURITY)
    for worker in workers:
        await until(worker, body, 200)

    graph = (await two.ask(body)).json()
    assert graph["data"]["citizen"]["name"] == person.name
    flat = await one.rest("WhoComes/1", json_={"idNumber": person.id18})
    assert flat.json()["citizen"] == graph["data"]["citizen"]
    assert codes(await two.ask({"query": "query Other { viewer { account } }"})) == [
        ("DOCUMENT_NOT_TRUSTED", None)
    ]

    await sign(one, "document.retire", "sec-01", end, SECURITY)
    for worker in workers:
        await until(worker, body, 403)
        assert codes(await worker.rest("WhoComes/1", json_={"idNumber": person.id18})) == [
            ("DOCUMENT_NOT_TRUSTED", None)
        ]
        assert codes(await worker.ask({"query": text})) == [("DOCUMENT_NOT_TRUSTED", None)]

    deeds = [r for r in await one.records() if r["kind"] == "POLICY_CHANGED"]
    assert [(r["op"]["name"], r["actor"]) for r in deeds] == [
        ("document.add", "dev-01"),
        ("document.approve", "sec-01"),
        ("document.retire", "sec-01"),
    ]
    asked = [r for r in await one.records() if r.get("op", {}).get("name") == "WhoComes"]
    assert {r["op"]["vars"]["doc.version"] for r in asked} == {1}
    assert person.id18 not in json.dumps(await one.records())
