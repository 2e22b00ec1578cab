"""Debian's Chromium at the console of a real server: what it asks for, says and shows.

Scripts are off, as in a browser that has none: every deed is a link or a form. axe, which is a
script, looks at the same address in a window of its own. Screenshots lie in build/screenshots.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from catalog.load import load
from hub import bulletins
from hub.demo.site import Site
from tests.casework import MANY
from tests.door import listening
from tests.sites import copied
from tests.trusted import Edge, over

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
WINDOW: ViewportSize = {"width": 1366, "height": 768}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SERIOUS = ("serious", "critical")
LASTS_S = 12 * 3600


@dataclass(slots=True)
class Seat:
    """Somebody at a window: his page, every request it made, every complaint of the browser."""

    edge: Edge
    url: str
    context: BrowserContext
    page: Page
    eyes: BrowserContext
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """A page below /console, wholly there."""
        await self.page.goto(f"{self.url}/console{path}")

    async def sign_in(self, account: str) -> None:
        """Fills the form on the page to sign in."""
        found = self.edge.site.account(account)
        assert found is not None
        token = self.edge.hub.tokens.issue(account, found.purposes, ttl_s=LASTS_S)
        await self.go("/sign-in")
        await self.page.get_by_label("访问令牌").fill(token)
        await self.page.get_by_role("button", name="登录").click()
        await self.page.get_by_role("button", name="退出").wait_for()

    async def shot(self, name: str) -> None:
        """What he sees."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SHOTS / f"{name}.png", full_page=False)

    async def paper(self, name: str) -> bytes:
        """The page on A4."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        return await self.page.pdf(path=SHOTS / f"{name}.pdf", prefer_css_page_size=True)

    async def barriers(self) -> list[str]:
        """What axe finds serious on the page; what the browser complains of with scripts on."""
        await self.eyes.add_cookies(_kept(await self.context.cookies()))
        page = await self.eyes.new_page()
        self.watch(page)
        await page.goto(self.page.url)
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        found: Any = json.loads(
            await page.evaluate("axe.run().then(r => JSON.stringify(r.violations))")
        )
        await page.close()
        return [
            f"{one['id']}: {node['html'][:200]}"
            for one in found
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]

    def watch(self, page: Page) -> None:
        """Notes what a page asks for and what the browser complains of."""
        page.on("request", lambda asked: self.requests.append(asked.url))
        page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda failed: self.complaints.append(f"failed: {failed.url}"))

    def outside(self) -> list[str]:
        """Requests that left the machine."""
        kept = urlsplit(self.url).netloc
        return [
            u for u in self.requests if not u.startswith("data:") and urlsplit(u).netloc != kept
        ]


def _kept(cookies: list[Any]) -> list[Any]:
    """Cookies as another window takes them."""
    names = ("name", "value", "domain", "path", "httpOnly", "secure", "sameSite")
    return [{name: one[name] for name in names} for one in cookies]


def _program() -> str:
    found = shutil.which(os.environ.get("HUB_TEST_CHROMIUM", "chromium"))
    if found is None:
        missing = "no Chromium: run `make test-browser` as root, or set HUB_TEST_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all."""
    program = _program()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, headless=True, args=[*FLAGS]
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def edge(pristine: Site, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """The county's hub."""
    site = copied(pristine, tmp_path_factory.mktemp("browser") / "site")
    at = datetime(2026, 11, 3, tzinfo=UTC)
    await bulletins.freeze(site.settings(), load(), "2026-09", by="office-01", now=at)
    async with over(site, MANY) as made:
        yield made


@pytest.fixture(scope="session")
async def address(edge: Edge) -> AsyncIterator[str]:
    """Where it listens."""
    async with listening(edge.hub) as url:
        yield url


@pytest.fixture
async def seat(edge: Edge, address: str, chromium: Browser) -> AsyncIterator[Seat]:
    """A new window without scripts, whose owner is nobody yet."""
    context = await chromium.new_context(
        viewport=WINDOW, java_script_enabled=False, locale="zh-CN", accept_downloads=True
    )
    eyes = await chromium.new_context(viewport=WINDOW, locale="zh-CN")
    page = await context.new_page()
    made = Seat(edge, address, context, page, eyes)
    made.watch(page)
    yield made
    await context.close()
    await eyes.close()
