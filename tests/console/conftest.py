"""One county and one hub with its console; browsers without a window that sign in to it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import httpx
import pytest

from hub.app import create_app
from hub.demo.site import Site
from tests.casework import MANY
from tests.sites import copied
from tests.trusted import Edge, over

CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')
KEY = re.compile(r'name="key" value="([\w-]{43})"')


@dataclass(slots=True)
class Browser:
    """Somebody at a desk: keeps cookies, fills forms, follows where he is led."""

    edge: Edge
    http: httpx.AsyncClient
    pages: list[httpx.Response] = field(default_factory=list)

    async def get(self, path: str) -> httpx.Response:
        """A page below /console."""
        page = await self.http.get(f"/console{path}", follow_redirects=True)
        self.pages.append(page)
        return page

    async def post(self, path: str, on: httpx.Response, **fields: str) -> httpx.Response:
        """A form of a page, sent."""
        csrf = CSRF.findall(on.text)[-1]
        keys = KEY.findall(on.text)
        form = {"csrf": csrf, **({"key": keys[0]} if keys else {}), **fields}
        page = await self.http.post(f"/console{path}", data=form)
        if page.status_code == 303:
            page = await self.http.get(page.headers["location"], follow_redirects=True)
        self.pages.append(page)
        return page

    async def sign_in(self, account: str) -> httpx.Response:
        """With a token of the demonstration's, on the page to sign in."""
        found = self.edge.site.account(account)
        assert found is not None
        token = self.edge.hub.tokens.issue(account, found.purposes, ttl_s=12 * 3600)
        return await self.post("/sign-in", await self.get("/sign-in"), token=token)


def browser(edge: Edge) -> Browser:
    """A new one, whose address is this machine's."""
    transport = httpx.ASGITransport(create_app(edge.hub), client=("127.0.0.1", 4711))
    client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
    return Browser(edge, client)


def said(page: httpx.Response) -> str:
    """The page's text without its tags, blanks folded."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


@pytest.fixture(scope="session")
def console_site(pristine: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The county for those who change nothing in it."""
    return copied(pristine, tmp_path_factory.mktemp("console") / "site")


@pytest.fixture(scope="session")
async def edge(console_site: Site) -> AsyncIterator[Edge]:
    """The hub of that county."""
    async with over(console_site, MANY) as made:
        yield made


@pytest.fixture
def own_site(pristine: Site, tmp_path: Path) -> Site:
    """A county of the test's own."""
    return copied(pristine, tmp_path / "site")
