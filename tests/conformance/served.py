"""The hub as the suites meet it: a real server on a loopback port, over an invented county.

    python -m tests.conformance.served FOLDER

Makes the county in FOLDER, starts its departments' programs and listens. Then one line of JSON
says where, with which tokens, and whom the portal speaks for: ``{"url": …, "tokens": {"lab": …,
…}, "citizen": …}``. A signal ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import uvloop

from catalog.divisions import COUNTY
from hub.app import GRAPHQL, assemble, create_app, running
from hub.demo.department import departments
from hub.demo.run import LOOPBACK
from hub.demo.site import HTTP_SOURCES, Site, prepared
from hub.server import Server, config
from hub.settings import Settings
from hub.start import ready
from hub.telemetry import logs
from hub.worker import Hub
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.engine import open_engine

SCALE = 0.01  # about 4,800 people
PORTAL, OFFICER = "portal-01", "sec-01"
TOKEN_S = 3600  # longer than any run
PATIENT: Mapping[str, object] = {
    # A suite asks for more people in a minute than a window in a day, and most are nobody.
    "lookup.per_hour": 100_000,
    "lookup.misses": 100_000,
    # And it asks as fast as it is answered.
    "rate.person": 1_000_000,
    # What a busy machine takes for a commit is no matter of conformance.
    "audit.wait_s": 10,
}


def main(folder: Path) -> None:
    """Serve until a signal comes."""
    logs.configure("ERROR")
    site = asyncio.run(prepared(folder, SCALE, lambda _what, _share: None))
    asyncio.run(_more(site))
    files = {name: folder / "sources" / f"{name}.sqlite" for name in HTTP_SOURCES}
    with departments(files) as addresses:
        settings = site.connected(addresses, **PATIENT)
        ready(settings)
        uvloop.run(_served(site, settings))


async def _more(site: Site) -> None:
    """Whom the demonstration does not have: the citizens' side, and who approves documents."""
    portal, officer = NewPost("rev", "portal", COUNTY), NewPost("rev", "secadmin", COUNTY)
    people = [
        NewPrincipal(PORTAL, "portal", "群众端", "rev", (portal,)),
        NewPrincipal(OFFICER, "official", "测试账号", "rev", (officer,)),
    ]
    engine = open_engine(site.store_url, pool_size=1)
    async with engine.begin() as connection:
        await seed_accounts(connection, people)
    await engine.dispose()


async def _served(site: Site, settings: Settings) -> None:
    async with running(assemble(settings)) as hub:
        server = Server(config(create_app(hub), lifespan="off"))
        with socket.socket(proto=socket.IPPROTO_TCP) as bound:
            bound.bind((LOOPBACK, 0))
            task = asyncio.create_task(server.serve(sockets=[bound]))
            while not server.started:
                if task.done():
                    break
                await asyncio.sleep(0.01)
            sys.stdout.write(_told(hub, site, bound.getsockname()[1]) + "\n")
            sys.stdout.flush()
            with contextlib.suppress(KeyboardInterrupt):
                await task


def _told(hub: Hub, site: Site, port: int) -> str:
    tokens = {a.name: hub.tokens.issue(a.name, a.purposes, ttl_s=TOKEN_S) for a in site.accounts}
    tokens[PORTAL] = hub.tokens.issue(PORTAL, ["self"], ttl_s=TOKEN_S)
    url, citizen = f"http://{LOOPBACK}:{port}{GRAPHQL}", site.shown("zhelai").citizen
    return json.dumps({"url": url, "tokens": tokens, "citizen": citizen})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
