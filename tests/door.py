"""A hub of a test's own on a real port, over a store with a few accounts and no department."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from sqlalchemy import select
from uvicorn.config import LifespanType

from audit.batch import now_us
from hub.app import assemble, create_app
from hub.found import found
from hub.identity.credentials import new_secret, registered_certificate, registered_key
from hub.server import config
from hub.settings import load_settings
from hub.worker import Hub
from store.accounts import NewPost, NewPrincipal
from store.audit import audit_event
from store.clients import Client, ClientKey, add_key, create_client
from store.engine import single
from store.migrate import upgrade

CLERK, SYSTEM, GATE = "clerk-01", "mca-system-01", "gateway-01"
PURPOSE = "aid.file"
VIEWER = {"query": "{ viewer { account } }"}
READY_S = 15.0
PEOPLE = (
    NewPrincipal(CLERK, "official", "测试经办", "mca", (NewPost("mca", "dept", "532622"),)),
    NewPrincipal(SYSTEM, "system", "民政系统", "mca", (NewPost("mca", "system", "532622"),)),
    NewPrincipal(GATE, "system", "县级网关", "rev", (NewPost("rev", "system", "532622"),)),
)
LAST = date(9999, 12, 30)


@dataclass(slots=True)
class Door:
    """A running hub, its address, and what was made for it."""

    hub: Hub
    url: str
    client: httpx.AsyncClient
    secrets: dict[str, str] = field(default_factory=dict)

    async def ask(self, token: str | None, **headers: str) -> httpx.Response:
        """Who am I? With this token, if any."""
        given = {} if token is None else {"Authorization": f"Bearer {token}"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/graphql", json=VIEWER, headers=given | named)

    async def registered(
        self,
        name: str,
        account: str = SYSTEM,
        *,
        kind: str = "system",
        dept: str = "mca",
        purposes: Sequence[str] = ("sync", "report"),
        until: date = LAST,
        key: bytes | None = None,
        cert: bytes | None = None,
    ) -> str:
        """A client with a secret, and with a key and a certificate if they are given."""
        made = Client(name, "测试应用", dept, account, kind, tuple(purposes), "active", until)
        secret, first = new_secret(name, 1)
        keys: list[ClientKey] = [first]
        keys += [] if key is None else [registered_key(name, key, 2)]
        keys += [] if cert is None else [registered_certificate(name, cert, 3)]
        async with self.hub.store.begin() as conn:
            await create_client(conn, made, by="tester", basis="test")
            for one in keys:
                await add_key(conn, one, by="tester", basis="test")
        await self.hub.keeper.look()
        self.secrets[name] = secret
        return secret

    async def records(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of the log's records of a kind, in order."""
        async with self.hub.store.connect() as conn:
            bodies = await conn.scalars(select(audit_event.c.body).order_by(audit_event.c.idx))
            found = [json.loads(body) for body in bodies]
        return [body for body in found if body["kind"] == kind]


def reason(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    """Status, code and reason of a refusal; 200 with None, None for an answer."""
    errors = answer.json().get("errors")
    if not errors:
        return answer.status_code, None, None
    extensions = errors[0]["extensions"]
    return answer.status_code, extensions["code"], extensions.get("reason")


OK = (200, None, None)
INVALID = (401, "UNAUTHENTICATED", "TOKEN_INVALID")
EXPIRED = (401, "UNAUTHENTICATED", "TOKEN_EXPIRED")
MISSING = (401, "UNAUTHENTICATED", "TOKEN_MISSING")
CERT_UNKNOWN = (401, "UNAUTHENTICATED", "CERT_UNKNOWN")
DOWN = (401, "UNAUTHENTICATED", "ISSUER_DOWN")
BAD_HEADER = (400, "BAD_REQUEST", "HEADER")


async def prepared(folder: Path, url: str | None = None) -> str:
    """A store with PEOPLE; its address."""
    address = url or f"sqlite+aiosqlite:///{folder / 'store.sqlite'}"
    await asyncio.to_thread(upgrade, address)
    await found(address, demo=True, accounts=PEOPLE)
    return address


@contextlib.asynccontextmanager
async def opened(
    folder: Path, store: str, *, clock: Callable[[], int] = now_us, **given: object
) -> AsyncIterator[Door]:
    """A hub over the store on a free loopback port; `given` settings by name."""
    base: dict[str, object] = {"profile": "demo", "data_dir": folder, "store.url": store}
    hub = assemble(load_settings({}, {**base, **given}), clock=clock)
    async with (
        listening(hub, lifespan="on") as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client,
    ):
        yield Door(hub, url, client)


@contextlib.asynccontextmanager
async def listening(hub: Hub, *, lifespan: LifespanType = "off") -> AsyncIterator[str]:
    """The hub on a free loopback port; its address. `lifespan`: is it to be started, too?"""
    server = _Server(config(create_app(hub), lifespan=lifespan))
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(READY_S):
            while not server.started:
                assert not task.done()
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def changed(store: str, change: Callable[..., Any], *args: Any, **more: Any) -> None:
    """One deed of the store's in a transaction of its own, as another process does it."""
    async with single(store) as conn:
        await change(conn, *args, **more)


class _Server(uvicorn.Server):
    """A server that leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield
