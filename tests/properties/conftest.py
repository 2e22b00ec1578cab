"""What holds for every document, person and policy: the demo county under other circumstances."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest

from catalog.load import Catalog
from hub.demo.site import Site
from resolvers.binding import Bindings
from tests.oracle.county import copied
from tests.resolvers.conftest import (
    Desk,
    bindings,
    catalog,
    closed,
    desk,
    document,
    facts,
    opened,
    pg_desk,
    runner,
    site,
)

__all__ = ["bindings", "catalog", "desk", "document", "facts", "pg_desk", "runner", "site"]

OpenDesk = Callable[[Site], contextlib.AbstractContextManager[Desk]]


@pytest.fixture(scope="session")
def open_desk(catalog: Catalog, bindings: Bindings, runner: asyncio.Runner) -> OpenDesk:
    """``with open_desk(site) as desk``: a county of one's own, asked like the usual one."""

    @contextlib.contextmanager
    def make(site: Site) -> Iterator[Desk]:
        made = runner.run(opened(site, site.store_url, catalog, bindings, runner))
        try:
            yield made
        finally:
            runner.run(closed(made))

    return make


@pytest.fixture
def site_copy(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The county's files again, to be changed."""
    return copied(site, tmp_path_factory.mktemp("properties") / "site")
