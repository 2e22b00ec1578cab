"""One county a worker, copied for each fault; a hub on a real port, and its questions."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from audit.batch import now_us
from hub.app import assemble, create_app
from hub.demo.load import load_store
from hub.demo.site import Site
from hub.found import found
from hub.server import config
from hub.worker import Hub
from store.migrate import upgrade

READY_S = 15.0  # a cold start on a loaded machine takes three

Listening = Callable[..., contextlib.AbstractAsyncContextManager[tuple[Hub, str]]]


@pytest.fixture(scope="session")
def site(pristine: Site) -> Site:
    """The county at its smallest; nobody starts a hub on it."""
    return pristine


@pytest.fixture
def site_copy(site: Site, tmp_path: Path) -> Site:
    """A copy of the county, to be damaged."""
    folder = tmp_path / "site"
    shutil.copytree(site.folder, folder)
    return Site(folder, site.scale, site.people, site.demonstrations)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def filled_store(request: pytest.FixtureRequest, site_copy: Site) -> str:
    """The county's store on either database: people, cases, policy, accounts."""
    if request.param == "sqlite":
        return site_copy.store_url
    return str(request.getfixturevalue("filled_postgres"))


@pytest.fixture
def filled_postgres(site_copy: Site, pg_url: str) -> str:
    """The county's store in PostgreSQL."""
    upgrade(pg_url)
    asyncio.run(_fill(site_copy, pg_url))
    return pg_url


async def _fill(site: Site, url: str) -> None:
    await found(url, demo=True, accounts=[a.principal() for a in site.accounts])
    await load_store(site.folder / "register.sqlite", url)


@pytest.fixture(scope="session")
def listening() -> Listening:
    """``listening(site, clock=…, **settings)``: a hub of this process on a real loopback port."""
    return _listening


@contextlib.asynccontextmanager
async def _listening(
    site: Site, clock: Callable[[], int] = now_us, **given: object
) -> AsyncIterator[tuple[Hub, str]]:
    # Many requests are one clerk's, at once and within a minute.
    many: dict[str, object] = {"rate.person": 100_000, "running.person": 1_000}
    hub = assemble(site.settings(None, **(many | given)), clock=clock)
    server = _Server(config(create_app(hub)))
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(READY_S):
            while not server.started:
                assert not task.done()
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield hub, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """A server that leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield
